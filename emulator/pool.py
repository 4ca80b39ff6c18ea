"""Which environment takes the next invocation, which may be started, and which has idled for too long.

As on the platform: an environment holds `capacity` invocations at a time (one, but for managed instances), the most
recently used free one is taken first, so that the others grow cold, and what was idle for `keep_alive_s` is stopped.

It starts and stops nothing and reads no clock: `now` is monotonic seconds, and an environment is whatever the caller
keeps for one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """At most `size` environments, `capacity` invocations in each."""

    def __init__(self, size: int, *, capacity: int = 1, keep_alive_s: float = float("inf")) -> None:
        self._size = size
        self._capacity = capacity
        self._keep_alive_s = keep_alive_s
        self.coming = 0  # starts that were granted and not yet added
        self._busy: dict[T, int] = {}  # every environment, and how many invocations it holds
        self._free: OrderedDict[T, float] = OrderedDict()  # those with room, least recently used first; since when

    def __len__(self) -> int:
        return len(self._busy)

    def members(self) -> list[T]:
        """Every environment, in the order they were added."""
        return list(self._busy)

    def take(self) -> T | None:
        """The environment for an invocation, which then counts as being there; None if none has room."""
        if not self._free:
            return None
        member, since = self._free.popitem()
        self._busy[member] += 1
        if self._busy[member] < self._capacity:
            self._free[member] = since
        return member

    def give_back(self, member: T, now: float) -> None:
        """One of its invocations is over."""
        if member in self._busy:
            self._busy[member] -= 1
            self._free.pop(member, None)
            self._free[member] = now

    @property
    def may_start(self) -> bool:
        """Whether there may be one more."""
        return len(self._busy) + self.coming < self._size

    def grant_start(self, waiting: int) -> bool:
        """Whether one more is to be started for this many invocations that wait; `add` it, or `give_up`."""
        granted = self.coming * self._capacity < waiting and self.may_start
        self.coming += granted
        return granted

    def add(self, member: T, now: float) -> None:
        """A granted start came to something."""
        self.coming -= 1
        self._busy[member] = 0
        self._free[member] = now
        self._free.move_to_end(member, last=False)  # a used one is preferred to one that only starts

    def give_up(self) -> None:
        """A granted start came to nothing."""
        self.coming -= 1

    def is_idle(self, member: T) -> bool:
        """Whether it holds no invocation."""
        return not self._busy.get(member)

    def remove(self, member: T) -> None:
        """It is no more."""
        self._busy.pop(member, None)
        self._free.pop(member, None)

    def remove_expired(self, now: float) -> list[T]:
        """Take out those that have idled for too long."""
        expired = [m for m, since in self._free.items() if not self._busy[m] and now - since >= self._keep_alive_s]
        for member in expired:
            self.remove(member)
        return expired

    def next_expiry(self) -> float | None:
        """When the next one will have idled for too long, unless it is used before; None if none idles."""
        idle = [since for member, since in self._free.items() if not self._busy[member]]
        return min(idle) + self._keep_alive_s if idle else None
