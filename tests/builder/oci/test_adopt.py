"""Layers from elsewhere come into the store as gzip, checked, and bombs are ended."""

import gzip

import pytest

from builder.oci import (
    BlobError,
    BlobStore,
    Digest,
    Image,
    ImageConfig,
    Layer,
    LimitError,
    Limits,
    UnsupportedError,
    adopt_layer,
    media_types,
)

TAR = b"x" * 100_000 + bytes(1024)


@pytest.fixture
def elsewhere(tmp_path):
    """Give an image with one layer of this blob and type, in a store that is not ours."""

    def make(blob, kind, diff_id=Digest.of(TAR)):  # noqa: B008 - a constant
        store = BlobStore(tmp_path / "theirs")
        layer = Layer(store.add(blob, media_type=kind), diff_id)
        return Image.assemble(ImageConfig("amd64"), [layer], blobs=store), layer

    return make


def test_a_gzip_layer_keeps_its_bytes(elsewhere, store):
    """So the same base is the same layer in every image, and no registry needs it twice."""
    blob = gzip.compress(TAR, 1, mtime=7)
    image, layer = elsewhere(blob, media_types.LAYER_GZIP)
    found = adopt_layer(image, layer, store)
    assert found.descriptor == layer.descriptor
    assert (found.diff_id, found.size_uncompressed) == (layer.diff_id, len(TAR))
    assert store.path(found.descriptor.digest).read_bytes() == blob


def test_a_plain_tar_is_compressed_the_same_way_every_time(elsewhere, store, tmp_path):
    """`docker save` writes tars; Lambda takes gzip only."""
    image, layer = elsewhere(TAR, media_types.LAYER_TAR)
    found = adopt_layer(image, layer, store)
    assert found.descriptor.media_type == media_types.LAYER_GZIP
    assert gzip.decompress(store.path(found.descriptor.digest).read_bytes()) == TAR
    assert (found.diff_id, found.size_uncompressed) == (layer.diff_id, len(TAR))
    assert adopt_layer(image, layer, BlobStore(tmp_path / "other")) == found


@pytest.mark.parametrize("kind", [media_types.LAYER_TAR, media_types.LAYER_GZIP])
def test_another_content_than_the_configuration_says_is_refused(elsewhere, store, kind):
    """The diff_id is what a base is recognised by: it must be true."""
    blob = TAR if kind == media_types.LAYER_TAR else gzip.compress(TAR)
    image, layer = elsewhere(blob, kind, Digest.of(b"other"))
    with pytest.raises(BlobError, match="its configuration says"):
        adopt_layer(image, layer, store)


def test_a_bomb_is_ended(elsewhere, store):
    """A small blob that unpacks to much."""
    image, layer = elsewhere(gzip.compress(bytes(5_000_000)), media_types.LAYER_GZIP)
    with pytest.raises(LimitError, match="more than 1,000,000 bytes"):
        adopt_layer(image, layer, store, limits=Limits(max_bytes=1_000_000))


def test_zstd_is_refused_by_name(elsewhere, store):
    image, layer = elsewhere(b"", "application/vnd.oci.image.layer.v1.tar+zstd")
    with pytest.raises(UnsupportedError, match="tar\\+zstd'; convert the image to OCI with gzip layers"):
        adopt_layer(image, layer, store)
