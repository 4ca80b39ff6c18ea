"""Which files stay out of the image, and by which rule: pure functions over paths, and the tables they read.

The knowledge is in `safe.toml` beside this file. Never opens a file of the function or of a package.
"""

import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from builder.patterns import Patterns

LEVELS = ("none", "safe", "reachable", "traced")

STDLIB = "stdlib"
DEPENDENCIES = "dependencies"
FUNCTION = "function"
RUNTIME = "runtime"

BY_DROP = "asked for with drop"  # the reason of what a person named; bootstrap/trimmed.py knows it, too


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: files of a `scope` that match are dropped, unless what `unless` names was observed."""

    scope: str
    match: Patterns
    why: str
    unless: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen in the sources and makes an exception.

    `imported` are folders named `tests` that are imported, `stub_loaders` folders of packages that read their stubs.
    """

    imported: frozenset[str] = frozenset()
    stub_loaders: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person said about trimming: the level, and patterns that overrule it."""

    level: str
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


@cache
def read_rules(level: str) -> tuple[Rule, ...]:
    """The rules of a level: all but `none` leave out what no program reads."""
    if level == "none":
        return ()
    table = tomllib.loads((Path(__file__).parent / "safe.toml").read_text(encoding="utf-8"))
    return tuple(Rule(row["scope"], Patterns(row["match"]), row["why"], row.get("unless", "")) for row in table["rule"])


def split(
    paths: Iterable[str], *, scope: str, prefix: str, choice: Choice, observed: Observed = Observed()
) -> tuple[list[str], dict[str, str]]:
    """The paths to keep, and the dropped ones with the reason of each.

    `paths` are relative to the folder that the image holds at `prefix`; `keep` and `drop` patterns may name a file
    either way. `drop` overrules `keep`, both overrule the level. Raises SourceError for what is no pattern.
    """
    rules = [rule for rule in read_rules(choice.level) if rule.scope == scope]
    keep, drop = Patterns(choice.keep, origin="keep"), Patterns(choice.drop, origin="drop")
    kept: list[str] = []
    dropped: dict[str, str] = {}
    for path in paths:
        names = (path, f"{prefix}/{path}")
        if drop.lines and any(drop.match(name) for name in names):
            dropped[path] = BY_DROP
        elif keep.lines and any(keep.match(name) for name in names):
            kept.append(path)
        elif why := next(
            (rule.why for rule in rules if rule.match.match(path) and not _excepted(rule, path, observed)), ""
        ):
            dropped[path] = why
        else:
            kept.append(path)
    return kept, dropped


def _excepted(rule: Rule, path: str, observed: Observed) -> bool:
    match rule.unless:
        case "imported":
            return is_below(path, observed.imported)
        case "stub-loader":
            return path in observed.stub_loaders or is_below(path, observed.stub_loaders)
        case _:
            return False


def is_below(path: str, folders: Collection[str]) -> bool:
    """Whether one of the folders holds the path."""
    parts = path.split("/")
    return any("/".join(parts[:length]) in folders for length in range(1, len(parts)))
