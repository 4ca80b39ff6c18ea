"""gzip in one ordinary member, with the same bytes for any number of threads.

Compression is most of what a layer costs. What fits into memory is compressed in one piece by libdeflate, which takes a
third of zlib's time and gives 1 % less. It knows no streams: what is larger is cut into blocks of fixed size, which
threads deflate by zlib, each with the last 32 KiB of the block before as its dictionary and ending on a byte boundary
(a sync flush), so that the joined blocks are one deflate stream (as `pigz` writes it). Which way, and where the cuts
are, depends on the content alone, hence so do the bytes. Both release the interpreter's lock.

The bytes also depend on the compressors' versions, which `COMPRESSOR` names. What never depends on them is the diff_id.
"""

import os
import zlib
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import deflate

from builder.oci.streams import CHUNK_BYTES, Sink

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

COMPRESSOR: Final = f"deflate {deflate.__version__}, zlib {zlib.ZLIB_RUNTIME_VERSION}"

WHOLE_BYTES: Final = 32 * 1024 * 1024  # held at most; the interpreter's layer and that of most functions fit
_WHOLE_LEVEL: Final = 6  # of libdeflate: 7 is 0.5 % smaller and takes 1.4 times as long, 9 0.8 % and 3 times
_DENSE_LEVEL: Final = 12  # of libdeflate, its last: 4 % smaller than level 6 and ten times as slow
_LEVEL: Final = 6  # of zlib: 9 is 0.8 % smaller and three times as slow
_BLOCK_BYTES: Final = 512 * 1024  # small enough to keep all cores busy to the end, large enough to cost nothing
_WINDOW_BYTES: Final = 32 * 1024  # how far deflate looks back
_RAW: Final = -15  # zlib: no header of its own, 32 KiB window
_MEMORY: Final = 8  # zlib's default; 9 is 0.25 % larger here
# RFC 1952: magic, deflate, no flags (no name), no time, no extra flags, operating system unknown (255).
_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK: Final = b"\x03\x00"  # RFC 1951: an empty final block
_BLOCKS_PER_THREAD: Final = 3  # in flight: one being deflated, one waiting, one being written


def usable_cores() -> int:
    """Count the cores this process may run on; changes the speed of compression and nothing else."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class GzipWriter:
    """A sink that writes gzip to another sink; a context manager that ends the stream unless an error passes.

    `dense` takes more time for fewer bytes, of what fits into memory.
    Memory: 32 MiB and their output, or `threads` times 3 blocks of 512 KiB and theirs.
    """

    __slots__ = (
        "_block",
        "_checksum",
        "_dense",
        "_is_whole",
        "_pending",
        "_pool",
        "_sink",
        "_size",
        "_threads",
        "_window",
    )

    def __init__(self, sink: Sink, *, threads: int, dense: bool = False) -> None:
        self._sink = sink
        self._dense = dense
        self._threads = max(threads, 1)
        self._block = bytearray()
        self._is_whole = True  # so far all of the content is in the block
        self._window = b""
        self._pending: deque[Future[bytes]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._checksum = 0
        self._size = 0

    def __enter__(self) -> Self:
        self._sink.write(_HEADER)
        return self

    def write(self, data: bytes, /) -> None:
        """Take bytes; they are held, or full blocks go to the threads."""
        self._block += data
        if self._is_whole and len(self._block) <= WHOLE_BYTES:
            return
        self._is_whole = False
        while len(self._block) >= _BLOCK_BYTES:
            block = bytes(self._block[:_BLOCK_BYTES])
            del self._block[:_BLOCK_BYTES]
            self._submit(block)

    def take(self, content: bytearray) -> None:
        """Take all of a content of at most `WHOLE_BYTES` without a copy, instead of writes; it is not changed."""
        assert len(content) <= WHOLE_BYTES  # noqa: S101 - else its bytes would depend on how it came
        self._block = content

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)

    def _submit(self, block: bytes) -> None:
        self._count(block)
        window, self._window = self._window, block[-_WINDOW_BYTES:]
        if self._threads == 1:
            self._sink.write(_deflate(block, window))
            return
        if self._pool is None:
            # Costs several ms to import, which a layer of one small block must not pay.
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self._threads, "gzip")
        self._pending.append(self._pool.submit(_deflate, block, window))
        while len(self._pending) > self._threads * _BLOCKS_PER_THREAD:
            self._sink.write(self._pending.popleft().result())

    def _finish(self) -> None:
        if self._is_whole:
            self._count(self._block)
            level = _DENSE_LEVEL if self._dense else _WHOLE_LEVEL
            compressed = memoryview(deflate.deflate_compress(self._block, level))
            for start in range(0, len(compressed), CHUNK_BYTES):  # no second copy of all of it
                self._sink.write(bytes(compressed[start : start + CHUNK_BYTES]))
        else:
            if self._block:
                self._submit(bytes(self._block))
            while self._pending:
                self._sink.write(self._pending.popleft().result())
            self._sink.write(_LAST_BLOCK)
        self._sink.write(self._checksum.to_bytes(4, "little") + (self._size % 2**32).to_bytes(4, "little"))

    def _count(self, data: bytes | bytearray) -> None:
        self._checksum = deflate.crc32(data, self._checksum)  # of libdeflate: a tenth of zlib's time
        self._size += len(data)


def _deflate(block: bytes, window: bytes) -> bytes:
    """Deflate one block so that it can follow the bytes in `window`, ending on a byte boundary."""
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, window)
    return deflater.compress(block) + deflater.flush(zlib.Z_SYNC_FLUSH)
