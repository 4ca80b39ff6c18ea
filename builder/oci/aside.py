"""Writing aside, then renaming: whoever looks at a target sees the old content or the new, never half of one.

The temporary is a sibling, so that the rename stays within one file system; it is removed on every way out
that this process survives, KeyboardInterrupt included. A process that is killed leaves a `.NAME.*.tmp`
behind.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_RANDOM_BYTES = 8


def temporary_beside(target: Path) -> Path:
    """Name a temporary sibling that nobody else will choose."""
    return target.with_name(f".{target.name}.{os.urandom(_RANDOM_BYTES).hex()}.tmp")


@contextmanager
def pending_file(target: Path) -> Iterator["PendingFile"]:
    """Give a file to write beside `target`; it is gone after the block unless it has become something."""
    temporary = temporary_beside(target)
    try:
        with temporary.open("xb") as file:
            yield PendingFile(file, temporary)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


class PendingFile:
    """A file being written under a temporary name."""

    __slots__ = ("_path", "file")

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file = file
        self._path = path

    def become(self, target: Path, *, durable: bool) -> None:
        """Take the name `target`, replacing a file of that name, with all that was written.

        `durable`: the content is on the disk before the name changes, so that a power failure cannot leave an
        empty file.
        """
        self.file.flush()
        if durable:
            os.fsync(self.file.fileno())
        self._path.replace(target)


@contextmanager
def folder_aside(target: Path) -> Iterator[Path]:
    """Give an empty folder to fill that becomes `target` if the block ends well, in place of what was there.

    What was there is moved away first and comes back if the second rename fails; it is the caller's part to
    have looked at it.
    """
    temporary = temporary_beside(target)
    try:
        temporary.mkdir()
        yield temporary
        _put_in_place(temporary, target)
    except BaseException:
        remove_tree(temporary)
        raise


def _put_in_place(new: Path, target: Path) -> None:
    old = temporary_beside(target)
    try:
        with suppress(FileNotFoundError):
            target.rename(old)
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    finally:
        if target.exists():
            remove_tree(old)


def remove_tree(folder: Path | bytes) -> None:
    """Remove a folder and all in it as far as the system lets us; a link in it is removed, not followed."""
    empty_folder(folder)
    with suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106 - the path may be bytes, as names in images are


def empty_folder(folder: Path | bytes) -> None:
    """Remove all that is in a folder, as `remove_tree` does."""
    folders = [os.fsencode(folder)]
    for name in folders:  # grows while it is read: parents come before children
        with suppress(OSError), os.scandir(name) as items:
            for item in items:
                if item.is_dir(follow_symlinks=False):
                    folders.append(item.path)
                else:
                    with suppress(OSError):
                        os.unlink(item.path)  # noqa: PTH108 - as above
    for name in reversed(folders[1:]):
        with suppress(OSError):
            os.rmdir(name)  # noqa: PTH106 - as above
