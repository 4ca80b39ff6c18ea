"""A TCP proxy that cuts connections: a real registry behind a bad line."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_READ_BYTES = 65536


@dataclass
class Cuts:
    """Where to cut: each connection after the next of `at` bytes, `up` from the client or `down` from the registry.

    `before` is how a request starts, and which of those in turn is not passed on. Connections live on when all is used.
    """

    direction: str
    at: Sequence[int] = ()
    before: Sequence[tuple[bytes, int]] = ()


class CuttingProxy:
    """Passes on to `target` what goes either way."""

    def __init__(self, target: str, cuts: Cuts) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._at = list(cuts.at)
        self._direction = cuts.direction
        self._before = dict(cuts.before)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.connections = 0

    def serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        cut = None
        if client.recv(1, socket.MSG_PEEK) != b"\x16":  # a TLS client finds plain HTTP here and comes again
            self.connections += 1
            cut = self._at.pop(0) if self._at else None
        with client, socket.create_connection(self._target) as server:
            upwards = (client, server, cut if self._direction == "up" else None)
            up = threading.Thread(target=self._copy, args=upwards, daemon=True)
            up.start()
            self._copy(server, client, cut if self._direction == "down" else None)
            up.join(10)

    def _copy(self, source: socket.socket, sink: socket.socket, left: int | None) -> None:
        with suppress(OSError):
            while data := source.recv(_READ_BYTES if not left else min(left, _READ_BYTES)):
                if left == 0 or self._is_to_be_cut(data):
                    break
                sink.sendall(data)
                left = None if left is None else left - len(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _is_to_be_cut(self, data: bytes) -> bool:
        for start in self._before:
            if data.startswith(start):
                self._before[start] -= 1
                return self._before[start] == 0
        return False

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextmanager
def cutting_proxy(target: str, cuts: Cuts) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(target, cuts)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(5)
