"""What reading cannot see, as rows of tables: one file per family of packages in `knowledge/`, a reason in each row.

A row applies when a module that its `when` matches is kept. Patterns of modules are dotted names: `a.*` is `a` and all
below it, `a*` what begins so, `*` every module of the function and its dependencies.
docs/reference/trimming-knowledge.md tells how to add a row.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from builder.errors import BuilderError

FOLDER = Path(__file__).parent / "knowledge"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `kind` is the table's name. With `asks`, it applies only where one of these attributes is used.

    Rows about modules hold only where all modules `given` are there.

    `lean` rows apply only to what firkin's own runtime reaches and the function does not; `reaches` rows with `lean` to
    both. `traced` rows hold at level `traced` alone.

    start      `modules` are needed by the interpreter itself
    reaches    whoever keeps `when` keeps `modules` and the files that `files` match
    optional   imports of `modules` from `when` alone keep nothing: `when` does without, or is never asked; but where
               one of `unless` is there
    waits      imports of `modules` from `when` wait until one of `asks` is used outside of `when`'s package by who
               imports it, with `count = false` by the function itself, with `anywhere` by anybody; in modules that
               `unless` matches they are mere words. "import a" is asked by who imports a, "@" and a trait by who
               has it (`reader`)
    names      strings in `when` name modules, or with `count = false` they do not
    decodes    `when` decodes by names found in its data: all codecs stay; with `count = false` it does not
    sources    `when` reads sources of modules: with `count = false` none but the function's
    selected   files that `files` match stay where their `{name}` is among the services that code asks for
    unneeded   files that `files` match go, unless one of `unless` is kept
    """

    kind: str
    when: tuple[str, ...]
    modules: tuple[str, ...]
    files: tuple[str, ...]
    unless: tuple[str, ...]
    asks: tuple[str, ...]
    given: tuple[str, ...]
    count: bool
    anywhere: bool
    lean: bool
    traced: bool
    why: str
    origin: str


_KINDS = frozenset({"start", "reaches", "optional", "waits", "names", "decodes", "sources", "selected", "unneeded"})
_LISTS = ("when", "modules", "files", "unless", "asks", "given")


@cache
def read_knowledge() -> tuple[Row, ...]:
    """All rows of all files. Raises BuilderError for a row that is not of the form above."""
    rows: list[Row] = []
    for file in sorted(FOLDER.glob("*.toml")):
        rows += parse_rows(file.read_text(encoding="utf-8"), file.name)
    return tuple(rows)


def parse_rows(text: str, origin: str) -> list[Row]:
    """The rows of one file."""
    rows: list[Row] = []
    for kind, entries in tomllib.loads(text).items():
        for index, entry in enumerate(entries):
            unknown = set(entry) - {*_LISTS, "count", "anywhere", "lean", "traced", "why"}
            if kind not in _KINDS or unknown or not entry.get("why"):
                raise BuilderError(
                    f"reading {origin}: row {index + 1} of [[{kind}]] is not one of {', '.join(sorted(_KINDS))} with a "
                    f"`why`{f', and has {sorted(unknown)}' if unknown else ''}",
                    hint="See docs/reference/trimming-knowledge.md.",
                )
            rows.append(
                Row(
                    kind=kind,
                    **{name: tuple(entry.get(name, ())) for name in _LISTS},
                    count=bool(entry.get("count", True)),
                    anywhere=bool(entry.get("anywhere", False)),
                    lean=bool(entry.get("lean", False)),
                    traced=bool(entry.get("traced", False)),
                    why=entry["why"],
                    origin=origin,
                )
            )
    return rows


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a module's dotted name is one of the patterns."""
    return any(
        pattern == name
        or (pattern.endswith("*") and (name + "." if pattern.endswith(".*") else name).startswith(pattern[:-1]))
        for pattern in patterns
    )
