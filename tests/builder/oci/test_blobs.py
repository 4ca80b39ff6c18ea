import os
import subprocess
import sys

import pytest

from builder.oci import BlobError, BlobStore, Descriptor, Digest, DiskError, Entry, FolderBlobs
from builder.oci.streams import chunks

DATA = b"content" * 1000


@pytest.fixture
def blob(store):
    return store.add(DATA, media_type="type")


def test_add_and_read(store, blob):
    """A blob is found under its digest, where an image layout has it."""
    assert blob == Descriptor("type", Digest.of(DATA), len(DATA))
    with store.open(blob) as opened:
        assert b"".join(chunks(opened)) == DATA
    assert store.path(blob.digest) == store.folder / "blobs" / "sha256" / blob.digest.encoded
    store.verify(blob)


def test_add_takes_a_writer(store):
    """What is written to the sink is what is stored."""
    descriptor = store.add(lambda sink: [sink.write(b"a"), sink.write(b"b")], media_type="type")
    assert descriptor.digest == Digest.of(b"ab")
    assert FolderBlobs(store.folder).path(descriptor.digest).read_bytes() == b"ab"


def test_missing(store, blob):
    """A blob that is not there is one clear error."""
    store.discard(blob.digest)
    store.discard(blob.digest)
    with pytest.raises(BlobError, match=f"reading blob {blob.digest} of .*: it is missing; make or fetch it again"):
        store.verify(blob)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (DATA[:-1], "found 6999 instead of 7000 bytes"),
        (DATA + b"x", "found 7001 instead of 7000 bytes"),
        (b"X" + DATA[1:], "tampered with, its content is sha256:"),
        (b"", "found 0 instead of 7000 bytes"),
    ],
)
def test_damaged(store, blob, damage, found):
    """A damaged blob is an error that says how, and adding it again heals it."""
    store.path(blob.digest).write_bytes(damage)
    with pytest.raises(BlobError, match=f"{found}.*; discard it"):
        store.verify(blob)
    assert store.add(DATA, media_type="type") == blob
    store.verify(blob)


def test_truncated_while_it_is_read(store, blob):
    """The end of a blob is only reached if all of it was there."""
    with store.open(blob) as opened:
        assert opened.read(10) == DATA[:10]
        os.truncate(store.path(blob.digest), 20)
        with pytest.raises(BlobError, match="truncated, 6980 of 7000 bytes are missing"):
            list(chunks(opened))


def test_grown_while_it_is_read(store, blob):
    """Nobody gets more bytes than the descriptor promised."""
    with store.open(blob) as opened:
        os.truncate(store.path(blob.digest), 9000)
        with pytest.raises(BlobError, match="more than its 7000 bytes"):
            list(chunks(opened))


def test_a_fifo_in_a_blobs_place(store, blob):
    """A fifo is refused without waiting for its writer; so is a folder."""
    store.discard(blob.digest)
    os.mkfifo(store.path(blob.digest))
    with pytest.raises(BlobError, match="no regular file"):
        store.verify(blob)
    store.discard(blob.digest)
    store.path(blob.digest).mkdir()
    with pytest.raises(BlobError, match=r"directory|no regular file"):
        store.verify(blob)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_nothing_is_left_of_what_was_interrupted(store, error):
    """Half a blob has no name, and its temporary is gone."""

    def interrupted(sink):
        sink.write(DATA)
        raise error

    with pytest.raises(error):
        store.add(interrupted, media_type="type")
    assert [path for path in store.folder.rglob("*") if path.is_file()] == []


def test_a_store_that_cannot_be_made(tmp_path):
    """The disk's refusal names the store and what to do."""
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(DiskError, match=r"storing a blob in '.*file/store': Not a directory"):
        BlobStore(tmp_path / "file" / "store").add(b"", media_type="type")


def test_parallel_processes_add_the_same_blobs(store):
    """Processes that add and verify the same blobs at once never see half of one."""
    code = (
        "import sys; from pathlib import Path; from builder.oci import BlobStore\n"
        "store = BlobStore(Path(sys.argv[1]))\n"
        "for n in range(60):\n"
        "    store.verify(store.add(bytes([n % 5]) * 300_000, media_type='type'))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(store.folder)]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert len([path for path in store.folder.rglob("*") if path.is_file()]) == 5


def test_layers_go_into_the_store(store):
    """`add_layer` gives a layer whose blob is there."""
    layer = store.add_layer([Entry.file("a", DATA)])
    store.verify(layer.descriptor)
