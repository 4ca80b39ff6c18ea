"""The log: passed through as it comes, and its end kept for each invocation.

Bounded, and without opinions about content.
"""

from __future__ import annotations

from typing import Callable

Sink = Callable[[bytes], None]


class Log:
    """Two streams out, one memory.

    `out` gets the platform's lines and the runtime's stdout, `error` its stderr; `error` defaults to `out`, and no
    sink drops. What the runtime wrote is kept in the order it was read, `limit_bytes` of it; the platform's lines are
    not.
    """

    def __init__(self, out: Sink | None, error: Sink | None, limit_bytes: int) -> None:
        self._out = out
        self._error = error or out
        self._limit_bytes = limit_bytes
        self._kept = bytearray()
        self.tap: Sink | None = None  # gets what the runtime writes too
        self.before: Callable[[], None] | None = None  # writes what has to come before anything of the runtime's

    def stdout(self, data: bytes) -> None:
        """The runtime wrote to its stdout."""
        self._keep(data)
        if self._out is not None:
            self._out(data)

    def stderr(self, data: bytes) -> None:
        """The runtime wrote to its stderr."""
        self._keep(data)
        if self._error is not None:
            self._error(data)

    def extension(self, data: bytes) -> None:
        """An extension wrote."""
        self._settle()
        self._remember(data)
        if self._out is not None:
            self._out(data)

    def platform(self, data: bytes) -> None:
        """A line of the platform."""
        if self._out is not None:
            self._out(data)

    def take(self) -> bytes:
        """The end of what the runtime wrote since this was last asked."""
        if not self._kept:
            return b""
        kept = bytes(self._kept[max(0, len(self._kept) - self._limit_bytes) :])
        self._kept.clear()
        return kept

    def _settle(self) -> None:
        if self.before is not None:
            self.before()

    def _keep(self, data: bytes) -> None:
        self._settle()
        self._remember(data)
        if self.tap is not None:
            self.tap(data)

    def _remember(self, data: bytes) -> None:
        self._kept += data
        if len(self._kept) > 2 * self._limit_bytes:  # cutting at twice the limit keeps the copying linear
            del self._kept[: len(self._kept) - self._limit_bytes]
