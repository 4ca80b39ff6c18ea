"""A blob that is not complete yet, in a file that several processes may want to go on with.

`partial/sha256/HEX` beside the store's blobs, held by an exclusive lock (flock) while somebody writes: who comes
second waits, and finds the blob, or what is left of a writer that was killed, and goes on from there. The kernel lets
go of a dead process's lock. Where the file system has no locks, each process has a file of its own.
"""

import asyncio
import errno
import fcntl
import hashlib
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from builder.oci.aside import temporary_beside
from builder.oci.blobs import BlobStore
from builder.oci.descriptor import Descriptor
from builder.oci.digest import ALGORITHM
from builder.oci.errors import BlobError, UnavailableError, disk_errors
from builder.oci.streams import CHUNK_BYTES

_POLL_S: Final = 0.05
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


class Partial:
    """The start of a blob: `size` bytes of it are in the file and in the hash."""

    __slots__ = ("_file", "_hash", "_path", "_store", "is_kept", "size")

    def __init__(self, file: io.FileIO, path: Path, store: BlobStore) -> None:
        self._file = file
        self._path = path
        self._store = store
        self.is_kept = False
        self.restart()

    def restart(self) -> None:
        """Count and hash from the start."""
        self._file.seek(0)
        self._hash = hashlib.sha256()
        self.size = 0

    def go_on(self, limit: int) -> None:
        """Take over what is in the file already, if it is not more than `limit` bytes."""
        if os.fstat(self._file.fileno()).st_size > limit:
            self.clear()
            return
        while data := self._file.read(CHUNK_BYTES):
            self._hash.update(data)
            self.size += len(data)

    def write(self, data: bytes) -> None:
        """Add bytes; raises DiskError, and frees what was written where the disk is full."""
        try:
            with disk_errors("fetching a blob to", self._path):
                rest = memoryview(data)
                while rest:
                    rest = rest[self._file.write(rest) :]
        except BaseException:
            with suppress(OSError):
                self.clear()
            raise
        self._hash.update(data)
        self.size += len(data)

    def clear(self) -> None:
        """Throw away all of it."""
        self.restart()
        self._file.truncate()

    def is_complete(self, descriptor: Descriptor) -> bool:
        """Whether this is the blob, every byte."""
        return self.size == descriptor.size and self._hash.hexdigest() == descriptor.digest.encoded

    def found(self) -> str:
        """Name the digest so far."""
        return f"{ALGORITHM}:{self._hash.hexdigest()}"

    def keep(self, descriptor: Descriptor) -> None:
        """Make it the store's blob, which it must be; raises DiskError."""
        path = self._store.path(descriptor.digest)
        with disk_errors("storing a blob in", self._store.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._path.replace(path)
        self.is_kept = True


def is_stored(store: BlobStore, descriptor: Descriptor) -> bool:
    """Whether the store has a blob, whole: read to its end. Raises DiskError."""
    try:
        store.verify(descriptor)
    except BlobError:
        return False
    with suppress(OSError):
        os.utime(store.path(descriptor.digest))  # for whoever removes what nobody uses
    return True


@asynccontextmanager
async def partial_blob(store: BlobStore, descriptor: Descriptor, *, lock_s: float) -> AsyncIterator[Partial | None]:
    """Give the file to go on with, locked; None if somebody else has completed the blob meanwhile.

    Raises UnavailableError where another process holds the lock for longer than `lock_s`, DiskError.
    """
    path = store.folder / "partial" / ALGORITHM / descriptor.digest.encoded
    with disk_errors("making room for a blob in", store.folder):
        path.parent.mkdir(parents=True, exist_ok=True)
    file, path = await _locked(path, lock_s)
    with file:
        if await asyncio.to_thread(is_stored, store, descriptor):
            _unlink(path)
            yield None
            return
        partial = Partial(file, path, store)
        with disk_errors("reading", path):
            partial.go_on(descriptor.size)
        try:
            yield partial
        finally:
            is_private = bool(path.suffix)  # nobody else knows it
            if not partial.is_kept and (is_private or not partial.size):
                _unlink(path)


async def _locked(path: Path, lock_s: float) -> tuple[io.FileIO, Path]:
    """Open and lock the file of that name, or a private one where there are no locks."""
    deadline = asyncio.get_running_loop().time() + lock_s
    while True:
        with disk_errors("fetching a blob to", path):
            file = _open(path)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is(file, path):  # else it became the blob, or went, while it was opened
                    return file, path
            except BlockingIOError:
                pass
            except OSError as error:
                file.close()
                if error.errno not in _NO_LOCKS:
                    raise
                private = temporary_beside(path)
                return _open(private), private
            file.close()
        if asyncio.get_running_loop().time() > deadline:
            raise UnavailableError(
                f"fetching a blob to {str(path)!r}: another process has held it for {lock_s:g} s; "
                f"wait for that one, or end it"
            )
        await asyncio.sleep(_POLL_S)


def _open(path: Path) -> io.FileIO:
    return io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+")


def _is(file: io.FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _unlink(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
