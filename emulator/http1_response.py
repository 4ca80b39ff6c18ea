"""HTTP/1.1 as both ports write it, without IO: responses to bytes. `http1` is the other half.

It decides neither what is answered nor whether a connection stays.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

REASONS = {
    100: "Continue", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content",
    301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 307: "Temporary Redirect",
    308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
    412: "Precondition Failed", 413: "Content Too Large", 415: "Unsupported Media Type",
    416: "Range Not Satisfiable", 417: "Expectation Failed", 422: "Unprocessable Content", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
}  # fmt: skip
"""Reason phrases of RFC 9110 15, for the statuses that are used here and those of most applications."""

_OPENINGS_KEPT = 16
_CLOSE = "Connection: close\r\n"
_FIELD = "%s: %s\r\n"
WITHOUT_BODY = frozenset({204, 304})
"""Statuses of responses that have none, whatever was asked; RFC 9110 6.4.1."""


class Response(NamedTuple):
    """What a request is answered with. `headers` come without Content-Length.

    Header values must not contain line ends: what came through the parser does not, and the emulator's own are
    checked.
    """

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


def has_body(method: str, status: int) -> bool:
    """Whether a response to that method with that status is followed by a body at all."""
    return method != "HEAD" and status not in WITHOUT_BODY


def render_response(response: Response, *, date: str = "", keep_alive: bool = True, bodyless: bool = False) -> bytes:
    """One response as bytes, with its Content-Length; `date` is an IMF-fixdate or empty.

    `bodyless` is the answer to a HEAD: the length is told if there is one to tell, and no body follows.
    """
    if bodyless or response.status in WITHOUT_BODY:
        framing = f"Content-Length: {len(response.body)}\r\n"
        framing = framing if response.body and response.status not in WITHOUT_BODY else ""
        return _render_head(response, date=date, keep_alive=keep_alive, framing=framing)
    return render_head(response, date=date, keep_alive=keep_alive) + response.body


def render_head(response: Response, *, date: str = "", keep_alive: bool = True) -> bytes:
    """The same without the body, which follows."""
    fields = "".join(map(_FIELD.__mod__, response.headers))
    ending = "" if keep_alive else _CLOSE
    opening = _render_opening(response.status, date)
    return f"{opening}{fields}{ending}Content-Length: {len(response.body)}\r\n\r\n".encode("latin-1")


def _render_head(response: Response, *, date: str, keep_alive: bool, framing: str) -> bytes:
    fields = "".join(map(_FIELD.__mod__, response.headers))
    ending = "" if keep_alive else _CLOSE
    return f"{_render_opening(response.status, date)}{fields}{ending}{framing}\r\n".encode("latin-1")


@lru_cache(maxsize=_OPENINGS_KEPT)
def _render_opening(status: int, date: str) -> str:
    """The lines that are the same for all responses of a second."""
    dated = f"Date: {date}\r\n" if date else ""
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}\r\n{dated}"


def render_begin(response: Response, *, date: str = "", keep_alive: bool = True, chunked: bool = True) -> bytes:
    """The head of a response whose body follows: in chunks, or, for HTTP/1.0, until the connection is closed.

    `response.body` is the first piece of it, and may be empty.
    """
    framing = "Transfer-Encoding: chunked\r\n" if chunked else ""
    head = _render_head(response, date=date, keep_alive=keep_alive, framing=framing)
    return head + (render_chunk(response.body) if chunked else response.body)


def render_chunk(data: bytes) -> bytes:
    """One chunk; of nothing, nothing, since an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


LAST_CHUNK = b"0\r\n\r\n"
"""The end of a chunked body."""

CONTINUE_RESPONSE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""The interim response to `Expect: 100-continue`."""
