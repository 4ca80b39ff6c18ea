"""SIGTERM: the invocation in progress ends first, then exit hooks run; never ends a process of the function's own.

Without this the kernel would end the process on the spot, with no exit hook run, or, where it is process 1 of
a container, ignore the signal until somebody loses patience. A handler that the function installs replaces it.
`_signal` is part of the interpreter; `signal` would cost as much as the rest of the start.
"""

import posix
import sys

from .errors import StrayForkError
from .logs import flush_output, write_last_words

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    import signal as _signal  # typeshed knows the public module only
    from types import FrameType
    from typing import NoReturn
else:
    import _signal

EXIT_CODE = 128 + _signal.SIGTERM  # what a shell reports for a program that SIGTERM ended


class Termination:
    """Whether the process has to end, and whether it may do so at once: `waiting` is for the loop to end."""

    __slots__ = ("_process_id", "_requested", "waiting")

    def __init__(self) -> None:
        self._process_id = posix.getpid()
        self._requested = False
        self.waiting = False

    def listen(self) -> None:
        """Take SIGTERM from now on, unless the function has decided about it while it was imported."""
        if _signal.getsignal(_signal.SIGTERM) == _signal.SIG_DFL:
            _signal.signal(_signal.SIGTERM, self._handle)

    def begin_waiting(self) -> None:
        """Raise SystemExit if a signal came during the invocation, and whenever one comes from now on."""
        self.waiting = True  # first: a signal between the two lines is noticed by both
        if self._requested:
            raise SystemExit(EXIT_CODE)

    def _handle(self, _number: int, _frame: "FrameType | None") -> None:
        if posix.getpid() != self._process_id:  # a fork of the function's, which should die as any other
            _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)
            posix.kill(posix.getpid(), _signal.SIGTERM)
            return
        self._requested = True
        if self.waiting:
            raise SystemExit(EXIT_CODE)


def leave_fork(error: "BaseException | None") -> "NoReturn":
    """End a process that the function has forked, and that has left the handler, as Python ends any other.

    `error` is what it left by, None for a return. Without exit hooks: they are the parent's, as after `os._exit`.
    """
    code = 1
    if error is None or isinstance(error, StrayForkError):
        code = StrayForkError.exit_code
        write_last_words(error or StrayForkError())
    elif isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
        code = error.code or 0
    else:
        sys.excepthook(type(error), error, error.__traceback__)
    flush_output()
    posix._exit(code)  # noqa: SLF001  the public name is in `os`, which is not loaded
