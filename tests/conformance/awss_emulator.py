"""AWS's emulator as a program of a test's own: started on ports of its own, waited for, and ended."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATH = "/2015-03-31/functions/function/invocations"
TIMEOUT_S = 30  # generous: also on a busy machine nothing but what is about the limit runs into it
_PATIENCE_S = 60


class Answer(NamedTuple):
    """Status and body, with all request ids made equal."""

    status: int
    body: bytes


# What AWS's emulator answers for a runtime that ended without a word, and once in some hundred runs on a busy machine
# for one that did not: asked again, only the first stays so.
LOST = Answer(502, b"")


def environment(timeout_s: int = TIMEOUT_S) -> dict[str, str]:
    """The variables of either emulator."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextlib.contextmanager
def running(command: list[str], folder: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A program in that folder, ended in order with the block."""
    with subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)


@contextlib.contextmanager
def aws_emulator(
    folder: Path, rie: str, runtime: list[str], timeout_s: int = TIMEOUT_S
) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The port at which it serves, and the process."""
    port = free_port()
    with running([rie, "--log-level", "error", *addresses(port), *runtime], folder, environment(timeout_s)) as process:
        wait_until_open(port, process)
        yield port, process


def addresses(port: int) -> list[str]:
    """The flags for serving at this port; the runtime has another."""
    front, api = f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}"
    return ["--runtime-interface-emulator-address", front, "--runtime-api-address", api]


def wait_until_open(port: int, process: subprocess.Popen) -> None:
    """Until a program listens at its port."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        assert process.poll() is None, "it has ended"
        assert time.monotonic() < deadline, "it does not listen"
        time.sleep(0.01)


def invoke(port: int, event: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    """Send one event to either emulator."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S + 20)
    with contextlib.closing(connection):
        connection.request("POST", PATH, event, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, normalised(response.read()))


def normalised(body: bytes) -> bytes:
    """Request ids differ from call to call."""
    return re.sub(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", b"REQUEST-ID", body)


def ask_awss(
    folder: Path,
    rie: str,
    runtime: list[str],
    events: list[bytes],
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: int = TIMEOUT_S,
) -> list[Answer]:
    """What AWS's emulator answers to these events, one after another."""
    answers = _ask(folder, rie, runtime, events, headers, timeout_s)
    return _ask(folder, rie, runtime, events, headers, timeout_s) if LOST in answers else answers


def _ask(
    folder: Path,
    rie: str,
    runtime: list[str],
    events: list[bytes],
    headers: Mapping[str, str] | None,
    timeout_s: int,
) -> list[Answer]:
    answers = []
    with aws_emulator(folder, rie, runtime, timeout_s) as (port, process):
        for event in events:
            answers.append(invoke(port, event, headers))
            if answers[-1].status != http.client.OK or b"timed out" in answers[-1].body:
                _wait_for_the_end_of_children(process.pid)
            time.sleep(0.1)  # it goes on ending the old runtime after it has answered
    return answers


def _wait_for_the_end_of_children(pid: int) -> None:
    """Until the old runtime is gone, where the kernel tells."""
    deadline = time.monotonic() + _PATIENCE_S
    while any(file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")):
        assert time.monotonic() < deadline, "the old runtime does not end"
        time.sleep(0.01)
