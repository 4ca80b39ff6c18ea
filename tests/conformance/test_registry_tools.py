"""The independent witnesses: Docker, buildah, skopeo and umoci read what we push, and we what they push."""

import json
import shutil
import subprocess
import uuid

import pytest

from builder.oci import BlobStore, Entry, Image, ImageConfig, Platform, Reference, read_layout, unpack
from builder.oci.distribution import Access, Pulling, pull, push
from tests.conftest import unavailable

FILES = {"data/greeting": b"hello\n", "data/number": b"42\n"}


class Forgetful:
    """Remembers no tag."""

    def recall(self, name):
        return None

    def remember(self, name, digest):
        pass


@pytest.fixture
def name(registry):
    """A name in a registry that nobody else uses."""
    return f"{registry.host}/tools/{uuid.uuid4().hex[:12]}:1"


@pytest.fixture
def access(registry):
    return Access({}, frozenset({registry.host}))


@pytest.fixture
def image(tmp_path):
    """A small image, in two layers."""
    store = BlobStore(tmp_path / "store")
    layers = [store.add_layer([Entry.file(path, content)]) for path, content in FILES.items()]
    return Image.assemble(ImageConfig("amd64", cmd=("/data/greeting",), labels={"a": "b"}), layers, blobs=store)


@pytest.fixture
def pulled(name, access, tmp_path):
    """Return `pulled()`: what is under the name (or another) now, in a store of its own."""

    def call(other=None):
        found = pull(
            Reference.parse(other or name),
            Platform("linux", "amd64"),
            Pulling(BlobStore(tmp_path / "pulled"), Forgetful(), access),
        )
        unpack(found.image, tmp_path / "files")
        return found

    return call


def content(folder):
    return {path: (folder / path).read_bytes() for path in FILES}


def tool(program):
    """Return a function that runs a program and gives its output."""
    path = shutil.which(program) or unavailable(f"{program} is not installed: scripts/engines installs it")

    def call(*arguments, **options):
        done = subprocess.run([path, *map(str, arguments)], capture_output=True, timeout=100, check=False, **options)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return call


@pytest.mark.docker
def test_docker_pulls_what_we_push(docker, image, name, access):
    """The Engine takes it under the digest that we have, and finds the same layers."""
    pushed = push(image, Reference.parse(name), access=access)
    try:
        assert str(pushed.reference.digest) in docker("pull", name)
        found = json.loads(docker("image", "inspect", name))[0]
        assert found["RootFS"]["Layers"] == [str(layer.diff_id) for layer in image.layers]
        assert found["Config"]["Labels"] == {"a": "b"}
        assert found["RepoDigests"] == [f"{name.rpartition(':')[0]}@{image.digest}"]
    finally:
        docker("rmi", "--force", name)


@pytest.mark.docker
def test_we_pull_what_docker_build_makes(docker, name, pulled, tmp_path):
    """An image of `docker build` and `docker push`: Docker's types become OCI's, files and settings stay."""
    context = tmp_path / "context"
    for path, text in FILES.items():
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_bytes(text)
    (context / "Dockerfile").write_text('FROM scratch\nCOPY data /data\nENV A=b\nCMD ["/x"]\n')
    docker("build", "--quiet", "--tag", name, context)
    try:
        docker("push", name)
    finally:
        docker("rmi", "--force", name)
    found = pulled()
    assert content(tmp_path / "files") == FILES
    assert (found.image.config.cmd, dict(found.image.config.env)["A"]) == (("/x",), "b")
    assert found.manifest.media_type.startswith("application/vnd.docker.")


@pytest.mark.root
@pytest.mark.parametrize("form", ["oci", "docker"])
def test_buildah_reads_and_writes(root, image, name, access, pulled, tmp_path, form):
    """Buildah builds on what we push, and pushes it back in either format; ours and its layers are all there."""
    buildah = tool("buildah")
    place = ("--root", tmp_path / "storage", "--runroot", tmp_path / "run", "--storage-driver", "vfs")
    push(image, Reference.parse(name), access=access)
    made = buildah(*place, "from", "--tls-verify=false", name).strip()
    (tmp_path / "more").write_bytes(b"more\n")
    buildah(*place, "copy", made, tmp_path / "more", "/data/more")
    buildah(*place, "commit", "--tls-verify=false", "--format", form, made, f"docker://{name}")
    found = pulled()
    assert content(tmp_path / "files") == FILES
    assert (tmp_path / "files" / "data" / "more").read_bytes() == b"more\n"
    assert [layer.diff_id for layer in found.image.layers][:2] == [layer.diff_id for layer in image.layers]
    assert found.manifest.media_type.startswith("application/vnd.oci." if form == "oci" else "application/vnd.docker.")


def test_skopeo_copies_either_way(image, name, access, pulled, tmp_path):
    """An image that went through skopeo twice is the image it was."""
    skopeo = tool("skopeo")
    push(image, Reference.parse(name), access=access)
    skopeo("copy", "--src-tls-verify=false", f"docker://{name}", f"oci:{tmp_path}/layout:x")
    assert read_layout(tmp_path / "layout").digest == image.digest
    again = f"{name.rpartition(':')[0]}-again:1"
    skopeo("copy", "--dest-tls-verify=false", f"oci:{tmp_path}/layout:x", f"docker://{again}")
    assert pulled(again).image.digest == image.digest


@pytest.mark.root
def test_umoci_unpacks_what_skopeo_fetched(root, image, name, access, tmp_path):
    """The reference tool for layouts finds every file of what we pushed."""
    skopeo, umoci = tool("skopeo"), tool("umoci")
    push(image, Reference.parse(name), access=access)
    skopeo("copy", "--src-tls-verify=false", f"docker://{name}", f"oci:{tmp_path}/layout:x")
    umoci("unpack", "--image", f"{tmp_path}/layout:x", tmp_path / "bundle")
    assert content(tmp_path / "bundle" / "rootfs") == FILES
