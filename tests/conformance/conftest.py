"""The independent witnesses: AWS's own runtime client and emulator, installed on demand under `.peers/`.

Both come from the package index, at fixed versions. Without the index the tests that need them are skipped,
and say so; where `CI=true` they fail instead, so that no witness goes missing unnoticed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uv

from tests.conftest import elsewhere, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".peers"

AWSLAMBDARIC = "awslambdaric==4.2.2"
SAM_CLI = "aws-sam-cli==1.170.0"
AWS_CLI = "awscli==1.46.3"

WEB_FRAMEWORKS = ("fastapi==0.121.0", "flask==3.1.2", "django==5.2.8", "quart==0.20.0")

_INSTALL_LIMIT_S = 240
_RIE_NAMES = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}


@contextlib.contextmanager
def _lock(name: str) -> Iterator[None]:
    """One installer at a time, also among the worker processes of pytest-xdist."""
    PEERS.mkdir(exist_ok=True)
    with (PEERS / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _uv(*arguments: str) -> None:
    subprocess.run(
        [uv.find_uv_bin(), *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=_INSTALL_LIMIT_S,
        env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
    )


def _install(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of a peer, made if it is not there yet; complete or absent, never half."""
    folder = PEERS / name
    with _lock(name):
        done = folder / ".complete"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                make(folder)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                shutil.rmtree(folder, ignore_errors=True)
                unavailable(f"installing {name}: {error}\n{getattr(error, 'stderr', '') or ''}")
            done.touch()
    return folder


@pytest.fixture(scope="session")
def awslambdaric_python() -> str:
    """The path of a Python (of the version that runs the tests) which has AWS's runtime client."""

    def make(folder: Path) -> None:
        _uv("venv", "--quiet", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--quiet", "--python", str(folder / "bin/python"), AWSLAMBDARIC)

    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return str(_install(f"{AWSLAMBDARIC}-{tag}", make) / "bin/python")


@pytest.fixture(scope="session")
def web_frameworks() -> str:
    """A folder with real ASGI and WSGI frameworks, for the version of Python that runs the tests."""

    def make(folder: Path) -> None:
        _uv("pip", "install", "--quiet", "--target", str(folder), "--python", sys.executable, *WEB_FRAMEWORKS)

    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return str(_install(f"web-frameworks-1-{tag}", make))


@pytest.fixture(scope="session")
def aws() -> str:
    """The path of AWS's command line, in an environment of its own: it needs other versions than we do."""

    def make(folder: Path) -> None:
        _uv("venv", "--quiet", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--quiet", "--python", str(folder / "bin/python"), AWS_CLI)

    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return str(_install(f"{AWS_CLI}-{tag}", make) / "bin/aws")


@pytest.fixture(scope="session")
def rie() -> str:
    """The path of AWS's runtime interface emulator."""
    machine = platform.machine()
    if machine not in _RIE_NAMES:
        elsewhere(f"AWS's emulator exists for {sorted(_RIE_NAMES)}, this machine is {machine!r}")

    def make(folder: Path) -> None:
        _uv("pip", "install", "--quiet", "--no-deps", "--target", str(folder), "--python", sys.executable, SAM_CLI)

    binary = _install(SAM_CLI, make) / "samcli/local/rapid" / _RIE_NAMES[machine]
    binary.chmod(0o755)
    return str(binary)
