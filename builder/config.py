"""What the build was asked to do: one value per setting, and where it came from.

Flags beat the environment (`BUILD_IMAGE_*`), which beats `[tool.build-image]`, which beats the default; click applies
that order (`default_map`), this module says what the table may hold. Never looks at the function's files.
"""

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from builder.errors import SourceError

TABLE = "tool.build-image"

MAX_SHOWN_CHARS = 120  # a line of a terminal

# The keys of [tool.build-image], and the click parameter each one is a default for.
STRINGS: Mapping[str, str] = {
    "handler": "handler",
    "tag": "tag",
    "base": "base",
    "python": "python",
    "engine": "engine",
    "template": "template",
    "trim": "trim",
}
LISTS: Mapping[str, str] = {
    "platform": "platforms",
    "keep": "keep",
    "drop": "drop",
    "events": "events",
    "output": "outputs",
    "label": "labels",
    "env": "variables",
    "volatile": "volatile",
    "lint-ignore": "lint_ignore",
    "insecure-registry": "insecure",
}
FLAGS: Mapping[str, str] = {"flatten": "flatten"}


@dataclass(frozen=True, slots=True)
class Config:
    """One build as it was asked for. `origins` maps a field's name to the place its value came from.

    `platforms` are all that were asked for, `platform` is the one of them that this build is for.
    """

    source: Path
    handler: str | None = None
    tag: str | None = None
    base: str = "host"
    python: str | None = None
    platform: str | None = None
    platforms: tuple[str, ...] = ()
    flatten: bool = False
    index: bool = False
    engine: str = "oci"
    template: str | None = None
    trim: str = "reachable"
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()  # files about the image: report, SBOM, …
    labels: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    lint_ignore: tuple[str, ...] = ()
    push: bool = False
    insecure: tuple[str, ...] = ()
    prove: bool = True
    offline: bool = False
    cache: bool = True
    origins: Mapping[str, str] = field(default_factory=dict)


def read_pyproject(source: Path) -> Mapping[str, object]:
    """The parsed pyproject.toml of the folder, or an empty mapping. Raises SourceError when it cannot be read."""
    file = source / "pyproject.toml"
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"reading {file}: {error}", hint="The file must be readable UTF-8.") from None
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SourceError(f"reading {file}: it is not valid TOML: {error}", hint="Correct that line.") from None


def parse_table(pyproject: Mapping[str, object]) -> dict[str, object]:
    """[tool.build-image] as defaults for the command line: parameter name → value.

    Raises SourceError for an unknown key, and for a value of the wrong type.
    """
    tool = pyproject.get("tool", {})
    table = tool.get("build-image", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise SourceError(f"reading [{TABLE}]: it is {_shown(table)}, not a table", hint=f"Write it as [{TABLE}].")
    defaults: dict[str, object] = {}
    for key, value in table.items():
        if key == "platform" and isinstance(value, str):  # one is common, and a list of one is a nuisance
            value = [value]  # noqa: PLW2901 - the same value in its other form
        if key in STRINGS:
            defaults[STRINGS[key]] = _checked(key, value, "a string", lambda v: isinstance(v, str))
        elif key in LISTS:
            defaults[LISTS[key]] = _checked(
                key,
                value,
                "a list of strings",
                lambda v: isinstance(v, list) and all(isinstance(i, str) for i in v),
            )
        elif key in FLAGS:
            defaults[FLAGS[key]] = _checked(key, value, "true or false", lambda v: isinstance(v, bool))
        else:
            known = sorted((*STRINGS, *LISTS, *FLAGS))
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "Known keys: " + ", ".join(known) + "."
            raise SourceError(f"reading [{TABLE}]: unknown key {key!r}", hint=hint)
    return defaults


def _checked(key: str, value: object, wanted: str, is_right: Callable[[object], bool]) -> object:
    if is_right(value):
        return value
    raise SourceError(f"reading [{TABLE}]: {key} is {_shown(value)}, not {wanted}", hint=f"Give {key} as {wanted}.")


def _shown(value: object) -> str:
    """A value for a message: its repr, of bounded length."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "…"
