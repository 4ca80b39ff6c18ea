"""Where the trimmed image does something else than the untrimmed function: in its response, its error, or its log.

Pure: outcomes in, sentences out. What differs between any two runs (`VOLATILE`, and what the user declares) is masked
first. Never says why; `trim/missing` looks for that.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from builder.errors import SourceError

# What no two runs have in common, each with a word that stands for it. The order counts: longer forms first.
VOLATILE: tuple[tuple[str, str], ...] = (
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?", "TIME"),  # ISO 8601 and logging's
    (r"\b\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?", "TIME"),  # the common log format
    (
        r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?:\d\d? \w{3} \d{4}|\w{3} +\d\d?) [\d:]{8}(?: (?:\d{4}|GMT|UTC))?",
        "TIME",
    ),
    (r"\b\d{4}-\d\d-\d\d\b", "DATE"),
    (r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b", "TIME"),
    (r"\b1-[0-9a-f]{8}-[0-9a-f]{24}\b", "TRACE"),  # X-Ray
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "ID"),
    (r"\b0x[0-9a-fA-F]{4,16}\b", "ADDRESS"),
    (r"\b\d+(?:\.\d+)?(?:e-?\d+)? ?(?:ns|[µu]s|ms|s|sec|secs|seconds?|minutes?|MB|MiB|KB|kB|KiB|bytes?)\b", "AMOUNT"),
    (r"\b1[6-9]\d{8}(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?\b", "TIME"),  # seconds to nanoseconds since 1970
    (r"/tmp/[\w./-]+", "TEMPORARY"),  # noqa: S108 - a pattern
    (r"\b127\.0\.0\.1:\d+\b", "PORT"),
    (r"\b(?:pid|PID|process|thread|Thread)[ =:-]*\d+\b", "PROCESS"),
)

SHOWN_CHARS = 300  # of each side of a difference
MAX_SHOWN = 5  # differences told of one event


@dataclass(frozen=True, slots=True)
class Seen:
    """What one event came to: HTTP `status`, whether it is a `failure`, the payload and the log as text."""

    event: str
    status: int
    failure: bool
    payload: str
    log: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: of an `event`, at a `place` (`response.a[0]`, `log`), with what either run gave there."""

    event: str
    place: str
    untrimmed: str
    trimmed: str

    def __str__(self) -> str:
        return (
            f"event {self.event!r}, {self.place}: {self.trimmed[:SHOWN_CHARS] or 'nothing'} "
            f"where the untrimmed function gave {self.untrimmed[:SHOWN_CHARS] or 'nothing'}"
        )


class Mask:
    """Replaces what is volatile. `declared` are the user's regular expressions, checked by `check_volatile`."""

    def __init__(self, declared: Sequence[str] = ()) -> None:
        self.declared = declared

    @cached_property
    def rules(self) -> Sequence[tuple[re.Pattern[str], str]]:
        """Compiled when something differs, which is seldom."""
        patterns = [*((pattern, "DECLARED") for pattern in self.declared), *VOLATILE]
        return [(re.compile(pattern), word) for pattern, word in patterns]

    def __call__(self, text: str) -> str:
        """The text with a word in place of each volatile part."""
        for pattern, word in self.rules:
            text = pattern.sub(f"<{word}>", text)
        return text


def check_volatile(declared: Iterable[str], *, origin: str) -> None:
    """Raise SourceError for what is no regular expression."""
    for pattern in declared:
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise SourceError(
                f"reading {origin}: {pattern[:SHOWN_CHARS]!r} is no regular expression: {error}",
                hint="Write it as Python's re does; a backslash before ( or [ makes it literal.",
            ) from None


def differences(untrimmed: Iterable[Seen], trimmed: Iterable[Seen], mask: Mask) -> list[Difference]:
    """All differences between the runs of the same events."""
    return [found for one, other in zip(untrimmed, trimmed, strict=True) for found in _of_event(one, other, mask)]


def without_noise(found: Sequence[Difference], noise: Iterable[Difference]) -> list[Difference]:
    """The differences at places where two runs of the untrimmed function agree with each other."""
    unsteady = {(one.event, one.place) for one in noise}
    return [one for one in found if (one.event, one.place) not in unsteady]


def _of_event(one: Seen, other: Seen, mask: Mask) -> Iterator[Difference]:
    if (one.status, one.failure) != (other.status, other.failure):
        yield Difference(one.event, "outcome", _outcome(one), _outcome(other))
        return
    for place, left, right in _values(_parsed(one.payload), _parsed(other.payload), mask, "response"):
        yield Difference(one.event, place, left, right)
    here, there = _lines(one.log), _lines(other.log)
    if here == there:
        return
    here, there = Counter(map(mask, here.elements())), Counter(map(mask, there.elements()))
    gone, come = here - there, there - here
    if gone or come:
        yield Difference(one.event, "log", " | ".join(gone), " | ".join(come))


def _outcome(seen: Seen) -> str:
    return f"{'error' if seen.failure else 'response'} {seen.status} {seen.payload}"


def _parsed(payload: str) -> object:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload


def _values(one: object, other: object, mask: Mask, place: str) -> Iterator[tuple[str, str, str]]:
    """Where two JSON values differ once what is volatile is masked: numbers exactly, texts masked."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from _values(one[key], other[key], mask, f"{place}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _values(left, right, mask, f"{place}[{index}]")
    elif isinstance(one, str) and isinstance(other, str):
        inner, outer = _parsed(one), _parsed(other)
        if isinstance(inner, dict | list) and isinstance(outer, dict | list):  # a body that is JSON within JSON
            yield from _values(inner, outer, mask, place)
        elif one != other and mask(one) != mask(other):
            yield place, one, other
    elif type(one) is not type(other) or one != other:
        left, right = json.dumps(one), json.dumps(other)
        if mask(left) != mask(right):
            yield place, left, right


_PLATFORM = re.compile(r"^(?:START|END|REPORT|INIT_REPORT|EXTENSION|INIT_START) ")


def _lines(log: str) -> Counter[str]:
    """The lines of a log without the platform's own; their order may depend on threads."""
    lines = (line.rstrip() for line in log.splitlines() if not _PLATFORM.match(line))
    return Counter(line for line in lines if line)
