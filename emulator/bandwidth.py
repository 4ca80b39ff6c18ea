"""How fast a streamed response may go, and who holds it back. The bucket is pure; the valve keeps the time.

Lambda lets the first 6 MiB of a response go as fast as they can and the rest at 2 MiB a second: a bucket of tokens that
is full at first. Here that is an option, because a test of a large download should not take as long as the download.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .streams import Flow

BURST_BYTES = 6 * 1024 * 1024
RATE_BYTES_S = 2 * 1024 * 1024
"""Both are Lambda's, from "Bandwidth limits for response streaming"."""


class Bucket(NamedTuple):
    """What may go at once: `bytes_left` at the time `at_s`. Negative while more went than was allowed."""

    bytes_left: float = BURST_BYTES
    at_s: float | None = None


def take(bucket: Bucket, size: int, now: float) -> tuple[Bucket, float]:
    """The bucket after so many bytes went, and the seconds to wait before the next ones."""
    passed_s = 0.0 if bucket.at_s is None else now - bucket.at_s
    left = min(BURST_BYTES, bucket.bytes_left + passed_s * RATE_BYTES_S) - size
    return Bucket(left, now), max(0.0, -left / RATE_BYTES_S)


class Valve:
    """Holds a stream while its caller is behind or its bandwidth is used up, and lets it go when neither is."""

    def __init__(self, flow: Flow, *, limited: bool) -> None:
        self._flow = flow
        self._bucket = Bucket() if limited else None
        self._behind = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def passed(self, size: int) -> None:
        """So many bytes went to the caller."""
        if self._bucket is None or self._closed:
            return
        loop = asyncio.get_running_loop()
        self._bucket, wait_s = take(self._bucket, size, loop.time())
        if wait_s and self._timer is None:
            self._timer = loop.call_later(wait_s, self._refilled)
            self._flow.pause()

    def set_behind(self, *, behind: bool) -> None:
        """The caller fell behind, or has caught up."""
        self._behind = behind
        if behind:
            self._flow.pause()
        else:
            self._let_go()

    def open(self) -> None:
        """Hold no more, whatever comes: the caller is gone, and what comes is dropped."""
        self._closed = True
        self._behind = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._flow.resume()

    def _refilled(self) -> None:
        self._timer = None
        self._let_go()

    def _let_go(self) -> None:
        if not self._behind and self._timer is None:
            self._flow.resume()
