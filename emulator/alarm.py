"""A time to be woken at, which changes for every invocation and hardly ever comes.

Setting a timer and clearing it again costs more than anything else an invocation does with the event loop. So the
loop's timer is left where it is when the time moves on or is dropped: when it fires too early, it is set again.
It decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    import asyncio


class Alarm:
    """`on_time` is called once, on the loop, when the time that was set last has come."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_time: Callable[[], None]) -> None:
        self._loop = loop
        self._on_time = on_time
        self._when: float | None = None
        self._handle: asyncio.TimerHandle | None = None

    def set(self, when: float | None) -> None:
        """Ring at this time of the loop, instead of the one that was set; never, if None."""
        self._when = when
        if when is not None and (self._handle is None or self._handle.when() > when):
            if self._handle is not None:
                self._handle.cancel()
            self._handle = self._loop.call_at(when, self._ring)

    def set_by(self, when: float) -> None:
        """Ring at this time, unless it rings earlier anyway."""
        if self._when is None or self._when > when:
            self.set(when)

    def close(self) -> None:
        """Never ring again."""
        self._when = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        when = self._when
        if when is None:
            return
        if self._loop.time() < when:
            self._handle = self._loop.call_at(when, self._ring)
            return
        self._when = None
        self._on_time()
