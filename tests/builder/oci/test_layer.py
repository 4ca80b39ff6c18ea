import gzip
import hashlib
import io
import tarfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.oci import Digest, Entry, media_types, write_layer
from builder.oci.gzip_writer import GzipWriter

ENTRIES = [
    Entry.file("big", b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() * 8 for n in range(12_000))),
    Entry.file("small", b"x"),
]


def layer_bytes(entries, **options):
    out = io.BytesIO()
    return write_layer(entries, out, **options), out.getvalue()


def test_digests_and_sizes_are_those_of_the_bytes():
    """The descriptor names the compressed bytes, the diff_id what they decompress to."""
    layer, data = layer_bytes(ENTRIES)
    tar = gzip.decompress(data)
    assert layer.descriptor.digest == Digest.of(data)
    assert layer.descriptor.size == len(data)
    assert layer.descriptor.media_type == media_types.LAYER_GZIP
    assert layer.diff_id == Digest.of(tar)
    assert layer.size_uncompressed == len(tar)
    with tarfile.open(fileobj=io.BytesIO(tar)) as read:
        assert read.getnames() == ["big", "small"]


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_threads_do_not_change_the_bytes(threads):
    """Any number of threads writes the same layer."""
    assert layer_bytes(ENTRIES, threads=threads) == layer_bytes(ENTRIES, threads=1)


def test_the_empty_layer():
    """No entries give the well-known empty tar."""
    layer, data = layer_bytes([])
    assert gzip.decompress(data) == bytes(1024)
    assert str(layer.diff_id) == "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


def test_the_gzip_header_is_fixed():
    """No time, no name, no operating system; the flags and the end are those of one member."""
    _, data = layer_bytes(ENTRIES)
    assert data[:10] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
    inflater = zlib.decompressobj(31)
    inflater.decompress(data)
    assert inflater.eof
    assert inflater.unused_data == b""


def test_a_known_layer_keeps_its_digest():
    """A change of any byte of the tar format is a change of every user's image."""
    layer, _ = layer_bytes([Entry.file("a/b", b"c"), Entry.symlink("a/l", "b"), Entry.file("é" * 60, b"")])
    assert str(layer.diff_id) == "sha256:6b92dcbe830a0e791f0efa5804890e93a49e53e19fd6a216a9bf2b52e8424182"


@settings(max_examples=20)
@given(st.lists(st.integers(0, 700_000), max_size=6), st.integers(1, 4), st.integers(0, 255))
def test_gzip_reads_back_any_split(sizes, threads, fill):
    """Whatever the sizes of the writes, another gzip implementation reads them back."""
    parts = [bytes([fill, n % 251]) * (size // 2) for n, size in enumerate(sizes)]
    out = io.BytesIO()
    with GzipWriter(out, threads=threads) as writer:
        for part in parts:
            writer.write(part)
    assert gzip.decompress(out.getvalue()) == b"".join(parts)


@given(st.lists(st.integers(1, 1_200_000), max_size=3))
@settings(max_examples=10)
def test_gzip_depends_on_the_content_only(cuts):
    """The same content in other pieces gives the same bytes."""
    content = ENTRIES[0].source
    whole, pieces = io.BytesIO(), io.BytesIO()
    with GzipWriter(whole, threads=2) as writer:
        writer.write(content)
    with GzipWriter(pieces, threads=1) as writer:
        for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(content)], strict=True):
            writer.write(content[start:end])
    assert whole.getvalue() == pieces.getvalue()


def test_costs_at_most_a_percent_of_size():
    """Independent blocks compress as well as one stream."""
    _, data = layer_bytes(ENTRIES)
    assert len(data) <= 1.01 * len(zlib.compress(gzip.decompress(data), 6))


def test_an_error_of_the_sink_passes_and_ends_the_threads():
    """A full disk in mid-layer is not hidden by the threads."""

    class Full:
        left = 100_000

        def write(self, data):
            self.left -= len(data)
            if self.left < 0:
                raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_layer(ENTRIES, Full(), threads=2)
