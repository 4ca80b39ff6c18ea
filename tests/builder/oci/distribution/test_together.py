"""Several transfers at a time: not more than allowed, and one error for all."""

import asyncio

import pytest

from builder.oci import UnavailableError
from builder.oci.distribution.together import together


def test_no_more_than_allowed_run_at_a_time():
    running, most, done = 0, 0, []

    async def work(number):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        done.append(number)

    asyncio.run(together((work(number) for number in range(10)), parallel=3))
    assert (most, sorted(done)) == (3, list(range(10)))


def test_the_first_error_ends_the_others_and_is_raised_itself():
    """What was begun is cancelled, what was not is never begun, and the error is no group."""
    ended, begun = [], []

    async def wait(number):
        begun.append(number)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    async def fail():
        await asyncio.sleep(0.01)
        raise UnavailableError("x")

    with pytest.raises(UnavailableError, match="x"):
        asyncio.run(together([wait(0), fail(), wait(2), wait(3)], parallel=2))
    assert sorted(ended) == begun
