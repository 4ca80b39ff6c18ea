"""An HTTP server: a port, its connections, and the calls that wait for an answer. Used by both ports.

Handlers know calls, which are numbers; which connection a call came on, and whether that is still there, is known
here. A body may come and a response may go in pieces. Whoever passes pieces on sees to back-pressure: `pause_request`
stops reading from a client, and `on_flow` tells when a client takes its response more slowly than it is written.

It knows no Lambda: what requests mean is the handler's.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Callable, NamedTuple

from . import limits
from .connection import LINGER_S, Connection
from .dates import render_date
from .listener import Listener

if TYPE_CHECKING:
    import socket

    from .errors import ProtocolError
    from .http1 import Limits, Request
    from .http1_response import Response

_SWEEP_S = 1.0  # how often deadlines are looked at, and the date is set


class Handler(NamedTuple):
    """What stands behind a port. A call is a number; it is answered once, at any time.

    Either with `HttpServer.reply`, or in pieces with `begin_reply`, `send` and `end_reply`, or `cut` in the middle.

    `on_request` is given each request. `on_lost` is told that the connection of an unanswered call was closed: a
    reply to it goes nowhere. `render_refusal` words the answer to bytes that are no request.

    If `streams` says so of a request's head, `on_begin` is given the head and `on_piece` the body as it comes, before
    `on_request` is given the rest, without a body. `on_flow` is told of a call answered in pieces that its client
    falls behind (False) and has caught up (True).
    """

    on_request: Callable[[int, Request], None]
    on_lost: Callable[[int], None]
    render_refusal: Callable[[ProtocolError], Response]
    streams: Callable[[Request], bool] | None = None
    on_begin: Callable[[int, Request], None] | None = None
    on_piece: Callable[[int, bytes], None] | None = None
    on_flow: Callable[[int, bool], None] | None = None


class ServerOptions(NamedTuple):
    """`half_open`: whether a client that ended its side may still want its response, or is taken for gone."""

    bounds: Limits
    max_connections: int
    half_open: bool
    request_limit_s: float = limits.REQUEST_LIMIT_S
    idle_limit_s: float = limits.IDLE_LIMIT_S


class HttpServer:
    """One listening port. `listen`, then `start`; `close` ends it and its connections."""

    def __init__(self, handler: Handler, options: ServerOptions) -> None:
        self.handler = handler
        self.options = options
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener: Listener | None = None
        self._connections: set[Connection] = set()
        self._calls: dict[int, Connection] = {}
        self._last_call = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self.date = ""
        """Now as an IMF-fixdate (RFC 9110 5.6.7), rendered once a second."""

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Take the address and return it with the real port. Nobody is accepted yet. Raises `ListenError`."""
        self._loop = loop = asyncio.get_running_loop()
        self._listener = listener = Listener(loop, self._on_accepted)
        return await listener.bind(host, port)

    def start(self) -> None:
        """Accept connections from here on."""
        if self._listener is not None:
            self._listener.start()

    def reply(self, call: int, response: Response) -> None:
        """Answer a call; to one whose connection is gone, nothing happens."""
        connection = self._calls.pop(call, None)
        if connection is not None:
            connection.reply(response)

    def begin_reply(self, call: int, response: Response) -> None:
        """Answer a call with a head and, as `send` goes on, a body; nothing happens if its connection is gone."""
        connection = self._calls.get(call)
        if connection is not None:
            connection.begin_reply(response)

    def send(self, call: int, data: bytes) -> None:
        """Write the next piece of a body."""
        connection = self._calls.get(call)
        if connection is not None:
            connection.send(data)

    def end_reply(self, call: int) -> None:
        """The body is whole."""
        connection = self._calls.pop(call, None)
        if connection is not None:
            connection.end_reply()

    def cut(self, call: int) -> None:
        """The body will never be whole: close the connection, so that its client cannot take it for whole."""
        connection = self._calls.pop(call, None)
        if connection is not None:
            connection.abort()

    def pause_request(self, call: int) -> None:
        """Read no more of a request whose body comes in pieces."""
        connection = self._calls.get(call)
        if connection is not None:
            connection.pause_request()

    def resume_request(self, call: int) -> None:
        """Read on."""
        connection = self._calls.get(call)
        if connection is not None:
            connection.resume_request()

    def peer(self, call: int) -> tuple[str, int]:
        """The address that a call came from, and the port that it came to; nothing if its connection is gone."""
        connection = self._calls.get(call)
        return ("", 0) if connection is None else connection.peer()

    def drop_connections(self) -> None:
        """Close every connection at once."""
        for connection in list(self._connections):
            connection.abort()

    async def wait_idle(self) -> None:
        """Until no call is unanswered, and what was written is sent."""
        while self._calls or any(connection.writing for connection in self._connections):  # noqa: ASYNC110 - at the end
            await asyncio.sleep(0.01)

    def stop_listening(self) -> None:
        """Accept nobody any more; who is here may go on."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def close(self) -> None:
        """Stop listening, and end the connections once what was written to them is sent."""
        self.stop_listening()
        for connection in list(self._connections):
            connection.close()
        deadline = time.monotonic() + LINGER_S
        while self._connections and time.monotonic() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.01)
        self.drop_connections()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        await asyncio.sleep(0)  # the sockets are closed in the loop's next turn

    def _on_accepted(self, sock: socket.socket, address: tuple[str, int]) -> None:
        if self._loop is None:
            return
        connection = Connection(self, self._loop, sock, address)
        if len(self._connections) >= self.options.max_connections:
            connection.turn_away()
            return
        self._connections.add(connection)
        if self._sweeper is None:
            self._sweep()

    # for connections

    def lost(self, connection: Connection, call: int | None) -> None:
        """Forget a connection, and tell the handler of the call that waited on it."""
        self._connections.discard(connection)
        if call is not None and self._calls.pop(call, None) is not None:
            self.handler.on_lost(call)

    def number(self, connection: Connection) -> int:
        """Number a request and hand it on; the number is registered first, since the reply may come at once."""
        self._last_call = call = self._last_call + 1
        self._calls[call] = connection
        return call

    def _sweep(self) -> None:
        self._sweeper = None
        self.date = render_date(int(time.time()))
        now = time.monotonic()
        for connection in list(self._connections):
            connection.check_deadline(now)
        if self._connections and self._loop is not None:
            self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)
