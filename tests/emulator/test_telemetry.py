"""Delivery of telemetry to real listeners: batches, lines, and what is dropped."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Self

import pytest

from emulator.platform_events import Fault, Start
from emulator.telemetry import Telemetry
from emulator.telemetry_api import Buffering, Destination, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = ("platform", "function", "extension")
SOON = Buffering(timeout_ms=25)


class Listener:
    """A server that keeps what it gets, and answers as it is told."""

    def __init__(self, answer: bytes | None = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") -> None:
        self.got = bytearray()
        self.posts: list[tuple[bytes, list[dict[str, object]]]] = []
        self._answer = answer

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readline()
            if not first.startswith(b"POST "):  # lines over TCP
                self.got += first + await reader.read()
                return
            length = 0
            while (line := await reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.posts.append((first, json.loads(await reader.readexactly(length))))
            if self._answer is not None:
                writer.write(self._answer)
        finally:
            writer.close()

    def types(self) -> list[str]:
        return [event["type"] for _, events in self.posts for event in events]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for is another peer's
            await asyncio.sleep(0.01)


def wanted(port: int, types: tuple[str, ...] = ALL, buffering: Buffering = SOON, **more: str | None) -> Subscription:
    return Subscription(
        types, Destination(port, more.get("path", "/in?x=1")), buffering, more.get("version", "2022-12-13")
    )  # fmt: skip


def test_events_are_posted_in_batches():
    """With those from before the subscription; the time is in the event."""

    async def story():
        async with Listener() as listener:
            telemetry = Telemetry()
            telemetry.platform(Start("r", "1"), 784111777.123)
            assert telemetry.subscribe("a", wanted(listener.port))
            telemetry.function(b"one\ntwo")
            telemetry.function(b" and a half\n")
            await until(lambda: bool(listener.posts))
            telemetry.stop()
            return listener.posts

    [(line, events)] = asyncio.run(story())
    assert line == b"POST /in?x=1 HTTP/1.1\r\n"
    assert events[0] == {
        "time": "1994-11-06T08:49:37.123Z", "type": "platform.start", "record": {"requestId": "r", "version": "1"}
    }  # fmt: skip
    assert [(event["type"], event["record"]) for event in events[2:]] == [
        ("function", "one"), ("function", "two and a half")
    ]  # fmt: skip


def test_lines_over_tcp():
    """One event a line, over one connection, which ends with the environment."""

    async def story():
        async with Listener() as listener:
            telemetry = Telemetry()
            telemetry.subscribe("a", wanted(listener.port, ("extension",), path=None))
            telemetry.extension(b"x\n")
            telemetry.flush()
            await asyncio.sleep(0.1)
            telemetry.extension(b"y\n")
            telemetry.flush()
            await asyncio.sleep(0.1)
            telemetry.stop()
            await until(lambda: listener.got.count(b"\n") == 2)
            return bytes(listener.got)

    assert [json.loads(line)["record"] for line in asyncio.run(story()).splitlines()] == ["x", "y"]


def test_only_what_was_asked_for():
    """By type."""

    async def story():
        async with Listener() as listener:
            telemetry = Telemetry()
            telemetry.subscribe("a", wanted(listener.port, ("function",)))
            telemetry.platform(Fault("f"), 1.0)
            telemetry.extension(b"e\n")
            telemetry.function(b"f\n")
            await until(lambda: bool(listener.posts))
            telemetry.stop()
            return listener.types()

    assert asyncio.run(story()) == ["function"]


@pytest.mark.parametrize(("version", "record"), [("2022-12-13", {"a": 1}), ("2022-07-01", '{"a":1}')])
def test_json_logs_are_objects(version, record):
    """Since the schema that says so."""

    async def story():
        async with Listener() as listener:
            telemetry = Telemetry(json_logs=True)
            telemetry.subscribe("a", wanted(listener.port, ("function",), version=version))
            telemetry.function(b'{"a": 1}\n{no json\n')
            await until(lambda: bool(listener.posts))
            telemetry.stop()
            return listener.posts[0][1]

    assert [event["record"] for event in asyncio.run(story())] == [record, "{no json"]


def test_after_init_nobody_subscribes():
    """And nothing is kept for anybody."""

    async def story():
        telemetry = Telemetry()
        telemetry.close_subscriptions()
        return telemetry.subscribe("a", wanted(9))

    assert asyncio.run(story()) is False


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"HTTP/1.1 500 No\r\n\r\n", "answered b'HTTP/1.1 500 No"), (b"?\r\n", "answered b'?"), (None, "answered b''")],
)
def test_what_a_subscriber_refuses_is_dropped_and_told(answer, reason):
    """With how much it was."""

    async def story():
        async with Listener(answer) as listener:
            telemetry = Telemetry()
            telemetry.subscribe("a", wanted(listener.port))
            telemetry.function(b"one\n")
            await until(lambda: bool(listener.posts))
            await asyncio.sleep(0.1)
            assert len(listener.posts) == 1  # with nothing else to tell
            telemetry.function(b"two\n")
            await until(lambda: "platform.logsDropped" in listener.types())
            telemetry.stop()
            return next(e for _, events in listener.posts for e in events if e["type"] == "platform.logsDropped")

    dropped = asyncio.run(story())["record"]
    assert dropped["droppedRecords"] == 2
    assert dropped["droppedBytes"] > 50
    assert reason in dropped["reason"]


def test_a_subscriber_that_is_not_there():
    """Nothing is raised, and nothing is kept."""

    async def story():
        async with Listener() as listener:
            port = listener.port
        telemetry = Telemetry()
        telemetry.subscribe("a", wanted(port))
        for _ in range(20):
            telemetry.function(b"x" * 300_000 + b"\n")
            await asyncio.sleep(0)
        await asyncio.sleep(0.2)
        telemetry.stop()

    asyncio.run(story())
