"""An HTTP server on asyncio: sockets outside, `http1` inside, a handler behind. Used by both ports.

Why protocols and not streams: a request costs one callback here and a handful of tasks there. A connection has at
most one request under way; what a client sends ahead stays in its buffer, and beyond a bound it is not read. Every
connection has a deadline, looked at once a second: for the rest of a begun request, for the next one, or for taking a
response off our hands. A refused client gets its status, then is listened to for a moment with deaf ears: closing at
once would reset the connection under the response.

A body may come and a response may go in pieces. Whoever passes pieces on sees to back-pressure: `pause_request` stops
reading from a client, and `on_flow` tells when a client takes its response more slowly than it is written.

It knows no Lambda: what requests mean is the handler's.
"""

from __future__ import annotations

import asyncio
import time
from typing import Callable, NamedTuple, cast

from . import limits
from .dates import render_date
from .errors import ListenError, ProtocolError
from .http1 import (
    CONTINUE,
    CONTINUE_RESPONSE,
    LAST_CHUNK,
    NEED_DATA,
    Begin,
    Limits,
    Piece,
    Request,
    RequestParser,
    Response,
    has_body,
    render_begin,
    render_chunk,
    render_head,
    render_response,
)

_SWEEP_S = 1.0  # how often deadlines are looked at
_LINGER_S = 2.0  # how long a refused client may go on sending
_AHEAD_BYTES = 64 * 1024  # what a client may send ahead of its response
_BACKLOG = 4096  # connections the kernel keeps for us before accept; it may allow fewer
_READ_BYTES = 256 * 1024  # what is read at once; asyncio's own size
_JOINED_BYTES = 64 * 1024  # a larger body is not copied to join its head in one write
_NEVER = float("inf")
_CHUNKED, _UNTIL_CLOSED, _NO_BODY = "chunked", "until closed", "no body"


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
        self._server: asyncio.AbstractServer | None = None
        self._connections: set[_Connection] = set()
        self._calls: dict[int, _Connection] = {}
        self._last_call = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self._date = (0, "")
        # One for all: what a connection reads is its parser's before the next one reads.
        self.buffer = memoryview(bytearray(_READ_BYTES))

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Take the address and return it with the real port. Nobody is accepted yet. Raises `ListenError`."""
        self._loop = loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                lambda: _Connection(self, loop), host, port, backlog=_BACKLOG, start_serving=False
            )
        except (OSError, OverflowError) as error:
            raise ListenError(
                f"listening on {host!r} port {port!r}: {error}; choose a free port (0 lets the system choose) "
                "on an address of this machine"
            ) from error
        self._server = server
        address = server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def start(self) -> None:
        """Accept connections from here on."""
        if self._server is not None:
            await self._server.start_serving()

    def reply(self, call: int, response: Response) -> None:
        """Answer a call; to one whose connection is gone, nothing happens."""
        connection = self._calls.pop(call, None)
        if connection is not None:
            connection.reply(response)

    def awaits(self, call: int) -> bool:
        """Whether somebody still waits for the answer to a call."""
        return call in self._calls

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
        if self._server is not None:
            self._server.close()
            self._server = None

    async def close(self) -> None:
        """Stop listening, and end the connections once what was written to them is sent."""
        self.stop_listening()
        for connection in list(self._connections):
            connection.close()
        deadline = time.monotonic() + _LINGER_S
        while self._connections and time.monotonic() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.01)
        self.drop_connections()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def date(self) -> str:
        """Now as an IMF-fixdate (RFC 9110 5.6.7), rendered once a second."""
        now = int(time.time())
        if now != self._date[0]:
            self._date = (now, render_date(now))
        return self._date[1]

    # for connections

    def opened(self, connection: _Connection) -> bool:
        """Register a connection; False if there are too many."""
        if len(self._connections) >= self.options.max_connections:
            return False
        self._connections.add(connection)
        if self._sweeper is None and self._loop is not None:
            self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)
        return True

    def lost(self, connection: _Connection, call: int | None) -> None:
        """Forget a connection, and tell the handler of the call that waited on it."""
        self._connections.discard(connection)
        if call is not None and self._calls.pop(call, None) is not None:
            self.handler.on_lost(call)

    def number(self, connection: _Connection) -> int:
        """Number a request and hand it on; the number is registered first, since the reply may come at once."""
        self._last_call = call = self._last_call + 1
        self._calls[call] = connection
        return call

    def _sweep(self) -> None:
        self._sweeper = None
        now = time.monotonic()
        for connection in list(self._connections):
            connection.check_deadline(now)
        if self._connections and self._loop is not None:
            self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)


class _Connection(asyncio.BufferedProtocol):
    def __init__(self, server: HttpServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._parser = RequestParser(server.options.bounds, server.handler.streams)
        self._transport: asyncio.Transport | None = None
        self._call: int | None = None
        self._arriving = False  # the call's body comes in pieces and is not complete
        self._held = False  # whoever takes the pieces wants no more for now
        self._answering = False  # the call's response goes in pieces
        self._method = ""  # of the call's request
        self._framing = _CHUNKED  # how the response in pieces is framed
        self._modern = True
        self._keep_alive = True
        self._advancing = False
        self._reading_paused = False
        self._writing_paused = False
        self._peer_ended = False
        self._deaf = False  # refused: only waiting for the client to stop sending
        self._direct = False  # what is read goes to its place in the parser
        self._begun = False  # a request has begun, and its deadline is set
        self._deadline = _NEVER

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._deadline = time.monotonic() + self._server.options.idle_limit_s
        if not self._server.opened(self):
            self._transport.write(render_response(Response(503), keep_alive=False))
            self._transport.close()
            self._deaf = True

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        room = None if self._deaf else self._parser.room()
        self._direct = room is not None
        return self._server.buffer if room is None else room

    def buffer_updated(self, nbytes: int) -> None:
        if self._deaf:
            return
        if self._direct:
            self._parser.filled(nbytes)
        else:
            self._parser.feed(self._server.buffer[:nbytes])
        if self._call is None or self._arriving:
            self._advance()
        elif self._parser.buffered_bytes > _AHEAD_BYTES and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._peer_ended = True
        if self._deaf:
            return False
        if self._call is not None and not self._arriving:
            return self._server.options.half_open
        try:
            self._parser.eof()
        except ProtocolError as error:
            self._refuse(error)
            self.close()
            return True  # close() closes once the refusal is sent
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._deaf = True
        call, self._call = self._call, None
        self._server.lost(self, call)

    def pause_writing(self) -> None:
        self._writing_paused = True
        self._deadline = time.monotonic() + self._server.options.request_limit_s
        self._tell_flow(going=False)

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._deadline = _NEVER if self._answering else time.monotonic() + self._server.options.idle_limit_s
        self._tell_flow(going=True)

    def _tell_flow(self, *, going: bool) -> None:
        if self._answering and self._call is not None and self._server.handler.on_flow is not None:
            self._server.handler.on_flow(self._call, going)

    # the server's side

    @property
    def writing(self) -> bool:
        """Whether something that was written is not sent yet."""
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    def peer(self) -> tuple[str, int]:
        if self._transport is None:
            return "", 0
        peer, here = (self._transport.get_extra_info(name) or ("", 0) for name in ("peername", "sockname"))
        return str(peer[0]), int(here[1])

    def reply(self, response: Response) -> None:
        transport = self._transport
        if transport is None:
            return
        keep_alive = self._stays()
        date = self._server.date()
        bodyless = self._method == "HEAD"
        if bodyless or len(response.body) < _JOINED_BYTES:
            transport.write(render_response(response, date=date, keep_alive=keep_alive, bodyless=bodyless))
        else:
            transport.write(render_head(response, date=date, keep_alive=keep_alive))
            transport.write(memoryview(response.body))
        self._end_call(transport, keep_alive=keep_alive)

    def begin_reply(self, response: Response) -> None:
        self._answering = True
        if self._transport is None:
            return
        self._framing = _CHUNKED if self._modern else _UNTIL_CLOSED
        keep_alive = self._keep_alive and not self._peer_ended and self._modern
        date = self._server.date()
        if has_body(self._method, response.status):
            data = render_begin(response, date=date, keep_alive=keep_alive, chunked=self._framing is _CHUNKED)
        else:
            self._framing = _NO_BODY
            data = render_response(response, date=date, keep_alive=keep_alive, bodyless=True)
        self._transport.write(data)

    def send(self, data: bytes) -> None:
        if self._transport is not None and data and self._framing is not _NO_BODY:
            self._transport.write(render_chunk(data) if self._framing is _CHUNKED else data)

    def end_reply(self) -> None:
        transport = self._transport
        if transport is None:
            return
        if self._framing is _CHUNKED:
            transport.write(LAST_CHUNK)
        self._end_call(transport, keep_alive=self._stays() and self._modern)

    def pause_request(self) -> None:
        if self._arriving and not self._held and self._transport is not None:
            self._held = True
            self._transport.pause_reading()

    def resume_request(self) -> None:
        if self._held and self._transport is not None:
            self._held = False
            self._transport.resume_reading()
            if self._arriving and not self._advancing:
                self._advance()

    def _stays(self) -> bool:
        """Whether the connection outlives this response; the rest of a half-read request would be taken for one."""
        return self._keep_alive and not self._peer_ended and not self._arriving

    def _end_call(self, transport: asyncio.Transport, *, keep_alive: bool) -> None:
        self._call = None
        self._answering = False
        self._deadline = time.monotonic() + self._server.options.idle_limit_s
        if not keep_alive:
            self._deaf = True
            transport.close()
        elif not self._advancing:
            if self._reading_paused:
                self._reading_paused = False
                transport.resume_reading()
            if self._parser.mid_request:
                self._advance()

    def close(self) -> None:
        """Close once everything is sent."""
        self._deaf = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._deaf = True
        if self._transport is not None:
            self._transport.abort()

    def check_deadline(self, now: float) -> None:
        """Cut off a client that is too slow."""
        if now < self._deadline or self._transport is None:
            return
        if self._writing_paused or self._deaf:
            self.abort()
        elif self._parser.mid_request and self._call is None:
            limit_s = self._server.options.request_limit_s
            self._refuse(ProtocolError(f"reading a request: not whole after {limit_s:.0f} s; send faster", status=408))
        else:
            self.close()

    def _advance(self) -> None:
        """Take requests from the parser as long as each is answered at once."""
        self._advancing = True
        try:
            while (self._call is None or self._arriving) and not self._deaf and not self._held:
                event = self._parser.next_event()
                if event is NEED_DATA:
                    if not self._arriving:
                        self._await_rest()
                    break
                if event is CONTINUE:
                    if self._transport is not None:
                        self._transport.write(CONTINUE_RESPONSE)
                elif isinstance(event, Request):
                    self._on_request(event)
                elif isinstance(event, (Begin, Piece)):
                    self._on_part(event)
        except ProtocolError as error:
            self._refuse(error)
        finally:
            self._advancing = False

    def _on_request(self, request: Request) -> None:
        self._deadline = _NEVER
        self._keep_alive = request.keep_alive
        self._modern = request.modern
        self._method = request.method
        if self._arriving:
            self._arriving = False
            call = self._call
        else:
            self._call = call = self._server.number(self)
        if call is not None:
            self._server.handler.on_request(call, request)

    def _on_part(self, part: Begin | Piece) -> None:
        handler = self._server.handler
        if isinstance(part, Begin):
            self._deadline = _NEVER  # how long a body that comes in pieces may take is the handler's to say
            self._arriving = True
            self._keep_alive = part.request.keep_alive
            self._modern = part.request.modern
            self._method = part.request.method
            self._call = call = self._server.number(self)
            if handler.on_begin is not None:
                handler.on_begin(call, part.request)
        elif self._call is not None and handler.on_piece is not None:
            handler.on_piece(self._call, part.data)

    def _await_rest(self) -> None:
        """The request's deadline begins with its first byte and is not moved by the next ones."""
        if not self._parser.mid_request:
            self._begun = False
        elif not self._begun:
            self._begun = True
            self._deadline = time.monotonic() + self._server.options.request_limit_s

    def _refuse(self, error: ProtocolError) -> None:
        self._deaf = True
        self._deadline = time.monotonic() + _LINGER_S
        transport = self._transport
        if transport is None:
            return
        response = self._server.handler.render_refusal(error)
        transport.write(render_response(response, date=self._server.date(), keep_alive=False))
        if transport.can_write_eof() and not self._peer_ended:
            transport.write_eof()
