import gzip
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.oci import BlobStore, Digest, Entry, SourceError, hold_tar, write_layer
from builder.oci.held_tar import write_held
from builder.oci.streams import chunks

FILES = st.dictionaries(st.text("abé", min_size=1, max_size=3), st.binary(max_size=2000), max_size=4)


def entries_of(files):
    return [Entry.file(f"folder/{name}", content) for name, content in files.items()]


@settings(max_examples=30)
@given(FILES, st.booleans())
def test_a_held_tar_makes_the_layer_that_a_stream_makes(files, dense):
    """Byte for byte, so an image's digest does not tell which way its layers went."""
    streamed, held = io.BytesIO(), io.BytesIO()
    tar = hold_tar(entries_of(files))
    assert write_held(tar, held, dense=dense) == write_layer(entries_of(files), streamed, dense=dense)
    assert held.getvalue() == streamed.getvalue()
    assert gzip.decompress(held.getvalue()) == tar.data


@given(st.binary(max_size=3000), st.integers(1, 4000))
def test_a_tar_is_read_as_it_is_named(content, size):
    """In pieces of any size the bytes are those of the diff_id, for several readers at once."""
    tar = hold_tar([Entry.file("a", content)])
    other, source = tar.open(), tar.open()
    read = b"".join(iter(lambda: source.read(size), b""))
    source.close()
    assert Digest.of(read) == tar.diff_id
    assert b"".join(chunks(other)) == read


def test_both_ways_into_the_store_are_one(store):
    entries = [Entry.file("a", b"content" * 1000), Entry.symlink("b", "a")]
    layer = store.add_held(hold_tar(entries))
    store.verify(layer.descriptor)
    assert layer == store.add_layer(entries)


def test_what_does_not_fit_into_memory_is_not_held():
    """At the very size where a stream would be cut into blocks."""
    most = (32 << 20) - 512 - 1024  # less a header and the end
    assert hold_tar([Entry.file("a", bytes(most + 1))]) is None
    tar = hold_tar([Entry.file("a", bytes(most))])
    assert len(tar.data) == 32 << 20
    with tempfile.TemporaryDirectory() as folder:
        store = BlobStore(Path(folder))
        assert store.add_held(tar) == store.add_layer([Entry.file("a", bytes(most))])


def test_what_is_too_large_is_not_even_read(tmp_path):
    """Sizes tell; whatever else is wrong is told by who writes the layer."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate((32 << 20) + 1)
    assert hold_tar([Entry.file("gone", tmp_path / "gone"), Entry.file("large", tmp_path / "large")]) is None


def test_a_file_that_is_gone_is_told_when_the_tar_is_arranged(tmp_path):
    with pytest.raises(SourceError, match="gone"):
        hold_tar([Entry.file("a", tmp_path / "gone")])
