"""Facts of the standard library's sources and the runtime's, read once, when firkin's wheel is made.

A first build need not read them. One file for each minor version of Python, found by the state of the readers too, so
that a table of older code is never used. A source is known by its digest: a distribution's own patch of it is read as
any other file. Without a table all is read; the facts are the same.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from builder.trim.version import readers_digest

FOLDER = Path(__file__).with_name("known")


def name_of(source: bytes) -> str:
    """What a source is known by."""
    return hashlib.sha256(source).hexdigest()


@cache
def known_facts(version: tuple[int, int], folder: Path = FOLDER) -> Mapping[str, object]:
    """Facts as the cache holds them, by the names of their sources; none where there is no table that can be read."""
    try:
        table = json.loads(zlib.decompress(place_of(version, folder).read_bytes()))
    except (OSError, ValueError, zlib.error):
        return {}
    return table if isinstance(table, dict) else {}


def write_known_facts(version: tuple[int, int], sources: Iterable[bytes], folder: Path = FOLDER) -> Path:
    """Read the sources and write their table, in place of any of that version."""
    from builder.oci.aside import pending_file
    from builder.trim.facts import render_facts
    from builder.trim.reader import read_facts

    table = {name_of(source): render_facts(read_facts(source, version)) for source in sources}
    folder.mkdir(exist_ok=True)
    for old in folder.glob(f"{_beginning(version)}*"):
        old.unlink()
    place = place_of(version, folder)
    with pending_file(place) as pending:
        pending.file.write(zlib.compress(json.dumps(table, separators=(",", ":"), sort_keys=True).encode(), 9))
        pending.become(place, durable=False)
    return place


def _beginning(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}-"


def place_of(version: tuple[int, int], folder: Path = FOLDER) -> Path:
    """Where the table is that these readers would write."""
    return folder / f"{_beginning(version)}{readers_digest()[:16]}.json.z"
