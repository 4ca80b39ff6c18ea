"""Writes the generated parts of docs/reference: options, exit codes, pyproject keys and trim rules, out of the code.

`scripts/reference.py` writes, `scripts/reference.py --check` says which page is out of date; a test does the same.
"""

import argparse
import re
import runpy
import sys
import tomllib
from pathlib import Path

import click

from builder import config, errors
from builder.bases import known_bases
from builder.cli.build import build_command
from builder.cli.group import firkin_command
from builder.cli.grouped import GroupedCommand, grouped_options
from builder.lint import read_rules
from builder.project import DEFAULT_IGNORED
from emulator.cli import _make_parser

TOP = Path(__file__).parents[1]
LIFE = runpy.run_path(str(TOP / "scripts/life.py"))
REFERENCE = TOP / "docs" / "reference"


def options(command: click.Command) -> str:
    """A table of a command's options; one for each group where there are groups."""
    context = click.Context(command, info_name=command.name)
    grouped = isinstance(command, GroupedCommand)
    groups = (
        grouped_options(command, context)
        if grouped
        else [("", [one for one in command.get_params(context) if isinstance(one, click.Option)])]
    )
    lines: list[str] = []
    for title, group in groups:
        lines += ["", f"*{title}*", ""] if grouped else []
        lines += ["| option | meaning |", "|---|---|"]
        for record in filter(None, (option.get_help_record(context) for option in group)):
            name, text = (cell.replace("|", chr(92) + "|") for cell in record)
            lines.append(f"| `{name}` | {text} |")
    return "\n".join(lines).lstrip()


def exit_codes() -> str:
    """A table of the exit codes."""
    rows = [
        "| code | class | meaning |",
        "|---|---|---|",
        "| 0 | | built |",
        "| 1 | | a bug in firkin: please report it |",
    ]
    rows += ["| 2 | | the command line cannot be right |"]
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BuilderError)
    ]
    for kind in sorted(classes, key=lambda kind: kind.exit_code):
        if kind is not errors.BuilderError:
            rows.append(f"| {kind.exit_code} | `{kind.__name__}` | {(kind.__doc__ or '').strip()} |")
    return "\n".join([*rows, "| 130 | | interrupted with Ctrl-C |", "| 143 | | ended with SIGTERM |"])


def table_keys() -> str:
    """The keys of [tool.build-image]."""
    rows = ["| key | type |", "|---|---|"]
    rows += [f"| `{key}` | string |" for key in config.STRINGS]
    rows += [f"| `{key}` | list of strings |" for key in config.LISTS]
    rows += [f"| `{key}` | true or false |" for key in config.FLAGS]
    return "\n".join(rows)


def trim_rules() -> str:
    """The rows of safe.toml."""
    rules = tomllib.loads((TOP / "builder/trim/safe.toml").read_text(encoding="utf-8"))["rule"]
    rows = ["| where | what | unless | why |", "|---|---|---|---|"]
    for rule in rules:
        patterns = ", ".join(f"`{pattern}`" for pattern in rule["match"])
        rows.append(f"| {rule['scope']} | {patterns} | {rule.get('unless', '')} | {rule['why']} |")
    return "\n".join(rows)


def known() -> str:
    """The bases of images/."""
    rows = ["| base | Python in | C library | notes |", "|---|---|---|---|"]
    rows += [f"| `{base.example}` | {base.python or 'none'} | {base.libc} | {base.notes} |" for base in known_bases()]
    return "\n".join(rows)


def lint_rules() -> str:
    """A section for each rule of `firkin lint`."""
    return "\n\n".join(
        f"### {rule.id}\n\n{rule.title} ({rule.level}): {rule.why}. {rule.do}" for rule in read_rules().values()
    )


def ignored() -> str:
    """The default ignore patterns."""
    return ", ".join(f"`{pattern}`" for pattern in DEFAULT_IGNORED)


def emulator_options() -> str:
    """Tables of the emulator's options, group by group."""
    lines: list[str] = []
    for group in _make_parser()._action_groups:  # noqa: SLF001 - argparse tells of its options nowhere else
        actions = [action for action in group._group_actions if action.option_strings and action.dest != "help"]  # noqa: SLF001
        if not actions:
            continue
        title = [] if group.title in {"options", "optional arguments"} else [f"*{group.title}*", ""]
        lines += [*title, "| option | meaning |", "|---|---|", *map(emulator_option, actions), ""]
    return "\n".join(lines).rstrip()


def emulator_option(action: argparse.Action) -> str:
    """A row of the table."""
    wanted = action.metavar or "|".join(action.choices or [action.dest.upper()])
    name = action.option_strings[0] + ("" if action.nargs == 0 else f" {wanted}")
    meaning = (action.help or "") % {"default": action.default}
    return f"| `{name.replace('|', chr(92) + '|')}` | {meaning} |"


PARTS = {
    "emulator.md": {"options": emulator_options},
    "../explanation/life-of-an-environment.md": {"diagram": LIFE["diagram"]},
    "build-image.md": {
        "options": lambda: options(build_command),
        "exit codes": exit_codes,
        "table": table_keys,
        "trim": trim_rules,
        "ignored": ignored,
    },
    "firkin.md": {
        "run": lambda: options(firkin_command.commands["run"]),
        "invoke": lambda: options(firkin_command.commands["invoke"]),
        "explain": lambda: options(firkin_command.commands["explain"]),
        "bases": lambda: options(firkin_command.commands["bases"]),
        "known bases": known,
        "trace": lambda: options(firkin_command.commands["trace"]),
    },
    "lint.md": {
        "options": lambda: options(firkin_command.commands["lint"]),
        "rules": lint_rules,
    },
}


def rendered(page: str) -> str:
    """The page with its generated parts made anew."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    for name, make in PARTS[page].items():
        marked = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- /generated -->)", re.DOTALL)
        if not marked.search(text):
            raise SystemExit(f"{page} has no place for {name!r}")
        body = make() + "\n"
        text = marked.sub(lambda found, body=body: found[1] + body + found[2], text)
    return text


def main() -> int:
    """Write or check every page."""
    stale = [page for page in PARTS if (REFERENCE / page).read_text(encoding="utf-8") != rendered(page)]
    if "--check" in sys.argv:
        print("\n".join(f"docs/reference/{page} is out of date: run scripts/reference.py" for page in stale))
        return 1 if stale else 0
    for page in stale:
        (REFERENCE / page).write_text(rendered(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
