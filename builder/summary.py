"""The tables at the end of a build: layers with their sizes, steps with their times, and what was written."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from builder.console import Console, megabytes, seconds

LARGE_JSON_BYTES = 64 * 1024  # from here on the runtime takes orjson: `LARGE_BYTES` of bootstrap/payload.py


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


def advice_on_json(sizes: Iterable[int], paths: Iterable[str]) -> str:
    """What to add for events of these sizes, in bytes, to an image of these paths; "" for nothing."""
    large = max(sizes, default=0)
    if large < LARGE_JSON_BYTES or any("/orjson/" in path for path in paths):
        return ""
    return (
        f"an event has {large:,} bytes: with orjson in the function's dependencies, JSON of 64 KiB and more is read "
        "and written in a third of the time"
    )


def _cells(row: Row) -> list[str]:
    return [row.name, str(row.files), megabytes(row.unpacked), megabytes(row.compressed)]
