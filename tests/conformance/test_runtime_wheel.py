"""The runtime alone, as people install it: one wheel without dependencies, on the oldest and the newest Python here."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
import uv

from tests.bootstrap.runtime_process import ROOT, VERSIONS, require_python
from tests.conformance.awss_emulator import aws_emulator, environment, invoke, running
from tests.ready import ready_port

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("runtime-wheel")]

SOURCE = "import sys\ndef handler(event, context): return [event, sys.version_info[:2]]"


def sh(*command: object, cwd: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd=cwd, env=kept, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    sh(ROOT / "scripts/wheels", folder, cwd=folder)
    (built,) = folder.glob("firkin_runtime-*.whl")
    return built


def test_the_wheel_is_the_runtime_and_the_emulator_and_needs_nothing(wheel) -> None:
    """No other package, no dependency, no command; Python 3.9 or newer; the version is firkin's."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA")]
    folders = {name.partition("/")[0] for name in names}
    assert {name for name in folders if not name.endswith(".dist-info")} == {"bootstrap", "emulator"}
    for folder in ("bootstrap", "emulator"):
        files = {path.name for path in (ROOT / folder).glob("*.py")}
        assert files == {Path(name).name for name in names if name.startswith(f"{folder}/")}
    assert "Requires-Dist" not in metadata
    assert "Requires-Python: >=3.9\n" in metadata
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"Version: {version}\n" in metadata


@pytest.mark.parametrize("version", sorted({VERSIONS[0], VERSIONS[-1]}))
def test_installed_alone_it_runs_a_function_under_both_emulators(version, wheel, rie, tmp_path) -> None:
    """`python -m bootstrap` in an empty environment, under AWS's emulator and under the one that it brings."""
    tool = uv.find_uv_bin()
    sh(tool, "venv", "--quiet", "--python", require_python(version), tmp_path / "venv", cwd=tmp_path)
    python = str(tmp_path / "venv/bin/python")
    sh(tool, "pip", "install", "--quiet", "--no-index", "--python", python, wheel, cwd=tmp_path)
    assert sh(tool, "pip", "list", "--quiet", "--format=json", "--python", python, cwd=tmp_path).count('"name"') == 1
    (tmp_path / "app.py").write_text(SOURCE)
    event = b'{"a": 1}'
    expected = [{"a": 1}, [int(part) for part in version.split(".")]]
    runtime = [python, "-m", "bootstrap", "app.handler"]
    with aws_emulator(tmp_path, rie, runtime) as (port, _):
        answer = invoke(port, event)
    assert (answer.status, json.loads(answer.body)) == (200, expected)
    command = [python, "-m", "emulator", "--port", "0", "--", *runtime]
    with running(command, tmp_path, environment()) as process:
        answer = invoke(ready_port(process), event)
    assert (answer.status, json.loads(answer.body)) == (200, expected)
