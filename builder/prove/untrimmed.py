"""The files that trimming left out, as a folder to run an image with: image and folder together are the whole function.

So the untrimmed function runs with the same layers, and nothing is packed twice. Without bytecode: that changes how
long a start takes, not what it does. Kept in the cache. Never runs anything.
"""

import os
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from builder.cache import ELSEWHERE, Cache, key_of
from builder.disk import disk
from builder.errors import OutputError
from builder.plan import TASK, How, PlannedFile

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
                case _ if _is_linked(file, place):
                    continue
                case _:
                    shutil.copyfile(file.source, place)
            if file.how is not How.LINK:
                place.chmod(file.mode)


def _is_linked(file: PlannedFile, place: Path) -> bool:
    """Whether a link could be made: quicker than a copy, but its mode is the file's, and so is what is edited in place.

    Then the folder is not as it was left, and is made again.
    """
    with suppress(OSError):
        if not file.path.startswith(f"{TASK}/") and stat.S_IMODE(os.stat(file.source).st_mode) == file.mode:  # noqa: PTH116 - thousands of times
            os.link(file.source, place)
            return True
    return False


def _make_folders(folder: Path) -> None:
    """A folder and those above it, which any user may enter whatever the umask."""
    if not os.path.lexists(folder):
        _make_folders(folder.parent)
        folder.mkdir()
        folder.chmod(_FOLDER_MODE)
