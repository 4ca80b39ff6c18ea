"""The independent witnesses: skopeo and a Docker Engine read what we write, and we read what they write."""

import json

import pytest

from builder.oci import read_archive, unpack, write_archive, write_layout


@pytest.fixture
def files(image, tmp_path, tree_of):
    unpack(image, tmp_path / "expected")
    return tree_of(tmp_path / "expected")


def test_skopeo_reads_layouts(image, tmp_path, skopeo):
    """A layout is read by skopeo, which finds the image under its name, with its digest and configuration."""
    write_layout(image, tmp_path / "layout", ref_name="v1")
    found = json.loads(skopeo("inspect", f"oci:{tmp_path}/layout:v1"))
    assert found["Digest"] == str(image.digest)
    assert found["Architecture"] == "amd64"
    assert found["Labels"] == {"a": "b"}
    assert found["Layers"] == [str(layer.descriptor.digest) for layer in image.layers]


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_skopeo_copies_both_ways(image, skopeo, files, tree_of, transport, tmp_path):
    """Our archive goes through skopeo, in both of its formats, and comes back with the same files and configuration."""
    write_archive(image, tmp_path / "ours.tar", tag="demo:1")
    skopeo("copy", "--insecure-policy", f"{transport}:{tmp_path}/ours.tar", f"{transport}:{tmp_path}/theirs.tar:demo:1")
    back = read_archive(tmp_path / "theirs.tar")
    assert back.raw_config == image.raw_config
    unpack(back, tmp_path / "back")
    assert tree_of(tmp_path / "back") == files


@pytest.mark.docker
def test_docker_loads_and_saves(image, tmp_path, docker, files, tree_of):
    """`docker load` takes our archive under its tag, and what `docker save` gives back has the same files."""
    tag = "firkin-oci-test:1"
    write_archive(image, tmp_path / "ours.tar", tag=tag)
    try:
        assert f"Loaded image: {tag}" in docker("load", "-i", tmp_path / "ours.tar")
        (found,) = json.loads(docker("inspect", tag))
        assert found["Config"]["Cmd"] == ["app.handler"]
        assert found["RootFS"]["Layers"] == [str(layer.diff_id) for layer in image.layers]
        docker("save", tag, "-o", tmp_path / "theirs.tar")
    finally:
        docker("rmi", tag)
    back = read_archive(tmp_path / "theirs.tar")
    assert back.config.cmd == ("app.handler",)
    unpack(back, tmp_path / "back")
    assert tree_of(tmp_path / "back") == files
