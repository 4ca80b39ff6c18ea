"""Lists the files below a folder of this machine, with what a build must know of each. Follows links, changes nothing."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listed:
    """A file: `path` relative to the folder, `source` its place, `size` in bytes, `stamp` what tells two states of it apart."""

    path: str
    source: str
    size: int
    stamp: str
    executable: bool


def list_files(folder: str, *, skip: frozenset[str] = frozenset()) -> list[Listed]:
    """The regular files below `folder`, sorted by path, without the folders whose name is in `skip`; dead links are passed over."""
    return sorted(_walk(folder, "", skip, 0), key=lambda file: file.path)


MAX_DEPTH = 40  # deeper only when links go in a circle


def _walk(folder: str, prefix: str, skip: frozenset[str], depth: int) -> Iterator[Listed]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name not in skip and depth < MAX_DEPTH:
                    yield from _walk(entry.path, prefix + entry.name + "/", skip, depth + 1)
            elif entry.is_file():
                yield listed(prefix + entry.name, entry.path, entry.stat())


def listed(path: str, source: str, stat: os.stat_result | None = None) -> Listed:
    """One file, known by its `path` in the listing."""
    stat = stat or os.stat(source)
    return Listed(path, source, stat.st_size, str(stat.st_mtime_ns), bool(stat.st_mode & 0o100))


def digest_of(source: str) -> str:
    """The digest of a file's content, for files whose size and time may stay the same while their bytes change."""
    with open(source, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
