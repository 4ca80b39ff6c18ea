"""`firkin lint` as a process, and the same check inside a build."""

import json
import subprocess

import pytest

from tests.builder.lint.conftest import CLEAN, CONFIG, tar
from tests.conftest import run

INDEX = "application/vnd.oci.image.index.v1+json"
BAD = {**CONFIG, "config": {**CONFIG["config"], "Cmd": ["app.absent"], "Env": ["AWS_REGION=x"]}}


@pytest.fixture
def bad(layout):
    """An image with an error and a warning."""
    return layout.write(layout.manifest([tar(*CLEAN)], config=BAD))


@pytest.fixture
def firkin(commands, tmp_path):
    """Return `firkin(*arguments)`, with a cache of its own."""
    return lambda *arguments: run([commands / "firkin", *arguments], cache=tmp_path / "cache")


def test_findings_go_to_stdout_and_an_error_is_exit_code_16(firkin, bad):
    """Each finding with its place, its reason and what to do; stderr says what stops the pipeline and how to go on."""
    done = firkin("lint", bad)
    assert done.code == 16
    assert done.out.splitlines()[0] == (
        "error: handler: /var/task/app.py: looking for the handler 'app.absent': app.py defines no 'absent'"
    )
    assert "    Correct CMD, or the file's name and place." in done.out
    assert done.out.endswith(": 1 error, 1 warning\n")
    assert "error: checking oci:" in done.err
    assert "--ignore handler" in done.err


def test_json_is_one_object(firkin, bad):
    """For programs, with the same exit code."""
    done = firkin("lint", bad, "--json")
    value = json.loads(done.out)
    assert (done.code, value["passed"], [one["rule"] for one in value["findings"]]) == (
        16,
        False,
        ["handler", "reserved-variable"],
    )


def test_ignored_rules_and_strictness_decide_the_exit_code(firkin, bad):
    """A warning passes unless --strict is given; an unknown rule is the caller's mistake."""
    assert firkin("lint", bad, "--ignore", "handler").code == 0
    assert firkin("lint", bad, "--ignore", "handler", "--strict").code == 16
    done = firkin("lint", bad, "--ignore", "hanlder")
    assert done.code == 3
    assert "there is no rule 'hanlder'" in done.err


def test_sarif_names_rules_levels_and_places(firkin, bad, tmp_path):
    """The properties that dashboards require, by the specification's names."""
    file = tmp_path / "new" / "lint.sarif"
    firkin("lint", bad, "--sarif", file)
    log = json.loads(file.read_text())
    (ran,) = log["runs"]
    rules = ran["tool"]["driver"]["rules"]
    assert log["version"] == "2.1.0"
    assert [(one["ruleId"], one["level"]) for one in ran["results"]] == [
        ("handler", "error"),
        ("reserved-variable", "warning"),
    ]
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in ran["results"])
    assert ran["results"][0]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "/var/task/app.py"


@pytest.mark.parametrize("name", ["oci:missing", "tar:missing", "No Name", "oci:"])
def test_what_is_no_image_is_told(firkin, name):
    """Exit 10 for one that cannot be read, 3 for a name of an unknown form."""
    done = firkin("lint", name)
    assert done.code in {3, 10}
    assert done.err.startswith(("error: reading", "error: pulling"))


def test_a_folder_without_its_kind_is_not_looked_for_in_a_registry(firkin, layout):
    """The hint says how to name it."""
    done = firkin("lint", layout.folder)
    assert done.code == 3
    assert f"say oci:{layout.folder}" in done.err


def test_a_build_ends_before_anything_is_written(build_image, function, tmp_path):
    """A key in the function's folder is an error of the build; named as meant, it is built."""
    source = function(files=dict.fromkeys(("key.pem", "other.pem"), "-----BEGIN PRIVATE KEY-----\nMII\n"))
    done = build_image(source, "-o", f"oci:{tmp_path}/out")
    assert done.code == 16
    assert "error: secret-in-file: /var/task/other.pem: it seems to hold a private key" in done.err, "all are told"
    assert "/var/task/key.pem" in done.err
    assert "--lint-ignore secret-in-file" in done.err
    assert not (tmp_path / "out").exists()
    assert build_image(source, "-o", f"oci:{tmp_path}/out", "--lint-ignore", "secret-in-file").code == 0


def test_a_write_outside_tmp_is_a_warning_of_the_build(build_image, function, tmp_path):
    """The function answers, and its log tells what it could not do; told again when nothing has changed."""
    code = """\
def handler(event, context):
    try:
        open("/var/task/cache", "w")
    except OSError as error:
        print(error)
    return event
"""
    for _ in range(2):
        done = build_image(function(code), "-o", f"oci:{tmp_path}/out")
        assert done.code == 0, done.err
        assert "warning: /var/task/cache: the proof's log says: Read-only file system" in done.err


def test_an_archive_of_a_docker_engine_is_read(firkin, docker, build_image, function, tmp_path):
    """`docker save`, whose layers are compressed only when they are pushed, has nothing to be told about."""
    build_image(function(), "-o", f"tar:{tmp_path}/in.tar", "-t", "lint-of-docker-save")
    docker("load", "-i", f"{tmp_path}/in.tar")
    try:
        docker("save", "-o", f"{tmp_path}/out.tar", "lint-of-docker-save")
    finally:
        docker("rmi", "lint-of-docker-save")
    done = firkin("lint", f"tar:{tmp_path}/out.tar", "--strict")
    assert (done.code, done.out) == (0, f"tar:{tmp_path}/out.tar: nothing found\n")


def test_an_image_in_a_docker_engine_is_named_as_a_base_is(firkin, docker, build_image, function, tmp_path):
    """Nobody has to write it to a file first; one that is not there is told without asking a registry."""
    build_image(function(), "-o", "docker", "-t", "lint-in-docker")
    try:
        done = firkin("lint", "docker:lint-in-docker", "--strict")
    finally:
        docker("rmi", "lint-in-docker")
    assert (done.code, done.out) == (0, "docker:lint-in-docker: nothing found\n")
    done = firkin("lint", "docker:lint-in-docker")
    assert done.code == 10
    assert "the Docker Engine holds none of that name" in done.err


@pytest.fixture
def two_platforms(layout):
    """An index of an image for each platform, of which the one for arm64 lacks its handler, and an attestation."""
    arm = {**BAD, "architecture": "arm64"}
    entries = [
        {**layout.manifest([tar(*CLEAN)]), "platform": {"os": "linux", "architecture": "amd64"}},
        {**layout.manifest([tar(*CLEAN)], config=arm), "platform": {"os": "linux", "architecture": "arm64"}},
        {**layout.manifest([]), "platform": {"os": "unknown", "architecture": "unknown"}},
    ]
    return layout.write(layout.blob(layout.index(*entries), INDEX))


@pytest.mark.parametrize("where", ["layout", "registry"])
def test_of_an_index_the_images_of_all_platforms_are_checked_wherever_it_is(
    firkin, registry, two_platforms, skopeo, where
):
    """What is wrong with the image for another machine is found too, and --platform asks for one alone."""
    name, options = two_platforms, []
    if where == "registry":
        name = f"{registry.host}/lint/index:1"
        options = ["--insecure-registry", registry.host]
        subprocess.run(
            [skopeo, "copy", "--all", "--dest-tls-verify=false", two_platforms, f"docker://{name}"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip

    def rules(*more):
        done = firkin("lint", name, "--json", *options, *more)
        assert done.code == 16, done.err
        return [(one["rule"], "arm64" in one["message"]) for one in json.loads(done.out)["findings"]]

    every = [("handler", True), ("single-manifest", True), ("reserved-variable", True)]
    assert rules() == every
    assert rules("--platform", "linux/arm64") == [(rule, rule == "single-manifest") for rule, _ in every]
    assert rules("--platform", "linux/amd64") == [("single-manifest", True)]


@pytest.mark.parametrize("where", ["layout", "registry"])
def test_a_platform_that_an_image_is_not_for_is_told(firkin, registry, layout, skopeo, where):
    """By what there is, and not as an image in which nothing was found."""
    name, options = layout.write(layout.manifest([tar(*CLEAN)])), []
    if where == "registry":
        source, name = name, f"{registry.host}/lint/amd64:1"
        options = ["--insecure-registry", registry.host]
        subprocess.run(
            [skopeo, "copy", "--dest-tls-verify=false", source, f"docker://{name}"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
    done = firkin("lint", name, *options, "--platform", "linux/arm64")
    assert done.code == 10
    assert "looking for linux/arm64 in " in done.err
    assert "it offers linux/amd64; choose one of these, or another image" in done.err


def test_an_image_of_a_registry_is_read_as_it_is_there(firkin, registry, layout, skopeo):
    """Pushed by skopeo in Docker's form: the same handler is missing, and the types are Docker's, not mixed."""
    name = f"{registry.host}/lint/bad:1"
    bad = layout.write(layout.manifest([tar(*CLEAN)], config=BAD))
    subprocess.run(
        [skopeo, "copy", "--dest-tls-verify=false", "--format", "v2s2", bad, f"docker://{name}"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    done = firkin("lint", name, "--insecure-registry", registry.host, "--json")
    assert done.code == 16, done.err
    assert [one["rule"] for one in json.loads(done.out)["findings"]] == ["handler", "reserved-variable"]
