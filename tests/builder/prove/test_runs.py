"""Runs that go on at the same time are told as one."""

import pytest

from builder.prove.runs import _Slowest


@pytest.mark.parametrize(
    ("begun", "told"),
    [
        ([0, 0, 0], []),
        ([0, 1, 0, 0, 1, 1], [1, 2, 3]),
        ([0, 1, 1, 1, 0, 0], [1, 2, 3]),
    ],
)
def test_the_event_that_is_told_is_that_of_the_slowest_run(begun, told):
    """Each once, in order, whichever run is ahead."""
    heard = []
    slowest = _Slowest(2, 3, lambda number, total: heard.append((number, total)))
    for run in begun:
        slowest.begin(run)
    assert heard == [(number, 3) for number in told]
