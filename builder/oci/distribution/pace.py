"""A deadline that moves on as long as enough bytes move: what ends a peer that drips or falls silent.

An asyncio time-out ends any wait, be it for a connection, a header or a byte of a body; a socket's own time-out starts
anew with every byte. It never retries.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from builder.oci.errors import UnavailableError


class Pace:
    """Counts what moves; `moved` gives more time, but only for enough bytes."""

    __slots__ = ("_least", "_since", "_timeout", "_window_s")

    def __init__(self, timeout: asyncio.Timeout, window_s: float, least: int | None) -> None:
        self._timeout = timeout
        self._window_s = window_s
        self._least = least
        self._since = 0

    def moved(self, count: int) -> None:
        """Count bytes that were sent or received."""
        self._since += count
        if self._least is not None and self._since >= self._least:
            self.allow(self._window_s)

    def allow(self, seconds: float) -> None:
        """Give this much time from now on."""
        self._since = 0
        self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)


@asynccontextmanager
async def paced(doing: str, window_s: float, *, least: int | None = None) -> AsyncIterator[Pace]:
    """End the block with UnavailableError after `window_s` seconds; `least` bytes that move give as many again."""
    try:
        async with asyncio.timeout(window_s) as timeout:
            yield Pace(timeout, window_s, least)
    except TimeoutError as error:
        found = "no whole answer" if least is None else f"less than {least} bytes"
        raise UnavailableError(f"{doing}: {found} in {window_s:g} s; try again later") from error
