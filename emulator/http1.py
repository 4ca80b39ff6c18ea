"""HTTP/1.1 as both ports read it, without IO: bytes in, requests out.

`http1_head` reads what stands before a body; what we answer is `http1_response`'s.

Why our own: the standard library's server is a thread per connection and forgiving where a proxy in front of it may
be strict, and that disagreement is how requests are smuggled. This one accepts a subset and refuses everything else:

- origin-form targets, HTTP/1.0 and 1.1, lines that end in CR LF, no folded headers, no space before a header's colon;
- a body has either one Content-Length or `Transfer-Encoding: chunked`; both, several, or other codings are refused;
- head, chunk lines, trailers and body are bounded. A body over its limit is read and dropped, and the request then says
  how large it was; over the drain limit the peer is refused. One that comes in pieces ends before the chunk that is
  too much, and its connection with it.

The parser is fed with whatever arrived and asked for the next event until it wants more. It never answers, never
closes, and knows neither Lambda nor sockets. Any bytes raise nothing but `ProtocolError`, after which the parser is
dead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Union, cast

from . import limits
from .errors import ProtocolError
from .http1_head import HeadReader, parse_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .http1_head import Fields, Head

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")

_CHUNK_LINE_LIMIT_BYTES = 256

_CR = 13  # what an empty line begins with

# A body of this size or more has its place made for it at once, so that it can be received there.
_DIRECT_BYTES = 64 * 1024

# What a chunked body expects when it is not in the middle of a chunk.
_AT_CHUNK_LINE = -1
_AT_TRAILERS = -2


class Limits(NamedTuple):
    """Bounds of one request, in bytes."""

    head_bytes: int = limits.HEAD_LIMIT_BYTES
    body_bytes: int = limits.PAYLOAD_LIMIT_BYTES
    drain_bytes: int = limits.DRAIN_LIMIT_BYTES
    stream_bytes: int = limits.STREAM_LIMIT_BYTES


class Request(NamedTuple):
    """One complete request.

    `headers` and `trailers` have lower-case names; a repeated header's values are joined with ", " (RFC 9110 5.3).
    `body_size` is what the peer sent; `body` is empty when that is over the limit (`oversize`), and a large one is a
    bytearray that is nobody else's.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    body_size: int
    keep_alive: bool
    oversize: bool = False
    trailers: Mapping[str, str] = {}
    modern: bool = True  # HTTP/1.1: chunks are understood


class Begin(NamedTuple):
    """The head of a request whose body comes in pieces: `Piece`s follow, then the `Request` with an empty body."""

    request: Request


class Piece(NamedTuple):
    """The next bytes of such a body."""

    data: bytes


class Continue(NamedTuple):
    """The peer waits for `100 Continue` before it sends the body."""


class NeedData(NamedTuple):
    """Nothing more can be said before more bytes arrive."""


Event = Union[Request, Begin, Piece, Continue, NeedData]

CONTINUE = Continue()
NEED_DATA = NeedData()


class RequestParser:
    """The requests of one connection.

    `feed` what arrived, then call `next_event` until it returns `NEED_DATA`. `eof` when the peer will send no more.
    `take` feeds, too, and is the short way for bytes that are one request and nothing else, as most reads are.
    `streams` says of a request's head whether its body, if it comes in chunks, is wanted in pieces. While it
    `has_room`, what arrives may be written there instead, and told with `filled`: a large body is copied once less.
    """

    def __init__(self, bounds: Limits, streams: Callable[[Request], bool] | None = None) -> None:
        self._bounds = bounds
        self._streams = streams
        self._buffer = bytearray()
        self._searched = 0  # bytes of the buffer known not to end a head
        self._head: Head | None = None
        self._expecting = False  # the peer waits for 100 Continue
        self._chunked = False
        self._streaming = False
        self._begun: Event | None = None  # what is told before the body is looked at
        self._remaining = 0  # bytes missing of the body or chunk, or one of the two below
        self._body = bytearray()
        self._placed = -1  # of a body that has its place: bytes that are there
        self._size = 0
        self._read_head = HeadReader().read
        self._bare: tuple[bytes, Request | None] = (b"", None)  # the last request without a body: most are alike
        self.between = True
        """Nothing of a request is here."""

    @property
    def buffered_bytes(self) -> int:
        """How many bytes wait here that are no event yet."""
        return len(self._buffer) + len(self._body)

    @property
    def has_room(self) -> bool:
        """Whether the rest of the body has a place where it may be received."""
        return self._placed >= 0 and self._remaining > 0 and not self._buffer and not self._expecting

    def room(self) -> memoryview:
        """That place."""
        return memoryview(self._body)[self._placed :]

    def filled(self, count: int) -> None:
        """That many bytes were received into the `room`."""
        self._placed += count
        self._size += count
        self._remaining -= count

    @property
    def mid_request(self) -> bool:
        """Whether a request has begun and is not complete."""
        return self._head is not None or bool(self._buffer)

    def feed(self, data: bytes | memoryview) -> None:
        """Take bytes as they arrived; a view is not kept."""
        self.between = False
        self._buffer += data

    def take(self, data: bytes) -> Request | None:
        """Take bytes as they arrived: the request that they are, if they are one; else they are fed.

        Raises `ProtocolError` for those that cannot begin a request.
        """
        if self.between:
            if data == self._bare[0]:
                return self._bare[1]
            end = data.find(b"\r\n\r\n")
            if 0 < end <= self._bounds.head_bytes and data[0] != _CR:
                head, fields = self._read_head(data[:end])
                size = len(data) - end - 4
                if size == fields.size and fields.plain and size <= self._bounds.body_bytes:
                    method, target, headers, keep_alive, modern = head
                    request = Request(method, target, headers, data[end + 4 :], size, keep_alive, modern=modern)
                    if not size:
                        self._bare = (data, request)
                    return request
        self.feed(data)
        return None

    def eof(self) -> None:
        """The peer sends no more. Raises `ProtocolError` if a request was cut in two."""
        if self.mid_request:
            raise ProtocolError("reading a request: the peer ended in the middle of it; send it whole")

    def next_event(self) -> Event:
        """The next thing that the bytes so far say. Raises `ProtocolError`."""
        if self._head is None:
            head = self._parse_head()
            if head is None:
                return NEED_DATA
            self._head = head
            if self._chunked and self._streams is not None:
                self._begin(head, self._streams)
        if self._begun is not None:
            begun, self._begun = self._begun, None
            return begun
        if self._expecting:
            self._expecting = False
            if not self._buffer:  # a peer that did not wait needs no permission
                return CONTINUE
        return self._parse_chunked() if self._chunked else self._parse_sized()

    def _begin(self, head: Head, streams: Callable[[Request], bool]) -> None:
        request = Request(head.method, head.target, head.headers, b"", 0, head.keep_alive, modern=head.modern)
        self._streaming = streams(request)
        if self._streaming:
            self._begun = Begin(request)

    def _parse_head(self) -> Head | None:
        buffer = self._buffer
        if not buffer:
            return None
        while buffer.startswith(b"\r\n"):  # RFC 9112 2.2: empty lines before a request line are ignored
            del buffer[:2]
        end = buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end > self._bounds.head_bytes or (end < 0 and len(buffer) > self._bounds.head_bytes):
            raise ProtocolError(
                f"reading a request: its line and headers exceed {self._bounds.head_bytes} bytes; send less",
                status=431,
            )
        if end < 0:
            self._searched = len(buffer)
            return None
        raw = bytes(buffer[:end])
        del buffer[: end + 4]
        self._searched = 0
        head, fields = self._read_head(raw)
        self._frame_body(fields)
        return head

    def _frame_body(self, fields: Fields) -> None:
        size = fields.size
        self._size = 0
        self._streaming = False
        self._chunked = fields.chunked
        self._expecting = fields.expects
        self._placed = -1
        if fields.chunked:
            self._remaining = _AT_CHUNK_LINE
        else:
            self._remaining = size
            if size > self._bounds.body_bytes:
                self._check_oversize(size, expecting=fields.expects)
            elif size >= _DIRECT_BYTES:
                self._body = bytearray(size)
                self._placed = 0

    def _check_oversize(self, size: int, *, expecting: bool) -> None:
        self._check_drain(size)
        if expecting:
            raise ProtocolError(
                f"reading a request: its body would be {size} bytes; send {self._bounds.body_bytes} at most",
                status=413,
            )

    def _check_drain(self, size: int) -> None:
        if size > self._bounds.drain_bytes:
            raise ProtocolError(
                f"reading a request: its body has {size} bytes or more; send {self._bounds.body_bytes} at most",
                status=413,
            )

    def _take(self) -> bool:
        """Move what is here of the body or chunk into the body; whether that completed it."""
        buffer = self._buffer
        count = min(self._remaining, len(buffer))
        if count:
            self._size += count
            self._remaining -= count
            if self._placed >= 0:
                self._body[self._placed : self._placed + count] = buffer[:count]
                self._placed += count
            elif self._streaming or self._size + self._remaining <= self._bounds.body_bytes:
                self._body += buffer[:count] if count < len(buffer) else buffer
            else:
                self._body.clear()
            del buffer[:count]
        return self._remaining == 0

    def _piece(self) -> Piece | None:
        """What is here of a streamed body."""
        if not (self._streaming and self._body):
            return None
        piece = Piece(bytes(self._body))
        self._body = bytearray()
        return piece

    def _parse_sized(self) -> Event:
        return self._finish({}) if self._take() else NEED_DATA

    def _parse_chunked(self) -> Event:
        while True:
            if self._remaining == _AT_CHUNK_LINE:
                line = self._line(_CHUNK_LINE_LIMIT_BYTES)
                if line is None:
                    return NEED_DATA
                size = self._parse_chunk_size(line)
                if self._streaming and self._size + size > self._bounds.stream_bytes:
                    self._size += size
                    return self._finish({})
                self._remaining = size or _AT_TRAILERS
            if self._remaining == _AT_TRAILERS:
                return self._parse_trailers()
            if self._remaining and not self._take():
                return self._piece() or NEED_DATA
            if len(self._buffer) < len(b"\r\n"):
                return NEED_DATA
            if self._buffer[:2] != b"\r\n":
                raise ProtocolError(f"reading a chunk: found {bytes(self._buffer[:8])!r} after it; end it with CR LF")
            del self._buffer[:2]
            self._remaining = _AT_CHUNK_LINE
            piece = self._piece()
            if piece is not None:
                return piece

    def _parse_chunk_size(self, line: bytes) -> int:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise ProtocolError(f"reading a chunk: found {line[:40]!r}; send its size in hexadecimal")
        size = int(match[1], 16)
        if not self._streaming:
            self._check_drain(self._size + size)
        return size

    def _parse_trailers(self) -> Event:
        buffer = self._buffer
        if buffer.startswith(b"\r\n"):
            del buffer[:2]
            return self._finish({})
        end = buffer.find(b"\r\n\r\n")
        if (len(buffer) if end < 0 else end) > self._bounds.head_bytes:
            raise ProtocolError(f"reading trailers: more than {self._bounds.head_bytes} bytes; send less", status=431)
        if end < 0:
            return NEED_DATA
        lines = bytes(buffer[:end]).split(b"\r\n")
        del buffer[: end + 4]
        return self._finish(parse_headers(lines))

    def _line(self, limit_bytes: int) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, limit_bytes + 2)
        if end < 0:
            if len(self._buffer) > limit_bytes:
                raise ProtocolError(f"reading a chunk: its first line exceeds {limit_bytes} bytes; send less")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _finish(self, trailers: Mapping[str, str]) -> Request:
        head = self._head
        if head is None:  # pragma: no cover - next_event sets it
            raise ProtocolError("reading a body without a head")
        oversize = self._size > (self._bounds.stream_bytes if self._streaming else self._bounds.body_bytes)
        # A large one is not copied: fresh memory costs more than everything else that is done with it.
        if self._placed >= 0:
            body = cast("bytes", self._body)
        else:
            body = b"" if oversize or not self._body else bytes(self._body)
        self._head = None
        self.between = not self._buffer
        self._placed = -1
        if self._body:
            self._body = bytearray()
        return Request(
            head.method,
            head.target,
            head.headers,
            body,
            self._size,
            head.keep_alive and not (oversize and self._streaming),
            oversize=oversize,
            trailers=trailers,
            modern=head.modern,
        )
