"""Queued events: when they are tried again, when they are given up, and the record of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.asynchronous import Done, EventOptions, GiveUp, QueuedEvent, Retry, decide, is_json, render_record
from emulator.job import render_unrun
from emulator.values import Outcome, Submission

EVENT = QueuedEvent("id", Submission(b'{"a": 1}'), accepted_s=100.0)
OK = Outcome(b"1", 200, None, b"", 1.0, None, 1, "id")
FAILED = Outcome(b'{"errorType": "E"}', 200, "Unhandled", b"", 1.0, None, 1, "id")
DEAD = Outcome(b"", 502, "Unhandled", b"", 1.0, None, 1, "id")
THROTTLED = render_unrun("id", 429)


def test_a_success_is_done() -> None:
    """Nothing more happens."""
    assert decide(EVENT, OK, EventOptions(), 100.0) == Done()


@pytest.mark.parametrize("outcome", [FAILED, DEAD])
def test_a_failure_is_tried_twice_more(outcome: Outcome) -> None:
    """After one minute and after two, and then given up."""
    first = decide(EVENT, outcome, EventOptions(), 100.0)
    assert first == Retry(EVENT._replace(attempts=1), 60.0)
    second = decide(first.event, outcome, EventOptions(), 160.0)
    assert second == Retry(EVENT._replace(attempts=2), 120.0)
    assert decide(second.event, outcome, EventOptions(), 280.0) == GiveUp(
        EVENT._replace(attempts=3), "RetriesExhausted"
    )


def test_delays_can_be_scaled_and_retries_be_fewer() -> None:
    """So that trying it out does not take three minutes."""
    assert decide(EVENT, FAILED, EventOptions(delay_scale=0.5), 100.0) == Retry(EVENT._replace(attempts=1), 30.0)
    assert isinstance(decide(EVENT, FAILED, EventOptions(retries=0), 100.0), GiveUp)


def test_an_event_grows_too_old() -> None:
    """One whose next attempt would be too late is given up, and the attempts say how far it came."""
    decided = decide(EVENT, FAILED, EventOptions(max_age_s=50.0), 100.0)
    assert decided == GiveUp(EVENT._replace(attempts=1), "EventAgeExceeded")


def test_without_an_environment_it_is_tried_until_it_is_too_old() -> None:
    """After one second, two, four, up to five minutes; that uses up no retries."""
    event, now, delays = EVENT, 100.0, []
    while isinstance(decided := decide(event, THROTTLED, EventOptions(max_age_s=1500.0), now), Retry):
        delays.append(decided.delay_s)
        event, now = decided.event, now + decided.delay_s
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert isinstance(decided, GiveUp)
    assert (decided.condition, decided.event.attempts) == ("EventAgeExceeded", 0)


@given(st.lists(st.sampled_from([FAILED, DEAD, THROTTLED]), min_size=1), st.integers(0, 2), st.floats(0.0, 30000.0))
def test_an_event_is_never_tried_for_ever(outcomes: list[Outcome], retries: int, max_age_s: float) -> None:
    """No more failures than the retries allow, and no attempt beyond the age."""
    options = EventOptions(retries, max_age_s)
    event, now = EVENT, 100.0
    for outcome in outcomes:
        decided = decide(event, outcome, options, now)
        if not isinstance(decided, Retry):
            assert decided.event.attempts <= retries + 1
            return
        event, now = decided.event, now + decided.delay_s
        assert event.attempts <= retries
        assert now - EVENT.accepted_s <= max_age_s


def test_the_record_of_an_event_that_was_given_up() -> None:
    """One line in the shape of the platform's; what is no JSON is text."""
    given_up = GiveUp(EVENT._replace(attempts=3), "RetriesExhausted")
    line = render_record(given_up, DEAD, function_arn="arn:f", version="7", epoch_s=784111777.123)
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "version": "1.0",
        "timestamp": "1994-11-06T08:49:37.123Z",
        "requestContext": {
            "requestId": "id",
            "functionArn": "arn:f:7",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "7", "functionError": "Unhandled"},
        "responsePayload": "",
    }


def test_the_record_of_an_event_that_never_ran() -> None:
    """There is no response to tell of."""
    given_up = GiveUp(EVENT, "EventAgeExceeded")
    record = json.loads(render_record(given_up, THROTTLED, function_arn="a", version="7", epoch_s=0.0))
    assert "responseContext" not in record
    assert "responsePayload" not in record


@pytest.mark.parametrize(
    ("data", "expected"), [(b"{}", True), (b"1", True), (b"", False), (b"{", False), (b"\xff", False)]
)
def test_what_is_json(data: bytes, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """What the standard library reads; depth is no crash."""
    assert is_json(data) is expected
    assert not is_json(b"[" * 1_000_000)
