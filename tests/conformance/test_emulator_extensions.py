"""The same extension under AWS's emulator and under ours: it must be told the same, and its end mean the same.

AWS's emulator looks into /opt/extensions and nowhere else, so it is started in a mount namespace with a /opt of its
own.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import pytest

from tests.conformance.awss_emulator import Answer, addresses, invoke, normalised, wait_until_open
from tests.conformance.test_emulator_rie import MAIN
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.network, pytest.mark.root]

RUNTIMES = Path(__file__).resolve().parents[1] / "emulator/runtimes"
LIMIT_S = 20  # generous: also on a busy machine only a runtime that hangs runs into a limit

# Habit and runtime. An extension that fails does so after a runtime that echoes has answered, and before one that
# hangs.
CASES = [
    ("", "echo"), ("deaf", "echo"), ("init error", "echo"), ("leave", "echo"),
    ("exit error", "hangs"), ("", "hangs"), ("", "dies_in_event"),
]  # fmt: skip

# AWS's emulator lists one folder, /opt/extensions: it gets a /opt of its own.
OWN_MOUNT = 'mount -t tmpfs none /opt && mkdir /opt/extensions && cp "$1"/* /opt/extensions/ && shift && exec "$@"'


# AWS's emulator has words of its own for the reasons that the platform's documentation names; ours has those.
REASONS = {"SandboxTerminated": "spindown", "Timeout": "timeout", "ReleaseFail": "failure"}


class Seen(NamedTuple):
    answers: list[Answer]
    told: list[str]  # what the extension said


@pytest.fixture
def extensions(tmp_path: Path) -> Path:
    """A folder with one executable extension."""
    folder = tmp_path / "extensions"
    folder.mkdir()
    agent = folder / "agent"
    agent.write_text(f"#!{sys.executable} -S\n{(RUNTIMES / 'agent.py').read_text()}")
    agent.chmod(0o755)
    return folder


def seen(command: list[str], port: int, folder: Path, *, habit: str, runtime: str, pause_s: float = 0) -> Seen:
    """Two calls, and what the extension said until the end."""
    folder.mkdir()
    environment = {
        "PATH": os.environ["PATH"], "AGENT_HABIT": habit, "AGENT_PAUSE": "0.3",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "2" if (habit, runtime) == ("", "hangs") else str(LIMIT_S),
        "_HANDLER": "app.handler",
    }  # fmt: skip
    program = [*command, sys.executable, "-S", str(RUNTIMES / f"{runtime}.py")]
    with (folder / "log").open("w+b") as log, running(program, folder, environment, log) as process:
        wait_until_open(port, process)
        answers = []
        for _ in range(2):
            answers.append(invoke(port, b'{"a": 1}'))
            time.sleep(pause_s)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=15)
        log.seek(0)
        return Seen(answers, [shown(line) for line in normalised(log.read()).splitlines() if line[:6] == b"agent "])


@contextlib.contextmanager
def running(
    program: list[str], folder: Path, environment: dict[str, str], log: IO[bytes]
) -> Iterator[subprocess.Popen]:
    with subprocess.Popen(program, cwd=folder, env=environment, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.kill()


def shown(line: bytes) -> str:
    """A line without what differs from run to run, or because AWS's has neither accounts nor traces to tell of."""
    text = re.sub(r'"deadlineMs": \d+', '"deadlineMs": 0', line.decode())
    text = re.sub(r'(?<="shutdownReason": ")\w+', lambda found: REASONS.get(found[0], found[0]), text)
    return re.sub(r'"accountId":"\d+",|, "tracing": \{[^}]*\}', "", text)


@pytest.mark.parametrize(("habit", "runtime"), CASES)
def test_an_extension_is_treated_as_by_awss_emulator(
    habit: str, runtime: str, extensions: Path, tmp_path: Path, rie: str
) -> None:
    """Answers to the callers, and every word that the extension is told, in order."""
    port = free_port()
    front = ["unshare", "--mount", "sh", "-c", OWN_MOUNT, "sh", str(extensions), rie, "--log-level", "error"]
    theirs = seen(
        [*front, *addresses(port)], port, tmp_path / "theirs", habit=habit, runtime=runtime,
        pause_s=0.5,  # it goes on ending the old environment after it has answered
    )  # fmt: skip
    port = free_port()
    command = [sys.executable, "-S", str(MAIN), "--port", str(port), "--extensions", str(extensions), "--"]
    ours = seen(command, port, tmp_path / "ours", habit=habit, runtime=runtime)
    assert ours.answers == theirs.answers
    if habit == "init error":  # ours initialises ahead of the first call too, as the platform does
        assert set(ours.told) == set(theirs.told)
    else:
        assert ours.told == theirs.told
