"""Lists the files below a folder here, with what a build must know of each. Follows links, changes nothing.

`list_files` is for folders of this machine, `list_inside` for trees that nobody vouches for.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from builder.elf import Tree
from builder.errors import BaseError

MAX_VISITS = 500_000  # files and folders of a base: links among folders can multiply without end


@dataclass(frozen=True, slots=True)
class Listed:
    """A file: `path` relative to the folder, `source` its place here, `size` in bytes, whether its owner may run it.

    `stamp` tells two states of it apart: its time of change in nanoseconds.
    """

    path: str
    source: str
    size: int
    stamp: str
    executable: bool


def list_files(folder: str, *, skip: frozenset[str] = frozenset()) -> list[Listed]:
    """The regular files below `folder`, sorted by path, without the folders whose name is in `skip`.

    Dead links, and links to a folder that holds them, are passed over. Raises OSError.
    """
    found: list[Listed] = []
    _walk(folder, "", skip, found)
    found.sort(key=lambda file: file.path)
    return found


def _walk(folder: str, prefix: str, skip: frozenset[str], found: list[Listed]) -> None:
    """Add what is below `folder` to `found`: a list, because generators in generators cost half of a rebuild's walk."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name not in skip and not (entry.is_symlink() and leads_back(entry.path)):
                    _walk(entry.path, prefix + entry.name + "/", skip, found)
            elif entry.is_file():
                found.append(listed(prefix + entry.name, entry.path, entry.stat()))


def list_inside(tree: Tree, folder: str, *, skip: frozenset[str] = frozenset()) -> list[Listed]:
    """The same for a folder of `tree`, whose links are followed as a process inside it would, and never out of it.

    Every `source` is a path without links. Raises BaseError for a tree whose links multiply beyond measure.
    """
    start = tree.resolve(folder)
    if start is None or not tree.is_dir(start):
        return []
    found: list[Listed] = []
    visits = 0
    todo: list[tuple[str, str, tuple[str, ...]]] = [(start, "", (start,))]
    while todo:
        here, prefix, way = todo.pop()
        with os.scandir(tree.host(here)) as entries:
            for entry in entries:
                visits += 1
                resolved = tree.resolve(f"{here}/{entry.name}") if entry.is_symlink() else f"{here}/{entry.name}"
                if resolved is None:
                    continue
                place = tree.host(resolved)
                state = place.lstat()
                if stat.S_ISREG(state.st_mode):
                    found.append(listed(prefix + entry.name, str(place), state))
                elif stat.S_ISDIR(state.st_mode) and entry.name not in skip and not _is_on(way, resolved):
                    todo.append((resolved, f"{prefix}{entry.name}/", (*way, resolved)))
        if visits > MAX_VISITS:
            raise BaseError(
                f"reading {folder!r} of the base: more than {MAX_VISITS} files and folders, links followed",
                hint="Its links lead to each other: do not trust this base.",
            )
    found.sort(key=lambda file: file.path)
    return found


def _is_on(way: tuple[str, ...], folder: str) -> bool:
    """Whether a folder is one of those that were walked through, or holds one of them."""
    return any(f"{step}/".startswith(f"{folder.rstrip('/')}/") for step in way)


def leads_back(link: str) -> bool:
    """Whether a link to a folder names one on the way to it, so that following it would never end.

    The way is what was walked, not what it resolves to: two links in two folders may lead to each other.
    """
    target = os.path.realpath(link)
    return any(Path(os.path.realpath(parent)).is_relative_to(target) for parent in Path(link).parents)


def listed(path: str, source: str, stat: os.stat_result | None = None) -> Listed:
    """One file, known by its `path` in the listing. Raises OSError."""
    stat = stat or Path(source).stat()
    return Listed(path, source, stat.st_size, str(stat.st_mtime_ns), bool(stat.st_mode & 0o100))


def digest_of(source: str) -> str:
    """The SHA-256 of a file's content: bytes may change under the same size and time. Raises OSError."""
    with Path(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
