"""The one socket of the runtime: requests out, responses in, over a connection that is kept alive.

Uses `_socket`, because `socket` costs as much to import as the rest of the runtime (selectors, enum). Decides
nothing about HTTP (see `wire`) and nothing about calls (see `runtime_api`).

Deadlines are set once, on the socket, in the kernel (SO_RCVTIMEO, SO_SNDTIMEO): a timeout costs no system
call per message then. Python's own `settimeout` would add five to each invocation.
"""

import _socket
import posix
import sys

from .errors import ProtocolError, StrayForkError, UnreachableError
from .wire import maybe_parse_whole

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from .wire import Response
    from .wire_reader import ResponseReader

# No answer of the Runtime API but /next takes longer than milliseconds; a peer silent for this long is gone.
SILENCE_LIMIT_S = 30
_RECEIVE_BYTES = 64 * 1024
_REPEATABLE_BYTES = 64 * 1024  # of a stream: a hang-up since the last answer shows long before that
_JOIN_BYTES_MAX = 256 * 1024  # a smaller body travels in one buffer with its head; copying a larger one costs more
_ACCEPTED = 202
_REMEMBERED_BYTES_MAX = 1024  # an answer to a result is a line of JSON and its head
_LOST_DESCRIPTOR = (9, 88)  # EBADF, ENOTSOCK: the function has closed it, or opened something else in its place
_STANDARD_DESCRIPTORS = 3
_TIMEVAL_WORD_BYTES = 8  # struct timeval is two C longs; Lambda has 64-bit processors only


class Connection:
    """A keep-alive connection to `host` and `port`, opened by the first `send`.

    A kept-alive connection may be closed by the peer between two messages. That shows only when the next
    request is already written, so a request that got no byte of an answer on a reused connection is sent once
    more on a new one; a second failure is an UnreachableError. The platform refuses an answer that it has
    already taken, so the repetition cannot answer twice.
    """

    __slots__ = (
        "__weakref__",
        "_accepted",
        "_accepted_bytes",
        "_body",
        "_head",
        "_host",
        "_port",
        "_reused",
        "_silence_limit_s",
        "_socket",
        "abandoned",
    )

    def __init__(self, host: str, port: int, *, silence_limit_s: int = SILENCE_LIMIT_S) -> None:
        self._host = host
        self._port = port
        self._silence_limit_s = silence_limit_s
        self._socket: _socket.socket | None = None
        self._reused = False
        self._head = b""
        self._body = b""
        self._accepted_bytes = b""
        self._accepted: Response | None = None
        self.abandoned = False

    def abandon(self) -> None:
        """Leave the connection to the parent: called in every process that the function forks."""
        self.abandoned = True
        self.close()

    def interrupt(self) -> None:
        """End a `receive` that waits in another thread, as if the peer had closed."""
        socket = self._socket
        if socket is not None:
            try:
                socket.shutdown(_socket.SHUT_RDWR)
            except OSError:
                return  # gone already

    def send(self, head: bytes, body: bytes = b"") -> None:
        """Write one whole request. Raises UnreachableError when there is no peer to write to."""
        # One write each: a large body goes beside its head, so that it is not copied for that.
        if len(body) < _JOIN_BYTES_MAX:
            head += body
            body = b""
        self._head = head
        self._body = body
        socket = self._socket
        self._reused = socket is not None
        if socket is None or body:
            self._write(socket or self._open())
            return
        try:
            socket.sendall(head)
        except OSError as error:
            self._write_failed(error)

    def receive(self, *, patient: bool = False) -> "Response":
        """Return the answer to the last `send`; `patient` waits for its first byte without limit.

        Raises UnreachableError when the peer closes or falls silent, ProtocolError on garbage.
        """
        while True:
            try:
                data = self._socket.recv(_RECEIVE_BYTES) if self._socket is not None else b""
            except OSError as error:
                data = self._receive_failed(error, patient=patient)
            # The platform accepts results in the same words each time; at most the second in its Date is another.
            if data == self._accepted_bytes and self._accepted is not None:
                return self._accepted
            response = self._complete(data) if data else None
            if response is not None:
                return response
            self.close()
            if data or not (self._reused or self.abandoned):
                raise UnreachableError(
                    f"Waiting for the Runtime API at {self._host!r} port {self._port}: found the connection "
                    f"closed {'in the middle of' if data else 'before'} the answer. "
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
            self._head += data
            if len(self._head) > _REPEATABLE_BYTES:
                self._reused, self._head = False, b""
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
        if self.abandoned:
            raise StrayForkError
        try:
            # The host as bytes: for a str, Python loads its IDNA codec (9 ms).
            addresses = _socket.getaddrinfo(self._host.encode(), self._port, 0, _socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise self._unreachable(error) from error
        failure: OSError | None = None
        for family, kind, protocol, _, address in addresses:
            try:
                self._socket = self._connect(_off_standard(_socket.socket(family, kind, protocol)), address)
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
            if self._body:
                self._write_beside(socket)
            else:
                socket.sendall(self._head)
        except OSError as error:
            self._write_failed(error)

    def _write_failed(self, error: OSError) -> None:
        if isinstance(error, (BrokenPipeError, ConnectionResetError)):
            # The peer may have answered and closed before it read everything (413): `receive` will tell.
            return
        if error.errno in _LOST_DESCRIPTOR and self._reused and self._socket is not None:
            self._socket.detach()  # the number is somebody else's now
            self._socket = None
            self._reused = False
            self._write(self._open())
            return
        self.close()
        if isinstance(error, BlockingIOError):
            raise self._silent("taking a request") from error
        raise self._unreachable(error) from error

    def _write_beside(self, socket: "_socket.socket") -> None:
        sent = socket.sendmsg((self._head, self._body))
        for part in (self._head, self._body):
            if sent < len(part):
                socket.sendall(memoryview(part)[sent:])
            sent = max(0, sent - len(part))

    def _complete(self, data: bytes) -> "Response | None":
        """Return the response that begins with `data`, or None when the peer closed before its end."""
        try:
            response = maybe_parse_whole(data)
            if response is not None:
                if response.status == _ACCEPTED and len(data) <= _REMEMBERED_BYTES_MAX:
                    self._accepted_bytes, self._accepted = data, response
                return response
            from .wire_reader import ResponseReader  # noqa: PLC0415  not in init: the loop loads it while `/next` is away

            reader = ResponseReader()
            response = reader.feed(data)
            while response is None:
                if reader.sized and reader.missing_bytes > _RECEIVE_BYTES:
                    self._receive_in_place(reader)
                    data = b""
                else:
                    data = self._receive_some()
                if not data and (reader.missing_bytes or not reader.sized):
                    return None
                response = reader.feed(data)
        except ProtocolError:
            self.close()
            raise
        if reader.leftover or not response.keep_alive:
            self.close()
        return response

    def _receive_in_place(self, reader: "ResponseReader") -> None:
        """Receive the rest of a large body without a copy, in one call; less of it when the peer closes."""
        with reader.place() as place:
            while reader.missing_bytes and self._socket is not None:
                try:
                    count = self._socket.recv_into(place[-reader.missing_bytes :], 0, _socket.MSG_WAITALL)
                except OSError as error:
                    self._receive_failed(error)
                    return
                if not count:
                    return
                reader.placed(count)

    def _receive_some(self) -> bytes:
        """Return what has arrived; b"" when the peer has closed."""
        try:
            return self._socket.recv(_RECEIVE_BYTES) if self._socket is not None else b""
        except OSError as error:
            return self._receive_failed(error)

    def _receive_failed(self, error: OSError, *, patient: bool = False) -> bytes:
        """Return what a patient wait brings after all; b"" when the peer has closed."""
        while patient and isinstance(error, BlockingIOError) and self._socket is not None:
            try:
                return self._socket.recv(_RECEIVE_BYTES)
            except OSError as another:  # noqa: PERF203  the loop is for the wait that has no limit
                error = another
        if isinstance(error, ConnectionResetError):
            return b""
        if error.errno is None:
            raise error  # not the kernel's: a signal handler of the function's has raised it
        self.close()
        if isinstance(error, BlockingIOError):
            raise self._silent("answering") from error
        raise self._unreachable(error) from error

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


def _off_standard(socket: "_socket.socket") -> "_socket.socket":
    """Return the socket under a number above 2; what the function closed of 0 to 2 becomes /dev/null.

    What it prints would go to the platform otherwise.
    """
    while socket.fileno() < _STANDARD_DESCRIPTORS:
        low = socket.detach()
        socket = _socket.socket(fileno=_socket.dup(low))
        null = posix.open("/dev/null", posix.O_RDWR)
        posix.dup2(null, low)
        posix.close(null)
    return socket


def _has_answer(socket: "_socket.socket") -> bool:
    try:
        return bool(socket.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT))
    except OSError:
        return False
