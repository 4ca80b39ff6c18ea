"""A Runtime API over loopback that hands out prepared events and remembers every request, byte for byte.

Raw sockets, so that it can be rude: answer in single bytes, close without a word, send garbage. It ends a
runtime by closing everything once the events are used up, which the runtime reports with exit code 69.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
ACCEPTED = b'{"status":"OK"}\n'
_SOCKET_TIMEOUT_S = 20


@dataclass(frozen=True)
class Event:
    """What one `/next` returns; `headers` are added to, or with "" blanked in, a usual set."""

    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)

    def render(self) -> bytes:
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": REQUEST_ID,
            "Lambda-Runtime-Deadline-Ms": "4102444800000",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:f",
            **self.headers,
        }
        return render(200, self.body, headers)


@dataclass(frozen=True)
class Request:
    """One request as it came: header names in lower case, `connection` counted from 0."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    chunks: tuple[bytes, ...] = ()
    trailers: dict[str, str] = field(default_factory=dict)


def render(status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Return a response with a Content-Length."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class RecordingServer:
    """Serves one runtime in a thread until the events are used up; use as a context manager."""

    def __init__(
        self,
        events: list[Event],
        *,
        answers: dict[str, bytes] | None = None,
        piece_bytes: int = 0,
        hang_up_after_answers: bool = False,
        host: str = "127.0.0.1",
        on_chunk: Callable[[bytes], None] | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self._events = list(events)
        self._answers = answers or {}
        self._piece_bytes = piece_bytes
        self._hang_up = hang_up_after_answers
        self._on_chunk = on_chunk
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._listener.settimeout(_SOCKET_TIMEOUT_S)
        port = self._listener.getsockname()[1]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(_SOCKET_TIMEOUT_S)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            for number in range(10_000):
                connection, _ = self._listener.accept()
                connection.settimeout(_SOCKET_TIMEOUT_S)
                with connection, connection.makefile("rb") as stream:
                    while self._exchange(connection, stream, number):
                        pass

    def _exchange(self, connection: socket.socket, stream, number: int) -> bool:
        request = _read_request(stream, number, self._on_chunk)
        if request is None:
            return False
        self.requests.append(request)
        name = "restore" if request.path.endswith("/restore/next") else request.path.rpartition("/")[2]
        if name == "next" and not self._events and "next" not in self._answers:
            self._listener.close()
            return False
        usual = self._events.pop(0).render() if name == "next" and self._events else render(202, ACCEPTED)
        usual = render(200, b"") if name == "restore" else usual
        answer = self._answers.get(name, usual)
        step = self._piece_bytes or len(answer) or 1
        for start in range(0, len(answer), step):
            connection.sendall(answer[start : start + step])
        return not self._hang_up


def _read_request(stream, number: int, on_chunk: Callable[[bytes], None] | None = None) -> Request | None:
    line = stream.readline()
    if not line:
        return None
    method, path, _ = line.decode().split(" ")
    headers = _read_fields(stream)
    if headers.get("transfer-encoding") == "chunked":
        chunks = tuple(_read_chunks(stream, on_chunk))
        return Request(method, path, headers, b"".join(chunks), number, chunks, _read_fields(stream))
    body = stream.read(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body, number)


def _read_fields(stream) -> dict[str, str]:
    fields = {}
    while (line := stream.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    return fields


def _broken_off() -> bytes:
    raise ConnectionError("the runtime ended in the middle of a body")


def _read_chunks(stream, on_chunk: Callable[[bytes], None] | None) -> Iterator[bytes]:
    """Yield chunks up to the last; with `on_chunk` they are handed over and forgotten, so that any amount fits."""
    while (size := int(stream.readline() or _broken_off(), 16)) > 0:
        chunk = stream.read(size)
        assert stream.read(2) == b"\r\n"
        if on_chunk is None:
            yield chunk
        else:
            on_chunk(chunk)
