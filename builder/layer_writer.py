"""Layers written in their order, and side by side where memory allows: one is compressed while the next is arranged.

A layer whose tar fits into memory is arranged by the caller's thread and compressed by others, which do not need the
interpreter's lock for it; a larger one is written by the caller's. Of the errors of several layers the lowest one's is
raised. Never decides what is in a layer.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

from builder.ahead import Ahead
from builder.cache import ELSEWHERE, Cache
from builder.disk import advice, disk
from builder.errors import BuilderError, OutputError, SourceError
from builder.layer_records import render_layer
from builder.listing import digest_of, listed
from builder.oci import BlobStore, DiskError, Entry, HeldTar, Layer, UsageError, hold_tar
from builder.oci.gzip_writer import WHOLE_BYTES
from builder.plan import How, PlannedLayer

_AT_ONCE = 2  # compressed; more would not fit into the memory that is allowed


@dataclass(frozen=True, slots=True)
class AssembledLayer:
    """A layer and how it came about: whether the cache had it, and the seconds it took."""

    name: str
    layer: Layer
    cached: bool
    seconds: float
    files: int


class LayerWriter:
    """Takes the layers of one image, bottom first; `finish` gives them when all are in the store.

    Memory: the tars that are being compressed or read, 32 MiB and one more of at most that.
    """

    __slots__ = ("_ahead", "_begun", "_cache", "_dense", "_held", "_pool", "_store")

    def __init__(
        self, store: BlobStore, cache: Cache, pool: ThreadPoolExecutor, *, dense: bool, ahead: Ahead | None
    ) -> None:
        self._store = store
        self._cache = cache
        self._pool = pool
        self._dense = dense
        self._ahead = ahead
        self._begun: list[Future[AssembledLayer]] = []
        self._held: deque[tuple[int, Future[AssembledLayer], Future[None] | None]] = deque()  # bytes, who needs them

    def keep(self, planned: PlannedLayer, layer: Layer) -> None:
        """Take a layer that is in the store already."""
        self._begun.append(Future())
        self._begun[-1].set_result(_assembled(planned, layer))

    def begin(self, planned: PlannedLayer, key: str, entries: Callable[[], Iterable[Entry]]) -> None:
        """Take a layer to write and to record under `key`; its files are read when this returns.

        Raises OutputError (disk), SourceError (files that cannot be packed, or changed since they were planned).
        """
        started = time.monotonic()

        def written(layer: Layer) -> AssembledLayer:
            self._cache.write_record("layers", key, render_layer(layer))
            return _assembled(planned, layer, time.monotonic() - started)

        def compress(tar: HeldTar) -> AssembledLayer:
            with _writing(planned):
                layer = self._store.add_held(tar, dense=self._dense)
            return written(layer)

        self._make_room()
        with _writing(planned):
            members = list(entries())
            tar = hold_tar(members)
            layer = None if tar else self._store.add_layer(members, dense=self._dense)
        check_unchanged(planned)
        if tar:
            self._begun.append(self._pool.submit(compress, tar))
            self._held.append((len(tar.data), self._begun[-1], self._ahead.take_tar(tar) if self._ahead else None))
        elif layer:
            if self._ahead:
                self._ahead.take(layer, self._store)
            self._begun.append(Future())
            self._begun[-1].set_result(written(layer))

    def finish(self) -> list[AssembledLayer]:
        """Wait for all of them. Raises OutputError for the disk."""
        return [one.result() for one in self._begun]

    def _make_room(self) -> None:
        """Wait until another tar may be held; an error of a lower layer is raised without its waiting."""
        while sum(held[0] for held in self._held) > WHOLE_BYTES:
            _, compressing, reading = self._held.popleft()
            wait([compressing])
            if reading:
                wait([reading])
        for one in self._begun:
            if one.done():
                one.result()


@contextmanager
def layer_writer(store: BlobStore, cache: Cache, *, dense: bool, ahead: Ahead | None) -> Iterator[LayerWriter]:
    """A writer, and its threads. What has not begun when the block ends early never does."""
    pool = ThreadPoolExecutor(_AT_ONCE, "layer")
    writer = LayerWriter(store, cache, pool, dense=dense, ahead=ahead)
    try:
        yield writer
    except BuilderError:
        writer.finish()  # a lower layer's error is told instead
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _assembled(planned: PlannedLayer, layer: Layer, seconds: float | None = None) -> AssembledLayer:
    return AssembledLayer(planned.name, layer, seconds is None, seconds or 0.0, len(planned.files))


@contextmanager
def _writing(planned: PlannedLayer) -> Iterator[None]:
    """Tell what goes wrong in writing a layer as the errors of this program."""
    doing = f"writing layer {planned.name}"
    with disk(doing, elsewhere=ELSEWHERE):
        try:
            yield
        except DiskError as error:
            hint = advice(error.errno, elsewhere=ELSEWHERE) or "Nothing was left half-written."
            raise OutputError(f"{doing}: {error}", hint=hint) from error
        except UsageError as error:  # a file that is gone, or whose name no image can hold
            raise SourceError(f"{doing}: {error}", hint="Correct it, and build when nothing writes there.") from error


def check_unchanged(planned: PlannedLayer) -> None:
    """Refuse a layer whose files changed after they were planned: it would be remembered as theirs."""
    for file in planned.files:
        if not file.stamp or file.how not in {How.COPY, How.BYTECODE, How.WITHOUT_DEBUG}:
            continue
        try:
            found = listed("", file.source)
            same = found.size == file.size and (found.stamp == file.stamp or digest_of(file.source) == file.stamp)
        except OSError:
            same = False
        if not same:
            raise SourceError(
                f"writing layer {planned.name}: {file.source!r} changed while it was packed",
                hint="Build again when nothing writes to it.",
            )
