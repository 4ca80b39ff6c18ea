"""The runtime as a real process against a real server, for every CPython that this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bootstrap.recording_server import Event, RecordingServer, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "bootstrap" / "__main__.py"
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
UNREACHABLE = 69  # how a runtime ends whose platform has closed: the normal end of these tests
SUPPORTED = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
_TIMEOUT_S = 30


@dataclass(frozen=True)
class Outcome:
    """What a finished runtime leaves behind."""

    requests: list[Request]
    stdout: str
    stderr: str
    exit_code: int

    @property
    def answers(self) -> list[Request]:
        return [request for request in self.requests if request.method == "POST"]


def find_python(version: str) -> str | None:
    """Return an interpreter of that minor version: this one, pyenv's, the one on PATH, or what scripts/engines made."""
    if version == THIS:
        return sys.executable
    versions = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    made = ROOT / f".peers/python{version}/bin/python{version}"
    return str(versions[-1]) if versions else shutil.which(f"python{version}") or (str(made) if made.exists() else None)


# The tests run on each supported CPython that this machine has; the header of a test run names them.
VERSIONS = tuple(version for version in SUPPORTED if find_python(version))
# For what is one table of cases for all of them: the lowest, the highest and the one that runs the tests. What versions
# can differ in is tried with every one.
EDGES = tuple(version for version in VERSIONS if version in {VERSIONS[0], VERSIONS[-1], THIS})


def require_python(version: str) -> str:
    """Return that interpreter, which is one of VERSIONS."""
    found = find_python(version)
    assert found is not None, version
    return found


def write_function(folder: Path, **files: str) -> Path:
    """Write `name.py` files; a double underscore in a name is a folder."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def clean_environment(**more: str) -> dict[str, str]:
    """Return an environment in which nothing of this machine's Python setup is left."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", **more}


def run_runtime(
    folder: Path,
    handler: str = "app.handler",
    *,
    events: list[Event] | None = None,
    server: RecordingServer | None = None,
    python: str = sys.executable,
    command: list[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Run the runtime in `folder` until its events are used up."""
    with server or RecordingServer(events if events is not None else [Event()]) as running:
        process = subprocess.run(
            command if command is not None else [python, "-S", str(SCRIPT), handler],
            cwd=folder,
            env=clean_environment(**{"AWS_LAMBDA_RUNTIME_API": running.address, **(environment or {})}),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    stdout, stderr = process.stdout.decode(), process.stderr.decode()
    return Outcome(running.requests, stdout, stderr, process.returncode)
