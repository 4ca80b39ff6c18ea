"""Layers read while others are made: what is found is what proof and check would find; what fails is theirs to tell."""

import os
from pathlib import Path

import pytest

from builder.ahead import reading_ahead
from builder.cache import Cache
from builder.lint import read_layer
from builder.oci import BlobStore, Entry, HeldTar, Layer, hold_tar

ELF = Path(os.path.realpath("/bin/sh"))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", pytest.fail)


def entries_of(size: int) -> list[Entry]:
    """A program, a file of random bytes, an empty one, a link, and one that is looked into."""
    return [
        Entry.file("bin/sh", ELF, 0o755),
        Entry.file("var/task/data.bin", os.urandom(size), 0o644),
        Entry.file("var/task/empty", b"", 0o644),
        Entry.file("var/task/app.py", b"x = 1\n", 0o644),
        Entry.symlink("bin/link", "sh"),
    ]


def layer_of(cache: Cache, size: int) -> Layer:
    return BlobStore(cache.blobs).add_layer(entries_of(size))


def read(layer: Layer | HeldTar, cache: Cache, *, unpacked: bool) -> None:
    with reading_ahead(cache, unpacked=unpacked) as ahead:
        if isinstance(layer, HeldTar):
            ahead.take_tar(layer)
        else:
            ahead.take(layer, BlobStore(cache.blobs))
        ahead.settle()


def states(tree: Path) -> dict[str, tuple[int, int, float] | Path]:
    """What is told of each path: kind, size and time of a file, a link's target."""
    found = {str(path.relative_to(tree)): path.lstat() for path in tree.rglob("*") if not path.is_dir()}
    links = {name: (tree / name).readlink() for name in found if (tree / name).is_symlink()}
    return {name: (one.st_mode, one.st_size, one.st_mtime) for name, one in found.items()} | links


@pytest.mark.parametrize("unpacked", [True, False])
def test_what_is_found_is_what_the_check_finds(cache, tmp_path, unpacked):
    layer = layer_of(cache, 2_000_000)
    read(layer, cache, unpacked=unpacked)
    blobs = BlobStore(cache.blobs)
    known = read_layer(layer, lambda _: pytest.fail("it was read already"), cache)
    assert known == read_layer(layer, lambda one: blobs.open(one.descriptor), Cache(tmp_path / "other", pytest.fail))
    assert set(known.elves) == {"bin/sh"}


def test_the_proof_finds_the_layer_unpacked(cache):
    layer = layer_of(cache, 2_000_000)
    read(layer, cache, unpacked=True)
    tree = cache.tree("layers", layer.diff_id.encoded, lambda _: pytest.fail("it was unpacked already"))
    assert (tree / "bin/sh").read_bytes() == ELF.read_bytes()
    assert (tree / "var/task/data.bin").stat().st_size == 2_000_000
    assert (tree / "var/task/empty").read_bytes() == b""


@pytest.mark.parametrize("unpacked", [True, False])
def test_a_layer_in_memory_gives_what_its_blob_gives(cache, tmp_path, unpacked):
    """The same tree, under the same name, and the same findings, although the blob is not even written."""
    tar = hold_tar(entries_of(2_000_000))
    read(tar, cache, unpacked=unpacked)
    assert not cache.blobs.exists()
    other = Cache(tmp_path / "other", pytest.fail)
    layer = BlobStore(other.blobs).add_held(tar)
    read(layer, other, unpacked=unpacked)
    known = [read_layer(layer, lambda _: pytest.fail("it was read already"), one) for one in (cache, other)]
    assert known[0] == known[1]
    assert set(known[0].elves) == {"bin/sh"}
    trees = [sorted(one.folder.glob("trees/layers/*/tree")) for one in (cache, other)]
    assert [tree.parent.name for found in trees for tree in found] == [tar.diff_id.encoded] * (2 * unpacked)
    assert [states(tree) for tree in trees[0]] == [states(tree) for tree in trees[1]]


def test_a_small_layer_is_left_to_those_who_need_it(cache):
    read(layer_of(cache, 10), cache, unpacked=True)
    read(hold_tar(entries_of(10)), cache, unpacked=True)
    assert not (cache.folder / "trees").exists()
    assert not (cache.folder / "records").exists()


def test_a_damaged_layer_is_no_error_here_and_nothing_of_it_is_kept(cache):
    layer = layer_of(cache, 2_000_000)
    blob = BlobStore(cache.blobs).path(layer.descriptor.digest)
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    read(layer, cache, unpacked=True)
    read(layer, cache, unpacked=False)
    assert not list(cache.folder.glob("trees/*/*"))
    assert not (cache.folder / "records").exists()
    assert not list(cache.folder.glob("tmp/*"))
