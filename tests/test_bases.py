"""Images on other bases, end to end: what is kept of the base, what is taken out of it, and what is refused.

The bases are made of Debian's packages. All in one worker, which unpacks each base once.
"""

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.oci import Entry, Image, read_layout, unpack
from tests.bases import debian_base, write_base
from tests.conftest import Done, run

pytestmark = pytest.mark.xdist_group("bases")

HERE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
SEES = """\
import os, sys

def handler(event, context):
    return {"version": sys.version.split()[0], "prefix": sys.prefix, "executable": sys.executable, "path": sys.path,
            "environment": dict(os.environ), "uid": os.getuid()}
"""


@pytest.fixture(scope="session")
def base() -> Path:
    """An image layout with Debian's Python for this machine."""
    return debian_base(HERE)


@pytest.fixture(scope="session")
def base_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the bases are unpacked once."""
    return tmp_path_factory.mktemp("bases-cache")


@pytest.fixture
def build(commands: Path, base_cache: Path, tmp_path: Path) -> Callable[..., Done]:
    """Return `build(*arguments, cache=…, VARIABLE=…)`: the command, with the cache of bases."""

    def call(*arguments: object, cache: Path | None = None, **variables: str) -> Done:
        return run([commands / "build-image", *arguments], cache=cache or base_cache, cwd=tmp_path, **variables)

    return call


def built(done: Done, layout: Path) -> Image:
    assert done.code == 0, done.err
    return read_layout(layout)


def files_of(image: Image, folder: Path) -> set[str]:
    unpack(image, folder)
    return {str(Path(above, name).relative_to(folder)) for above, _, names in os.walk(folder) for name in names}


def test_a_kept_base_stays_as_it_is_under_our_layers(build, base, function, tmp_path, skopeo):
    """Its layers, environment, history and labels stay; its own Python starts the runtime; ours comes on top."""
    source = function(SEES)
    image = built(build(source, "--base", f"oci:{base}", "-o", f"oci:{tmp_path}/out"), tmp_path / "out")
    theirs = read_layout(base)
    assert [layer.descriptor.digest for layer in image.layers[:1]] == [theirs.layers[0].descriptor.digest]
    assert image.config.entrypoint == ("/usr/bin/python3", "-s", "/var/runtime/bootstrap/__main__.py")
    assert image.config.cmd == ("app.handler",)
    assert image.config.env["PATH"].startswith("/usr/local/bin:/usr/bin:/bin:/var/lang/bin")
    assert image.config.env["LANG"] == "C.UTF-8"
    assert image.config.env["LAMBDA_TASK_ROOT"] == "/var/task"
    assert image.config.working_dir == "/var/task"
    assert image.config.labels["vendor"] == "example"
    assert image.config.labels.get("org.opencontainers.image.title") != "a base"
    annotations = json.loads(image.manifest)["annotations"]
    assert annotations["org.opencontainers.image.base.digest"] == str(theirs.digest)
    names = files_of(image, tmp_path / "root")
    assert {"usr/bin/dpkg", "usr/bin/python3.11", "var/task/app.py", "var/runtime/bootstrap/__main__.py"} <= names
    assert "var/runtime/bootstrap/__pycache__/loop.cpython-311.pyc" in names
    inspected = json.loads(run([skopeo, "inspect", f"oci:{tmp_path}/out"]).out)
    assert inspected["Architecture"] == HERE
    assert len(inspected["Layers"]) == len(image.layers) == 3


def test_a_flattened_base_gives_its_python_and_what_that_needs(build, base, function, tmp_path):
    """The package manager stays behind; the interpreter moves to the usual place; the environment is cleaned."""
    source = function(SEES)
    done = build(source, "--base", f"oci:{base}", "--flatten", "-o", f"oci:{tmp_path}/out")
    image = built(done, tmp_path / "out")
    assert "proven: 1 event" in done.err
    names = files_of(image, tmp_path / "root")
    assert "var/lang/bin/python3.11" in names
    assert not any("dpkg" in name for name in names)
    assert image.config.entrypoint[:2] == ("/var/lang/bin/python3.11", "-S")
    assert "GPG_KEY" not in image.config.env
    assert image.config.env["LANG"] == "C.UTF-8"
    theirs, ours = (sum(layer.descriptor.size for layer in one.layers) for one in (read_layout(base), image))
    assert ours < theirs


def test_a_base_without_python_is_refused_with_what_was_looked_for(build, function, tmp_path):
    """The message names the places and what was found there; nothing is written."""
    empty = write_base(tmp_path / "empty", [Entry.file("usr/bin/python3", b"#!/bin/sh\n", 0o755)])
    done = build(function(), "--base", f"oci:{empty}", "-o", f"oci:{tmp_path}/out")
    assert done.code == 15
    assert "looked for python3, python and python3.N in /usr/local/bin, /usr/bin" in done.err
    assert "/usr/bin/python3 is a script, not the interpreter itself" in done.err
    assert "firkin bases" in done.err
    assert not (tmp_path / "out").exists()


def test_a_base_out_of_a_registry_is_mounted_where_the_image_goes(build, base, function, registry, skopeo, tmp_path):
    """The base is pulled by its name; in the same registry its layers are mounted and only ours are sent."""
    place = f"{registry.host}/bases/python"
    run([skopeo, "copy", "--dest-tls-verify=false", f"oci:{base}", f"docker://{place}:1"])
    named = ("--base", f"{place}:1", "--insecure-registry", registry.host, "--no-prove")
    with registry.counted() as requests:
        done = build(function(), *named, "--push", "-t", f"{registry.host}/bases/function:1", "--json")
    assert done.code == 0, done.err
    pushed = json.loads(done.out)["pushed"]
    assert pushed["blobs_mounted"] == len(read_layout(base).layers)
    assert pushed["blobs_uploaded"] > 0
    posts = [path for method, path, _ in requests if method == "POST" and "mount=" in path]
    assert all("from=bases/python" in path for path in posts)
