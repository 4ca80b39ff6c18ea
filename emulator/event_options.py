"""How asynchronous invocations are asked for on the command line: their options as a value, from flags.

It queues nothing.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from .asynchronous import DEFAULT_EVENTS, EventOptions
from .errors import UsageError
from .parser import seconds, whole

if TYPE_CHECKING:
    import argparse

_RETRIES_LIMIT = 2  # as on the platform


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of asynchronous invocations."""
    group = parser.add_argument_group("invocations of type Event")
    group.add_argument(
        "--retries", type=whole, default=DEFAULT_EVENTS.retries, help="of a failed event, 0 to 2 (default %(default)s)"
    )
    group.add_argument(
        "--max-event-age",
        type=seconds,
        metavar="SECONDS",
        default=DEFAULT_EVENTS.max_age_s,
        help="after which an event is given up (default %(default)s)",
    )
    group.add_argument(
        "--retry-delay-scale",
        type=float,
        metavar="FACTOR",
        default=DEFAULT_EVENTS.delay_scale,
        help="factor of the waits before a retry, one and two minutes (default %(default)s)",
    )
    group.add_argument(
        "--on-failure", metavar="FILE|URL", help="where a record of each event that was given up goes (default nowhere)"
    )


def parse_options(*, retries: int, max_age_s: float, delay_scale: float, on_failure: str | None) -> EventOptions:
    """The flags as a value. Raises `UsageError`."""
    if not 0 <= retries <= _RETRIES_LIMIT:
        raise UsageError(f"reading --retries: found {retries!r}; give 0 to {_RETRIES_LIMIT}, as on Lambda")
    for name, value in (("--max-event-age", max_age_s), ("--retry-delay-scale", delay_scale)):
        if not (math.isfinite(value) and value >= 0):
            raise UsageError(f"reading {name}: found {value!r}; give a number that is not negative")
    _check_target(on_failure or "")
    return EventOptions(retries, max_age_s, delay_scale, on_failure or None)


def _check_target(text: str) -> None:
    """Better told now than with the first event that is given up."""
    from .destination import is_url  # noqa: PLC0415 - it loads asyncio

    if not text or is_url(text):
        return
    if "://" in text:
        raise UsageError(f"reading --on-failure: found {text!r}; give a file, or a URL of http:// or https://")
    folder = os.path.dirname(text) or "."  # noqa: PTH120 - no pathlib here
    if not os.path.isdir(folder):  # noqa: PTH112 - same
        raise UsageError(f"reading --on-failure: found {text!r}; there is no folder {folder!r}: make it first")
