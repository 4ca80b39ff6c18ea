"""Opening files that may be anything: the one place where this library opens for reading.

A path from a layout, an archive or a project may lead to a fifo or a device, on which a plain open waits
forever. It never judges whose fault a failure is: the callers do.
"""

import errno
import io
import os
import stat
from pathlib import Path

from builder.oci.errors import disk_errors


def open_regular(path: Path) -> io.FileIO:
    """Open a regular file for reading, unbuffered, never waiting; raises OSError for anything else."""
    file = io.FileIO(path, opener=_open_without_waiting)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no regular file")
    return file


def size_of(file: io.FileIO) -> int:
    """Give the size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size


class FileSource:
    """An open file as a source: a failing read is a DiskError about it, not about where a copy goes to."""

    __slots__ = ("_file", "_path")

    def __init__(self, file: io.FileIO, path: Path) -> None:
        self._file = file
        self._path = path

    def read(self, size: int, /) -> bytes:
        """Give up to `size` bytes, or none at the end; raises DiskError."""
        with disk_errors("reading", self._path):
            return self._file.read(size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
