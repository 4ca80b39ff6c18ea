"""A connection's socket on the event loop: what of asyncio's own transports a server needs, and nothing more.

Why not asyncio's: of what an invocation costs us, a sixth was their way from the loop to the socket and back. Here the
loop calls whoever reads, with nothing between, and what is written is sent at once; only what the socket does not
take waits here, as views of the bytes that were given: they must not change until they are sent.

Owned by one connection, on the loop's thread. Any loop with `add_reader` will do. It never reads: when and where to is
the owner's.
"""

from __future__ import annotations

import collections
import contextlib
import socket
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    import asyncio

_BEHIND_BYTES = 64 * 1024  # with more than this unsent, the peer is behind; asyncio's bounds
_CAUGHT_UP_BYTES = 16 * 1024


class Transport:
    """A socket that reads for its owner and writes by itself.

    `on_readable` is called when there is something to read, the end or an error included; `on_lost` once, later than
    the call that led to it; `on_behind` when the peer takes what is written more slowly than it is written (True), and
    when it has caught up (False).
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        *,
        on_readable: Callable[[], None],
        on_lost: Callable[[], None],
        on_behind: Callable[[bool], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._fd = sock.fileno()
        self._on_readable = on_readable
        self._on_lost = on_lost
        self._on_behind = on_behind
        self._unsent: collections.deque[memoryview] = collections.deque()
        self._unsent_bytes = 0
        self._reading = False
        self._behind = False
        self._ends = False  # once everything is sent, our side is ended
        self._closes = False  # once everything is sent, the socket is closed
        self._over = False
        self.resume_reading()

    @property
    def unsent_bytes(self) -> int:
        """How much of what was written the socket has not taken."""
        return self._unsent_bytes

    def pause_reading(self) -> None:
        """Call `on_readable` no more; at the peer's end, which would be readable for ever, for good."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        """Call it again."""
        if not self._reading and not self._closes:
            self._reading = True
            self._loop.add_reader(self._fd, self._on_readable)

    def write(self, data: bytes) -> None:
        """Send, now if the socket takes it. To one that is closing, nothing goes."""
        if self._closes:
            return
        if self._unsent:
            self._keep(memoryview(data))
            return
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:  # the peer is gone
            self.abort()
            return
        if sent < len(data):
            self._keep(memoryview(data)[sent:])

    def write_both(self, head: bytes, body: bytes) -> None:
        """Send one after the other, in one packet if they fit, without copying the second."""
        if self._closes or self._unsent:
            self.write(head)
            self.write(body)
            return
        try:
            sent = self._sock.sendmsg((head, body))
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.abort()
            return
        if sent < len(head):
            self._keep(memoryview(head)[sent:])
        sent = max(0, sent - len(head))
        if sent < len(body):
            self._keep(memoryview(body)[sent:])

    def end(self) -> None:
        """Send no more after what was written; reading goes on."""
        self._ends = True
        if not self._unsent and not self._closes:
            self._shut_down()

    def close(self) -> None:
        """Read no more, and close once what was written is sent."""
        if not self._closes:
            self.pause_reading()
            self._closes = True
            if not self._unsent:
                self._finish()

    def abort(self) -> None:
        """Close now."""
        self.pause_reading()
        self._closes = True
        if self._unsent:
            self._unsent.clear()
            self._unsent_bytes = 0
            self._loop.remove_writer(self._fd)
        self._finish()

    def _keep(self, rest: memoryview) -> None:
        if not self._unsent:
            self._loop.add_writer(self._fd, self._send_rest)
        self._unsent.append(rest)
        self._unsent_bytes += len(rest)
        if self._unsent_bytes > _BEHIND_BYTES and not self._behind:
            self._behind = True
            self._on_behind(True)  # noqa: FBT003 - a callback's only argument

    def _send_rest(self) -> None:
        unsent = self._unsent
        try:
            while unsent:
                sent = self._sock.send(unsent[0])
                self._unsent_bytes -= sent
                if sent < len(unsent[0]):
                    unsent[0] = unsent[0][sent:]
                    break
                unsent.popleft()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.abort()
            return
        if not unsent:
            self._loop.remove_writer(self._fd)
            if self._closes:
                self._finish()
                return
            if self._ends:
                self._shut_down()
        if self._behind and self._unsent_bytes <= _CAUGHT_UP_BYTES:
            self._behind = False
            self._on_behind(False)  # noqa: FBT003 - as above

    def _shut_down(self) -> None:
        with contextlib.suppress(OSError):  # the peer is gone: reading will tell
            self._sock.shutdown(socket.SHUT_WR)

    def _finish(self) -> None:
        """Whoever called us may be in the middle of something: told later, and closed then."""
        if not self._over:
            self._over = True
            self._loop.call_soon(self._close_socket)

    def _close_socket(self) -> None:
        self._sock.close()
        self._on_lost()
