"""`firkin run --reload`: tells when a file of the function's folder has changed.

It looks at the files again and again, which works on every file system (containers' mounts and network drives send no
notices) and costs a few milliseconds of CPU a second for some hundred files. The files are those that would be shipped,
and those that declare dependencies: what .dockerignore leaves out, editors' and version control's files among them,
restarts nothing. It runs nothing itself.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from builder.dependencies import DECLARATIONS
from builder.errors import BuilderError
from builder.project import read_files, read_ignored

INTERVAL_S = 0.3  # between two looks; a change is told when two looks in a row see the same

Snapshot = Mapping[str, tuple[int, int, int]]


def snapshot(source: Path) -> Snapshot:
    """Each file with what changes when it is edited: time, size and inode; without those that go meanwhile.

    Empty while the folder cannot be read: an editor may just be replacing it.
    """
    try:
        names = [file.path for file in read_files(source, read_ignored(source))]
    except (BuilderError, OSError):
        return {}
    found = {}
    for name in (*names, *DECLARATIONS):
        try:
            status = (source / name).stat()
        except OSError:
            continue
        found[name] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def changed(before: Snapshot, after: Snapshot) -> list[str]:
    """The names of files that were changed, added or removed, sorted."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


async def changes(source: Path, *, interval_s: float = INTERVAL_S) -> AsyncIterator[list[str]]:
    """The names of the files that changed, each time that some did and all are still again."""
    known = await asyncio.to_thread(snapshot, source)
    last = known
    while True:
        await asyncio.sleep(interval_s)
        now = await asyncio.to_thread(snapshot, source)
        names = changed(known, now)
        if names and now and now == last:
            known = now
            yield names
        last = now
