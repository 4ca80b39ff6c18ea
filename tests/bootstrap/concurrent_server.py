"""A Runtime API for many polls at once: it hands out events when all workers ask, and remembers who said what.

After the events it lets polls wait, as the platform does. Ends with the block, which drops all connections.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from tests.bootstrap.recording_server import ACCEPTED, Event, Request, _read_request, render
from tests.bootstrap.runtime_process import SCRIPT, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Self

LIMIT_S = 60  # a machine may stand still for a while; what hangs is found all the same


def event(number: int, body: bytes = b"{}", **headers: str) -> Event:
    """An event with a request id, a trace id and a tenant of its own."""
    return Event(
        body,
        {
            "Lambda-Runtime-Aws-Request-Id": f"request-{number}",
            "Lambda-Runtime-Trace-Id": f"Root={number}",
            "Lambda-Runtime-Aws-Tenant-Id": f"tenant-{number}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
    )


class ConcurrentServer:
    """Serves any number of connections; `polls` of them have to ask before the first event goes out."""

    def __init__(
        self,
        events: list[Event],
        *,
        polls: int,
        answer: Callable[[Request], bytes | None] = lambda _request: None,
        folder: Path | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self.polls_open = 0
        self._polls = polls
        self._events = list(events)
        self._answer = answer
        self._changed = threading.Condition()
        self._closing = False
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.log_path = str(folder / "log.sock") if folder else None
        self.logs: list[bytearray] = []
        self._log_listener: socket.socket | None = None
        if self.log_path:
            self._log_listener = socket.socket(socket.AF_UNIX)
            self._log_listener.bind(self.log_path)
            self._log_listener.listen(64)
            self._threads.append(threading.Thread(target=self._accept_logs, daemon=True))

    def __enter__(self) -> Self:
        for thread in list(self._threads):
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for listener in filter(None, [self._listener, self._log_listener, *self._connections]):
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(LIMIT_S)
        for listener in filter(None, [self._listener, self._log_listener, *self._connections]):
            listener.close()

    @property
    def answers(self) -> list[Request]:
        return [request for request in list(self.requests) if request.method == "POST"]

    @property
    def log(self) -> str:
        """What came through the log socket so far, connection after connection."""
        return b"".join(bytes(piece) for piece in self.logs).decode()

    def wait_for(self, condition: Callable[[ConcurrentServer], bool]) -> None:
        """Wait until something holds, which is asked again with everything that happens."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), LIMIT_S), (self.requests, self.polls_open, self.log)

    def wait_for_answers(self, count: int) -> list[Request]:
        """Wait until that many results and errors have been posted."""
        self.wait_for(lambda server: len(server.answers) >= count)
        return self.answers

    def add(self, *events: Event) -> None:
        """Hand out more events."""
        with self._changed:
            self._events += events
            self._changed.notify_all()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            for number in range(10_000):
                connection, _ = self._listener.accept()
                self._start(self._serve, connection, number)

    def _accept_logs(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._log_listener.accept()
                self._start(self._read_log, connection, len(self.logs))

    def _start(self, target: Callable[[socket.socket, int], None], connection: socket.socket, number: int) -> None:
        self._connections.append(connection)
        if target == self._read_log:
            self.logs.append(bytearray())
        thread = threading.Thread(target=target, args=(connection, number), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read_log(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            while data := connection.recv(1 << 16):
                with self._changed:
                    self.logs[number] += data
                    self._changed.notify_all()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError, ValueError), connection.makefile("rb") as stream:
            while (request := _read_request(stream, number)) is not None:
                with self._changed:
                    self.requests.append(request)
                    self._changed.notify_all()
                answer = self._answer(request)
                if answer is None:
                    answer = self._next() if request.path.endswith("/next") else render(202, ACCEPTED)
                if not answer:
                    break
                connection.sendall(answer)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def _next(self) -> bytes:
        with self._changed:
            self.polls_open += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closing or (self._events and self._started()))
            self.polls_open -= 1
            return b"" if self._closing else self._events.pop(0).render()

    def _started(self) -> bool:
        if self.polls_open >= self._polls:
            self._polls = 0
        return not self._polls


@contextlib.contextmanager
def running_pool(
    folder: Path,
    server: ConcurrentServer,
    *,
    concurrency: int,
    mode: str = "processes",
    handler: str = "app.handler",
    python: str = sys.executable,
    command: list[str] | None = None,
    **environment: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """The runtime with `concurrency` events at once; killed with its workers at the end of the block."""
    more = {"_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET": server.log_path} if server.log_path else {}
    env = clean_environment(
        AWS_LAMBDA_RUNTIME_API=server.address,
        AWS_LAMBDA_MAX_CONCURRENCY=str(concurrency),
        FIRKIN_CONCURRENCY=mode,
        **more,
        **environment,
    )
    with subprocess.Popen(
        command or [python, "-S", str(SCRIPT), handler],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)


def end(process: subprocess.Popen[bytes], *, number: int = 15) -> tuple[int, str, str]:
    """Send a signal (0 for none), and return exit code, standard output and standard error."""
    if number:
        process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT_S)
    return process.returncode, out.decode(), err.decode()
