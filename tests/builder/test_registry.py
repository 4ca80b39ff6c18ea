"""Registries as the builder uses them: the cache remembers, and each error is of the builder's, with what to do."""

import json
import shutil
import subprocess

import httpx
import pytest

from builder.console import Console
from builder.errors import ImageError, OutputError, RegistryError, SourceError
from builder.oci import BlobStore, Digest, Entry, Image, ImageConfig, media_types, write_layout
from builder.registry import CachedTags, Fetching, pull_image


@pytest.fixture
def pull(cache):
    """Return `pull(name, …)`, of linux/amd64 unless it says else."""

    def call(name, platform="linux/amd64", **also):
        host = name.partition("/")[0]
        options = {"environment": {}, "insecure": [host], **also}
        return pull_image(name, platform, Fetching(cache, Console(), **options))

    return call


@pytest.fixture
def name(registry, skopeo, tmp_path):
    """The name of a small image in a registry."""
    store = BlobStore(tmp_path / "store")
    image = Image.assemble(ImageConfig("amd64"), [store.add_layer([Entry.file("a", b"1")])], blobs=store)
    write_layout(image, tmp_path / "layout", ref_name="x")
    name = f"{registry.host}/builder/small:1"
    copy = [skopeo, "copy", "--dest-tls-verify=false", f"oci:{tmp_path}/layout:x", f"docker://{name}"]
    subprocess.run(copy, check=True, capture_output=True, timeout=60)
    return name


def test_a_tag_is_remembered_by_the_cache(pull, name):
    """What was pulled once is there offline, for the same name."""
    pulled = pull(name)
    assert pull(name, offline=True).image == pulled.image
    with pytest.raises(RegistryError, match="never looked up here"):
        pull(name.replace(":1", ":2"), offline=True)


def test_a_record_of_another_name_is_none(cache):
    """A collision or a mistake in the records cannot give one tag another's digest."""
    tags = CachedTags(cache)
    tags.remember("a", "sha256:1")
    (record,) = (cache.folder / "records").rglob("*/*")
    forged = json.loads(record.read_bytes())
    assert tags.recall("a") == "sha256:1"
    assert forged["value"] == {"name": "a", "digest": "sha256:1"}
    assert tags.recall("b") is None


def test_the_platform_chosen_is_told(pull, name, capsys):
    """An index's offers are shown with what was taken."""
    image = pull(name).image
    host, _, rest = name.partition("/")
    entry = {"mediaType": media_types.MANIFEST, "digest": str(image.digest), "size": len(image.manifest)}
    document = {"schemaVersion": 2, "mediaType": media_types.INDEX, "manifests": [
        {**entry, "platform": {"os": "linux", "architecture": architecture}} for architecture in ("arm64", "amd64")
    ]}  # fmt: skip
    data = json.dumps(document).encode()
    url = f"http://{host}/v2/{rest.partition(':')[0]}/manifests/{Digest.of(data)}"
    assert httpx.put(url, content=data, headers={"Content-Type": media_types.INDEX}).status_code == 201
    capsys.readouterr()
    pull(f"{name}@{Digest.of(data)}")
    assert "linux/amd64 chosen of linux/amd64, linux/arm64\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "kind", "message", "hint"),
    [
        (lambda name: ("a b", {}), SourceError, "no image name", "Names are like"),
        (lambda name: (name, {"platform": "x"}), SourceError, "reading a platform", "Names are like"),
        (lambda name: (name, {"insecure": ["a/b"]}), SourceError, "'a/b' is no host", "Names are like"),
        (
            lambda name: (name, {"platform": "linux/arm64"}),
            ImageError,
            "it is an image for linux/amd64",
            "Name another",
        ),
        (lambda name: (f"{name}x", {}), RegistryError, "does not have it", ""),
        (lambda _: ("127.0.0.1:1/a", {}), RegistryError, "Connection refused", "trying again goes on from there"),
        (lambda name: (name, {"insecure": []}), RegistryError, "does not speak TLS", "--insecure-registry"),
    ],
)
def test_each_error_has_its_class_and_advice(pull, name, change, kind, message, hint):
    changed, options = change(name)
    with pytest.raises(kind, match=message) as caught:
        pull(changed, **options)
    assert hint in caught.value.hint


def test_a_cache_that_cannot_be_written_is_said(pull, name, cache):
    pull(name)
    shutil.rmtree(cache.blobs)
    cache.blobs.write_bytes(b"")
    with pytest.raises(OutputError, match="pulling") as caught:
        pull(name)
    assert caught.value.hint
