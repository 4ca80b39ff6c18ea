"""This build beside the last one that had a report: sizes by layer, and the files that made the difference. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

LARGEST = 20  # files listed for each kind of change


@dataclass(frozen=True, slots=True)
class Build:
    """What is kept of a build: the image's name, each layer's compressed size, every file's size (bytes)."""

    image: str
    layers: Mapping[str, int]
    files: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Change:
    """A file or layer before and after, in bytes; None where it was not, or is not any more."""

    name: str
    before: int | None
    after: int | None

    @property
    def difference(self) -> int:
        """Bytes more than before."""
        return (self.after or 0) - (self.before or 0)


def compare(before: Build, after: Build) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """All layers, in this build's order, and the files with the largest differences, the largest first."""
    layers = tuple(
        Change(name, before.layers.get(name), after.layers.get(name)) for name in {**after.layers, **before.layers}
    )
    changed = [
        Change(name, before.files.get(name), after.files.get(name))
        for name in before.files.keys() | after.files.keys()
        if before.files.get(name) != after.files.get(name)
    ]
    changed.sort(key=lambda change: (-abs(change.difference), change.name))
    return layers, tuple(changed[:LARGEST])
