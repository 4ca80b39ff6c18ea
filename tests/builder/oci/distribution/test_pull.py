"""Images come out of a real registry as they went in, whoever put them there, for the platform that was asked for."""

import json
import uuid

import httpx
import pytest

from builder.oci import (
    BlobStore,
    Digest,
    ImageError,
    NotFoundError,
    Platform,
    Reference,
    UnsupportedError,
    media_types,
    write_layout,
)
from builder.oci.distribution import Access, Pulling, pull_all
from builder.oci.manifest import DOCKER_INDEX, DOCKER_MANIFEST

ARM64 = Platform("linux", "arm64")


@pytest.fixture
def repository(registry):
    """The whole name of a repository that nobody else uses."""
    return f"{registry.host}/pull/{uuid.uuid4().hex[:12]}"


@pytest.fixture
def pushed(image, repository, skopeo, tmp_path):
    """Return `pushed(tag, *options)`: skopeo pushes the small image, and its whole name is given."""

    def push(tag, *options):
        write_layout(image, tmp_path / "layout", ref_name="x")
        skopeo("copy", "--dest-tls-verify=false", *options, f"oci:{tmp_path}/layout:x", f"docker://{repository}:{tag}")
        return f"{repository}:{tag}"

    return push


@pytest.fixture
def put(repository):
    """Return `put(tag, document)`: a manifest or an index is put as it is, and its descriptor given."""

    def call(tag, document):
        host, _, path = repository.partition("/")
        data, kind = json.dumps(document).encode(), document["mediaType"]
        tag = tag or str(Digest.of(data))
        answer = httpx.put(f"http://{host}/v2/{path}/manifests/{tag}", content=data, headers={"Content-Type": kind})
        assert answer.status_code == 201, answer.text
        return {"mediaType": kind, "digest": str(Digest.of(data)), "size": len(data)}

    return call


def index(*entries, kind=media_types.INDEX):
    """Give an index of `(descriptor, platform)`."""
    manifests = []
    for descriptor, platform in entries:
        names = ("os", "architecture", "variant")
        manifests.append({**descriptor, "platform": dict(zip(names, platform.split("/"), strict=False))})
    return {"schemaVersion": 2, "mediaType": kind, "manifests": manifests}


def test_an_image_keeps_its_digest_and_content(image, pushed, puller):
    """An OCI image is the same value again, and its blobs are in the store."""
    pulled = puller(pushed("kept"))
    assert (pulled.image.manifest, pulled.image.raw_config) == (image.manifest, image.raw_config)
    assert pulled.image.digest == pulled.manifest.digest == pulled.pinned.digest == image.digest
    assert pulled.choice is None
    for layer in pulled.image.layers:
        pulled.image.blobs.verify(layer.descriptor)


def test_dockers_format_becomes_oci(image, pushed, puller):
    """A Docker image has the same layers and configuration in a manifest of OCI; what the registry has is told."""
    pulled = puller(pushed("docker", "--format", "v2s2"))
    assert pulled.manifest.media_type == DOCKER_MANIFEST
    assert pulled.manifest.digest == pulled.pinned.digest != pulled.image.digest
    assert [layer.diff_id for layer in pulled.image.layers] == [layer.diff_id for layer in image.layers]
    assert {layer.descriptor.media_type for layer in pulled.image.layers} == {media_types.LAYER_GZIP}
    assert json.loads(pulled.image.manifest)["mediaType"] == media_types.MANIFEST
    assert pulled.image.config.cmd == image.config.cmd


@pytest.mark.parametrize("kind", [media_types.INDEX, DOCKER_INDEX])
def test_an_index_gives_the_platform_that_was_asked_for(kind, image, pushed, put, puller, repository):
    """The choice is told with all there was; an attestation is no platform."""
    pushed("amd64")
    ours = {"mediaType": media_types.MANIFEST, "digest": str(image.digest), "size": len(image.manifest)}
    put("both", index((ours, "linux/arm64/v8"), (ours, "linux/amd64"), (ours, "unknown/unknown"), kind=kind))
    pulled = puller(f"{repository}:both")
    assert pulled.image.digest == image.digest
    assert str(pulled.choice.platform) == "linux/amd64"
    assert [str(platform) for platform in pulled.choice.platforms] == ["linux/arm64/v8", "linux/amd64"]
    assert pulled.pinned.digest != image.digest
    with pytest.raises(ImageError, match=r"linux/s390x in .*: it offers linux/amd64, linux/arm64/v8; choose one"):
        puller(f"{repository}:both", Platform("linux", "s390x"))


def test_an_image_of_another_platform_is_refused(pushed, puller):
    """Without an index the image's own configuration is believed."""
    with pytest.raises(ImageError, match=r"looking for linux/arm64 in .*: it is an image for linux/amd64"):
        puller(pushed("other"), ARM64)


def test_a_digest_names_an_image_whatever_its_tag(image, pushed, puller, repository):
    pushed("x")
    assert puller(f"{repository}@{image.digest}").image.digest == image.digest
    assert puller(f"{repository}:never@{image.digest}").image.digest == image.digest


def test_what_is_not_there_is_said(pushed, puller, repository, registry):
    pushed("x")
    with pytest.raises(NotFoundError, match=r"looking up .*/nothere:latest: the registry does not have it, HTTP 404"):
        puller(f"{registry.host}/nothere")
    with pytest.raises(NotFoundError, match="the registry does not have it"):
        puller(f"{repository}@sha256:{'0' * 64}")


def test_offline_uses_what_was_fetched(image, pushed, puller, repository, registry):
    """With a cache that has it, a tag or a digest needs no request; without, the message says what to do."""
    name = pushed("x")
    with pytest.raises(NotFoundError, match=r"looking up .* offline: this tag was never looked up here; do it once"):
        puller(name, offline=True)
    puller(name)
    with registry.counted() as requests:
        assert puller(name, offline=True).image.digest == image.digest
        assert puller(f"{repository}@{image.digest}", offline=True).image.digest == image.digest
    assert requests == []


def test_offline_names_what_is_missing(image, pushed, puller, tmp_path):
    name, store = pushed("x"), BlobStore(tmp_path / "store")
    puller(name, store=store)
    store.discard(image.layers[1].descriptor.digest)
    with pytest.raises(
        NotFoundError, match=f"{image.layers[1].descriptor.digest} of .* offline: it is not in the cache"
    ):
        puller(name, store=store, offline=True)
    store.discard(image.digest)
    with pytest.raises(NotFoundError, match=f"{image.digest} of .* offline: it is not in the cache"):
        puller(name, store=store, offline=True)


def test_what_is_there_is_not_fetched_again(pushed, puller, registry):
    """A second pull asks for the tag's digest and for nothing else."""
    name = pushed("x")
    puller(name)
    with registry.counted() as requests:
        puller(name)
    assert [method for method, _, _ in requests] == ["HEAD"]


@pytest.mark.parametrize("damage", [b"", b"x" * 300_000, None])
def test_a_damaged_cache_heals(image, pushed, puller, tmp_path, damage):
    """Whatever happened to the store's blobs, a pull gives every byte right, and stores it so."""
    name, store = pushed("x"), BlobStore(tmp_path / "store")
    puller(name, store=store)
    blobs = [image.layers[0].descriptor.digest, image.config_descriptor.digest, image.digest]
    for digest in blobs:
        whole = store.path(digest).read_bytes()
        store.path(digest).write_bytes(whole[:-1] + b"?" if damage is None else damage)
    pulled = puller(name, store=store)
    assert (pulled.image.manifest, pulled.image.raw_config) == (image.manifest, image.raw_config)
    for layer in pulled.image.layers:
        store.verify(layer.descriptor)
    assert [Digest.of(store.path(digest).read_bytes()) for digest in blobs] == blobs


@pytest.mark.parametrize(
    ("layer_type", "config_type", "message"),
    [
        ("application/vnd.oci.image.layer.v1.tar+zstd", media_types.CONFIG, "convert its layers to gzip"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", media_types.CONFIG, "kept elsewhere than in"),
        ("application/x-odd", media_types.CONFIG, "layers of tar and tar.gzip are known"),
        (media_types.LAYER_GZIP, "application/vnd.cncf.helm.config.v1+json", "it is no container image"),
    ],
)
def test_what_cannot_be_used_is_said(image, pushed, put, puller, repository, layer_type, config_type, message):
    """zstd, foreign layers and artifacts are named with what to do, before any layer is fetched."""
    pushed("x")
    manifest = json.loads(image.manifest)
    manifest["layers"][0]["mediaType"] = layer_type
    manifest["config"]["mediaType"] = config_type
    put("odd", manifest)
    with pytest.raises(UnsupportedError, match=message):
        puller(f"{repository}:odd")


def test_an_index_in_an_index_is_refused(image, pushed, put, puller, repository):
    pushed("x")
    ours = {"mediaType": media_types.MANIFEST, "digest": str(image.digest), "size": len(image.manifest)}
    inner = put(None, index((ours, "linux/amd64")))
    put("outer", index((inner, "linux/amd64")))
    with pytest.raises(ImageError, match="its index points at another index; name the inner one"):
        puller(f"{repository}:outer")


def test_progress_ends_with_every_blob_whole(image, pushed, puller):
    """Each blob is moving, then done; the next time it is present."""
    told = []
    name = pushed("x")
    puller(name, progress=told.append)
    sizes = {image.config_descriptor.digest: image.config_descriptor.size}
    sizes |= {layer.descriptor.digest: layer.descriptor.size for layer in image.layers}
    assert {one.descriptor.digest: one.moved for one in told if one.state.value == "done"} == sizes
    assert {one.state.value for one in told} == {"moving", "done"}
    told.clear()
    puller(name, progress=told.append)
    assert {one.state.value for one in told} == {"present"}


def test_an_index_of_one_image_without_a_platform_is_that_image(image, pushed, put, puller, repository):
    """Where there is no choice some tools name no platform; the image's configuration must fit all the same."""
    pushed("x")
    ours = {"mediaType": media_types.MANIFEST, "digest": str(image.digest), "size": len(image.manifest)}
    put("one", {"schemaVersion": 2, "mediaType": media_types.INDEX, "manifests": [ours]})
    assert puller(f"{repository}:one").image.digest == image.digest
    with pytest.raises(ImageError, match="it is an image for linux/amd64"):
        puller(f"{repository}:one", ARM64)


def test_indexes_that_list_indexes_end(put, repository, registry, memory, tmp_path):
    """Three deep all images are fetched; deeper is nobody's image."""
    inner = put(None, index())
    for _ in range(4):
        inner = put(None, {**index(), "manifests": [inner]})
    reference = Reference.parse_source(f"{repository}@{inner['digest']}")
    access = Access(insecure=frozenset({registry.host}))
    pulling = Pulling(BlobStore(tmp_path / "all"), memory, access)
    with pytest.raises(ImageError, match="indexes that list indexes, 3 deep; name an inner one"):
        pull_all(reference, [], pulling)
