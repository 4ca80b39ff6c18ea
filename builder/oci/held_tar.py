"""A layer's tar as a value, for a layer that fits into memory: arranged in one step, compressed in another.

So the next layer can be arranged, and this one be unpacked, while it is compressed, which needs nobody's attention. The
blob has the same bytes as one that `write_layer` writes. It arranges nothing itself and holds at most `WHOLE_BYTES`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.entry import Entry
from builder.oci.gzip_writer import WHOLE_BYTES, GzipWriter
from builder.oci.layer import Layer
from builder.oci.streams import HashingSink, Sink
from builder.oci.tar_writer import write_tar


@dataclass(frozen=True, slots=True)
class HeldTar:
    """A whole tar and its name: `diff_id` is the digest of these very bytes, which nobody changes any more."""

    data: bytearray = field(repr=False)
    diff_id: Digest

    def open(self) -> "HeldSource":
        """Read the tar from its beginning; any number may read it at once."""
        return HeldSource(self.data)


class HeldSource:
    """Gives bytes that are in memory, without another copy of all of them."""

    __slots__ = ("_at", "_view")

    def __init__(self, data: bytearray) -> None:
        self._view = memoryview(data)
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """Give up to `size` bytes, or none at the end."""
        data = bytes(self._view[self._at : self._at + size])
        self._at += len(data)
        return data

    def close(self) -> None:
        """Let go of the bytes."""
        self._view.release()


def hold_tar(entries: Collection[Entry], *, mtime: int = 0) -> HeldTar | None:
    """The entries as one tar in memory; None when that is larger than what is compressed in one piece.

    `mtime` (seconds since 1970) is the time of every file. Raises UsageError and SourceError as `write_tar`.
    """
    if sum(map(_size_of, entries)) > WHOLE_BYTES:
        return None  # without reading anything
    held = _Held()
    try:
        write_tar(entries, held, mtime=mtime)
    except _TooLargeError:
        return None
    return HeldTar(held.data, Digest.of(held.data))


def write_held(tar: HeldTar, sink: Sink, *, dense: bool = False) -> Layer:
    """Write a tar as a gzip layer to `sink`: what `write_layer` writes of the same entries."""
    compressed = HashingSink(sink)
    with GzipWriter(compressed, threads=1, dense=dense) as gzip:
        gzip.take(tar.data)
    descriptor = Descriptor(media_types.LAYER_GZIP, compressed.digest(), compressed.size)
    return Layer(descriptor, tar.diff_id, len(tar.data))


def _size_of(entry: Entry) -> int:
    """The size of a content in bytes; what cannot be read is told when it is."""
    if isinstance(entry.source, bytes):
        return len(entry.source)
    try:
        return entry.source.stat().st_size
    except OSError:
        return 0


class _TooLargeError(Exception):
    """The tar outgrew what is held."""


class _Held:
    """A sink that holds what is written to it."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes, /) -> None:
        self.data += data
        if len(self.data) > WHOLE_BYTES:
            raise _TooLargeError
