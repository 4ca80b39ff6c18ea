"""Two engines, one Plan: the same function by this program and by a Docker Engine is the same image, but for its dates.

And the Dockerfile that people commit, built by BuildKit, which knows nothing of this checkout.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import uv

from builder.oci import Digest, Entry, ImageConfig, read_archive, read_layout, unpack
from tests.bases import PATH, entries_of, made, write_base
from tests.conftest import ROOT, run
from tests.test_docker import EXAMPLES, answers, right, running

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]

EMPTY = Digest.of(bytes(1024))  # a tar without entries

HOSTILE = ["--env", "ODD=$HOME \\\"'# x", "--label", 'odd "label"=$x\\']


def tree_of(image, folder: Path) -> dict[str, tuple]:
    """Every path of an image's root: kind, permission bits, and content or target."""
    unpack(image, folder)
    found = {}
    for top, folders, files in os.walk(folder):
        for path in (Path(top, name) for name in folders + files):
            mode = path.lstat().st_mode
            content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
            found[str(path.relative_to(folder))] = (oct(mode), content)
    return found


def what_runs(config: ImageConfig) -> tuple:
    """The parts of a configuration that decide how an image runs, and its labels."""
    return (
        config.architecture, config.os, config.entrypoint, config.cmd, dict(config.env), config.working_dir,
        config.user, dict(config.labels),
    )  # fmt: skip


@pytest.fixture
def tag(docker, tmp_path):
    """A name in the engine that is removed afterwards."""
    name = f"firkin-test-{os.getpid()}/engines:{tmp_path.name[-8:].strip('_')}"
    yield name
    if docker("images", "--quiet", name).strip():
        docker("rmi", "--force", name)


@pytest.fixture
def buildkit(docker):
    """Return `buildkit(*arguments)`: a build by the BuildKit that the engine has."""
    client = made(
        "buildx", lambda folder: subprocess.run([ROOT / "scripts/buildx", folder / "docker-buildx"], check=True)
    )

    def call(*arguments: str) -> str:
        done = run([client / "docker-buildx", "build", "--progress", "plain", *arguments])
        assert done.code == 0, done.err
        return done.err

    return call


@pytest.mark.network
def test_both_engines_make_the_same_files_and_configuration(build_image, tmp_path, tag):
    """Bytes, modes, links; environment, entry point, command, labels, hostile values included."""
    for engine in ("oci", "docker"):
        done = build_image(
            EXAMPLES / "thumbnail", "--engine", engine, "-t", tag, "-o", f"oci:{tmp_path}/{engine}", *HOSTILE, "-v"
        )
        assert done.code == 0, done.err
    assert "Step 1/" in done.err, "the engine's log is shown"
    ours, theirs = (read_layout(tmp_path / engine) for engine in ("oci", "docker"))
    one, other = tree_of(ours, tmp_path / "a"), tree_of(theirs, tmp_path / "b")
    assert one.keys() == other.keys()
    assert [path for path in one if one[path] != other[path]] == []
    assert what_runs(ours.config) == what_runs(theirs.config)
    assert len(ours.layers) == len(theirs.layers)


def test_a_kept_base_is_the_same_by_both(build_image, tmp_path, tag, docker):
    """Given to the engine under a name of its digest, its layers stay the lowest."""
    base = tmp_path / "base"
    folder = tmp_path / "interpreter"
    done = build_image(EXAMPLES / "hello", "-o", f"rootfs:{folder}", "--no-prove", "-q")
    assert done.code == 0, done.err
    usual = [Entry.symlink("usr/bin/python3", "/var/lang/bin/python3")]
    write_base(base, entries_of(folder), usual, env={"PATH": "/usr/bin:/bin"})
    for engine in ("oci", "docker"):
        done = build_image(
            EXAMPLES / "hello", "--base", f"oci:{base}", "--engine", engine, "-t", tag, "-o", f"oci:{tmp_path}/{engine}"
        )
        assert done.code == 0, done.err
    ours, theirs = (read_layout(tmp_path / engine) for engine in ("oci", "docker"))
    assert tree_of(ours, tmp_path / "a") == tree_of(theirs, tmp_path / "b")
    assert [layer.diff_id for layer in ours.layers][:2] == [layer.diff_id for layer in theirs.layers][:2]
    for name in docker("images", "--format", "{{.Repository}}:{{.Tag}}", "firkin-base").split():
        docker("rmi", "--force", name)


def test_a_failing_step_is_told_with_the_engines_log(build_image, function, tag):
    """Exit code 9, and nothing is written."""
    source = function(files={"own.template": "FROM scratch\nCOPY absent/ /\n"})
    done = build_image(source, "--engine", "docker", "--template", "own.template", "-t", tag)
    assert done.code == 9
    assert "Step 2/2 : COPY absent/ /" in done.err
    assert "building firkin-test" in done.err
    assert "--dockerfile prints what it was given" in done.err


def test_what_the_engine_built_must_answer_too(build_image, function, tag, tmp_path):
    """A template that starts something else is not proven, and no output is written."""
    text = (ROOT / "Dockerfile.template").read_text().replace("CMD {{ command | tojson }}", 'CMD ["app.absent"]')
    source = function(files={"own.template": text})
    done = build_image(source, "--engine", "docker", "--template", "own.template", "-t", tag, "-o", f"oci:{tmp_path}/x")
    assert done.code == 7, done.err
    assert not (tmp_path / "x").exists()


@pytest.mark.network
def test_the_committed_dockerfile_gives_the_image_that_build_image_gives(
    commands, docker, buildkit, tag, tmp_path, build_image
):
    """Built by BuildKit as it was printed, cache mounts too, beside an image with Python and pip, and no checkout.

    Its image answers, lint takes it, and it has the files and configuration that `build-image` gives in that stage.
    """
    source = tmp_path / "hello"
    shutil.copytree(EXAMPLES / "hello", source)
    text = build_image(source, "--dockerfile", "-t", tag).out
    base = f"python:{'.'.join(map(str, sys.version_info[:3]))}-slim"
    assert f"FROM {base} AS build\n" in text
    (command,) = re.findall(r"^RUN --mount=type=cache,target=/root/.cache (build-image .+)$", text, re.MULTILINE)
    (source / "Dockerfile").write_text(text)
    docker("load", "--input", str(_python_with_pip(tmp_path)))
    docker("tag", "firkin-test-python:latest", base)
    first = f"{tag}-first"
    try:
        buildkit("--tag", tag, str(source))
        with running(docker, tag) as url:
            assert answers(url, "hello") == right("hello")
        docker("save", "--output", f"{tmp_path}/saved.tar", tag)
        assert run([commands / "firkin", "lint", f"tar:{tmp_path}/saved.tar"], cache=tmp_path / "cache").code == 0
        buildkit("--tag", first, "--target", "build", str(source))
        ours = command.replace("layers:/layers", "oci:/out/image").split()
        docker("run", "--rm", "--volume", f"{tmp_path}:/out", first, *ours)
    finally:
        for name in (first, base, "firkin-test-python:latest"):
            docker("rmi", "--force", name)
    theirs, ours = read_archive(tmp_path / "saved.tar"), read_layout(tmp_path / "image")
    assert tree_of(theirs, tmp_path / "a") == tree_of(ours, tmp_path / "b")
    assert what_runs(theirs.config) == what_runs(ours.config)
    # One more is empty: what BuildKit makes of WORKDIR.
    assert len([one for one in theirs.layers if one.diff_id != EMPTY]) == len(ours.layers)


def _python_with_pip(tmp_path: Path) -> Path:
    """An archive of an image like `python:…-slim`: Debian's Python, pip, and a folder with wheels for it."""
    wanted = _dependencies()
    key = hashlib.sha256("".join(wanted).encode()).hexdigest()[:12]
    wheels = made(f"firkin-wheels-{key}", lambda folder: _wheels(folder, wanted))
    packages = ("python3", "python3-pip", "python3-venv", "dash", "coreutils", "libc-bin", "ca-certificates")
    tree = made("debian-pip", lambda folder: _debian(folder, packages))
    fresh = tmp_path / "firkin"
    _build_firkin(fresh)
    entries = entries_of(tree)
    if not (tree / "usr/bin/sh").is_symlink():
        entries.append(Entry.symlink("usr/bin/sh", "dash"))
    own = [
        Entry.file("usr/local/bin/pip", b'#!/bin/sh\nexec /usr/bin/python3 -m pip "$@"\n', 0o755),
        *(Entry.file(f"wheels/{file.name}", file) for folder in (wheels, fresh) for file in folder.glob("*.whl")),
    ]
    env = {"PATH": PATH, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "PIP_BREAK_SYSTEM_PACKAGES": "1"}
    layout = write_base(tmp_path / "python", entries, own, env=env)
    archive = tmp_path / "python.tar"
    subprocess.run(
        ["skopeo", "copy", "-q", f"oci:{layout}:latest", f"docker-archive:{archive}:firkin-test-python:latest"],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    return archive


def _debian(folder: Path, packages: tuple[str, ...]) -> None:
    subprocess.run(
        [ROOT / "scripts/debian-base", "amd64", folder, *packages], check=True, capture_output=True, timeout=300
    )


def _build_firkin(folder: Path) -> None:
    subprocess.run(
        [uv.find_uv_bin(), "build", "-q", "--wheel", "--python", sys.executable, "-o", folder],
        check=True, capture_output=True, timeout=240, cwd=ROOT,
    )  # fmt: skip


def _dependencies() -> list[str]:
    table = (ROOT / "pyproject.toml").read_text().split("dependencies = [")[1].split("\n]")[0]
    return re.findall(r'^    "([^"]+)"', table, re.MULTILINE)


def _wheels(folder: Path, wanted: list[str]) -> None:
    """The wheels of firkin's dependencies for Debian's Python 3.11, from the package index."""
    folder.mkdir(parents=True)
    subprocess.run(
        [Path(sys.executable).parent / "pip", "download", "-q", "--only-binary", ":all:", "-d", folder, *wanted],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
