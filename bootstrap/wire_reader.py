"""A response in pieces: bytes in, however they were cut, one `Response` out; loaded while the first event is away.

The reader is a small automaton. Each state has one step, which takes what it needs from the front of the
buffer and names the next state, or returns None: more bytes are needed. How the bytes were split on the way
can therefore make no difference. What is a head or a limit is for `wire` to say. Never reads, writes or waits.

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
from .wire import HEAD_END, MAX_BODY_BYTES, MAX_HEAD_BYTES, NO_BODY, Response, garbage, parse_head, quote

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Mapping

# A size of 16 hexadecimal digits and any extension ever seen.
MAX_CHUNK_LINE_BYTES = 256

_PIECE_BYTES_MIN = 4096  # from here on a piece of a body is kept as it came, and copied once
_LENGTH_DIGITS_MAX = 19  # of a 64-bit number
_LINE_END = b"\r\n"
_STATUS_LINE_START = b"HTTP/1."
_HEXADECIMAL = b"0123456789abcdefABCDEF"

_HEAD, _BODY, _CHUNK_SIZE, _CHUNK_DATA, _CHUNK_END, _TRAILERS, _DONE = range(7)


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
            raise garbage("a status line", self._buffer)
        head = self._take_until(HEAD_END, MAX_HEAD_BYTES, "the headers")
        if head is None:
            return None
        self._response = response = parse_head(head)
        return self._body_state(response.status, response.headers)

    def _body_state(self, status: int, headers: "Mapping[str, str]") -> int:
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if status in NO_BODY:
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
            raise garbage("the size of a chunk", line)
        self._missing = int(digits, 16)
        _require_body_size(self._size + self._missing)
        return _CHUNK_DATA if self._missing else _TRAILERS

    def _chunk_data_step(self) -> "int | None":
        return _CHUNK_END if self._move_to_body() else None

    def _chunk_end_step(self) -> "int | None":
        found = self._buffer[: len(_LINE_END)]
        if not _LINE_END.startswith(found):
            raise garbage("the line end after a chunk", found)
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
        elif self._take_until(HEAD_END, MAX_HEAD_BYTES, "the trailers") is None:
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
                f"Reading {what}: found no end within {limit} bytes, starting {quote(self._buffer)}. "
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


def _require_body_size(count: int) -> None:
    if count > MAX_BODY_BYTES:
        raise ProtocolError(
            f"Reading a body: found {count} bytes or more announced, and {MAX_BODY_BYTES} are the limit. "
            "Lambda's own is about 6 MiB; send less."
        )
