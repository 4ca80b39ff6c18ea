"""SIGTERM: the invocation in progress ends first, exit hooks run, and nobody else's processes are touched."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.bootstrap.recording_server import Event, render
from tests.bootstrap.runtime_process import SCRIPT, VERSIONS, clean_environment, require_python, write_function

if TYPE_CHECKING:
    from collections.abc import Iterator

TERMINATED = 143
SOURCE = """
import atexit, os, signal, sys, time
atexit.register(print, "exit hook", flush=True)
def handler(event, context):
    print("started", flush=True)
    if event == "replace":
        signal.signal(signal.SIGTERM, lambda *_: (print("mine", flush=True), sys.exit(7)))
    time.sleep(event if isinstance(event, float) else 0)
    return "done"
def work(descriptor):
    os.write(descriptor, b"x")
    time.sleep(60)
def child(event, context):
    import multiprocessing
    read_end, write_end = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=work, args=(write_end,))
    process.start()
    os.read(read_end, 1)  # Python forgets signals that come within a fork
    process.terminate()
    process.join(20)
    return process.exitcode
def ignore(event, context): return "never called"
"""


@pytest.fixture(params=VERSIONS)
def python(request):
    return require_python(request.param)


class Platform:
    """One runtime, its connection, and its output."""

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket) -> None:
        self.process = process
        self._connection = connection

    def request(self) -> bytes:
        data = self._connection.recv(1 << 16)
        assert data
        return data

    def answer(self, message: bytes) -> None:
        self._connection.sendall(message)

    def printed(self) -> bytes:
        return self.process.stdout.readline()

    def end(self) -> tuple[int, bytes]:
        rest, _ = self.process.communicate(timeout=20)
        return self.process.returncode, rest


@contextlib.contextmanager
def platform(folder, python: str, handler: str = "app.handler") -> Iterator[Platform]:
    write_function(folder, app=SOURCE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        env = clean_environment(AWS_LAMBDA_RUNTIME_API=f"127.0.0.1:{listener.getsockname()[1]}")
        command = [python, "-S", str(SCRIPT), handler]
        with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                connection, _ = listener.accept()
                connection.settimeout(20)
                with connection:
                    yield Platform(process, connection)
            finally:
                process.kill()


def test_a_waiting_process_ends_at_once_with_its_exit_hooks(tmp_path, python) -> None:
    """The exit code is the one a shell gives a terminated program."""
    with platform(tmp_path, python) as runtime:
        runtime.request()
        runtime.answer(Event().render())
        assert b"/response" in runtime.request()
        runtime.answer(render(202, b""))
        runtime.request()
        assert runtime.printed() == b"started\n"
        runtime.process.send_signal(signal.SIGTERM)
        assert runtime.end() == (TERMINATED, b"exit hook\n")


def test_an_invocation_in_progress_is_answered_first(tmp_path, python) -> None:
    """The response is posted, and no further event is asked for."""
    with platform(tmp_path, python) as runtime:
        runtime.request()
        runtime.answer(Event(b"0.5").render())
        assert runtime.printed() == b"started\n"
        runtime.process.send_signal(signal.SIGTERM)
        assert runtime.request().endswith(b'\r\n\r\n"done"')
        runtime.answer(render(202, b""))
        assert runtime.end() == (TERMINATED, b"exit hook\n")


def test_a_handler_of_the_functions_own_replaces_ours(tmp_path, python) -> None:
    """It runs while the process waits for an event, and decides what happens."""
    with platform(tmp_path, python) as runtime:
        runtime.request()
        runtime.answer(Event(b'"replace"').render())
        assert b"/response" in runtime.request()
        runtime.answer(render(202, b""))
        runtime.request()
        assert runtime.printed() == b"started\n"
        runtime.process.send_signal(signal.SIGTERM)
        assert runtime.end() == (7, b"mine\nexit hook\n")


def test_a_fork_of_the_functions_own_dies_as_any_other(tmp_path, python) -> None:
    """`multiprocessing` ends its workers by SIGTERM, and must not have to wait for them."""
    with platform(tmp_path, python, "app.child") as runtime:
        runtime.request()
        runtime.answer(Event().render())
        assert json.loads(runtime.request().rpartition(b"\r\n")[2]) == -signal.SIGTERM
