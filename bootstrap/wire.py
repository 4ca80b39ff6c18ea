"""HTTP/1.1 as the Runtime API speaks it, without a socket: values → request bytes, response bytes → values.

`http.client` costs more to import than the whole runtime, so the loop owns this strict subset. A response has
a status line of HTTP/1.1 (or 1.0, for small test servers), header lines without folding, and a body framed by
Content-Length or by chunks; 204 and 304 have none. Anything else (a body that ends with the connection, an
interim 1xx, two framings at once) is a `ProtocolError`. Never reads, writes or waits. It is longer than its
neighbours because the automaton and the short way around it have to agree, and share what they parse with.

The reader is a small automaton. Each state has one step, which takes what it needs from the front of the
buffer and names the next state, or returns None: more bytes are needed. How the bytes were split on the way
can therefore make no difference.

    HEAD ──Content-Length──▶ BODY ───────────────────────────▶ DONE
      │                                                          ▲
      ├──no body─────────────────────────────────────────────────┤
      └──chunked──▶ CHUNK_SIZE ──0──▶ TRAILERS ──────────────────┘
                     n │   ▲
                       ▼   └────────────┐
                    CHUNK_DATA ──▶ CHUNK_END
"""

import _io

from .errors import ProtocolError

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Mapping

# An event is at most 6 MiB + 100 bytes (Lambda quotas); local platforms may allow more, but not anything.
MAX_BODY_BYTES = 64 * 1024 * 1024
# The largest header is the client context, 3,583 bytes of base64 (Invoke API); 64 KiB for all is generous.
MAX_HEAD_BYTES = 64 * 1024
# A size of 16 hexadecimal digits and any extension ever seen.
MAX_CHUNK_LINE_BYTES = 256

_PIECE_BYTES_MIN = 4096  # from here on a piece of a body is kept as it came, and copied once
_LENGTH_DIGITS_MAX = 19  # of a 64-bit number
_LINE_END = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_STATUS_LINE_START = b"HTTP/1."
_STATUS_LINE_MINIMUM = len("HTTP/1.1 200")
_HEXADECIMAL = b"0123456789abcdefABCDEF"
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
_NO_BODY = (204, 304)
_QUOTED_BYTES = 60  # how much of what was found goes into a message

_HEAD, _BODY, _CHUNK_SIZE, _CHUNK_DATA, _CHUNK_END, _TRAILERS, _DONE = range(7)


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
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape") + _HEAD_END
    return head if body is None else head + body


def header_text(value: str) -> str:
    """Return `value` as a field value: visible ASCII and spaces, anything else replaced by `?`.

    A class name may hold any character, also line ends, which would be another header.
    """
    if value.isascii() and value.isprintable():
        return value
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in value)


def maybe_parse_whole(data: bytes) -> "Response | None":
    """Return the response that `data` is from its first to its last byte, or None: use a `ResponseReader`.

    Nearly every response comes in one piece, framed by Content-Length, from a peer that stays. Reading that
    without an automaton halves the work between two events. Raises ProtocolError as the reader would.
    """
    head, end, body = data.partition(_HEAD_END)
    if not end or len(head) > MAX_HEAD_BYTES:
        return None
    response = _parse_head(head)
    headers = response.headers
    # Compared as text: one that is not exactly this number, in these digits, is the reader's to judge.
    if headers.get("content-length") != str(len(body)) or "transfer-encoding" in headers:
        return None
    if not response.keep_alive or response.status in _NO_BODY or len(body) > MAX_BODY_BYTES:
        return None
    response.body = body
    return response


class ResponseReader:
    """Bytes in, one `Response` out; then what follows it is in `leftover`.

    `feed` raises ProtocolError on the first byte that cannot belong to a response, and never again works.
    """

    __slots__ = ("_buffer", "_missing", "_pieces", "_place", "_response", "_size", "_state")

    def __init__(self) -> None:
        self._buffer = b""
        self._pieces: list[bytes | bytearray] = []  # what has left the buffer for the body, joined once at its end
        self._place: _io.BytesIO | None = None  # in which a large body is received, instead of the buffer
        self._size = 0  # bytes in `_pieces`
        self._missing = 0  # bytes of the body, or of the current chunk, that are not in `_pieces` yet
        self._state = _HEAD
        self._response = Response(0, {})

    @property
    def started(self) -> bool:
        """Whether any byte of the response has arrived."""
        return self._state != _HEAD or bool(self._buffer)

    @property
    def missing_bytes(self) -> int:
        """How much of the body is known to be still on its way; 0 outside the body."""
        return self._missing

    @property
    def leftover(self) -> bytes:
        """What arrived after the end of the response: nothing, from a peer that waits for its turn."""
        return self._buffer if self._state == _DONE else b""

    @property
    def sized(self) -> bool:
        """Whether a body of known length is arriving, for which there can be a `place`."""
        return self._state == _BODY

    def place(self) -> memoryview:
        """Return the place of a `sized` body, of which the last `missing_bytes` are to be filled.

        Each time some are, from their front, `placed` says how many. Once none is missing, `feed` goes on.
        """
        begun = b"".join(self._pieces)
        # The one way to receive a `bytes` in more than one call and not copy it afterwards.
        self._place = _io.BytesIO(bytes(len(begun) + self._missing))
        view = self._place.getbuffer()
        view[: len(begun)] = begun
        return view

    def placed(self, count: int) -> None:
        """Note that the next `count` bytes are in their place."""
        self._missing -= count
        self._size += count

    def feed(self, data: bytes) -> "Response | None":
        """Take the next bytes; return the response once it is complete, until then None."""
        self._buffer = self._buffer + data if self._buffer else data
        state: int | None = self._state
        while state is not None and state != _DONE:
            self._state = state
            state = _STEPS[state](self)
        if state is None:
            return None
        self._state = _DONE
        return self._response

    def _head_step(self) -> "int | None":
        start = self._buffer[: len(_STATUS_LINE_START)]
        if not _STATUS_LINE_START.startswith(start):
            raise _garbage("a status line", self._buffer)
        head = self._take_until(_HEAD_END, MAX_HEAD_BYTES, "the headers")
        if head is None:
            return None
        self._response = response = _parse_head(head)
        return self._body_state(response.status, response.headers)

    def _body_state(self, status: int, headers: "Mapping[str, str]") -> int:
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if status in _NO_BODY:
            return _DONE
        if coding is not None and length is None and coding.lower() == "chunked":
            return _CHUNK_SIZE
        if coding is None and length is not None and length.isascii() and length.isdigit():
            # Converting a number of any length takes time of any length.
            self._missing = int(length) if len(length) <= _LENGTH_DIGITS_MAX else MAX_BODY_BYTES + 1
            _require_body_size(self._missing)
            return _BODY
        raise ProtocolError(
            f"Reading the headers of a response: found Content-Length {length!r} and Transfer-Encoding "
            f"{coding!r}. The Runtime API frames a body by exactly one of a number of bytes or `chunked`."
        )

    def _body_step(self) -> "int | None":
        if self._place is not None:
            if self._missing:
                return None
            self._response.body = self._place.getvalue()  # without a copy, as the view on it has been released
            return _DONE
        if not self._move_to_body():
            return None
        self._response.body = b"".join(self._pieces)
        return _DONE

    def _chunk_size_step(self) -> "int | None":
        line = self._take_until(_LINE_END, MAX_CHUNK_LINE_BYTES, "the size of a chunk")
        if line is None:
            return None
        digits = line.partition(b";")[0].rstrip(b" \t")
        if not digits or digits.strip(_HEXADECIMAL):
            raise _garbage("the size of a chunk", line)
        self._missing = int(digits, 16)
        _require_body_size(self._size + self._missing)
        return _CHUNK_DATA if self._missing else _TRAILERS

    def _chunk_data_step(self) -> "int | None":
        return _CHUNK_END if self._move_to_body() else None

    def _chunk_end_step(self) -> "int | None":
        found = self._buffer[: len(_LINE_END)]
        if not _LINE_END.startswith(found):
            raise _garbage("the line end after a chunk", found)
        if len(found) < len(_LINE_END):
            return None
        self._take(len(_LINE_END))
        return _CHUNK_SIZE

    def _trailers_step(self) -> "int | None":
        # Trailers are read past: the Runtime API sends none that matter to a runtime.
        if len(self._buffer) < len(_LINE_END):
            return None
        if self._buffer.startswith(_LINE_END):
            self._take(len(_LINE_END))
        elif self._take_until(_HEAD_END, MAX_HEAD_BYTES, "the trailers") is None:
            return None
        self._response.body = b"".join(self._pieces)
        return _DONE

    def _move_to_body(self) -> bool:
        piece = self._take(self._missing)
        self._size += len(piece)
        self._missing -= len(piece)
        if len(piece) >= _PIECE_BYTES_MIN:
            self._pieces.append(piece)
        elif self._pieces and isinstance(self._pieces[-1], bytearray):
            self._pieces[-1] += piece
        else:  # millions of tiny chunks must not become millions of objects
            self._pieces.append(bytearray(piece))
        return not self._missing

    def _take(self, count: int) -> bytes:
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _take_until(self, end: bytes, limit: int, what: str) -> "bytes | None":
        index = self._buffer.find(end, 0, limit + len(end))
        if index >= 0:
            taken = self._buffer[:index]
            self._buffer = self._buffer[index + len(end) :]
            return taken
        if len(self._buffer) >= limit + len(end):
            raise ProtocolError(
                f"Reading {what}: found no end within {limit} bytes, starting {_quote(self._buffer)}. "
                "Check that AWS_LAMBDA_RUNTIME_API points at a Runtime API."
            )
        return None


_STEPS = {  # the table of the picture above
    _HEAD: ResponseReader._head_step,  # noqa: SLF001  the class's own automaton
    _BODY: ResponseReader._body_step,  # noqa: SLF001  same
    _CHUNK_SIZE: ResponseReader._chunk_size_step,  # noqa: SLF001  same
    _CHUNK_DATA: ResponseReader._chunk_data_step,  # noqa: SLF001  same
    _CHUNK_END: ResponseReader._chunk_end_step,  # noqa: SLF001  same
    _TRAILERS: ResponseReader._trailers_step,  # noqa: SLF001  same
}


def _parse_head(head: bytes) -> Response:
    """Return the response without its body."""
    # surrogateescape: a value need not be text, and may have to go back as the bytes it was.
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    # Looking for one character in one text is a `memchr`; counting it, or looking line by line, is not.
    rest = "".join(lines)
    if "\r" in rest or "\n" in rest or "\0" in rest:
        raise _garbage("header lines", head)
    status_line = lines.pop(0)
    try:
        # One expression, and nothing looked at twice: half of the work between two events was in this loop.
        headers = {_KNOWN_NAMES[name]: value.strip(" \t") for name, value in [line.split(": ", 1) for line in lines]}
    except (KeyError, ValueError):  # a name in another spelling, no space after the colon, no header at all
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
        raise _garbage("a header line", line.encode("utf-8", "surrogateescape"))
    return name.lower(), value


def _require_one_framing(lines: "list[str]") -> None:
    """Refuse two lengths, or two codings, even if they are equal; of other headers the last one counts."""
    names = [_parse_header(line)[0] for line in lines]
    for line, name in zip(lines, names):
        if name in _FRAMING and names.count(name) > 1:
            raise _garbage("one framing header", line.encode("utf-8", "surrogateescape"))


def _parse_status(line: str) -> int:
    version, status, after = line[:9], line[9:_STATUS_LINE_MINIMUM], line[_STATUS_LINE_MINIMUM:]
    known = version in ("HTTP/1.1 ", "HTTP/1.0 ")
    # 2xx to 5xx: an interim 1xx answers an Expect that is never sent.
    if not (known and len(status) == len("200") and status.isascii() and status.isdigit() and "200" <= status < "600"):
        raise _garbage("a status line", line.encode("utf-8", "surrogateescape"))
    if after and not after.startswith(" "):
        raise _garbage("a status line", line.encode("utf-8", "surrogateescape"))
    return int(status)


def _require_body_size(count: int) -> None:
    if count > MAX_BODY_BYTES:
        raise ProtocolError(
            f"Reading a body: found {count} bytes or more announced, and {MAX_BODY_BYTES} are the limit. "
            "Lambda's own is about 6 MiB; send less."
        )


def _garbage(what: str, found: bytes) -> ProtocolError:
    return ProtocolError(
        f"Reading {what} of a response: found {_quote(found)}. "
        "Check that AWS_LAMBDA_RUNTIME_API points at a Runtime API."
    )


def _quote(found: bytes) -> str:
    return repr(found[:_QUOTED_BYTES])
