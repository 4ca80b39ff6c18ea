"""A deadline that only enough bytes move on."""

import asyncio

import pytest

from builder.oci import UnavailableError
from builder.oci.distribution.pace import paced


def run(moves, *, window_s, least):
    """Let bytes move, some in each hundredth of a second."""

    async def work():
        async with paced("fetching", window_s, least=least) as pace:
            for count in moves:
                await asyncio.sleep(0.01)
                pace.moved(count)
        return "done"

    return asyncio.run(work())


def test_enough_bytes_may_go_on_for_ever():
    assert run([10] * 150, window_s=1.0, least=10) == "done"


def test_too_few_bytes_are_given_up():
    """However regularly they come."""
    with pytest.raises(UnavailableError, match=r"fetching: less than 1000 bytes in 0.1 s; try again later"):
        run([1] * 400, window_s=0.1, least=1000)


def test_without_a_least_the_time_is_all_there_is():
    with pytest.raises(UnavailableError, match=r"fetching: no whole answer in 0.1 s; try again later"):
        run([10**9] * 400, window_s=0.1, least=None)


def test_more_time_can_be_allowed():
    """For what moves no bytes here, such as a registry that stores what it got."""

    async def work():
        async with paced("x", 0.01, least=None) as pace:
            pace.allow(30)
            await asyncio.sleep(0.05)
            return "done"

    assert asyncio.run(work()) == "done"
