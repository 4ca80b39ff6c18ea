"""`build-image --push`: from a folder into a real registry, and what people and scripts see of it."""

import json
import subprocess
import uuid

import pytest

from tests.ports import free_port


@pytest.fixture
def name(registry):
    """A name in a registry that nobody else uses."""
    return f"{registry.host}/function/{uuid.uuid4().hex[:12]}:1"


@pytest.fixture
def push(build_image, function, registry):
    """Return `push(name, *options)`, which builds and pushes a small function."""
    source = function()

    def call(name, *options, **variables):
        command = [source, "--push", "-t", name, "--insecure-registry", registry.host, "--no-prove", *options]
        return build_image(*command, **variables)

    return call


def raw(skopeo, name):
    command = [skopeo, "inspect", "--raw", "--tls-verify=false", f"docker://{name}"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)


def test_the_image_is_in_the_registry_and_nowhere_else(push, name, skopeo, tmp_path):
    """Stdout is NAME@sha256:… of a single manifest; no output is written that was not asked for."""
    done = push(name, "--image-refs", "refs.txt")
    assert done.code == 0, done.err
    repository = name.rpartition(":")[0]
    assert done.out.startswith(f"{repository}@sha256:")
    assert (tmp_path / "refs.txt").read_text() == done.out
    assert raw(skopeo, done.out.strip()) == raw(skopeo, name)
    assert "layers" in raw(skopeo, name)
    assert not (tmp_path / "dist").exists()
    assert "push " in done.err


def test_sbom_and_provenance_are_beside_it_and_a_second_push_sends_nothing(push, name, registry, skopeo):
    """Referrers name the image as their subject; --json says which. Unchanged, it costs five requests at most."""
    result = json.loads(push(name, "--json").out)
    digests = result["pushed"]["referrers"]
    documents = [raw(skopeo, f"{name.rpartition(':')[0]}@{digest}") for digest in digests]
    assert [document["artifactType"] for document in documents] == [
        "application/vnd.cyclonedx+json",
        "application/vnd.in-toto+json",
    ]
    assert {document["subject"]["digest"] for document in documents} == {result["digest"]}
    assert result["pushed"]["blobs_uploaded"] == len(result["layers"]) + 1
    with registry.counted() as requests:
        again = json.loads(push(name, "--json").out)
    assert len(requests) <= 5
    assert {method for method, _, _ in requests} <= {"HEAD", "GET"}
    assert again["pushed"] == {
        "reference": result["pushed"]["reference"],
        "blobs_uploaded": 0,
        "blobs_mounted": 0,
        "blobs_present": 0,
        "referrers": digests,
    }


@pytest.mark.parametrize("tag", ["hello", "team/hello:1", None])
def test_a_tag_without_a_registry_is_a_mistake_of_the_command_line(build_image, function, tag):
    done = build_image(function(), "--push", *(["-t", tag] if tag else []))
    assert (done.code, done.out) == (2, "")
    assert "--push needs a tag that names the registry" in done.err
    assert (repr(tag) if tag else "none was given") in done.err


def test_pushing_offline_is_a_mistake_of_the_command_line(push, name):
    done = push(name, "--offline")
    assert (done.code, done.out) == (2, "")
    assert "--push needs a network" in done.err


def test_a_registry_that_is_not_named_insecure_is_not_talked_to_in_plain_http(build_image, function, name):
    """The option is named where it would help; naming another host does not."""
    done = build_image(function(), "--push", "-t", name, "--no-prove", "--insecure-registry", "127.0.0.1:1")
    assert (done.code, done.out) == (14, "")
    assert "does not speak TLS" in done.err
    assert f"--insecure-registry {name.partition('/')[0]}" in done.err


def test_what_a_registry_has_against_a_push_is_found_before_the_build(build_image, function):
    """A host that is not there ends it before anything is read of the function, which has no handler here."""
    name = f"127.0.0.1:{free_port()}/team/hello:1"
    done = build_image(function("x = 1\n"), "--push", "-t", name)
    assert (done.code, done.out) == (14, ""), done.err
    assert f"asking whether {name} can be pushed" in done.err
    assert f"--insecure-registry {name.partition('/')[0]}" in done.err


def test_the_settings_may_stand_in_pyproject_and_environment(build_image, function, registry, name, tmp_path):
    """`insecure-registry` is a key of [tool.build-image], BUILD_IMAGE_PUSH a variable; `-o` still writes."""
    source = function(
        files={"pyproject.toml": f'[tool.build-image]\ntag = "{name}"\ninsecure-registry = ["{registry.host}"]\n'}
    )
    done = build_image(source, "--no-prove", "-o", "oci:image", BUILD_IMAGE_PUSH="1")
    assert done.code == 0, done.err
    assert done.out.startswith(name.rpartition(":")[0])
    assert (tmp_path / "image" / "index.json").exists()
