"""Waits between attempts grow, are bounded, spread clients, and heed what the registry asks for."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci.distribution.answers import retry_after_s
from builder.oci.distribution.limits import Limits, delay_s

LIMITS = Limits(attempts=6, first_delay_s=1, max_delay_s=8, max_retry_after_s=60)


def test_waits_double_up_to_the_longest():
    waits = [delay_s(LIMITS, attempt, chance=1, retry_after_s=None) for attempt in range(1, 7)]
    assert waits == [1, 2, 4, 8, 8, None]


@given(st.floats(0, 1), st.integers(1, 100), st.none() | st.floats(0, 10_000))
def test_no_wait_is_without_a_bound(chance, attempt, retry_after):
    """Whatever the registry asks for."""
    wait = delay_s(LIMITS, attempt, chance=chance, retry_after_s=retry_after)
    assert wait is None or 0.5 <= wait <= 60


@pytest.mark.parametrize(("asked", "expected"), [(0, 1), (5, 5), (60, 60), (61, None)])
def test_what_the_registry_asks_for_is_the_least(asked, expected):
    assert delay_s(LIMITS, 1, chance=1, retry_after_s=asked) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5),
        ("Tue, 24 Nov 2026 10:00:30 GMT", 30),
        ("Tue, 24 Nov 2026 09:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("٣", None),
        ("9" * 100, 9_999_999_999),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, expected):
    assert retry_after_s(text, now=datetime(2026, 11, 24, 10, tzinfo=UTC)) == expected


@given(st.text(max_size=40))
def test_garbage_asks_for_nothing_in_particular(text):
    found = retry_after_s(text)
    assert found is None or found >= 0
