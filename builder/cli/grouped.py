"""Options in groups with titles, so that `--help` can be read; click itself knows one list.

Knows no option: a group is a title that an option carries.
"""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REST = "Other options"


class GroupedOption(click.Option):
    """An option with the title of its group."""

    def __init__(self, declarations: "Sequence[str]", *, group: str = REST, **rest: object) -> None:
        """`group` is the title; the rest is click's."""
        super().__init__(declarations, **rest)  # type: ignore[arg-type]  # click checks them
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help shows its options under their groups' titles, in the order of declaration."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the groups."""
        for title, options in grouped_options(self, ctx):
            with formatter.section(title):
                formatter.write_dl([record for option in options if (record := option.get_help_record(ctx))])


def grouped_options(command: click.Command, context: click.Context) -> "Iterable[tuple[str, list[click.Parameter]]]":
    """Titles and options of a command, in the order of declaration; what has no group comes last."""
    groups: dict[str, list[click.Parameter]] = {}
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option):
            groups.setdefault(getattr(parameter, "group", REST), []).append(parameter)
    rest = groups.pop(REST, [])
    return [*groups.items(), *([(REST, rest)] if rest else [])]
