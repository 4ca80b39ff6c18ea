"""Layers side by side: the same ones as one by one, the lowest one's error, a bound, and nothing left half-written."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.ahead import reading_ahead
from builder.cache import Cache
from builder.errors import OutputError, SourceError
from builder.layer_records import parse_layer
from builder.layer_writer import LayerWriter, layer_writer
from builder.oci import BlobStore, Entry
from builder.plan import PlannedFile, PlannedLayer


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", pytest.fail)


@pytest.fixture
def store(cache: Cache) -> BlobStore:
    return BlobStore(cache.blobs)


def planned(name: str) -> PlannedLayer:
    return PlannedLayer(name, (PlannedFile(name, "", ""),))


def entries_of(name: str, content: bytes | Path) -> Callable[[], list[Entry]]:
    return lambda: [Entry.file(name, content)]


def files_of(cache: Cache) -> list[Path]:
    return [path for path in cache.folder.rglob("*") if path.is_file() and path.name != "CACHEDIR.TAG"]


def test_layers_come_in_their_order_whichever_way_they_went(cache, store):
    """One that fits into memory, one that does not, and one more that does."""
    contents = {"small": b"x" * 5000, "large": bytes(33 << 20), "last": b"y"}
    known = store.add_layer([Entry.file("known", b"z")])
    with layer_writer(store, cache, dense=False, ahead=None) as writer:
        writer.keep(planned("known"), known)
        for name, content in contents.items():
            writer.begin(planned(name), f"key of {name}", entries_of(name, content))
        made = writer.finish()
    assert [layer.name for layer in made] == ["known", *contents]
    assert [layer.cached for layer in made] == [True, False, False, False]
    for layer, (name, content) in zip(made[1:], contents.items(), strict=True):
        assert layer.layer == store.add_layer([Entry.file(name, content)])
        assert parse_layer(cache.record("layers", f"key of {name}")) == layer.layer


def test_each_layer_is_read_for_the_proof_from_memory_or_from_its_blob(cache, store):
    """Whichever way it went, its tree is there when `settle` returns."""
    content = os.urandom(2 << 20)
    with reading_ahead(cache, unpacked=True) as ahead:
        with layer_writer(store, cache, dense=False, ahead=ahead) as writer:
            writer.begin(planned("held"), "1", entries_of("held", content))
            writer.begin(planned("streamed"), "2", entries_of("streamed", content + bytes(31 << 20)))
            made = writer.finish()
        ahead.settle()
    for layer in made:
        tree = cache.tree("layers", layer.layer.diff_id.encoded, lambda _: pytest.fail("it is not there"))
        assert (tree / layer.name).read_bytes().startswith(content)


def begin_two(store: BlobStore, cache: Cache, first: Callable[[], list[Entry]], second: Callable[[], list[Entry]]):
    with layer_writer(store, cache, dense=False, ahead=None) as writer:
        writer.begin(planned("first"), "1", first)
        writer.begin(planned("second"), "2", second)
        writer.finish()


def test_the_lowest_layers_error_is_told(cache, tmp_path):
    """The disk's refusal of the first may come later than the second's missing file, and is told."""
    (tmp_path / "file").touch()
    nowhere = BlobStore(tmp_path / "file" / "blobs")
    with pytest.raises(OutputError, match="writing layer first: storing a blob"):
        begin_two(nowhere, cache, entries_of("a", b"x" * 3_000_000), entries_of("b", tmp_path / "gone"))
    with pytest.raises(SourceError, match=r"writing layer first: .*gone"):
        begin_two(nowhere, cache, entries_of("a", tmp_path / "gone"), entries_of("b", b"x"))
    assert files_of(cache) == []


def test_a_layer_that_was_written_stays_when_the_next_fails(cache, store, tmp_path):
    """It is recorded, so the next build has it; nothing else is left."""
    with pytest.raises(SourceError, match=r"writing layer second: .*gone"):
        begin_two(store, cache, entries_of("a", b"x"), entries_of("b", tmp_path / "gone"))
    layer = parse_layer(cache.record("layers", "1"))
    store.verify(layer.descriptor)
    assert cache.record("layers", "2") is None
    assert len(files_of(cache)) == 2


def test_an_interruption_leaves_nothing_half_written(cache, store):
    def interrupted() -> list[Entry]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin_two(store, cache, entries_of("a", b"x" * 3_000_000), interrupted)
    assert not list(cache.folder.rglob("*.tmp"))
    assert not list(cache.folder.glob("tmp/*"))
    if (record := cache.record("layers", "1")) is not None:
        store.verify(parse_layer(record).descriptor)


def test_no_more_than_is_said_is_held(cache, store):
    """A third layer is not even arranged before the first is out of memory."""
    go = threading.Event()
    found = []

    def third() -> list[Entry]:
        found.append(cache.record("layers", "1"))
        return [Entry.file("c", b"")]

    with ThreadPoolExecutor(1) as pool:
        pool.submit(go.wait)  # what holds up the compressing of the others
        writer = LayerWriter(store, cache, pool, dense=False, ahead=None)
        writer.begin(planned("first"), "1", entries_of("a", bytes(20 << 20)))
        writer.begin(planned("second"), "2", entries_of("b", bytes(20 << 20)))
        with ThreadPoolExecutor(1) as later:
            later.submit(go.set)
            writer.begin(planned("third"), "3", third)
        assert len(writer.finish()) == 3
    assert parse_layer(found[0]) is not None
