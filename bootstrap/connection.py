"""The one socket of the runtime: requests out, responses in, over a connection that is kept alive.

Uses `_socket`, because `socket` costs as much to import as the rest of the runtime (selectors, enum). Decides
nothing about HTTP (see `wire`) and nothing about calls (see `runtime_api`).

Deadlines are set once, on the socket, in the kernel (SO_RCVTIMEO, SO_SNDTIMEO): a timeout costs no system
call per message then. Python's own `settimeout` would add five to each invocation.
"""

import _socket
import sys

from .errors import ProtocolError, UnreachableError
from .wire import ResponseReader

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from .wire import Response

# No answer of the Runtime API but /next takes longer than milliseconds; a peer silent for this long is gone.
SILENCE_LIMIT_S = 30
_RECEIVE_BYTES = 64 * 1024
_RECEIVE_BYTES_MAX = 1024 * 1024  # for the rest of a body whose size is known
_REPEATABLE_BYTES = 64 * 1024  # of a stream: a hang-up since the last answer shows long before that
_TIMEVAL_WORD_BYTES = 8  # struct timeval is two C longs; Lambda has 64-bit processors only


class Connection:
    """A keep-alive connection to `host` and `port`, opened by the first `send`.

    A kept-alive connection may be closed by the peer between two messages. That shows only when the next
    request is already written, so a request that got no byte of an answer on a reused connection is sent once
    more on a new one; a second failure is an UnreachableError. The platform refuses an answer that it has
    already taken, so the repetition cannot answer twice.
    """

    __slots__ = ("_host", "_port", "_request", "_reused", "_silence_limit_s", "_socket")

    def __init__(self, host: str, port: int, *, silence_limit_s: int = SILENCE_LIMIT_S) -> None:
        self._host = host
        self._port = port
        self._silence_limit_s = silence_limit_s
        self._socket: _socket.socket | None = None
        self._reused = False
        self._request = b""

    def send(self, request: bytes) -> None:
        """Write one whole request. Raises UnreachableError when there is no peer to write to."""
        self._request = request
        self._reused = self._socket is not None
        self._write(self._socket or self._open())

    def receive(self, *, patient: bool = False) -> "Response":
        """Return the answer to the last `send`; `patient` waits for its first byte without limit.

        Raises UnreachableError when the peer closes or falls silent, ProtocolError on garbage.
        """
        while True:
            reader = ResponseReader()
            response = self._read(reader, patient=patient)
            if response is not None:
                if reader.leftover or not response.keep_alive:
                    self.close()
                return response
            self.close()
            if not self._reused or reader.started:
                raise UnreachableError(
                    f"Waiting for the Runtime API at {self._host!r} port {self._port}: found the connection "
                    f"closed {'in the middle of' if reader.started else 'before'} the answer. "
                    "The platform is gone; nothing is left to do here."
                )
            self._reused = False
            self._write(self._open())

    def send_more(self, data: bytes) -> bool:
        """Write the next part of a body that the last `send` began; return False when the peer takes no more.

        Waits for as long as the peer takes its time: that is the back-pressure of a stream. What has been
        written is kept for a repetition only while it is small.
        """
        socket = self._socket
        if socket is None:
            return False
        if self._reused:
            self._request += data
            if len(self._request) > _REPEATABLE_BYTES:
                self._reused, self._request = False, b""
        try:
            socket.sendall(data)
        except BlockingIOError as error:
            self.close()
            raise self._silent("taking a part of a stream") from error
        except (BrokenPipeError, ConnectionResetError):
            if not self._reused or _has_answer(socket):
                return False  # `receive` will tell
            self.close()
            self._reused = False
            self._write(self._open())
        except OSError as error:
            self.close()
            raise self._unreachable(error) from error
        return True

    def close(self) -> None:
        """Close the socket, if there is one; the next `send` opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> "_socket.socket":
        try:
            # The host as bytes: for a str, Python loads its IDNA codec (9 ms).
            addresses = _socket.getaddrinfo(self._host.encode(), self._port, 0, _socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise self._unreachable(error) from error
        failure: OSError | None = None
        for family, kind, protocol, _, address in addresses:
            try:
                self._socket = self._connect(_socket.socket(family, kind, protocol), address)
            except OSError as error:  # noqa: PERF203  one or two addresses, once
                failure = error
            else:
                return self._socket
        raise self._unreachable(failure) from failure

    def _connect(
        self,
        socket: "_socket.socket",
        address: "tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]",
    ) -> "_socket.socket":
        seconds = self._silence_limit_s.to_bytes(_TIMEVAL_WORD_BYTES, sys.byteorder)
        limit = seconds + bytes(_TIMEVAL_WORD_BYTES)
        try:
            socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, limit)
            socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, limit)
            # A request leaves in one send; without this the tail of a large one waits for an acknowledgement.
            socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            socket.connect(address)
        except OSError:
            socket.close()
            raise
        return socket

    def _write(self, socket: "_socket.socket") -> None:
        try:
            socket.sendall(self._request)
        except BlockingIOError as error:
            self.close()
            raise self._silent("taking a request") from error
        except (BrokenPipeError, ConnectionResetError):
            # The peer may have answered and closed before it read everything (413): `receive` will tell.
            return
        except OSError as error:
            self.close()
            raise self._unreachable(error) from error

    def _read(self, reader: ResponseReader, *, patient: bool) -> "Response | None":
        """Return the response, or None when the peer closed before its end."""
        socket = self._socket
        response = None
        while socket is not None and response is None:
            try:
                wanted = min(max(_RECEIVE_BYTES, reader.missing_bytes), _RECEIVE_BYTES_MAX)
                data = socket.recv(wanted)
            except BlockingIOError as error:
                if patient and not reader.started:
                    continue
                self.close()
                raise self._silent("answering") from error
            except ConnectionResetError:
                return None
            except OSError as error:
                self.close()
                raise self._unreachable(error) from error
            if not data:
                return None
            try:
                response = reader.feed(data)
            except ProtocolError:
                self.close()
                raise
        return response

    def _silent(self, doing: str) -> UnreachableError:
        return UnreachableError(
            f"Talking to the Runtime API at {self._host!r} port {self._port}: found it silent for "
            f"{self._silence_limit_s} s while {doing}. Look at the platform's own log."
        )

    def _unreachable(self, error: "Exception | None") -> UnreachableError:
        return UnreachableError(
            f"Connecting to the Runtime API at {self._host!r} port {self._port}: found {error!r}. "
            "Check AWS_LAMBDA_RUNTIME_API, and that the platform is running."
        )


def _has_answer(socket: "_socket.socket") -> bool:
    try:
        return bool(socket.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT))
    except OSError:
        return False
