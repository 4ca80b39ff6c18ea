"""`build-image init`: a commented [tool.build-image] in the function's pyproject.toml, to begin with.

The comments are the help texts of the command line, so that there is one wording of each setting. Only ever adds to a
file, and never writes one that would not be valid.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.config import TABLE, read_pyproject
from builder.disk import write_whole
from builder.errors import HandlerError, SourceError
from builder.handler import find_handler
from builder.project import check_folder, read_files, read_ignored


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the table: what it is for, and a value as an example; `given` says that the value is meant."""

    key: str
    help: str
    example: object
    given: bool = False


def init(source: Path, settings: Sequence[Setting]) -> str:
    """Add the table to pyproject.toml, which is made where there is none; tells what was found.

    Raises SourceError when the table is there, HandlerError is none: a folder without a handler gets an example.
    """
    check_folder(source)
    pyproject = read_pyproject(source)
    tool = pyproject.get("tool")
    if isinstance(tool, dict) and "build-image" in tool:
        raise SourceError(f"beginning in {source}: pyproject.toml has [{TABLE}] already", hint="Edit it.")
    handler = _handler(source)
    chosen = [
        Setting("handler", one.help, handler, given=True) if one.key == "handler" and handler else one
        for one in settings
    ]
    file = source / "pyproject.toml"
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    text = before + ("\n" if before and not before.endswith("\n\n") else "") + render_table(chosen)
    tomllib.loads(text)
    write_whole(file, text.encode(), f"writing {file}")
    return handler


def _handler(source: Path) -> str:
    try:
        return find_handler(source, [file.path for file in read_files(source, read_ignored(source))], None)
    except HandlerError:
        return ""


def render_table(settings: Sequence[Setting]) -> str:
    """The table: each setting under its help, commented out unless its value is meant."""
    lines = [f"[{TABLE}]"]
    for setting in settings:
        mark = "" if setting.given else "# "
        lines += ["", f"# {setting.help}", f"{mark}{setting.key} = {render_value(setting.example)}"]
    return "\n".join(lines) + "\n"


def render_value(value: object) -> str:
    """A string or a list of strings as TOML, whose basic strings are JSON's."""
    return json.dumps(value, ensure_ascii=False)


# Examples of values, by key; a key without one is not offered.
EXAMPLES: Mapping[str, object] = {
    "handler": "app.handler",
    "tag": "registry.example.com/team/function:1",
    "base": "host",
    "python": "3.13",
    "engine": "docker",
    "template": "my.Dockerfile.template",
    "trim": "reachable",
    "keep": ["package/data/*.json"],
    "drop": ["package/examples"],
    "events": ["events/*.json"],
    "output": ["oci:dist/function"],
    "label": ["team=shop"],
    "env": ["MODE=fast"],
    "lint-ignore": ["ca-bundle"],
    "volatile": ["took [0-9]+ ms"],
}
