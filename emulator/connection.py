"""One HTTP connection of a server: its socket outside, `http1` inside, its server's handler behind.

A connection has at most one request under way; what a client sends ahead stays in its buffer, and beyond a bound it is
not read. Every connection has a deadline, which its server looks at once a second: for the rest of a begun request, for
the next one, or for taking a response off our hands. A refused client gets its status, then is listened to for a moment
with deaf ears: closing at once would reset the connection under the response.

Why no asyncio streams or protocols: most requests are one read, one call of the handler and one write, and that is all
that is done for them here. It knows no Lambda. It is one class, and long, because its halves ask for each other's state
with each request: what is split would be called.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .errors import ProtocolError
from .http1 import CONTINUE, NEED_DATA, Begin, Piece, Request, RequestParser
from .http1_response import (
    CONTINUE_RESPONSE,
    LAST_CHUNK,
    WITHOUT_BODY,
    Response,
    has_body,
    render_begin,
    render_chunk,
    render_head,
    render_response,
)
from .transport import Transport

if TYPE_CHECKING:
    import asyncio
    import socket

    from .http_server import HttpServer

LINGER_S = 2.0
"""How long a refused client may go on sending."""

_AHEAD_BYTES = 64 * 1024  # what a client may send ahead of its response
_READ_BYTES = 64 * 1024  # what is read at once, unless it has a place of its own
_READS = 64  # of a body that has a place, before others have their turn
_JOINED_BYTES = 16 * 1024  # a larger body is not copied to join its head
_NEVER = float("inf")
_CHUNKED, _UNTIL_CLOSED, _NO_BODY = "chunked", "until closed", "no body"


class Connection:
    """What a server does with one accepted socket until it is closed. `HttpServer` says what its methods are for."""

    def __init__(
        self, server: HttpServer, loop: asyncio.AbstractEventLoop, sock: socket.socket, address: tuple[str, int]
    ) -> None:
        self._server = server
        self._sock = sock
        self._address = address
        self._parser = RequestParser(server.options.bounds, server.handler.streams)
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
        self._behind = False
        self._peer_ended = False
        self._deaf = False  # refused: only waiting for the client to stop sending
        self._cut = False  # the call's body had more pieces than it may have; the rest is not wanted
        self._lost = False
        self._in_place = False  # what comes next is the rest of a body that has its place in the parser
        self._begun = False  # a request has begun, and its deadline is set
        self._deadline: float | None = None  # None: as long as one may idle, from when it is next looked at
        self._transport = Transport(
            loop, sock, on_readable=self._on_readable, on_lost=self._on_lost, on_behind=self._on_behind
        )

    # the socket's side

    def _on_readable(self) -> None:
        try:
            if self._in_place:
                self._read_in_place()
                return
            data = self._sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # the peer is gone
            self.abort()
            return
        if not data:
            self._on_end()
        elif self._call is None and not self._deaf:
            self._advance(data)
        elif not self._deaf:
            self._on_ahead(data)

    def _on_ahead(self, data: bytes) -> None:
        """More of a call that is here: of its body, or of the request after it."""
        self._parser.feed(data)
        if self._arriving:
            self._advance()
        elif self._parser.buffered_bytes > _AHEAD_BYTES:
            self._reading_paused = True
            self._transport.pause_reading()

    def _read_in_place(self) -> None:
        """A large body: to where it belongs, as long as there is more."""
        for _ in range(_READS):
            count = self._sock.recv_into(self._parser.room())
            if not count:
                self._on_end()
                return
            self._parser.filled(count)
            if not self._parser.has_room:
                self._in_place = False
                self._advance()
                return

    def _on_end(self) -> None:
        """The client will send no more."""
        self._peer_ended = True
        if self._call is not None and not self._arriving and not self._deaf:
            if self._server.options.half_open:
                self._transport.pause_reading()
            else:
                self.close()
            return
        if not self._deaf:
            try:
                self._parser.eof()
            except ProtocolError as error:
                self._refuse(error)
        self.close()  # once everything is sent

    def _on_lost(self) -> None:
        self._lost = True
        self._deaf = True
        call, self._call = self._call, None
        self._server.lost(self, call)

    def _on_behind(self, behind: bool) -> None:  # noqa: FBT001 - the transport's callback
        self._behind = behind
        if behind:
            self._deadline = time.monotonic() + self._server.options.request_limit_s
        else:
            self._deadline = _NEVER if self._answering else None
        if self._answering and self._call is not None and self._server.handler.on_flow is not None:
            self._server.handler.on_flow(self._call, not behind)

    def turn_away(self) -> None:
        """There are too many connections."""
        self._transport.write(render_response(Response(503), keep_alive=False))
        self.close()

    # the server's side

    @property
    def writing(self) -> bool:
        """Whether something that was written is not sent yet."""
        return self._transport.unsent_bytes > 0

    def peer(self) -> tuple[str, int]:
        """The client's address, and the port it came to."""
        return self._address[0], 0 if self._lost else int(self._sock.getsockname()[1])

    def reply(self, response: Response) -> None:
        """Answer the call."""
        keep_alive = self._stays()
        date = self._server.date
        if self._method == "HEAD" or response.status in WITHOUT_BODY:
            self._transport.write(render_response(response, date=date, keep_alive=keep_alive, bodyless=True))
        elif len(response.body) < _JOINED_BYTES:
            self._transport.write(render_head(response, date=date, keep_alive=keep_alive) + response.body)
        else:
            self._transport.write_both(render_head(response, date=date, keep_alive=keep_alive), response.body)
        self._end_call(keep_alive=keep_alive)

    def begin_reply(self, response: Response) -> None:
        """Answer the call with a head; the body follows."""
        self._answering = True
        self._framing = _CHUNKED if self._modern else _UNTIL_CLOSED
        keep_alive = self._keep_alive and not self._peer_ended and self._modern
        date = self._server.date
        if has_body(self._method, response.status):
            data = render_begin(response, date=date, keep_alive=keep_alive, chunked=self._framing is _CHUNKED)
        else:
            self._framing = _NO_BODY
            data = render_response(response, date=date, keep_alive=keep_alive, bodyless=True)
        self._transport.write(data)

    def send(self, data: bytes) -> None:
        """The next piece of the body."""
        if data and self._framing is not _NO_BODY:
            self._transport.write(render_chunk(data) if self._framing is _CHUNKED else data)

    def end_reply(self) -> None:
        """The body is whole."""
        if self._framing is _CHUNKED:
            self._transport.write(LAST_CHUNK)
        self._end_call(keep_alive=self._stays() and self._modern)

    def pause_request(self) -> None:
        """Read no more of a body that comes in pieces."""
        if self._arriving and not self._held:
            self._held = True
            self._transport.pause_reading()

    def resume_request(self) -> None:
        """Read on."""
        if self._held:
            self._held = False
            self._transport.resume_reading()
            if self._arriving and not self._advancing:
                self._advance()

    def close(self) -> None:
        """Close once everything is sent."""
        self._deaf = True
        self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._deaf = True
        self._transport.abort()

    def check_deadline(self, now: float) -> None:
        """Cut off a client that is too slow."""
        if self._deadline is None:
            self._deadline = now + self._server.options.idle_limit_s
        if now < self._deadline:
            return
        if self._behind or self._deaf:
            self.abort()
        elif self._parser.mid_request and self._call is None:
            limit_s = self._server.options.request_limit_s
            self._refuse(ProtocolError(f"reading a request: not whole after {limit_s:.0f} s; send faster", status=408))
        else:
            self.close()

    # between the two

    def _stays(self) -> bool:
        """Whether the connection outlives this response; the rest of a half-read request would be taken for one."""
        return self._keep_alive and not self._peer_ended and not self._arriving

    def _end_call(self, *, keep_alive: bool) -> None:
        self._call = None
        self._answering = False
        self._deadline = None
        if self._cut:
            self._turn_deaf()
        elif not keep_alive:
            self.close()
        elif not self._advancing:
            if self._reading_paused:
                self._reading_paused = False
                self._transport.resume_reading()
            if not self._parser.between:
                self._advance()

    def _advance(self, data: bytes = b"") -> None:
        """Take requests from the parser, and from what has just come, as long as each is answered at once."""
        self._advancing = True
        try:
            if data:
                request = self._parser.take(data)
                if request is not None:
                    self._on_request(request)
                    return
            while (self._call is None or self._arriving) and not self._deaf and not self._held:
                event = self._parser.next_event()
                if event is NEED_DATA:
                    if not self._arriving:
                        self._await_rest()
                    break
                if event is CONTINUE:
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
        if not self._arriving:
            self._server.handler.on_request(self._take_up(request), request)
            return
        self._arriving = False
        self._keep_alive = request.keep_alive
        self._cut = request.oversize
        if self._call is not None:
            self._server.handler.on_request(self._call, request)

    def _on_part(self, part: Begin | Piece) -> None:
        handler = self._server.handler
        if isinstance(part, Begin):
            self._arriving = True
            call = self._take_up(part.request)  # how long a body in pieces may take is the handler's to say
            if handler.on_begin is not None:
                handler.on_begin(call, part.request)
        elif self._call is not None and handler.on_piece is not None:
            handler.on_piece(self._call, part.data)

    def _take_up(self, request: Request) -> int:
        """A request is here, or its head: the call that it becomes."""
        self._begun = False
        self._deadline = _NEVER
        self._keep_alive = request.keep_alive
        self._modern = request.modern
        self._method = request.method
        self._call = call = self._server.number(self)
        return call

    def _await_rest(self) -> None:
        """The request's deadline begins with its first byte and is not moved by the next ones."""
        if not self._parser.mid_request:
            self._begun = False
        elif not self._begun:
            self._begun = True
            self._deadline = time.monotonic() + self._server.options.request_limit_s
        self._in_place = self._parser.has_room

    def _refuse(self, error: ProtocolError) -> None:
        response = self._server.handler.render_refusal(error)
        self._transport.write(render_response(response, date=self._server.date, keep_alive=False))
        self._turn_deaf()

    def _turn_deaf(self) -> None:
        """Let a client that goes on sending read what was written to it."""
        self._deaf = True
        self._in_place = False
        self._deadline = time.monotonic() + LINGER_S
        if not self._peer_ended:
            self._transport.end()
