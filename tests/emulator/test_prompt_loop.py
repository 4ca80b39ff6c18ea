"""The loop calls readers at once, and still gives everything else its turn."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emulator import prompt_loop
from emulator.prompt_loop import call_idle

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 10


def run(story: Callable) -> None:
    """A story with both ends of a pair of sockets; the first is read by the loop."""

    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(0)
            await asyncio.wait_for(story(asyncio.get_running_loop(), ours, theirs), PATIENCE_S)

    prompt_loop.run(main())


def test_a_reader_is_called_and_wakes_who_waits() -> None:
    """What a reader sets in motion is done: a future that it ends, a task that it makes, a time that it sets."""

    async def story(loop: asyncio.AbstractEventLoop, ours: socket.socket, theirs: socket.socket) -> None:
        told, later = loop.create_future(), loop.create_future()

        def on_readable() -> None:
            loop.call_later(0.01, later.set_result, ours.recv(10))
            told.set_result(True)

        loop.add_reader(ours.fileno(), on_readable)
        theirs.send(b"x")
        assert await told
        assert await later == b"x"
        assert loop.remove_reader(ours.fileno())

    run(story)


def test_busy_readers_do_not_keep_a_timer_waiting() -> None:
    """A descriptor that is always readable, and a timer: it fires all the same."""

    async def story(loop: asyncio.AbstractEventLoop, ours: socket.socket, theirs: socket.socket) -> None:
        calls: list[int] = []
        loop.add_reader(ours.fileno(), calls.append, 1)
        theirs.send(b"x")
        await asyncio.sleep(0.02)
        assert calls

    run(story)


def test_what_is_idle_comes_after_what_is_there_to_read() -> None:
    """`call_idle` waits for the readers of this moment, and no longer: then it is called without anything happening."""

    async def story(loop: asyncio.AbstractEventLoop, ours: socket.socket, theirs: socket.socket) -> None:
        order: list[str] = []
        over = loop.create_future()

        def on_readable() -> None:
            order.append(ours.recv(1).decode())
            if order == ["a"]:
                call_idle(loop, lambda: (order.append("idle"), over.set_result(None)))
                call_idle(loop, lambda: 1 / 0)  # told to the loop's handler, and no reason to end

        told: list[object] = []
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
        loop.add_reader(ours.fileno(), on_readable)
        theirs.send(b"ab")
        await over
        assert order == ["a", "b", "idle"]
        await asyncio.sleep(0)
        assert isinstance(told[0], ZeroDivisionError)

    run(story)


def test_on_another_loop_idle_is_soon() -> None:
    """An emulator in somebody's own program runs on their loop."""

    async def main() -> None:
        over = asyncio.get_running_loop().create_future()
        call_idle(asyncio.get_running_loop(), lambda: over.set_result(None))
        await over

    asyncio.run(main())


def test_a_reader_that_fails_is_told_and_called_again() -> None:
    """An error in one connection's reader ends neither the loop nor the other readers."""

    async def story(loop: asyncio.AbstractEventLoop, ours: socket.socket, theirs: socket.socket) -> None:
        told: list[object] = []
        over = loop.create_future()

        def on_readable() -> None:
            if ours.recv(1) == b"a":
                raise RuntimeError("first")
            over.set_result(None)

        loop.set_exception_handler(lambda _, context: told.append(str(context["exception"])))
        loop.add_reader(ours.fileno(), on_readable)
        theirs.send(b"ab")
        await over
        assert told == ["first"]

    run(story)


def test_writers_signals_and_threads_are_as_ever() -> None:
    """Beside a reader on the same descriptor a writer is called, a signal is noticed, and a thread's result comes."""

    async def story(loop: asyncio.AbstractEventLoop, ours: socket.socket, theirs: socket.socket) -> None:
        writable, signalled, readable = loop.create_future(), loop.create_future(), loop.create_future()
        loop.add_reader(ours.fileno(), lambda: readable.done() or readable.set_result(ours.recv(10)))
        loop.add_writer(ours.fileno(), lambda: writable.done() or writable.set_result(None))
        loop.add_signal_handler(signal.SIGUSR1, signalled.set_result, None)
        os.kill(os.getpid(), signal.SIGUSR1)
        await writable
        await signalled
        loop.remove_writer(ours.fileno())
        assert await asyncio.to_thread(theirs.send, b"yes") == 3
        assert await readable == b"yes"
        loop.remove_signal_handler(signal.SIGUSR1)

    run(story)


def test_what_is_left_at_the_end_is_cancelled() -> None:
    """As by `asyncio.run`; the error of the work is the caller's, and no descriptor stays open."""
    cancelled: list[bool] = []

    async def wait() -> None:
        try:
            await asyncio.sleep(PATIENCE_S)
        finally:
            cancelled.append(True)

    async def fail() -> None:
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        assert not task.done()
        raise LookupError("work")

    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(LookupError, match="work"):
        prompt_loop.run(fail())
    assert cancelled == [True]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_masks_are_read_as_selectors_reads_them() -> None:
    """An error and the end of a connection are news for readers and writers."""
    assert prompt_loop._parse_mask(select.EPOLLIN) == 1
    assert prompt_loop._parse_mask(select.EPOLLOUT) == 2
    assert prompt_loop._parse_mask(select.EPOLLIN | select.EPOLLOUT) == 3
    assert prompt_loop._parse_mask(select.EPOLLHUP) == 3
    assert prompt_loop._parse_mask(select.EPOLLERR) == 3
