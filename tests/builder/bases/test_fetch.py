"""A base in the cache is one image, whatever form it came in, and is found there again."""

import json

import pytest

from builder.bases import BaseName
from builder.bases.fetch import Asked, fetch_base, stored
from builder.console import Console
from builder.errors import BaseError
from builder.oci import (
    BlobStore,
    Digest,
    Entry,
    Image,
    ImageConfig,
    Layer,
    media_types,
    write_archive,
    write_layout,
    write_tar,
)


class Sink(list):
    """Keeps what is written."""

    write = list.append


@pytest.fixture
def plain(tmp_path) -> Image:
    """An image whose one layer is a plain tar, as `docker save` has it."""
    sink = Sink()
    write_tar([Entry.file("a", b"1")], sink)
    tar = b"".join(sink)
    store = BlobStore(tmp_path / "theirs")
    layer = Layer(store.add(tar, media_type=media_types.LAYER_TAR), Digest.of(tar))
    return Image.assemble(ImageConfig("amd64"), [layer], blobs=store)


def test_what_was_compressed_stands_in_the_manifest(plain, cache):
    """Else it would name a layer that is not there; the configuration is the base's own."""
    found = stored(plain, cache)
    listed = [layer["digest"] for layer in json.loads(found.manifest)["layers"]]
    assert listed == [str(layer.descriptor.digest) for layer in found.layers]
    assert found.config_descriptor == plain.config_descriptor
    assert found.layers[0].descriptor.media_type == media_types.LAYER_GZIP
    assert stored(plain, cache).digest == found.digest


def test_a_damaged_layer_is_taken_in_again(plain, cache):
    """The cache is never trusted more than the base."""
    found = stored(plain, cache)
    path = BlobStore(cache.blobs).path(found.layers[0].descriptor.digest)
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    assert stored(plain, cache) == found
    BlobStore(cache.blobs).verify(found.layers[0].descriptor)


@pytest.mark.parametrize("kind", ["oci", "tar"])
def test_an_image_of_several_is_chosen_by_its_tag(plain, cache, tmp_path, kind):
    """A colon is part of a path only where such a path is there."""
    place = tmp_path / "base"
    if kind == "oci":
        write_layout(plain, place, ref_name="1.0")
    else:
        write_archive(plain, place, tag="base:1.0")
    console = Console(quiet=True)
    for target in (f"{place}", f"{place}:1.0"):
        assert fetch_base(Asked(BaseName(kind, target), None), cache, console, environment={}).config == plain.config
    with pytest.raises(BaseError, match=r"reading the base .*: looking for"):
        fetch_base(Asked(BaseName(kind, f"{place}:2.0"), None), cache, console, environment={})
