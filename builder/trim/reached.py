"""What a walk has found: causes by path, and what files that are no modules are judged by. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.trim.knowledge import Row

SOURCELESS = "its bytecode is there, and nothing reads its source"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a file stays: a clause, and the file from which it was reached (empty for a root)."""

    why: str
    via: str = ""

    def __str__(self) -> str:
        return f"{self.why} /{self.via}" if self.via else self.why


@dataclass(slots=True)
class Reached:
    """What was found. `kept` maps the paths of modules to causes; the rest is what other files are judged by."""

    kept: dict[str, Cause] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)  # of kept modules
    mentions: set[str] = field(default_factory=set)
    strings: set[str] = field(default_factory=set)  # of the function and its dependencies
    services: set[str] = field(default_factory=set)
    dists: dict[str, Cause] = field(default_factory=dict)  # distributions whose metadata is asked for
    libraries: set[str] = field(default_factory=set)
    openers: set[str] = field(default_factory=set)  # paths of modules that open shared libraries
    traits: dict[str, str] = field(default_factory=dict)  # of the function and dependencies: trait → path
    rows: "dict[Row, str]" = field(default_factory=dict)  # rows with files that apply, and the path that made them
    own: set[str] = field(default_factory=set)  # paths that nothing but firkin's runtime reaches
    own_words: set[str] = field(default_factory=set)  # mentions and strings of the function
    source_readers: set[str] = field(default_factory=set)  # modules that read sources; FUNCTION for the function's

    def chain(self, path: str) -> list[tuple[str, Cause]]:
        """The way from a root to a kept module: paths and causes, the root first."""
        steps: list[tuple[str, Cause]] = []
        while path and path in self.kept and all(path != step for step, _ in steps):
            steps.append((path, self.kept[path]))
            path = self.kept[path].via
        return steps[::-1]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the files of a plan: causes of the kept, as (why, via), and reasons of the dropped, by path.

    Of the `sourceless` among the kept, bytecode stands for the source.
    """

    kept: Mapping[str, tuple[str, str]]
    dropped: Mapping[str, str]
    sourceless: frozenset[str] = frozenset()
