import gzip
import io
import json
import os
import subprocess
import sys
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.oci import (
    BlobError,
    DiskError,
    Image,
    ImageError,
    LimitError,
    OCIError,
    TargetError,
    UnsupportedError,
    UsageError,
    media_types,
    read_archive,
    unpack,
    write_archive,
    write_layout,
)
from tests.conftest import unavailable


@pytest.fixture
def archive(image, tmp_path):
    write_archive(image, tmp_path / "image.tar", tag="demo:1")
    return tmp_path / "image.tar"


def contents(path):
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar if info.isreg()}


def test_round_trip(image, archive):
    """What was written reads back as an image with the same bytes, whose blobs are whole."""
    for found in (read_archive(archive), read_archive(archive, tag="demo:1"), read_archive(archive, tag="1")):
        assert (found.config, found.manifest, found.raw_config) == (image.config, image.manifest, image.raw_config)
        for layer in found.layers:
            with found.open_layer(layer) as blob, image.open_layer(layer) as original:
                assert blob.read(10**7) == original.read(10**7)


def test_both_formats_point_at_the_same_blobs(image, archive):
    """Docker's half names the blobs of the OCI half, and both the image."""
    files = contents(archive)
    (docker,) = json.loads(files["manifest.json"])
    assert docker["RepoTags"] == ["demo:1"]
    assert files[docker["Config"]] == image.raw_config
    assert docker["Layers"] == [f"blobs/sha256/{layer.descriptor.digest.encoded}" for layer in image.layers]
    (entry,) = json.loads(files["index.json"])["manifests"]
    assert files["blobs/sha256/" + entry["digest"][7:]] == image.manifest
    assert entry["annotations"] == {
        "io.containerd.image.name": "docker.io/library/demo:1",
        "org.opencontainers.image.ref.name": "1",
    }


def test_equal_images_give_equal_archives(image, archive, tmp_path):
    """Writing twice, over an old file or from an archive, gives the same bytes."""
    (tmp_path / "second.tar").write_bytes(b"old")
    write_archive(image, tmp_path / "second.tar", tag="demo:1")
    write_archive(read_archive(archive), tmp_path / "third.tar", tag="demo:1")
    data = archive.read_bytes()
    assert (tmp_path / "second.tar").read_bytes() == (tmp_path / "third.tar").read_bytes() == data


def test_without_a_tag(image, tmp_path):
    """An image needs no name."""
    write_archive(image, tmp_path / "image.tar")
    assert json.loads(contents(tmp_path / "image.tar")["manifest.json"])[0]["RepoTags"] == []
    assert read_archive(tmp_path / "image.tar").digest == image.digest


def test_refuses_targets(image, tmp_path):
    """A bad tag writes nothing; a folder or a device is not replaced by a file."""
    with pytest.raises(UsageError, match="'Demo' is no image name"):
        write_archive(image, tmp_path / "image.tar", tag="Demo")
    with pytest.raises(TargetError, match="it is a folder; name a new file"):
        write_archive(image, tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(TargetError, match="it is no regular file; name a new file"):
        write_archive(image, tmp_path / "fifo")
    assert not (tmp_path / "image.tar").exists()


def test_a_damaged_layer_stops_the_write(image, archive):
    """A wrong blob is found on the way, and the old file stays."""
    old = archive.read_bytes()
    path = image.blobs.path(image.layers[0].descriptor.digest)
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(BlobError, match="tampered with"):
        write_archive(image, archive)
    assert archive.read_bytes() == old
    assert sorted(path.name for path in archive.parent.iterdir()) == ["image.tar", "store"]


def test_an_interrupt_leaves_what_was_there(image, archive):
    """Ctrl-C in mid-write leaves the old file and no temporary."""

    class Interrupting:
        def open(self, descriptor):
            raise KeyboardInterrupt

        def maybe_link(self, descriptor, target):
            return False

    old = archive.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write_archive(Image.assemble(image.config, image.layers, blobs=Interrupting()), archive)
    assert archive.read_bytes() == old
    assert sorted(path.name for path in archive.parent.iterdir()) == ["image.tar", "store"]


def test_a_file_size_limit_is_one_clear_error(archive, tmp_path):
    """A disk that takes no more (here: RLIMIT_FSIZE) is an error naming the target, and nothing is left."""
    code = (
        "import resource, signal, sys; from pathlib import Path; from builder.oci import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "image, target = read_archive(Path(sys.argv[1])), Path(sys.argv[2])\n"
        "for write in (write_archive, write_layout):\n"
        "    try: write(image, target)\n"
        "    except DiskError as error: print(error.errno, error)\n"
    )
    target = tmp_path / "out"
    run = [sys.executable, "-c", code, str(archive), str(target)]
    lines = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()
    advice = "File too large; raise the file size limit (ulimit -f) or choose another file system"
    assert lines == [
        f"27 writing the image archive {str(target)!r}: {advice}",
        f"27 writing an image layout to {str(target)!r}: {advice}",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.tar", "store"]


@pytest.mark.root
def test_a_full_disk_is_one_clear_error(archive, tmp_path):
    """On a disk that is full, all writers name the target, say what to do, and leave nothing behind."""
    if os.geteuid():
        unavailable("mounting needs root")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", small], check=True)
    try:
        image = read_archive(archive)
        for write in (write_archive, write_layout, unpack):
            with pytest.raises(DiskError, match=f"'{small}/out': No space left on device; free some space"):
                write(image, small / "out")
            assert not any(small.iterdir())
    finally:
        subprocess.run(["umount", small], check=True)


def docker_tar(image, *, tags=("demo:1",), compress=False, link=False, **changes):
    """Give the image as Docker 20.10's `docker save` writes it."""
    members = {}
    names = []
    for number, layer in enumerate(image.layers):
        with image.open_layer(layer) as blob:
            data = blob.read(10**7)
        names.append(f"{number:064}/layer.tar")
        members[names[-1]] = data if compress else gzip.decompress(data)
    config = image.config_descriptor.digest.encoded + ".json"
    entry = {"Config": config, "RepoTags": list(tags), "Layers": names} | changes
    members[config] = image.raw_config
    members["manifest.json"] = json.dumps([entry]).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            if link and name == names[1]:
                info.type, info.linkname = tarfile.SYMTYPE, "../" + names[0]
            else:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("compress", [False, True])
def test_reads_docker_save(image, tmp_path, tree_of, compress):
    """Docker's format becomes an OCI image: the same configuration and files, consistent media types."""
    (tmp_path / "docker.tar").write_bytes(docker_tar(image, compress=compress))
    found = read_archive(tmp_path / "docker.tar", tag="demo:1")
    assert found.raw_config == image.raw_config
    assert [layer.diff_id for layer in found.layers] == [layer.diff_id for layer in image.layers]
    kind = media_types.LAYER_GZIP if compress else media_types.LAYER_TAR
    assert {layer.descriptor.media_type for layer in found.layers} == {kind}
    assert json.loads(found.manifest)["mediaType"] == media_types.MANIFEST
    unpack(found, tmp_path / "found")
    unpack(image, tmp_path / "expected")
    assert tree_of(tmp_path / "found") == tree_of(tmp_path / "expected")
    write_layout(found, tmp_path / "layout")


def test_reads_docker_save_with_a_layer_used_twice(make_image, tmp_path):
    """`docker save` writes a layer that is used twice as a symbolic link to the first."""
    image = make_image([], [])
    (tmp_path / "docker.tar").write_bytes(docker_tar(image, link=True))
    found = read_archive(tmp_path / "docker.tar")
    unpack(found, tmp_path / "found")
    assert len(found.layers) == 2


def test_several_images_in_dockers_format(image, tmp_path):
    """Where several images are, the message names their tags, and a tag chooses."""
    data = docker_tar(image)
    path = tmp_path / "docker.tar"
    entry = json.loads(contents_of(data)["manifest.json"])[0]
    path.write_bytes(with_file(data, "manifest.json", json.dumps([entry, entry | {"RepoTags": ["other:2"]}]).encode()))
    with pytest.raises(ImageError, match="found 2 images, demo:1, other:2; choose one by its tag"):
        read_archive(path)
    assert read_archive(path, tag="other:2").raw_config == image.raw_config
    with pytest.raises(ImageError, match=r"looking for 'third' in .*found 2 images"):
        read_archive(path, tag="third")


def contents_of(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar if info.isreg()}


def with_file(data, name, content):
    """Append a member: the last of a name counts."""
    out = io.BytesIO(data)
    with tarfile.open(fileobj=out, mode="a") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "not JSON"),
        (b"{}", "expected a list with an image, found {}"),
        (b"[]", "expected a list with an image"),
        (b"[1]", "expected an object, found 1"),
        (b'[{"Config":1}]', "'Config': expected text, found 1"),
        (b'[{"Config":"../../etc/passwd"}]', "it has no file '../../etc/passwd'"),
        (b'[{"Config":"/etc/passwd"}]', "it has no file '/etc/passwd'"),
        (b" " * 4194305, "'manifest.json' has 4194305 bytes, more than 4194304"),
    ],
)
def test_malformed_docker_manifests(image, tmp_path, content, found):
    """Each wrong field is one error that says what was found; names never leave the archive."""
    (tmp_path / "docker.tar").write_bytes(with_file(docker_tar(image), "manifest.json", content))
    with pytest.raises(ImageError) as caught:
        read_archive(tmp_path / "docker.tar")
    assert found in str(caught.value)


def test_missing_and_wrong_layers_in_dockers_format(image, tmp_path):
    """Layers are counted, found and checked against their diff_ids."""
    path = tmp_path / "docker.tar"
    path.write_bytes(docker_tar(image, Layers=[]))
    with pytest.raises(ImageError, match=r"configuration names 2 layers and manifest.json 0"):
        read_archive(path)
    path.write_bytes(docker_tar(image, Layers=["none", "none"]))
    with pytest.raises(ImageError, match="it has no file 'none'"):
        read_archive(path)
    path.write_bytes(with_file(docker_tar(image), f"{0:064}/layer.tar", bytes(1024)))
    with pytest.raises(BlobError, match="tampered with"):
        unpack(read_archive(path), tmp_path / "out")


def test_no_archives(tmp_path, archive):
    """What is no archive of an image is refused with what to give instead."""
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"hello " * 200)
    (tmp_path / "gz").write_bytes(gzip.compress(archive.read_bytes()))
    os.mkfifo(tmp_path / "fifo")
    table = {
        "none": (ImageError, "No such file.*; give a file made by `docker save`"),
        "fifo": (ImageError, "no regular file; give a file"),
        "store": (ImageError, "directory|no regular file"),
        "empty": (ImageError, "it has no file 'manifest.json'"),
        "text": (ImageError, "is no octal number"),
        "gz": (UnsupportedError, "compressed with gzip; decompress it first"),
    }
    for name, (error, found) in table.items():
        with pytest.raises(error, match=found):
            read_archive(tmp_path / name)


def test_too_many_members(tmp_path):
    """An archive of endless members is no image."""
    block = tarfile.TarInfo("a").tobuf()
    (tmp_path / "many.tar").write_bytes(block * 20_001)
    with pytest.raises(LimitError, match="more than 20000 members; this is no image"):
        read_archive(tmp_path / "many.tar")


def test_a_missing_blob(image, tmp_path, archive):
    """A layer that is not in the archive is found out when it is read."""
    files = contents(archive)
    del files["blobs/sha256/" + image.layers[0].descriptor.digest.encoded]
    with tarfile.open(tmp_path / "less.tar", "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    found = read_archive(tmp_path / "less.tar")
    with pytest.raises(BlobError, match=f"{image.layers[0].descriptor.digest} of .*: it is missing"):
        unpack(found, tmp_path / "out")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(at=st.integers(0, 20_000), junk=st.binary(min_size=1, max_size=8), cut=st.booleans())
def test_any_damage_raises_only_our_errors(archive, tmp_path, at, junk, cut):
    """A cut or changed archive gives our error or the very same files, never others."""
    data = archive.read_bytes()
    at %= len(data)
    path = tmp_path / "damaged.tar"
    path.write_bytes(data[:at] if cut else data[:at] + junk + data[at + len(junk) :])
    try:
        found = read_archive(path)
        assert found.raw_config == read_archive(archive).raw_config
        for layer in found.layers:
            with found.open_layer(layer) as blob:
                while blob.read(10**6):
                    pass
    except OCIError as error:
        assert isinstance(error, ImageError)  # noqa: PT017 - no error is fine too
