"""The two shapes of bytes in motion, and the wrappers that count and check them on the way.

Everything here holds at most one chunk: memory stays flat whatever the size of an image. It opens no files.
"""

import hashlib
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Protocol, Self

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.errors import BlobError

CHUNK_BYTES: Final = 1024 * 1024  # one read or write; beyond this size syscalls no longer show in a profile


class Sink(Protocol):
    """Takes bytes; a file open for writing is one."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""


class Source(Protocol):
    """Gives bytes; a file open for reading is one."""

    def read(self, size: int, /) -> bytes:
        """Give 1 to `size` bytes, or none at the end."""

    def close(self) -> None:
        """Let go of what is behind it."""


def chunks(source: Source) -> Iterator[bytes]:
    """Read to the end, chunk by chunk."""
    while data := source.read(CHUNK_BYTES):
        yield data


def drain(source: Source) -> None:
    """Read to the end for the sake of the checks on the way."""
    for _ in chunks(source):
        pass


class HashingSink:
    """Passes bytes on to another sink and knows their digest and size so far."""

    __slots__ = ("_hash", "_sink", "size")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> None:
        """Count, hash, pass on."""
        self._hash.update(data)
        self.size += len(data)
        self._sink.write(data)

    def digest(self) -> Digest:
        """Give the digest of all bytes so far."""
        return Digest(self._hash.hexdigest())


class CheckedBlob:
    """A blob being read: its end is only reached if size and digest are what the descriptor says.

    A source that yields another content raises BlobError, at the latest where the end would be: who has read
    to the end has read the right bytes. A context manager that closes the source.
    """

    __slots__ = ("_descriptor", "_hash", "_left", "_source", "_where")

    def __init__(self, source: Source, descriptor: Descriptor, *, where: str) -> None:
        self._source = source
        self._descriptor = descriptor
        self._where = where
        self._hash = hashlib.sha256()
        self._left = descriptor.size

    def read(self, size: int, /) -> bytes:
        """Give up to `size` bytes, or none at the verified end."""
        data = self._source.read(max(size, 1))
        if data:
            self._left -= len(data)
            if self._left < 0:
                raise self._wrong(f"more than its {self._descriptor.size} bytes")
            self._hash.update(data)
            return data
        if self._left:
            raise self._wrong(f"truncated, {self._left} of {self._descriptor.size} bytes are missing")
        found = self._hash.hexdigest()
        if found != self._descriptor.digest.encoded:
            raise self._wrong(f"tampered with, its content is sha256:{found}")
        return b""

    def close(self) -> None:
        """Close the source, without a word about what was not read."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wrong(self, found: str) -> BlobError:
        return BlobError(
            f"reading blob {self._descriptor.digest} of {self._where}: {found}; discard it and make or fetch it again"
        )
