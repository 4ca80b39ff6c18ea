"""What `firkin lint` says: rules, as data in `rules.toml`, and the findings that name them. Pure; decides nothing."""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path


class Level(StrEnum):
    """How bad it is: SARIF's words."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of `rules.toml`: what it is called, why it matters, what to do."""

    id: str
    level: Level
    title: str
    why: str
    do: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `place` is a path in the image, or "" for the image as a whole."""

    rule: str
    message: str
    place: str = ""

    @property
    def level(self) -> Level:
        """How bad it is."""
        return read_rules()[self.rule].level


@cache
def read_rules() -> Mapping[str, Rule]:
    """All rules by their id, in the order of the table."""
    rows = tomllib.loads((Path(__file__).parent / "rules.toml").read_text(encoding="utf-8"))["rule"]
    return {row["id"]: Rule(row["id"], Level(row["level"]), row["title"], row["why"], row["do"]) for row in rows}


def sort_findings(findings: Iterable[Finding], *, ignored: Collection[str] = ()) -> tuple[Finding, ...]:
    """The findings without those of ignored rules, the worst first, each once."""
    order = {level: index for index, level in enumerate(Level)}
    kept = {finding for finding in findings if finding.rule not in ignored}
    return tuple(sorted(kept, key=lambda one: (order[one.level], one.rule, one.place, one.message)))
