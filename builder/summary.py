"""The tables at the end of a build: layers with their sizes, steps with their times, and what was written."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from builder.console import Console, megabytes, seconds


class Row(NamedTuple):
    """One layer: files, bytes unpacked and compressed, and the seconds it took; None when the cache had it."""

    name: str
    files: int
    unpacked: int
    compressed: int
    made_in_s: float | None


def show_summary(rows: Sequence[Row], outputs: Iterable[object], console: Console) -> None:
    """Show the tables, with a last line for the image as a whole."""
    files, unpacked, compressed = (sum(column) for column in zip(*(row[1:4] for row in rows), strict=True))
    lines = [[*_cells(row), "cache" if row.made_in_s is None else seconds(row.made_in_s)] for row in rows]
    lines.append([*_cells(Row("image", files, unpacked, compressed, None)), ""])
    console.table("layers", ["layer", "files", "unpacked", "gzip", "made in"], lines)
    console.table("steps", ["step", "time"], [[name, seconds(spent)] for name, spent in console.timings])
    for output in outputs:
        console.say(f"wrote {output}")


def _cells(row: Row) -> list[str]:
    return [row.name, str(row.files), megabytes(row.unpacked), megabytes(row.compressed)]
