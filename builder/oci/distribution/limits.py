"""How long and how much: every bound of a conversation with a registry, and the waits between attempts.

Pure: a clock and chance are the caller's. No wait here is without a bound.
"""

from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds; names end in their unit."""

    connect_s: float = 10.0
    answer_s: float = 60.0  # one small exchange, from the first byte sent to the last received
    stall_s: float = 30.0  # a transfer that moves less than `stall_bytes` in this time has stalled
    stall_bytes: int = 64 * 1024
    finish_s: float = 300.0  # what a registry may take to store a blob whose last byte it has
    overall_s: float = 3600.0  # one pull or push
    attempts: int = 5  # of one request, or of one blob without progress
    progress_bytes: int = MIB  # a blob that moved this far since its last failure has made progress
    first_delay_s: float = 0.5
    max_delay_s: float = 15.0
    max_retry_after_s: float = 60.0  # a registry that asks for more is taken for unavailable
    lock_s: float = 600.0  # for another process that fetches the same blob
    helper_s: float = 30.0  # a credential helper; some ask the cloud
    parallel: int = 4  # transfers at a time; Docker has 3 down and 5 up
    image_bytes: int = 16 * 1024 * MIB  # compressed; above the largest images that services run
    chunk_bytes: int = 4 * MIB  # the largest that GitHub's registry takes in one chunk


def delay_s(limits: Limits, attempt: int, *, chance: float, retry_after_s: float | None) -> float | None:
    """Give the wait after failed attempt number `attempt` (from 1), or None where there should be no other.

    Doubles each time, between half and all of it by `chance` (0 to 1), so that many clients do not come back
    at once; what the registry asks for is the least.
    """
    if attempt >= limits.attempts or (retry_after_s or 0.0) > limits.max_retry_after_s:
        return None
    growing = min(limits.first_delay_s * 2.0 ** (attempt - 1), limits.max_delay_s)
    return max(growing * (0.5 + chance / 2), retry_after_s or 0.0)
