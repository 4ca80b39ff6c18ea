"""A layer: entries in, one compressed tar out, both of its digests known after one pass.

The `diff_id` (of the tar) names the content and goes into the config; the descriptor's digest (of the
compressed tar) names the blob and goes into the manifest. A `Layer` is a value: it holds no bytes and may be
stored in a cache record.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.entry import Entry
from builder.oci.gzip_writer import GzipWriter, usable_cores
from builder.oci.streams import HashingSink, Sink
from builder.oci.tar_writer import write_tar


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. `size_uncompressed` is in bytes, None where an image read from elsewhere does not say."""

    descriptor: Descriptor
    diff_id: Digest
    size_uncompressed: int | None = None


def write_layer(
    entries: Iterable[Entry], sink: Sink, *, mtime: int = 0, threads: int | None = None, dense: bool = False
) -> Layer:
    """Write entries as a gzip layer to `sink`: equal entries give equal bytes, for any number of threads.

    `mtime` (seconds since 1970) is the time of every file; `threads` compress, by default one for each usable
    core; `dense` takes more time for fewer bytes. Raises UsageError and SourceError as `write_tar`; errors of the
    sink pass through.
    """
    compressed = HashingSink(sink)
    with GzipWriter(compressed, threads=threads or usable_cores(), dense=dense) as gzip:
        tar = _Blocks(gzip)
        write_tar(entries, tar, mtime=mtime)
        tar.flush()
    return Layer(
        Descriptor(media_types.LAYER_GZIP, compressed.digest(), compressed.size),
        diff_id=tar.hashing.digest(),
        size_uncompressed=tar.hashing.size,
    )


class _Blocks:
    """Joins the many small writes of a tar, so that hashing runs over large pieces and outside the lock."""

    __slots__ = ("_parts", "_size", "hashing")

    _FULL_BYTES = 256 * 1024

    def __init__(self, sink: Sink) -> None:
        self.hashing = HashingSink(sink)
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes, /) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size >= self._FULL_BYTES:
            self.flush()

    def flush(self) -> None:
        self.hashing.write(b"".join(self._parts))
        self._parts.clear()
        self._size = 0
