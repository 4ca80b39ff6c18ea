import gzip
import hashlib
import io
import tarfile
import zlib
from unittest import mock

import deflate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.oci import Digest, Entry, gzip_writer, media_types, write_layer
from builder.oci.gzip_writer import GzipWriter

ENTRIES = [
    Entry.file("big", b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() * 8 for n in range(12_000))),
    Entry.file("small", b"x"),
]


def held(limit):
    """Hold at most so many bytes: 0 has all that is longer than a block deflated in blocks."""
    return mock.patch.object(gzip_writer, "WHOLE_BYTES", limit)


ANY_WAY = pytest.mark.parametrize("limit", [0, 1_000_000, 32 << 20], ids=["blocks", "both", "whole"])


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


@ANY_WAY
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_threads_do_not_change_the_bytes(threads, limit):
    """Any number of threads writes the same layer."""
    with held(limit):
        assert layer_bytes(ENTRIES, threads=threads) == layer_bytes(ENTRIES, threads=1)


def test_the_empty_layer():
    """No entries give the well-known empty tar."""
    layer, data = layer_bytes([])
    assert gzip.decompress(data) == bytes(1024)
    assert str(layer.diff_id) == "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


@ANY_WAY
def test_the_gzip_header_is_fixed(limit):
    """No time, no name, no operating system; the flags and the end are those of one member, however it was made."""
    with held(limit):
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
@given(st.lists(st.integers(0, 700_000), max_size=6), st.integers(1, 4), st.integers(0, 255), st.integers(0, 2 << 20))
def test_gzip_reads_back_any_split(sizes, threads, fill, limit):
    """Whatever the sizes of the writes, and what is held, another gzip implementation reads them back."""
    parts = [bytes([fill, n % 251]) * (size // 2) for n, size in enumerate(sizes)]
    out = io.BytesIO()
    with held(limit), GzipWriter(out, threads=threads) as writer:
        for part in parts:
            writer.write(part)
    assert gzip.decompress(out.getvalue()) == b"".join(parts)


@given(st.lists(st.binary(max_size=5000)))
def test_the_checksum_may_be_taken_piece_by_piece(parts):
    """Libdeflate's goes on where the one before ended, as zlib's does."""
    checksum = 0
    for part in parts:
        checksum = deflate.crc32(bytearray(part), checksum)
    assert checksum == zlib.crc32(b"".join(parts))


@given(st.lists(st.integers(1, 1_200_000), max_size=3), st.sampled_from([0, 1 << 20, 32 << 20]))
@settings(max_examples=10)
def test_gzip_depends_on_the_content_only(cuts, limit):
    """The same content in other pieces gives the same bytes."""
    content = ENTRIES[0].source
    whole, pieces = io.BytesIO(), io.BytesIO()
    with held(limit), GzipWriter(whole, threads=2) as writer:
        writer.write(content)
    with held(limit), GzipWriter(pieces, threads=1) as writer:
        for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(content)], strict=True):
            writer.write(content[start:end])
    assert whole.getvalue() == pieces.getvalue()


def test_dense_layers_are_smaller_and_hold_the_same():
    """Another digest of the same content."""
    entries = [Entry.file("a.txt", b"".join(b"%d barrels, %d pins\n" % (n, n * n % 977) for n in range(20_000)))]
    usual, dense = io.BytesIO(), io.BytesIO()
    layers = [write_layer(entries, usual), write_layer(entries, dense, dense=True)]
    assert layers[0].diff_id == layers[1].diff_id
    assert layers[1].descriptor.size == len(dense.getvalue()) < len(usual.getvalue())


@ANY_WAY
def test_costs_at_most_a_percent_of_size(limit):
    """Either way is as small as zlib's one stream, but for a percent."""
    with held(limit):
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

    with held(0), pytest.raises(OSError, match="No space left"):
        write_layer(ENTRIES, Full(), threads=2)
