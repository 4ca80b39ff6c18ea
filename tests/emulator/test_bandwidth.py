"""How fast a stream may go: Lambda's bucket, and who holds a stream back."""

import asyncio
import contextlib
import http.client
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.bandwidth import BURST_BYTES, RATE_BYTES_S, Bucket, Valve, take

SLACK_BYTES = 256 * 1024  # one piece of the runtime's stream, which is read whole, and the framing


def test_the_burst_is_free_and_the_rest_waits():
    """6 MiB at once, then 2 MiB a second."""
    bucket, wait_s = take(Bucket(), BURST_BYTES, 10.0)
    assert wait_s == 0
    bucket, wait_s = take(bucket, RATE_BYTES_S, 10.0)
    assert wait_s == 1.0
    bucket, wait_s = take(bucket, 0, 11.0)
    assert wait_s == 0


@given(st.lists(st.tuples(st.integers(0, 4 << 20), st.floats(0, 3)), max_size=30))
def test_who_waits_never_exceeds_the_rate(pieces):
    """Whatever the sizes and pauses: in any time no more than the burst, the rate and one piece."""
    bucket, now, sent = Bucket(), 0.0, 0
    for size, pause_s in pieces:
        now += pause_s
        bucket, wait_s = take(bucket, size, now)
        sent += size
        assert sent <= BURST_BYTES + RATE_BYTES_S * now + size + 1
        now += wait_s


class Tap:
    def __init__(self):
        self.said = []

    def pause(self):
        self.said.append("pause")

    def resume(self):
        self.said.append("resume")


def test_a_valve_opens_when_nobody_holds_it():
    """The caller's pace and the bandwidth both count, and a caller that is gone holds nothing."""

    async def story():
        tap = Tap()
        valve = Valve(tap, limited=True)
        valve.passed(BURST_BYTES + RATE_BYTES_S // 100)
        valve.set_behind(behind=True)
        valve.set_behind(behind=False)
        assert tap.said == ["pause", "pause"]
        await asyncio.sleep(0.1)
        assert tap.said == ["pause", "pause", "resume"]
        valve.set_behind(behind=True)
        valve.open()
        valve.passed(BURST_BYTES)
        return tap.said

    assert asyncio.run(story()) == ["pause", "pause", "resume", "pause", "resume"]


def test_without_a_limit_only_the_caller_holds():
    """Any amount passes."""
    tap = Tap()
    valve = Valve(tap, limited=False)
    valve.passed(1 << 40)
    valve.set_behind(behind=True)
    valve.set_behind(behind=False)
    assert tap.said == ["pause", "resume"]


@pytest.mark.parametrize(
    ("runtime", "flags", "path", "headers"),
    [
        ("streams", [], "/2021-11-15/functions/function/response-streaming-invocations", {}),
        ("web", ["--http"], "/", {"x-wish": "flood", "x-mib": "7", "x-type": "text/plain"}),
    ],
    ids=["Invoke API", "HTTP mode"],
)
def test_at_no_moment_a_caller_has_more_than_is_allowed(program, runtime, flags, path, headers):
    """A stream of 7 MiB with the option, in both modes: all of it comes, and none of it too early.

    However slow the machine is, that only brings the pieces later.
    """
    own = program(runtime, "--limit-bandwidth", *flags)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", own.port, timeout=60)) as connection:
        began_s = time.monotonic()
        connection.request("POST", path, b'"small flood"', headers)
        received = 0
        with connection.getresponse() as response:
            while piece := response.read1(1 << 16):
                received += len(piece)
                allowed = BURST_BYTES + RATE_BYTES_S * (time.monotonic() - began_s)
                assert received <= allowed + SLACK_BYTES
    assert received >= 7 << 20
