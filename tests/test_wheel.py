"""The wheel, in an environment without the checkout, builds an image and serves it: all data travels in it."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import uv

ROOT = Path(__file__).parents[1]
DATA = ("Dockerfile.template", "images", "pyproject.toml", "README.md", "builder", "bootstrap", "emulator", "examples")

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("wheel")]


def sh(*command: object, cwd: Path, **variables: str) -> str:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIRTUAL_ENV", "BUILD_IMAGE"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**kept, **variables},
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the checkout stays as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "source").mkdir()
    for name in DATA:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__", ".venv")
            )
        else:
            shutil.copy(ROOT / name, folder / "source" / name)
    sh(
        uv.find_uv_bin(),
        "build",
        "--quiet",
        "--wheel",
        "--python",
        sys.executable,
        "-o",
        folder / "out",
        cwd=folder / "source",
    )
    (built,) = (folder / "out").glob("*.whl")
    return built


def test_the_wheel_holds_code_templates_and_image_data_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"builder/_data/Dockerfile.template", "builder/_data/images/host.toml", "bootstrap/__main__.py"} <= names
    assert {
        "emulator/__main__.py",
        "builder/prove/sandbox.py",
        "builder/bytecode_worker.py",
        "builder/trim/safe.toml",
    } <= names
    assert {name.partition("/")[0] for name in names} == {"bootstrap", "builder", "emulator", "firkin-0.1.0.dist-info"}


def test_installed_alone_it_builds_proves_and_runs_an_example(wheel, tmp_path):
    uv_program = uv.find_uv_bin()
    sh(uv_program, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    sh(uv_program, "pip", "install", "--quiet", "--python", tmp_path / "venv/bin/python", wheel, cwd=tmp_path)
    shutil.copytree(ROOT / "examples/hello", tmp_path / "hello")
    program = tmp_path / "venv/bin/build-image"
    cache = {"BUILD_IMAGE_CACHE_DIR": str(tmp_path / "cache")}
    assert "FROM scratch" in sh(program, "hello", "--dockerfile", "-q", cwd=tmp_path, **cache)
    result = json.loads(sh(program, "hello", "--json", "-q", "-o", "oci:image", cwd=tmp_path, **cache))
    assert [answer["event"] for answer in result["proof"]["answers"]] == ["greeting", "scheduled"]
    assert "firkin" in sh(tmp_path / "venv/bin/firkin", "--version", cwd=tmp_path)
    assert str(ROOT) not in sh(program, "hello", "--plan", "-q", cwd=tmp_path, **cache)
