"""Every error the emulator raises, split by whose fault it is, so that the class alone tells a caller what to do.

    EmulatorError
    ├── UsageError            the user's input: a setting or a flag that cannot be right        exit code 2
    ├── CommandNotStartedError  the user's command: the runtime's program cannot be executed    exit code 3
    ├── ListenError           the machine: the address cannot be listened on                    exit code 4
    ├── InvokeError           the caller: an invocation that was not accepted
    │   ├── RequestTooLargeError      the event exceeds the platform's limit
    │   ├── TooManyRequestsError      the queue of waiting invocations is full
    │   └── ClosedError               the emulator is not running (any more)
    ├── ProtocolError         a remote peer: bytes that are no HTTP request we accept
    ├── InvalidAnswerError    the user's code: an answer that is no HTTP response, in the HTTP mode
    └── InternalError         our bug                                                           exit code 70

What goes wrong *inside* an invocation (the handler raises, the runtime dies, time runs out) is no error of
the emulator: it is an `Outcome`. This module never formats log lines and never ends the process.
"""

from __future__ import annotations

from typing import ClassVar


class EmulatorError(Exception):
    """Root of everything the emulator raises on purpose."""

    exit_code: ClassVar[int] = 70  # EX_SOFTWARE of sysexits.h


class UsageError(EmulatorError):
    """A setting or a command-line argument that cannot be right."""

    exit_code: ClassVar[int] = 2


class CommandNotStartedError(EmulatorError):
    """The runtime's command cannot be executed: not found, not executable, or its folder is missing."""

    exit_code: ClassVar[int] = 3


class ListenError(EmulatorError):
    """The operating system refuses the address: taken, not ours, or not permitted."""

    exit_code: ClassVar[int] = 4


class InvokeError(EmulatorError):
    """An invocation that was not accepted; nothing was run.

    `status` and `error_type` are the ones of the Lambda API's Invoke operation.
    """

    status: ClassVar[int] = 500
    error_type: ClassVar[str] = "ServiceException"


class RequestTooLargeError(InvokeError):
    """The event is larger than `limits.PAYLOAD_LIMIT_BYTES`."""

    status: ClassVar[int] = 413
    error_type: ClassVar[str] = "RequestTooLargeException"


class TooManyRequestsError(InvokeError):
    """As many invocations as `Settings.queue_limit` allows are waiting already."""

    status: ClassVar[int] = 429
    error_type: ClassVar[str] = "TooManyRequestsException"


class ClosedError(InvokeError):
    """The emulator has been closed, or was never entered."""

    status: ClassVar[int] = 503
    error_type: ClassVar[str] = "ServiceException"


class ProtocolError(EmulatorError):
    """Bytes from a peer that are no HTTP/1.1 request of the subset in `http1`.

    `status` is what the peer is told before its connection is closed.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class InvalidAnswerError(EmulatorError):
    """A function's answer is no HTTP response; the text says why, and is for the log, not for the caller."""


class InternalError(EmulatorError):
    """A case that cannot happen happened: a bug in the emulator. Please report it with the message."""
