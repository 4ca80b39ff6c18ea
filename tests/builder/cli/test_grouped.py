"""`--help` in groups: every option once, under a title."""

import click
from click.testing import CliRunner

from builder.cli.build import build_command
from builder.cli.grouped import REST, GroupedCommand, GroupedOption, grouped_options


def groups_of(command):
    context = click.Context(command)
    return {title: [one.opts[-1] for one in options] for title, options in grouped_options(command, context)}


def test_groups_come_in_the_order_of_declaration_and_options_without_one_last():
    """An option that is declared later joins its group."""
    command = GroupedCommand(
        "x",
        params=[
            click.Option(["--plain"]),
            GroupedOption(["--one"], group="First"),
            GroupedOption(["--two"], group="Second"),
            GroupedOption(["--three"], group="First"),
            click.Argument(["place"]),
        ],
    )
    assert groups_of(command) == {"First": ["--one", "--three"], "Second": ["--two"], REST: ["--plain", "--help"]}
    text = CliRunner().invoke(command, ["--help"]).output
    assert [line for line in text.splitlines() if line.endswith(":")] == ["First:", "Second:", f"{REST}:"]


def test_every_option_of_build_image_has_a_group():
    """What is left over are --version and --help."""
    assert groups_of(build_command)[REST] == ["--version", "--help"]
