"""What the emulator's tests share: runtimes with one habit each, and the emulator as a program."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from emulator import Emulator, Outcome, Settings
from tests.ready import ready_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUNTIMES = Path(__file__).parent / "runtimes"
PACKAGE = Path(__file__).resolve().parents[2] / "emulator"


def _command(name: str) -> list[str]:
    return [sys.executable, "-S", str(RUNTIMES / f"{name}.py")]


@pytest.fixture
def command() -> Callable[[str], list[str]]:
    """The command of a runtime in `runtimes/`, by its name."""
    return _command


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings for a runtime in `runtimes/`, in a folder of its own."""

    def make(name: str, **changes: object) -> Settings:
        environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
        return Settings(_command(name), environment, cwd=str(tmp_path), **changes)

    return make


class Story(NamedTuple):
    outcomes: list[Outcome]
    log: bytes


@pytest.fixture
def run(settings: Callable[..., Settings]) -> Callable[..., Story]:
    """Give events to a runtime one after another, and return the outcomes and the whole log."""

    def tell(name: str, *events: bytes, **changes: object) -> Story:
        async def story() -> Story:
            log = bytearray()
            async with Emulator(settings(name, **changes), log=log.extend) as emulator:
                outcomes = [await emulator.invoke(event) for event in events]
            return Story(outcomes, bytes(log))

        return asyncio.run(story())

    return tell


class Program(NamedTuple):
    port: int
    process: subprocess.Popen[bytes]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start the emulator as a program on a free port, and end it with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *flags: str) -> Program:
        process = subprocess.Popen(
            [sys.executable, "-S", str(PACKAGE / "__main__.py"), "--port", "0", *flags, "--", *_command(name)],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return Program(ready_port(process), process)

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
