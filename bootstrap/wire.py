"""HTTP/1.1 as the Runtime API speaks it, without a socket: values → request bytes, a whole response → a value.

`http.client` costs more to import than the whole runtime, so the loop owns this strict subset. A response has
a status line of HTTP/1.1 (or 1.0, for small test servers), header lines without folding, and a body framed by
Content-Length or by chunks; 204 and 304 have none. Anything else (a body that ends with the connection, an
interim 1xx, two framings at once) is a `ProtocolError`. Never reads, writes or waits.

Nearly every response arrives in one piece and is read here. The others are `wire_reader`'s, which init does not load.
"""

from .errors import ProtocolError

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Mapping

# An event is at most 6 MiB + 100 bytes (Lambda quotas); local platforms may allow more, but not anything.
MAX_BODY_BYTES = 64 * 1024 * 1024
# The largest header is the client context, 3,583 bytes of base64 (Invoke API); 64 KiB for all is generous.
MAX_HEAD_BYTES = 64 * 1024
HEAD_END = b"\r\n\r\n"
NO_BODY = (204, 304)  # statuses whose responses have none, whatever their headers say

_STATUS_LINE_MINIMUM = len("HTTP/1.1 200")
# RFC 9110, 5.6.2: the characters of a field name.
_NAME_CHARACTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# What the Runtime API sends, in its spelling: looking a name up costs a quarter of checking and folding it.
_KNOWN_NAMES = {
    name: name.lower()
    for name in (
        "Content-Type",
        "Content-Length",
        "Date",
        "Lambda-Runtime-Aws-Request-Id",
        "Lambda-Runtime-Aws-Tenant-Id",
        "Lambda-Runtime-Client-Context",
        "Lambda-Runtime-Cognito-Identity",
        "Lambda-Runtime-Deadline-Ms",
        "Lambda-Runtime-Invocation-Id",
        "Lambda-Runtime-Invoked-Function-Arn",
        "Lambda-Runtime-Trace-Id",
    )
}
_FRAMING = ("content-length", "transfer-encoding")
_QUOTED_BYTES = 60  # how much of what was found goes into a message


class Response:
    """One complete answer: `status`, `headers` (names in lower case; the last of equals), `body`.

    `keep_alive` says whether the peer will take another request on the same connection.
    """

    __slots__ = ("body", "headers", "keep_alive", "status")

    def __init__(self, status: int, headers: "dict[str, str]", body: bytes = b"", *, keep_alive: bool = True) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.keep_alive = keep_alive


def render_request(method: str, target: str, headers: "Mapping[str, str]", *, body: "bytes | None" = None) -> bytes:
    """Return the whole message, so that it can leave in one send; no Content-Length when `body` is None.

    Values must hold no line ends: they come from `header_text` or from a parsed response, which has none.
    """
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    # surrogateescape: values echoed from a response go back as the bytes they were.
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape") + HEAD_END
    return head if body is None else head + body


def header_text(value: str) -> str:
    """Return `value` as a field value: visible ASCII and spaces, anything else replaced by `?`.

    A class name may hold any character, also line ends, which would be another header.
    """
    if value.isascii() and value.isprintable():
        return value
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in value)


def maybe_parse_whole(data: bytes) -> "Response | None":
    """Return the response that `data` is from its first to its last byte, or None: use `wire_reader`.

    Nearly every response comes in one piece, framed by Content-Length, from a peer that stays. Reading that
    without an automaton halves the work between two events. Raises ProtocolError as the reader would.
    """
    head, end, body = data.partition(HEAD_END)
    if not end or len(head) > MAX_HEAD_BYTES:
        return None
    response = parse_head(head)
    headers = response.headers
    # Compared as text: one that is not exactly this number, in these digits, is the reader's to judge.
    if headers.get("content-length") != str(len(body)) or "transfer-encoding" in headers:
        return None
    if not response.keep_alive or response.status in NO_BODY or len(body) > MAX_BODY_BYTES:
        return None
    response.body = body
    return response


def parse_head(head: bytes) -> Response:
    """Return the response without its body."""
    # surrogateescape: a value need not be text, and may have to go back as the bytes it was.
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    # Looking for one character in one text is a `memchr`; counting it, or looking line by line, is not.
    rest = "".join(lines)
    if "\r" in rest or "\n" in rest or "\0" in rest:
        raise garbage("header lines", head)
    status_line = lines.pop(0)
    headers = {}
    try:
        # Nothing is looked at twice, and no comprehension called: half of the work between two events was this.
        for line in lines:
            name, _, value = line.partition(": ")
            headers[_KNOWN_NAMES[name]] = value.strip(" \t")
    except KeyError:  # a name in another spelling, no space after the colon, no header at all
        headers = {name: value.strip(" \t") for name, value in map(_parse_header, lines)}
    if len(headers) != len(lines):
        _require_one_framing(lines)
    if status_line == "HTTP/1.1 200 OK" and "connection" not in headers:
        return Response(200, headers)
    closing = "close" in headers.get("connection", "").lower()
    return Response(_parse_status(status_line), headers, keep_alive=status_line.startswith("HTTP/1.1") and not closing)


def _parse_header(line: str) -> "tuple[str, str]":
    """Return the name in lower case, and the value with the space around it."""
    name, colon, value = line.partition(":")
    if not name or not colon or name.strip(_NAME_CHARACTERS):
        raise garbage("a header line", line.encode("utf-8", "surrogateescape"))
    return name.lower(), value


def _require_one_framing(lines: "list[str]") -> None:
    """Refuse two lengths, or two codings, even if they are equal; of other headers the last one counts."""
    names = [_parse_header(line)[0] for line in lines]
    for line, name in zip(lines, names):
        if name in _FRAMING and names.count(name) > 1:
            raise garbage("one framing header", line.encode("utf-8", "surrogateescape"))


def _parse_status(line: str) -> int:
    version, status, after = line[:9], line[9:_STATUS_LINE_MINIMUM], line[_STATUS_LINE_MINIMUM:]
    known = version in ("HTTP/1.1 ", "HTTP/1.0 ")
    # 2xx to 5xx: an interim 1xx answers an Expect that is never sent.
    if not (known and len(status) == len("200") and status.isascii() and status.isdigit() and "200" <= status < "600"):
        raise garbage("a status line", line.encode("utf-8", "surrogateescape"))
    if after and not after.startswith(" "):
        raise garbage("a status line", line.encode("utf-8", "surrogateescape"))
    return int(status)


def garbage(what: str, found: bytes) -> ProtocolError:
    """Return the error for bytes that are no part of this subset."""
    return ProtocolError(
        f"Reading {what} of a response: found {quote(found)}. "
        "Check that AWS_LAMBDA_RUNTIME_API points at a Runtime API."
    )


def quote(found: bytes) -> str:
    """Return the beginning of `found` for a message."""
    return repr(found[:_QUOTED_BYTES])
