"""A listening port: its sockets, and the connections that come in.

Beside asyncio's own server because what that accepts gets one of asyncio's transports (see `transport`). It knows
neither HTTP nor how many connections there are.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Callable

from .errors import ListenError

if TYPE_CHECKING:
    import asyncio

_BACKLOG = 4096  # connections the kernel keeps for us before accept; it may allow fewer
_ACCEPTED_AT_ONCE = 128  # then others have their turn
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_NOT_HERE = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})  # `localhost` has ::1 also where there is no IPv6
_NO_ROOM_PAUSE_S = 1.0  # accepting again at once would find the same, for ever


class Listener:
    """`bind`, then `start`; `on_accepted` is given each connection's socket, non-blocking, and its peer's address."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_accepted: Callable[[socket.socket, tuple[str, int]], None]
    ) -> None:
        self._loop = loop
        self._on_accepted = on_accepted
        self._sockets: list[socket.socket] = []
        self._accepting = False

    async def bind(self, host: str, port: int) -> tuple[str, int]:
        """Take a host's addresses; the first, with the real port. Nobody can connect yet. Raises `ListenError`.

        Those that this machine does not have are passed over, as long as there is one that it has.
        """
        try:
            name = host.encode("ascii") if host.isascii() else host  # as text it takes the codec idna, 0.4 MB of image
            found = await self._loop.getaddrinfo(name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            # `port` and not the one that was found: one too large would be cut down
            self._bind_each([(family, (at[0], port, *at[2:])) for family, _, _, _, at in dict.fromkeys(found)])
        except (OSError, OverflowError, UnicodeError) as error:
            self.close()
            raise ListenError(
                f"listening on {host!r} port {port!r}: {error}; choose a free port (0 lets the system choose) "
                "on an address of this machine"
            ) from error
        address = self._sockets[0].getsockname()
        return str(address[0]), int(address[1])

    def _bind_each(self, places: list[tuple[int, tuple[object, ...]]]) -> None:
        absent: OSError | None = None
        for family, address in places:
            try:
                self._sockets.append(_bind(family, address))
            except OSError as error:  # noqa: PERF203 - a few
                if error.errno not in _NOT_HERE:
                    raise
                absent = error
        if absent is not None and not self._sockets:
            raise absent

    def start(self) -> None:
        """Accept connections from here on."""
        self._accepting = True
        for sock in self._sockets:
            sock.listen(_BACKLOG)
            self._loop.add_reader(sock.fileno(), self._accept, sock)

    def close(self) -> None:
        """Accept nobody any more."""
        for sock in self._sockets:
            self._loop.remove_reader(sock.fileno())
            sock.close()
        self._sockets.clear()
        self._accepting = False

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                self._pause(listening)
                return
            sock.settimeout(0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._on_accepted(sock, address[:2])

    def _pause(self, listening: socket.socket) -> None:
        """There is no descriptor to be had: those who come wait in the kernel's queue."""
        self._loop.remove_reader(listening.fileno())
        self._loop.call_later(_NO_ROOM_PAUSE_S, self._resume, listening)

    def _resume(self, listening: socket.socket) -> None:
        if self._accepting and listening in self._sockets:
            self._loop.add_reader(listening.fileno(), self._accept, listening)


def _bind(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.settimeout(0)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock
