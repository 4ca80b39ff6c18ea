"""Asynchronous invocations: when a queued event is tried again, when it is given up, and what its destination is told.

The rules are those of Lambda's guide to asynchronous invocation: an event whose function fails is tried twice more,
after one minute and two; one that found no environment is tried until it is too old, after one second, two, four, up to
five minutes; an event that is given up goes to the on-failure destination with a record of what came of it.

Pure: it keeps no queue, runs nothing, and reads no clock. `event_queue` does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, Union

from .errors import TooManyRequestsError
from .report import render_time

if TYPE_CHECKING:
    from .values import Outcome, Submission

RETRY_DELAYS_S = (60.0, 120.0)
"""Waits before the second and the third attempt; Lambda's guide to asynchronous invocation."""

THROTTLE_DELAY_LIMIT_S = 300.0
"""Longest wait of an event that found no environment; the waits before it double from one second."""

MAX_AGE_S = 6 * 3600.0
"""Oldest age of a queued event; Lambda's default and maximum."""


class EventOptions(NamedTuple):
    """What becomes of events that fail.

    `delay_scale` shortens every wait, so that trying it out need not take three minutes. `on_failure` is a file or a
    URL.
    """

    retries: int = len(RETRY_DELAYS_S)
    max_age_s: float = MAX_AGE_S
    delay_scale: float = 1.0
    on_failure: str | None = None


DEFAULT_EVENTS = EventOptions()


class QueuedEvent(NamedTuple):
    """An event that was accepted, and how often it was tried. `accepted_s` is on the clock of `now`."""

    request_id: str
    submission: Submission
    accepted_s: float
    attempts: int = 0  # that the function failed
    throttles: int = 0  # in a row


class Retry(NamedTuple):
    """Try it again after this time."""

    event: QueuedEvent
    delay_s: float


class GiveUp(NamedTuple):
    """Tell the destination why: "RetriesExhausted" or "EventAgeExceeded"."""

    event: QueuedEvent
    condition: str


class Done(NamedTuple):
    """The function succeeded."""


Decision = Union[Retry, GiveUp, Done]


def decide(event: QueuedEvent, outcome: Outcome, options: EventOptions, now: float) -> Decision:
    """What becomes of an event whose attempt ended with this outcome at `now`."""
    if outcome.status == TooManyRequestsError.status:
        delay_s = min(2.0**event.throttles, THROTTLE_DELAY_LIMIT_S)
        return _retry(event._replace(throttles=event.throttles + 1), delay_s, options, now)
    if outcome.function_error is None:
        return Done()
    tried = event._replace(attempts=event.attempts + 1, throttles=0)
    if tried.attempts > options.retries:
        return GiveUp(tried, "RetriesExhausted")
    return _retry(tried, RETRY_DELAYS_S[min(tried.attempts, len(RETRY_DELAYS_S)) - 1], options, now)


def _retry(event: QueuedEvent, delay_s: float, options: EventOptions, now: float) -> Decision:
    scaled_s = delay_s * options.delay_scale
    if now + scaled_s - event.accepted_s > options.max_age_s:
        return GiveUp(event, "EventAgeExceeded")
    return Retry(event, scaled_s)


def render_record(given_up: GiveUp, outcome: Outcome, *, function_arn: str, version: str, epoch_s: float) -> bytes:
    """What the on-failure destination gets, in the shape of Lambda's invocation record, as one line of JSON."""
    event = given_up.event
    record: dict[str, object] = {
        "version": "1.0",
        "timestamp": render_time(epoch_s),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": f"{function_arn}:{version}",
            "condition": given_up.condition,
            "approximateInvokeCount": event.attempts,
        },
        "requestPayload": _parse(event.submission.event),
    }
    if outcome.status != TooManyRequestsError.status:
        record["responseContext"] = {
            "statusCode": 200,  # of the Invoke operation, which worked
            "executedVersion": version,
            "functionError": outcome.function_error,
        }
        record["responsePayload"] = _parse(outcome.payload)
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def is_json(data: bytes) -> bool:
    """Whether these bytes are JSON, which the platform asks of what it queues."""
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _parse(data: bytes) -> object:
    """As JSON, or as text if it is none."""
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")
    return value
