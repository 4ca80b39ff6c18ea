"""The heads of a connection's requests: a request line and headers, as bytes, to values.

What is refused, and why, stands in `http1`, whose half this is. It never looks at a body.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# RFC 9110 5.6.2 (token), RFC 9112 3 (request-line). The target is visible ASCII: a space or a control
# character would split it.
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (/[\x21-\x7e]*) HTTP/1\.([01])")
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_DIGITS = re.compile(r"[0-9]{1,15}")

# Header sections that a connection remembers, and up to which size.
_FIELDS_KEPT = 8
_FIELDS_KEPT_BYTES = 1024
_TARGET_KEPT_BYTES = 64  # a longer one names something that is not asked for again: an invocation's id


class Head(NamedTuple):
    """A request before its body."""

    method: str
    target: str
    headers: Mapping[str, str]
    keep_alive: bool
    modern: bool  # HTTP/1.1


class Fields(NamedTuple):
    """What a header section says, apart from its request line."""

    headers: Mapping[str, str]
    keep_alive: bool
    chunked: bool
    size: int  # of the body, if it is not chunked
    expects: bool  # 100 Continue
    plain: bool  # neither chunks nor that


class HeadReader:
    """Reads heads, and remembers: a client's requests tend to have the same headers again and again."""

    def __init__(self) -> None:
        self._known: dict[bytes, Fields] = {}  # of HTTP/1.1, by section
        self._last: tuple[bytes, Head, Fields] | None = None  # the whole of the head before

    def read(self, raw: bytes) -> tuple[Head, Fields]:
        """What a head says, given without the empty line behind it. Raises `ProtocolError`."""
        last = self._last
        if last is not None and last[0] == raw:
            return last[1], last[2]
        line, _, section = raw.partition(b"\r\n")
        match = _REQUEST_LINE.fullmatch(line)
        if match is None:
            raise ProtocolError(f"reading a request line: found {line[:80]!r}; send METHOD /path HTTP/1.1")
        modern = match[3] == b"1"
        fields = self._known.get(section) if modern else None
        if fields is None:
            fields = _parse_fields(section, modern=modern)
            if len(self._known) >= _FIELDS_KEPT:
                self._known.clear()
            if modern and len(section) <= _FIELDS_KEPT_BYTES:
                self._known[section] = fields
        method, target = match[1].decode("ascii"), match[2].decode("ascii")
        head = Head(method, target, fields.headers, fields.keep_alive, modern)
        if method == "GET" or len(target) <= _TARGET_KEPT_BYTES:
            self._last = (raw, head, fields)
        return head, fields


def _parse_fields(section: bytes, *, modern: bool) -> Fields:
    headers = parse_headers(section.split(b"\r\n") if section else ())
    if modern and ("host" not in headers or "," in headers["host"]):
        raise ProtocolError(f"reading a request: found Host {headers.get('host')!r}; send exactly one (RFC 9112 3.2)")
    connection = headers.get("connection", "").lower()
    keep_alive = modern and "close" not in (option.strip() for option in connection.split(","))
    chunked, size = _parse_framing(headers, modern=modern)
    expect = headers.get("expect")
    if expect is not None and expect.lower() != "100-continue":
        raise ProtocolError(f"reading a request: Expect {expect[:40]!r}; only 100-continue is known", status=417)
    expects = expect is not None and modern and (chunked or size > 0)
    return Fields(headers, keep_alive, chunked, size, expects, not chunked and not expects)


def _parse_framing(headers: Mapping[str, str], *, modern: bool) -> tuple[bool, int]:
    """How the body ends (RFC 9112 6.3): in chunks or not, and its size; whatever has two meanings is refused."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is None:
        if length is not None and _DIGITS.fullmatch(length) is None:
            raise ProtocolError(f"reading a request: Content-Length {length[:40]!r}; send one decimal number")
        return False, int(length or 0)
    if length is not None or not modern:
        raise ProtocolError(
            "reading a request: Transfer-Encoding together with Content-Length or HTTP/1.0; send one framing"
        )
    if coding.lower() != "chunked":
        raise ProtocolError(f"reading a request: Transfer-Encoding {coding!r}; only chunked is known", status=501)
    return True, 0


def parse_headers(lines: Iterable[bytes]) -> dict[str, str]:
    """Header or trailer lines by their names in lower case. Raises `ProtocolError`."""
    headers: dict[str, str] = {}
    for line in lines:
        raw_name, colon, raw_value = line.partition(b":")
        if not colon or _HEADER_NAME.fullmatch(raw_name) is None or _CONTROL.search(raw_value) is not None:
            raise ProtocolError(f"reading a header: found {line[:80]!r}; send Name: value on one line")
        name = raw_name.decode("ascii").lower()
        value = raw_value.strip(b" \t").decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
