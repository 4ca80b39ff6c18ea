"""Beginning anew while there is work: nobody's event is lost, and who comes next finds new processes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_next_event_finds_a_new_process(settings: Callable[..., object]) -> None:
    """An idle environment is ended."""

    async def story() -> list[bytes]:
        async with Emulator(settings("echo")) as emulator:
            first = await emulator.invoke(b'"pid"')
            emulator.reload()
            second = await emulator.invoke(b'"pid"')
            third = await emulator.invoke(b'"pid"')
            return [first.payload, second.payload, third.payload]

    first, second, third = asyncio.run(story())
    assert first != second == third


def test_an_event_under_way_is_finished(settings: Callable[..., object]) -> None:
    """By the old process, while a new one serves the next event; then the old one is gone."""

    async def story() -> tuple[object, object, bool]:
        async with Emulator(settings("slow", timeout_s=20)) as emulator:
            slow = asyncio.ensure_future(emulator.invoke(b"1"))
            await asyncio.sleep(0.3)
            emulator.reload()
            quick = await emulator.invoke(b"0")
            before = slow.done()
            return await slow, quick, before

    slow, quick, before = asyncio.run(story())
    assert (slow.status, quick.status, before) == (200, 200, False)
    assert slow.payload != quick.payload


def test_those_that_wait_are_served(settings: Callable[..., object]) -> None:
    """Several reloads in a row lose nothing."""

    async def story() -> list[int]:
        async with Emulator(settings("slow", timeout_s=20)) as emulator:
            waiting = [asyncio.ensure_future(emulator.invoke(b"0.1")) for _ in range(4)]
            for _ in range(3):
                await asyncio.sleep(0.1)
                emulator.reload()
            return [(await one).status for one in waiting]

    assert asyncio.run(story()) == [200] * 4


def test_closing_ends_the_old_ones_too(settings: Callable[..., object]) -> None:
    """An event under way in an environment that was let go is given up like any other."""

    async def story() -> tuple[int, float]:
        async with Emulator(settings("slow", timeout_s=20)) as emulator:
            slow = asyncio.ensure_future(emulator.invoke(b"15"))
            await asyncio.sleep(0.3)
            emulator.reload()
            started = time.monotonic()
        return (await slow).status, time.monotonic() - started

    status, seconds = asyncio.run(story())
    assert status == 503
    assert seconds < 15
