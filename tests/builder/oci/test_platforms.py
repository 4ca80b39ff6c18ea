"""Images of several platforms in one layout: one index of all, and the one for a platform found in it again."""

import json

import pytest

from builder.oci import Entry, ImageError, Platform, read_archive, read_layout, write_index_layout, write_layout
from builder.oci.manifest import DOCKER_MANIFEST

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


@pytest.fixture
def images(make_image):
    """Give an image for each of two platforms, with one layer in common."""
    shared = [Entry.file("app.py", b"same")]
    return [make_image([Entry.file("a", b"amd")], shared), _arm64(make_image([Entry.file("a", b"arm")], shared))]


def _arm64(image):
    from dataclasses import replace  # noqa: PLC0415 - for this function alone

    config = replace(image.config, architecture="arm64", variant="v8")
    return type(image).assemble(config, image.layers, blobs=image.blobs)


def test_an_index_lists_each_platforms_image_and_shares_their_layers(images, tmp_path):
    digest = write_index_layout(images, tmp_path / "all", ref_name="1.0")
    assert read_layout(tmp_path / "all", platform=AMD64).digest == images[0].digest
    assert read_layout(tmp_path / "all", platform=ARM64, ref_name="1.0").digest == images[1].digest
    assert len(list((tmp_path / "all/blobs/sha256").iterdir())) == 3 + 2 + 2 + 1
    index = json.loads((tmp_path / "all/blobs/sha256" / digest.encoded).read_bytes())
    assert [entry["platform"] for entry in index["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux", "variant": "v8"},
    ]


def test_which_platform_is_meant_must_be_said(images, tmp_path):
    write_index_layout(images, tmp_path / "all")
    with pytest.raises(ImageError, match="an index for linux/amd64, linux/arm64/v8; name a platform"):
        read_layout(tmp_path / "all")
    with pytest.raises(ImageError, match=r"looking for linux/s390x in .* it offers linux/amd64, linux/arm64/v8"):
        read_layout(tmp_path / "all", platform=Platform("linux", "s390x"))


def test_an_attestation_is_no_image(images, tmp_path):
    """BuildKit hangs them into the index under a platform of their own: one image is left, and meant."""
    write_index_layout(images, tmp_path / "all")
    (pointer,) = json.loads((tmp_path / "all/index.json").read_bytes())["manifests"]
    file = tmp_path / "all/blobs/sha256" / pointer["digest"].removeprefix("sha256:")
    index = json.loads(file.read_bytes())
    index["manifests"][1]["platform"] = {"architecture": "unknown", "os": "unknown"}
    entry = images[0].blobs.add(json.dumps(index).encode(), media_type=pointer["mediaType"])
    images[0].blobs.path(entry.digest).rename(tmp_path / "all/blobs/sha256" / entry.digest.encoded)
    text = (tmp_path / "all/index.json").read_text().replace(pointer["digest"], str(entry.digest))
    (tmp_path / "all/index.json").write_text(text.replace(f'"size":{pointer["size"]}', f'"size":{entry.size}'))
    assert read_layout(tmp_path / "all").digest == images[0].digest


def test_images_side_by_side_in_a_layout_are_told_apart_by_their_platforms(images, tmp_path):
    """As some tools write several platforms: without an index between."""
    write_index_layout(images, tmp_path / "all")
    (pointer,) = json.loads((tmp_path / "all/index.json").read_bytes())["manifests"]
    inner = tmp_path / "all/blobs/sha256" / pointer["digest"].removeprefix("sha256:")
    (tmp_path / "all/index.json").write_bytes(inner.read_bytes())
    assert read_layout(tmp_path / "all", platform=ARM64).digest == images[1].digest
    with pytest.raises(ImageError, match="found several"):
        read_layout(tmp_path / "all")


def test_an_index_in_an_index_has_an_end(images, tmp_path):
    """Each level points at one that points on."""
    write_layout(images[0], tmp_path / "one")
    store = images[0].blobs
    pointer = images[0].descriptor
    for _ in range(5):
        entry = {**pointer.to_json(), "platform": {"architecture": "amd64", "os": "linux"}}
        value = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
        pointer = store.add(json.dumps(value).encode(), media_type=value["mediaType"])
        store.path(pointer.digest).rename(tmp_path / "one/blobs/sha256" / pointer.digest.encoded)
    value = {"schemaVersion": 2, "manifests": [pointer.to_json()]}
    (tmp_path / "one/index.json").write_text(json.dumps(value))
    with pytest.raises(ImageError, match="is an index of several images"):
        read_layout(tmp_path / "one", platform=AMD64)


def test_a_manifest_of_dockers_kind_becomes_an_oci_image(image, tmp_path):
    """Its layers are the same bytes under Docker's names."""
    write_layout(image, tmp_path / "docker")
    manifest = json.loads(image.manifest)
    manifest |= {"mediaType": DOCKER_MANIFEST}
    manifest["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    for layer in manifest["layers"]:
        layer["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    pointer = image.blobs.add(json.dumps(manifest).encode(), media_type=DOCKER_MANIFEST)
    image.blobs.path(pointer.digest).rename(tmp_path / "docker/blobs/sha256" / pointer.digest.encoded)
    (tmp_path / "docker/index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [pointer.to_json()]}))
    found = read_layout(tmp_path / "docker")
    assert [layer.descriptor for layer in found.layers] == [layer.descriptor for layer in image.layers]
    assert found.config_descriptor.digest == image.config_descriptor.digest


def test_a_layout_in_a_tar_knows_platforms_too(images, tmp_path):
    """What buildx and skopeo write as an OCI archive."""
    import tarfile  # noqa: PLC0415 - the test's own writer

    write_index_layout(images, tmp_path / "all")
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        tar.add(tmp_path / "all", arcname=".")
    assert read_archive(tmp_path / "all.tar", platform=ARM64).digest == images[1].digest
