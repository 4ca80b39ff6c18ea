"""What the proof and the check will need, made while layers are: written layers read, left out files laid out.

Both take what they need of a layer from one pass over it. What they find is left in the cache, where they would look
for it anyway: so this never decides anything and reports no error. What fails here is done again, and told, by the
step whose work it is.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress

from builder.cache import Cache
from builder.errors import BuilderError
from builder.oci import Blobs, Digest, HeldTar, Image, Layer, OCIError, Watch
from builder.plan import PlannedFile

_WORTH_BYTES = 1 << 20  # of a blob or a tar in memory; a smaller layer is read sooner than a thread has begun


class Ahead:
    """Reads layers in threads; `settle` waits for all that were given."""

    __slots__ = ("_begun", "_cache", "_pool", "_unpacked")

    def __init__(self, pool: ThreadPoolExecutor, cache: Cache, *, unpacked: bool) -> None:
        self._pool = pool
        self._cache = cache
        self._unpacked = unpacked
        self._begun: list[Future[None]] = []

    def take(self, layer: Layer, blobs: Blobs) -> None:
        """Begin to read a layer, unless it is small."""
        if layer.descriptor.size >= _WORTH_BYTES:
            self._begun.append(self._pool.submit(_read, layer, blobs, self._cache, unpacked=self._unpacked))

    def take_tar(self, tar: HeldTar) -> Future[None] | None:
        """Begin to read a layer that is in memory, unless it is small; it can be forgotten when the result is there."""
        if len(tar.data) < _WORTH_BYTES:
            return None
        self._begun.append(self._pool.submit(_read_tar, tar, self._cache, unpacked=self._unpacked))
        return self._begun[-1]

    def settle(self) -> None:
        """Wait until nothing is being read."""
        wait(self._begun)
        self._begun.clear()


@contextmanager
def reading_ahead(cache: Cache, *, unpacked: bool) -> Iterator[Ahead]:
    """Read layers meanwhile; `unpacked` when the image will be run. What has not begun when it ends never does."""
    pool = ThreadPoolExecutor(1, "ahead")
    try:
        yield Ahead(pool, cache, unpacked=unpacked)
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def laying_out(rest: Iterable[PlannedFile], cache: Cache) -> Iterator[None]:
    """Lay out meanwhile what trimming left out, for the untrimmed function to run with."""
    from builder.prove.untrimmed import folder_of

    def lay_out() -> None:
        with suppress(BuilderError, OSError):
            folder_of(rest, cache)

    with ThreadPoolExecutor(1, "ahead") as pool:
        pool.submit(lay_out)
        yield


def read_last(image: Image, cache: Cache) -> None:
    """Read the uppermost layer for the check, which is loaded with that: while the image is run."""
    _read(image.layers[-1], image.blobs, cache, unpacked=False)


def _read(layer: Layer, blobs: Blobs, cache: Cache, *, unpacked: bool) -> None:
    from builder.lint import read_layer

    with suppress(BuilderError, OCIError, OSError):
        if unpacked:
            from builder.prove import unpack_layer

            size = layer.size_uncompressed or 0
            _read_while(lambda watch: unpack_layer(layer, blobs, cache, watch=watch), layer.diff_id, size, cache)
        else:
            read_layer(layer, lambda layer: blobs.open(layer.descriptor), cache)


def _read_tar(tar: HeldTar, cache: Cache, *, unpacked: bool) -> None:
    from builder.lint import read_held, remember

    with suppress(BuilderError, OCIError, OSError):
        if unpacked:
            from builder.prove import unpack_tar

            _read_while(lambda watch: unpack_tar(tar, cache, watch=watch), tar.diff_id, len(tar.data), cache)
        else:
            remember(tar.diff_id, read_held(tar), cache)


def _read_while(unpack: Callable[[Watch], bool], diff_id: Digest, size: int, cache: Cache) -> None:
    """Read for the check what `unpack` passes by; what it leaves alone was unpacked, and read, before."""
    from builder.lint import LayerContents, Reading, remember

    contents = LayerContents(size=size)
    if unpack(Reading(contents).take):
        remember(diff_id, contents, cache)
