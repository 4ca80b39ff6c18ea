"""Images go into a real registry with as few requests as can be, and come out as they went in, for others too."""

import json
import random
import uuid
from dataclasses import replace

import pytest

from builder.oci import Entry, NotFoundError, Reference, media_types
from builder.oci.distribution import Access, Artifact, attach
from tests.builder.oci.distribution.conftest import QUICK
from tests.builder.oci.distribution.cutting_proxy import Cuts, cutting_proxy


@pytest.fixture
def repository(registry):
    """The whole name of a repository that nobody else uses."""
    return f"{registry.host}/push/{uuid.uuid4().hex[:12]}"


@pytest.fixture
def other(make_image):
    """An image that shares its first layer with the small one."""
    return make_image(
        [Entry.file("lib/data", random.Random(0).randbytes(200_000)), Entry.symlink("lib/link", "data")],
        [Entry.file("task/app.py", b"print('other')\n")],
    )


def methods(requests):
    return [method for method, _, _ in requests]


def test_what_is_pushed_is_pulled(image, pusher, puller, repository):
    pushed = pusher(image, f"{repository}:1")
    assert (pushed.uploaded, pushed.mounted, pushed.present) == (3, 0, 0)
    assert pushed.reference == Reference.parse(f"{repository}:1").at(image.digest)
    pulled = puller(f"{repository}:1")
    assert (pulled.image.manifest, pulled.image.raw_config) == (image.manifest, image.raw_config)


def test_skopeo_reads_what_we_push(image, pusher, repository, skopeo, tmp_path):
    """The digest is the same, every layer arrives, and skopeo checks them on its way."""
    pusher(image, f"{repository}:1")
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{repository}:1")
    assert raw.encode() == image.manifest
    skopeo("copy", "--src-tls-verify=false", f"docker://{repository}:1", f"dir:{tmp_path}/copy")
    for layer in image.layers:
        assert (tmp_path / "copy" / layer.descriptor.digest.encoded).stat().st_size == layer.descriptor.size


def test_an_unchanged_image_is_one_request(image, pusher, repository, registry):
    """A second push uploads nothing and asks once: the tag has the digest already."""
    pusher(image, f"{repository}:1")
    with registry.counted() as requests:
        pushed = pusher(image, f"{repository}:1")
    assert methods(requests) == ["HEAD"]
    assert (pushed.uploaded, pushed.mounted, pushed.present) == (0, 0, 0)


def test_another_tag_is_three_requests(image, pusher, repository, registry):
    """An image that is there under another name gets the tag and nothing else."""
    pusher(image, f"{repository}:1")
    with registry.counted() as requests:
        pusher(image, f"{repository}:2")
    assert methods(requests) == ["HEAD", "HEAD", "PUT"]


def test_only_missing_blobs_are_sent_and_the_tag_comes_last(image, other, pusher, repository, registry):
    pusher(image, f"{repository}:1")
    with registry.counted() as requests:
        pushed = pusher(other, f"{repository}:1")
    assert (pushed.uploaded, pushed.present) == (2, 1)
    puts = [path for method, path, _ in requests if method == "PUT"]
    assert len(puts) == 3
    assert puts[-1].endswith("/manifests/1")
    assert requests[-1][1] == puts[-1]


def test_layers_are_mounted_from_another_repository(image, other, pusher, puller, repository, registry):
    """What the base's repository has is not sent; what it has not is uploaded in the same session."""
    pusher(image, f"{repository}:1")
    told = []
    with registry.counted() as requests:
        pushed = pusher(
            other, f"{repository}-2:1", mount_from=[Reference.parse(f"{repository}:1")], progress=told.append
        )
    assert (pushed.mounted, pushed.uploaded, pushed.present) == (1, 2, 0)
    assert sum("mount=" in path for _, path, _ in requests) == 3
    assert methods(requests).count("POST") == 3
    assert puller(f"{repository}-2:1").image.digest == other.digest
    assert {one.state.value for one in told} == {"moving", "done", "mounted"}


def test_a_registry_elsewhere_is_not_asked_to_mount(image, pusher, repository, registry):
    with registry.counted() as requests:
        pusher(image, f"{repository}:1", mount_from=[Reference.parse("elsewhere.example/base")])
    assert not any("mount=" in path for _, path, _ in requests)


@pytest.mark.parametrize("cuts", [[2_000], [70_000] * 2, [4_000, 120_000]])
def test_an_upload_goes_on_after_a_cut(image, pusher, puller, repository, registry, cuts):
    """The line breaks within a blob: the registry gets the rest, and the image is whole."""
    limits = replace(QUICK, attempts=6, parallel=1, chunk_bytes=50_000)
    with cutting_proxy(registry.host, Cuts("up", at=cuts)) as proxy:
        pusher(image, repository.replace(registry.host, proxy.host), limits=limits)
        assert proxy.connections > len(cuts)
    assert puller(repository).image.digest == image.digest


def test_an_upload_goes_on_between_chunks(image, pusher, puller, repository, registry):
    """A line that breaks between two chunks costs no byte: the registry is asked how far it got, and gets the rest."""
    limits = replace(QUICK, attempts=6, parallel=1, chunk_bytes=50_000)
    cuts = Cuts("up", before=[(b"PUT ", 1), (b"PATCH ", 3)])  # the first makes it change to chunks
    with registry.counted() as requests, cutting_proxy(registry.host, cuts) as proxy:
        pusher(image, repository.replace(registry.host, proxy.host), limits=limits)
    asked = [path for method, path, status in requests if "/uploads/" in path and (method, status) == ("GET", 204)]
    chunks = [path for method, path, _ in requests if method == "PATCH"]
    assert len(asked) == 2
    assert len(chunks) == 5  # 200 kB in pieces of 50, and none of them twice
    assert len({path.partition("?")[0] for path in (*asked, *chunks)}) == 1  # one upload all along
    assert puller(repository).image.digest == image.digest


@pytest.mark.parametrize("cuts", [[60_000], [500, 90_000, 150_000]])
def test_a_download_goes_on_after_a_cut(image, pusher, puller, repository, registry, cuts):
    """The line breaks within a blob: only the rest is asked for."""
    pusher(image, repository)
    limits = replace(QUICK, attempts=6, parallel=1)
    with registry.counted() as requests, cutting_proxy(registry.host, Cuts("down", at=cuts)) as proxy:
        pulled = puller(repository.replace(registry.host, proxy.host), limits=limits)
    assert pulled.image.digest == image.digest
    assert any(status == 206 for _, _, status in requests)


SBOM = Artifact("application/vnd.cyclonedx+json", b'{"bomFormat":"CycloneDX"}', {"org.example": "1"})
PROVENANCE = Artifact("application/vnd.in-toto+json", b'{"_type":"x"}')


def referrers(skopeo, repository, digest):
    tag = str(digest).replace(":", "-")
    return json.loads(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{repository}:{tag}"))


def test_documents_hang_on_the_image_that_stays_as_it_is(image, pusher, repository, skopeo, registry):
    """Without a referrers API the specification's tag lists them; the image's tag is still a single manifest."""
    with registry.counted() as requests:
        pushed = pusher(image, f"{repository}:1", artifacts=[SBOM, PROVENANCE])
    assert requests[-1][:2] == ("PUT", f"/v2/{repository.partition('/')[2]}/manifests/1")
    index = referrers(skopeo, repository, image.digest)
    assert index["mediaType"] == media_types.INDEX
    assert [entry["digest"] for entry in index["manifests"]] == [str(digest) for digest in pushed.artifacts]
    assert [entry["artifactType"] for entry in index["manifests"]] == [SBOM.artifact_type, PROVENANCE.artifact_type]
    assert index["manifests"][0]["annotations"] == {"org.example": "1"}
    manifest = json.loads(
        skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{repository}@{pushed.artifacts[0]}")
    )
    assert manifest["subject"] == image.descriptor.to_json()
    assert manifest["layers"][0]["mediaType"] == SBOM.artifact_type
    assert skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{repository}:1").encode() == image.manifest


def test_an_unchanged_image_with_documents_is_three_requests(image, pusher, repository, registry):
    pusher(image, f"{repository}:1", artifacts=[SBOM, PROVENANCE])
    with registry.counted() as requests:
        pusher(image, f"{repository}:1", artifacts=[SBOM, PROVENANCE])
    assert methods(requests) == ["HEAD", "GET", "GET"]


def test_a_document_more_joins_those_that_are_there(image, pusher, repository, skopeo):
    """Attaching later keeps what others have attached, and moves no tag of an image."""
    pusher(image, f"{repository}:1", artifacts=[SBOM])
    reference = Reference.parse(f"{repository}:1")
    access = Access({}, frozenset({reference.domain}), QUICK)
    attached = attach(image.descriptor, reference, [PROVENANCE], access=access)
    index = referrers(skopeo, repository, image.digest)
    assert len(index["manifests"]) == 2
    assert index["manifests"][1]["digest"] == str(attached[0])
    assert attach(image.descriptor, reference, [PROVENANCE, SBOM], access=access)[0] == attached[0]
    assert referrers(skopeo, repository, image.digest) == index


def test_a_tag_that_does_not_arrive_leaves_the_old_image(image, other, pusher, puller, repository):
    """A push that breaks off half-way has changed nothing for those who pull."""
    pusher(image, f"{repository}:1")
    broken = replace(other, layers=(*other.layers, replace(other.layers[0], descriptor=image.config_descriptor)))

    class Gone:
        def open(self, descriptor):
            raise NotFoundError(str(descriptor))

    with pytest.raises(NotFoundError):
        pusher(replace(broken, blobs=Gone()), f"{repository}:1")
    assert puller(f"{repository}:1").image.digest == image.digest


def test_a_registry_with_referrers_lists_them_itself(fake, image, pusher):
    """No tag is needed; a second push reads the list and sends nothing."""
    fake.has_referrers = True
    pushed = pusher(image, f"{fake.host}/a:1", artifacts=[SBOM, PROVENANCE])
    assert not any(tag.startswith("sha256-") for tag in fake.manifests)
    assert all(str(digest) in fake.manifests for digest in pushed.artifacts)
    fake.requests.clear()
    assert pusher(image, f"{fake.host}/a:1", artifacts=[SBOM, PROVENANCE]).artifacts == pushed.artifacts
    assert fake.methods() == ["HEAD", "GET"]


@pytest.mark.parametrize("body", [b"<html>a page for everything</html>", b"[]", b'{"manifests": 5}', b"{}"])
def test_a_list_of_referrers_that_is_none_is_made_anew(fake, image, pusher, body):
    """A server that answers every unknown address with 200 has no referrers API."""
    fake.faults["GET", "referrers"] = lambda handler: handler.answer(200, body)
    pushed = pusher(image, f"{fake.host}/a:1", artifacts=[SBOM])
    _, data = fake.manifests[str(image.digest).replace(":", "-")]
    assert [entry["digest"] for entry in json.loads(data)["manifests"]] == [str(pushed.artifacts[0])]


def test_a_registry_that_takes_images_only_gets_the_image(fake, image, pusher):
    """One that refuses documents is told of, and gets its image and tag all the same."""

    def images_only(handler):
        if handler.what == "1" or handler.what == str(image.digest):
            return False
        handler.body()
        return handler.answer(400, b'{"errors": [{"code": "MANIFEST_INVALID", "message": "unknown config type"}]}')

    fake.faults["PUT", "manifest"] = images_only
    pushed = pusher(image, f"{fake.host}/a:1", artifacts=[SBOM])
    assert pushed.artifacts == ()
    assert "MANIFEST_INVALID: unknown config type" in pushed.complaint
    assert "1" in fake.manifests
