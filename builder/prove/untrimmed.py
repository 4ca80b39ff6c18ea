"""The files that trimming left out, as a folder to run an image with: image and folder together are the whole function.

So the untrimmed function runs with the same layers, and nothing is packed twice. Without bytecode: that changes how
long a start takes, not what it does. Kept in the cache. Never runs anything.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from builder.cache import ELSEWHERE, Cache, key_of
from builder.disk import disk
from builder.errors import OutputError
from builder.plan import How, PlannedFile

_FOLDER_MODE = 0o755
_KIND = "rest"  # of trees in the cache


def folder_of(rest: Iterable[PlannedFile], cache: Cache) -> Path:
    """A folder that holds the files at their places. Raises OutputError for the disk."""
    files = [file for file in rest if file.how is not How.BYTECODE]
    return cache.tree(_KIND, key_of_rest(files), lambda folder: _fill(folder, files))


def key_of_rest(rest: Iterable[PlannedFile]) -> str:
    """What tells one such folder from another."""
    return key_of("rest", "".join(file.identity() for file in rest if file.how is not How.BYTECODE))


def folder_again(key: str, cache: Cache) -> Path:
    """The folder of an earlier build, by its key. Raises OutputError when it is not there any more."""

    def gone(_: Path) -> None:
        raise OutputError(
            "looking for what trimming left out: the cache does not hold it any more", hint="Build again."
        )

    return cache.tree(_KIND, key, gone)


def _fill(folder: Path, files: Iterable[PlannedFile]) -> None:
    with disk("laying out what trimming left out", elsewhere=ELSEWHERE):
        folder.chmod(_FOLDER_MODE)
        for file in files:
            place = folder / file.path
            _make_folders(place.parent)
            match file.how:
                case How.LINK:
                    place.symlink_to(file.source)
                case How.CONTENT:
                    place.write_bytes(file.content)
                case How.FOLDER:
                    place.mkdir(exist_ok=True)
                case _:
                    shutil.copyfile(file.source, place)
            if file.how is not How.LINK:
                place.chmod(file.mode)


def _make_folders(folder: Path) -> None:
    """A folder and those above it, which any user may enter whatever the umask."""
    if not os.path.lexists(folder):
        _make_folders(folder.parent)
        folder.mkdir()
        folder.chmod(_FOLDER_MODE)
