"""What pairs of runs say of a ratio: its median, and whether it is beyond noise.

The interval is the sign test's: it ends at two of the ratios themselves, assumes nothing of how they are distributed,
and holds the true median but for a chance of at most ONE_SIDED at either end. Never drops a run.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Of some forty functions that are told in one table, none is called slower by chance in 19 of 20 tables: 0.05 / 42.
ONE_SIDED = 0.0012
MIN_PAIRS = 10  # with fewer no interval is that sure: 1 / 2 ** 9 is more than ONE_SIDED


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of paired ratios, and the interval around it; all NaN where there are no pairs."""

    median: float
    low: float
    high: float

    @property
    def is_slower(self) -> bool:
        """Whether the first of each pair took longer beyond noise."""
        return self.low > 1

    def __str__(self) -> str:
        if math.isnan(self.median):
            return "none"
        if math.isinf(self.high):
            return f"{self.median:.2f}"
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratio_of(firsts: Sequence[float], seconds: Sequence[float]) -> Ratio:
    """First ÷ second of each pair, summed up; without end where the pairs are too few for an interval."""
    if not (firsts and seconds):
        return Ratio(math.nan, math.nan, math.nan)
    ratios = sorted(first / second for first, second in zip(firsts, seconds, strict=True))
    outside = outside_of(len(ratios))
    median = statistics.median(ratios)
    return Ratio(median, ratios[outside - 1], ratios[-outside]) if outside else Ratio(median, -math.inf, math.inf)


def outside_of(count: int) -> int:
    """At which of `count` sorted values, from either end, the interval of their median ends; 0 when at none."""
    chance, outside = 0.0, 0
    while True:
        chance += math.comb(count, outside) / 2**count
        if chance > ONE_SIDED:
            return outside
        outside += 1
