"""How long each module took to import in the image, by Python's own account (`-X importtime`). Pure.

Source: https://docs.python.org/3/using/cmdline.html#cmdoption-X; a line is written when a module is loaded, after those
that it loaded itself, indented by two spaces for each level.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

VARIABLE = "PYTHONPROFILEIMPORTTIME"

_LINE = re.compile(r"^import time: +(\d{1,12}) \| +(\d{1,12}) \|( +)(\S+)$")


@dataclass(frozen=True, slots=True)
class ImportTime:
    """One module: microseconds of its own, with what it loaded, and how deep below the first importer it was."""

    module: str
    self_us: int
    cumulative_us: int
    depth: int


def parse_import_times(log: str) -> tuple[ImportTime, ...]:
    """The modules in the order in which they were loaded; other lines of the log are passed over."""
    found = []
    for line in log.splitlines():
        if match := _LINE.match(line):
            own, cumulative, indent, name = match.groups()
            found.append(ImportTime(name, int(own), int(cumulative), (len(indent) - 1) // 2))
    return tuple(found)


def slowest(times: Sequence[ImportTime], count: int) -> tuple[ImportTime, ...]:
    """The modules that took longest themselves: where a start can be made faster."""
    return tuple(sorted(times, key=lambda one: (-one.self_us, one.module))[:count])


def total_us(times: Sequence[ImportTime]) -> int:
    """All of it: what those at the top took together."""
    return sum(one.cumulative_us for one in times if not one.depth)
