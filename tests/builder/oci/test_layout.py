import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.oci import (
    BlobError,
    Entry,
    Image,
    ImageError,
    OCIError,
    TargetError,
    UnsupportedError,
    UsageError,
    media_types,
    read_layout,
    write_layout,
)


@pytest.fixture
def layout(image, tmp_path):
    write_layout(image, tmp_path / "layout", ref_name="latest")
    return tmp_path / "layout"


def test_round_trip(image, layout):
    """What was written reads back as an image with the same bytes, whose blobs are whole."""
    found = read_layout(layout)
    assert (found.config, found.manifest, found.raw_config) == (image.config, image.manifest, image.raw_config)
    assert [layer.descriptor for layer in found.layers] == [layer.descriptor for layer in image.layers]
    for layer in found.layers:
        found.blobs.verify(layer.descriptor)
    assert read_layout(layout, ref_name="latest").digest == image.digest


def test_the_files(image, layout):
    """The folder holds what the specification says and nothing else."""
    assert sorted(path.name for path in layout.iterdir()) == ["blobs", "index.json", "oci-layout"]
    assert json.loads((layout / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((layout / "index.json").read_bytes())
    assert index["mediaType"] == media_types.INDEX
    assert [entry["digest"] for entry in index["manifests"]] == [str(image.digest)]
    assert index["manifests"][0]["annotations"] == {"org.opencontainers.image.ref.name": "latest"}
    digests = {image.digest, image.config_descriptor.digest, *(layer.descriptor.digest for layer in image.layers)}
    assert {path.name for path in (layout / "blobs" / "sha256").iterdir()} == {digest.encoded for digest in digests}


def test_store_blobs_become_hard_links(image, layout):
    """A layer from the store costs no second copy."""
    digest = image.layers[0].descriptor.digest
    assert (layout / "blobs/sha256" / digest.encoded).stat().st_ino == image.blobs.path(digest).stat().st_ino


def test_a_layout_can_be_written_from_a_layout(layout, tmp_path):
    """A read image goes into a sink with its digest; its blobs are copied, not shared with somebody's folder."""
    image = read_layout(layout)
    write_layout(image, tmp_path / "copy")
    digest = image.layers[0].descriptor.digest.encoded
    assert read_layout(tmp_path / "copy").digest == image.digest
    assert (tmp_path / "copy/blobs/sha256" / digest).stat().st_ino != (layout / "blobs/sha256" / digest).stat().st_ino


def test_a_layer_used_twice_is_stored_once(make_image, tmp_path):
    """Equal layers are one blob."""
    entries = [Entry.file("a", b"b")]
    image = make_image(entries, entries, [])
    write_layout(image, tmp_path / "layout")
    assert read_layout(tmp_path / "layout").digest == image.digest
    assert len(list((tmp_path / "layout/blobs/sha256").iterdir())) == 4


def test_replaces_a_layout_and_an_empty_folder(image, make_image, layout, tmp_path):
    """A new image takes the place of the old one, and no blob of the old one stays."""
    other = make_image([Entry.file("other", b"")])
    write_layout(other, layout)
    assert read_layout(layout).digest == other.digest
    assert len(list((layout / "blobs/sha256").iterdir())) == 3
    (tmp_path / "empty").mkdir()
    write_layout(other, tmp_path / "empty")
    write_layout(other, tmp_path / "new" / "deep" / "er")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "layout", "new", "store"]


def test_refuses_to_replace_anything_else(image, layout, tmp_path):
    """A folder with other files, also one beside a layout, and a plain file are left alone."""
    (layout / "mine.txt").write_text("precious")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "notes").write_text("precious")
    (tmp_path / "file").write_text("precious")
    for name, found in (("layout", "mine.txt"), ("home", "notes"), ("file", "file")):
        with pytest.raises(TargetError, match=f"it holds '{found}', no part of a layout; choose a new or empty folder"):
            write_layout(image, tmp_path / name)
    assert (layout / "mine.txt").read_text() == (tmp_path / "home/notes").read_text() == "precious"


def test_a_damaged_layer_stops_the_write(image, make_image, layout):
    """A wrong blob is found on the way, and what was there stays."""
    other = make_image([Entry.file("other", b"x" * 100)])
    path = other.blobs.path(other.layers[0].descriptor.digest)
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)
    with pytest.raises(BlobError, match="tampered with"):
        write_layout(other, layout)
    assert read_layout(layout).digest == image.digest
    assert sorted(path.name for path in layout.parent.iterdir()) == ["layout", "store"]


class Interrupting:
    """Blobs that are interrupted while they are read."""

    def open(self, descriptor):
        raise KeyboardInterrupt

    def maybe_link(self, descriptor, target):
        return False


def test_an_interrupt_leaves_what_was_there(image, layout):
    """Ctrl-C in mid-write leaves the old layout and no temporary."""
    other = Image.assemble(image.config, image.layers[:1], blobs=Interrupting())
    with pytest.raises(KeyboardInterrupt):
        write_layout(other, layout)
    assert read_layout(layout).digest == image.digest
    assert sorted(path.name for path in layout.parent.iterdir()) == ["layout", "store"]


@pytest.mark.parametrize("name", ["", "a\nb"])
def test_refuses_names_that_are_none(image, tmp_path, name):
    """A name that nobody could type is refused before anything is written."""
    with pytest.raises(UsageError, match="is no name; use one like 'latest'"):
        write_layout(image, tmp_path / "layout", ref_name=name)


def edit(path, change):
    value = json.loads(path.read_bytes())
    change(value)
    path.write_bytes(json.dumps(value).encode())


def test_several_images(layout):
    """Where several images are, the message names them, and a name chooses."""

    def add(index):
        index["manifests"].append(
            index["manifests"][0]
            | {"digest": "sha256:" + "0" * 64, "annotations": {"org.opencontainers.image.ref.name": "other"}}
        )

    edit(layout / "index.json", add)
    with pytest.raises(ImageError, match=r"found several, 'latest' \(sha256:.*\), 'other' .*; choose one by name"):
        read_layout(layout)
    assert read_layout(layout, ref_name="latest")
    with pytest.raises(BlobError, match="missing"):
        read_layout(layout, ref_name="other")
    with pytest.raises(ImageError, match=r"looking for the image 'third' in .*: found 'latest'"):
        read_layout(layout, ref_name="third")


@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
def test_missing_files(layout, name):
    """A folder without the two files is no layout."""
    (layout / name).unlink()
    with pytest.raises(ImageError, match=f"it has no file '{name}'; give a folder with an OCI image layout"):
        read_layout(layout)


def test_no_folder(tmp_path):
    """A folder that is not there is an error of the same root."""
    with pytest.raises(ImageError, match="it has no file 'oci-layout'"):
        read_layout(tmp_path / "none")


def set_first(key, value):
    return lambda index: index["manifests"][0].__setitem__(key, value)


@pytest.mark.parametrize(
    ("name", "change", "error", "found"),
    [
        ("oci-layout", lambda v: v.update(imageLayoutVersion="2.0"), UnsupportedError, "image layout version '2.0'"),
        ("index.json", lambda v: v.update(manifests=[]), ImageError, "found none"),
        ("index.json", lambda v: v.update(manifests={}), ImageError, "expected a list"),
        ("index.json", set_first("size", 10**9), ImageError, "more than 4194304"),
        ("index.json", set_first("size", 1), BlobError, "instead of 1 bytes"),
        ("index.json", set_first("digest", "sha256:../../../etc/passwd"), ImageError, "lower-case hexadecimal"),
        ("index.json", set_first("digest", "sha512:" + "0" * 128), ImageError, "does not start with 'sha256:'"),
        ("index.json", set_first("mediaType", media_types.INDEX), ImageError, "it is an index for none"),
        (
            "index.json",
            set_first("mediaType", "application/vnd.docker.distribution.manifest.v2+json"),
            ImageError,
            "is said to be Docker's and is not",
        ),
    ],
)
def test_malformed_metadata(layout, name, change, error, found):
    """Each wrong field is one error that says what was found."""
    edit(layout / name, change)
    with pytest.raises(error, match=f"reading|looking.*{found}") as caught:
        read_layout(layout)
    assert found in str(caught.value)


def test_huge_metadata(layout):
    """Metadata beyond the bound is refused without being read whole."""
    with (layout / "index.json").open("ab") as file:
        file.truncate(10**9)
    with pytest.raises(ImageError, match="4194305 bytes, more than 4194304"):
        read_layout(layout)


def test_fifo_for_metadata(layout):
    """A fifo in a file's place does not hang the reader."""
    (layout / "index.json").unlink()
    os.mkfifo(layout / "index.json")
    with pytest.raises(ImageError, match="no regular file"):
        read_layout(layout)


def test_layers_and_diff_ids_must_pair(image, layout, tmp_path):
    """A configuration with another number of layers is refused."""
    manifest = json.loads(image.manifest)
    manifest["layers"].pop()
    descriptor = image.blobs.add(json.dumps(manifest).encode(), media_type=media_types.MANIFEST)
    image.blobs.add(image.raw_config, media_type="")
    with pytest.raises(ImageError, match="its configuration names 2 layers and its manifest 1"):
        Image.read(descriptor, image.blobs, where="x")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(which=st.integers(0, 10), at=st.integers(0, 2000), junk=st.binary(max_size=8))
def test_any_damage_raises_only_our_errors(layout, which, at, junk):
    """Bytes changed anywhere give the image's error or the very same image, never another one."""
    paths = sorted(path for path in layout.rglob("*") if path.is_file())
    path = paths[which % len(paths)]
    original, digest = path.read_bytes(), read_layout(layout).digest
    path.unlink()
    path.write_bytes(original[: at % (len(original) + 1)] + junk + original[at % (len(original) + 1) + len(junk) :])
    try:
        found = read_layout(layout)
        assert found.digest == digest
    except OCIError as error:
        assert isinstance(error, ImageError)  # noqa: PT017 - no error is fine too
    finally:
        path.write_bytes(original)
