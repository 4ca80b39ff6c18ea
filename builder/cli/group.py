"""`firkin`: the commands under one name."""

import click

from builder.cli.build import build_command
from builder.cli.common import HELP
from builder.cli.images import bases_command, explain_command, lint_command
from builder.cli.project import init_command, trace_command
from builder.cli.running import invoke_command, run_command


@click.group("firkin", context_settings=HELP)
@click.version_option(package_name="firkin")
def firkin_command() -> None:
    """Small, proven container images for Python functions on AWS Lambda."""


firkin_command.add_command(build_command, "build")
for _command in (
    bases_command,
    init_command,
    run_command,
    invoke_command,
    lint_command,
    explain_command,
    trace_command,
):
    firkin_command.add_command(_command)
