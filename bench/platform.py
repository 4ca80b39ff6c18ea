"""The platform's half of the Runtime API, as fast as Python can be: it must not be what is measured.

One thread, one runtime, prepared bytes, no parsing beyond what framing needs. Never checks what it is sent.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 60
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
TRACE_ID = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
_NEXT = b"GET /2018-06-01/runtime/invocation/next"
_ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
    b'Content-Length: 16\r\n\r\n{"status":"OK"}\n'
)


def render_event(
    body: bytes, *, content_type: str = "application/json", request_id: str = REQUEST_ID, trace_id: str = TRACE_ID
) -> bytes:
    """A whole `/next` response, with the headers that Lambda sends for a plain invocation."""
    head = (
        "HTTP/1.1 200 OK\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Lambda-Runtime-Aws-Request-Id: {request_id}\r\n"
        "Lambda-Runtime-Deadline-Ms: 4102444800000\r\n"
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:f\r\n"
        f"Lambda-Runtime-Trace-Id: {trace_id}\r\n"
        "Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Runtime:
    """A runtime under measurement: its process, and the connection it opened."""

    process: subprocess.Popen[bytes]
    started: float  # seconds of perf_counter, before fork and exec
    _listener: socket.socket
    _connection: socket.socket | None = None
    _pending: bytes = b""

    def wait_for_next(self) -> float:
        """Read until the runtime has asked for an event; return the moment."""
        if not self._pending:
            self._pending = self._read_request()
        if not self._pending.startswith(_NEXT):
            raise SystemExit(f"expected a request for the next event, found {self._pending[:300]!r}")
        return time.perf_counter()

    def invoke(self, event: bytes, *, failing: bool = False) -> tuple[float, float]:
        """Serve one event; return the moments of writing it and of having read its response, or its failure."""
        self.wait_for_next()
        self._pending = b""
        connection = self._connection
        assert connection is not None
        written = time.perf_counter()
        connection.sendall(event)
        request = self._read_request()
        answered = time.perf_counter()
        if (b"/error HTTP/1.1" if failing else b"/response HTTP/1.1") not in request[:120]:
            raise SystemExit(f"expected a response, found {request[:300]!r}")
        self._connection.sendall(_ACCEPTED)  # type: ignore[union-attr]
        return written, answered

    def take_stream(self, event: bytes, *, bytes_s: int | None = None) -> int:
        """Serve one event whose response is a stream; return how many bytes came, of which none is kept.

        Reads no faster than `bytes_s`.
        """
        self.wait_for_next()
        self._pending = b""
        assert self._connection is not None
        self._connection.sendall(event)
        started, end, size = time.perf_counter(), b"", 0
        while not end.endswith(b"\r\n0\r\n\r\n"):
            piece = self._receive()
            size += len(piece)
            end = end[-8:] + piece[-8:]
            if bytes_s is not None:
                time.sleep(max(0, started + size / bytes_s - time.perf_counter()))
        self._connection.sendall(_ACCEPTED)
        self.wait_for_next()
        return size

    def wait_for_end(self) -> float:
        """Wait for the process to end by itself; return how long it took."""
        self.process.wait()  # with a limit, Python would poll
        return time.perf_counter() - self.started

    def cpu_s(self) -> float:
        """CPU time of all threads so far, user and system, from the scheduler's own accounts."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def resident_bytes(self) -> int:
        """Resident memory now."""
        return self._status_bytes("VmRSS")

    def peak_bytes(self) -> int:
        """The most memory that was resident at once, so far."""
        return self._status_bytes("VmHWM")

    def _status_bytes(self, field: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition(f"{field}:")[2].split()[0]) * 1024

    def hang_up(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read_request(self) -> bytes:
        data = b""
        while not data:
            if self._connection is None:
                self._connection, _ = self._listener.accept()
                self._connection.settimeout(LIMIT_S)
                self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            data = self._connection.recv(1 << 20)
            if not data:  # a client may open another connection for its next call
                self.hang_up()
                if self.process.poll() is not None:
                    raise SystemExit(f"{self.process.args} ended with {self.process.returncode}")
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._receive()
        at = data.lower().find(b"content-length:", 0, end)
        missing = end + 4 + int(data[at + 15 : data.index(b"\r\n", at)]) - len(data) if at >= 0 else 0
        while missing > 0:  # a large body is counted, not kept
            missing -= len(self._receive())
        return data

    def _receive(self) -> bytes:
        assert self._connection is not None
        piece = self._connection.recv(1 << 20)
        if not piece:
            raise SystemExit(f"{self.process.args} closed its connection in the middle of a request")
        return piece


@contextmanager
def running(command: Sequence[str], folder: Path, **environment: str) -> Iterator[Runtime]:
    """A runtime started in `folder`, and ended with the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        listener.settimeout(LIMIT_S)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        kept = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        env = {**kept, "AWS_LAMBDA_RUNTIME_API": address, **environment}
        started = time.perf_counter()
        with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL) as process:
            runtime = Runtime(process, started, listener)
            try:
                yield runtime
            finally:
                process.kill()
                runtime.hang_up()
