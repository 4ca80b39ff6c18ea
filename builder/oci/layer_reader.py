"""A layer's blob → its tar, decompressed, counted and hashed on the way.

The stream of a hostile layer may be endless; the caller's `Budget` ends it. It never holds more than one
chunk.
"""

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from builder.oci import media_types
from builder.oci.errors import BlobError, ImageError, LimitError, UnsupportedError
from builder.oci.layer import Layer
from builder.oci.streams import CHUNK_BYTES, Source, chunks

_GZIP: Final = 31  # zlib: 32 KiB window, gzip header and trailer


@dataclass(frozen=True, slots=True)
class Limits:
    """What an image may cost: folders and files made, and bytes of uncompressed tar, over all its layers."""

    max_entries: int = 500_000  # ten times a large Linux distribution's image
    max_bytes: int = 16 * 1024**3  # above the largest images that services run


class Budget:
    """What is left of the limits while an image is being read."""

    __slots__ = ("_limits", "bytes", "entries")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.entries = 0
        self.bytes = 0

    def spend_entry(self) -> None:
        """Count one; raises LimitError."""
        self.entries += 1
        if self.entries > self._limits.max_entries:
            raise LimitError(
                f"reading its layers: more than {self._limits.max_entries:,} files and folders, "
                f"which no image of use has; take another"
            )

    def spend_bytes(self, count: int) -> None:
        """Count bytes; raises LimitError."""
        self.bytes += count
        if self.bytes > self._limits.max_bytes:
            raise LimitError(
                f"reading its layers: more than {self._limits.max_bytes:,} bytes uncompressed, "
                f"which no image of use has; take another"
            )


class LayerReader:
    """The uncompressed tar of one layer as a source; `finish` reads the rest and checks the diff_id."""

    __slots__ = ("_at", "_budget", "_buffer", "_hash", "_layer", "_parts")

    def __init__(self, blob: Source, layer: Layer, budget: Budget) -> None:
        self._parts = decode(blob, layer)
        self._layer = layer
        self._budget = budget
        self._hash = hashlib.sha256()
        self._buffer = b""
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """Give up to `size` bytes, or none at the end."""
        if self._at == len(self._buffer):
            self._buffer = next(self._parts, b"")
            self._at = 0
            self._hash.update(self._buffer)
            self._budget.spend_bytes(len(self._buffer))
        data = self._buffer[self._at : self._at + size]
        self._at += len(data)
        return data

    def close(self) -> None:
        """Nothing to close: the blob is its opener's."""

    def finish(self) -> None:
        """Read to the end and check the diff_id; raises BlobError where it is another."""
        while self.read(CHUNK_BYTES):
            pass
        found = self._hash.hexdigest()
        if found != self._layer.diff_id.encoded:
            raise BlobError(
                f"reading layer {self._layer.descriptor.digest}: uncompressed it is sha256:{found}, its "
                f"configuration says {self._layer.diff_id}; make the image again"
            )


def decode(blob: Source, layer: Layer) -> Iterator[bytes]:
    """Give the chunks of a layer's tar; raises UnsupportedError for a compression other than gzip."""
    kind = layer.descriptor.media_type
    where = f"layer {layer.descriptor.digest}"
    if kind == media_types.LAYER_TAR:
        return chunks(blob)
    if kind == media_types.LAYER_GZIP:
        return gunzip(chunks(blob), where)
    raise UnsupportedError(f"reading {where}: its type is {kind!r}; convert the image to OCI with gzip layers")


def gunzip(parts: Iterator[bytes], where: str) -> Iterator[bytes]:
    """Decompress gzip, also several members in a row, in chunks; raises ImageError."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        for part in parts:
            rest = part
            while rest:
                if inflater.eof:
                    inflater = zlib.decompressobj(_GZIP)
                if data := inflater.decompress(rest, CHUNK_BYTES):
                    yield data
                rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        while not inflater.eof:
            data = inflater.decompress(b"", CHUNK_BYTES)
            if not data:
                raise ImageError(f"decompressing {where}: the gzip stream is truncated; make the image again")
            yield data
    except zlib.error as error:
        raise ImageError(f"decompressing {where}: {error}; make the image again") from error
