"""The server's bounds: clients that are slow, silent, deaf or too many."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from emulator import http_server
from emulator.errors import ListenError
from emulator.http1 import Limits, Request
from emulator.http1_response import Response
from emulator.http_server import Handler, HttpServer, ServerOptions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LARGE = b"x" * (32 * 1024 * 1024)
GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(autouse=True)
def sweeping_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines are looked at often enough for a test."""
    monkeypatch.setattr(http_server, "_SWEEP_S", 0.02)


class Harness:
    """A server that answers `/large` at length, `/never` never, and everything else at once."""

    def __init__(self, **options: object) -> None:
        self.lost: list[int] = []
        self.options = {
            "max_connections": 3,
            "half_open": False,
            "request_limit_s": 0.2,
            "idle_limit_s": 0.2,
            **options,
        }

    def on_request(self, call: int, request: Request) -> None:
        if request.target == "/large":
            self.server.reply(call, Response(200, (), LARGE))
        elif request.target != "/never":
            self.server.reply(call, Response(200, (), request.body))

    def run(self, story: Callable[[Callable[[], Awaitable]], Awaitable]) -> None:
        async def main() -> None:
            handler = Handler(self.on_request, self.lost.append, lambda error: Response(error.status))
            self.server = HttpServer(handler, ServerOptions(Limits(), **self.options))
            host, port = await self.server.listen("127.0.0.1", 0)
            self.server.start()
            writers = []

            async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
                reader, writer = await asyncio.open_connection(host, port)
                writers.append(writer)
                return reader, writer

            try:
                await asyncio.wait_for(story(connect), 20)
            finally:
                for writer in writers:
                    writer.close()
                await self.server.close()

        asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)


def test_half_a_request_is_cut_off() -> None:
    """A client that dribbles is told 408, however often it sends another byte."""

    async def story(connect: Callable) -> None:
        reader, writer = await connect()
        dribble = asyncio.ensure_future(drip(writer))
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        dribble.cancel()

    async def drip(writer: asyncio.StreamWriter) -> None:
        for byte in b"GET / HTTP/1.1\r\nHost: " + b"a" * 1000:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)

    Harness().run(story)


def test_a_silent_client_is_let_go() -> None:
    """A connection without a request is closed without a word; before its first and after its last."""

    async def story(connect: Callable) -> None:
        reader, writer = await connect()
        assert await reader.read() == b""
        reader, writer = await connect()
        writer.write(GET % b"")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")

    Harness().run(story)


def test_a_client_that_does_not_read_is_dropped() -> None:
    """A response that nobody takes is not kept."""

    async def story(connect: Callable) -> None:
        reader, writer = await connect()
        reader._transport.pause_reading()
        writer.write(GET % b"large")
        await asyncio.sleep(0)
        await until(lambda: harness.server._last_call and not harness.server._connections)

    harness = Harness()
    harness.run(story)


def test_a_client_that_waits_for_its_answer_is_not_slow() -> None:
    """While the server owes an answer, no limit runs."""

    async def story(connect: Callable) -> None:
        reader, writer = await connect()
        writer.write(GET % b"never")
        await asyncio.sleep(0.5)
        assert not reader.at_eof()
        harness.server.reply(harness.server._last_call, Response(202))
        assert (await reader.readline()) == b"HTTP/1.1 202 Accepted\r\n"

    harness = Harness()
    harness.run(story)


def test_too_many_connections_are_told() -> None:
    """One more than allowed gets 503, and when another goes there is room again."""

    async def story(connect: Callable) -> None:
        first = await connect()
        await connect()
        await connect()
        reader, _ = await connect()
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        first[1].close()
        await first[1].wait_closed()
        await asyncio.sleep(0.05)
        reader, writer = await connect()
        writer.write(GET % b"")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")

    Harness(idle_limit_s=20.0).run(story)


def test_a_lost_call_is_told_once() -> None:
    """The handler learns that a waiting client went; a reply after that goes nowhere."""

    async def story(connect: Callable) -> None:
        _, writer = await connect()
        writer.write(GET % b"never")
        await until(lambda: harness.server._calls)
        writer.close()
        await until(lambda: harness.lost)
        harness.server.reply(harness.lost[0], Response(200))

    harness = Harness()
    harness.run(story)
    assert harness.lost == [1]


def test_what_is_sent_ahead_is_not_read_without_bound() -> None:
    """While a call waits, a client that goes on sending is not read beyond a bound."""

    async def story(connect: Callable) -> None:
        _, writer = await connect()
        writer.write(GET % b"never" + LARGE)
        await until(lambda: harness.server._calls)
        await asyncio.sleep(0.2)
        (one,) = harness.server._connections
        assert one._parser.buffered_bytes < 1024 * 1024

    harness = Harness()
    harness.run(story)


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("127.0.0.1", 70000)])
def test_addresses_that_cannot_be_had(host: str, port: int) -> None:
    """The message names the address."""

    async def story() -> None:
        handler = Handler(lambda call, request: None, lambda call: None, lambda error: Response(400))
        await HttpServer(handler, ServerOptions(Limits(), 1, half_open=False)).listen(host, port)

    with pytest.raises(ListenError, match=f"listening on {host!r} port {port}"):
        asyncio.run(story())


class Relay:
    """A server that sends each `/relay` body back as it comes, minding how fast its reader is."""

    def __init__(self) -> None:
        self.pauses = 0
        self.passed = 0
        self.lost: list[int] = []
        handler = Handler(
            self.on_request,
            self.lost.append,
            lambda error: Response(error.status),
            streams=lambda head: head.target == "/relay",
            on_begin=lambda call, _: self.server.begin_reply(call, Response(200)),
            on_piece=self.on_piece,
            on_flow=self.on_flow,
        )
        self.server = HttpServer(handler, ServerOptions(Limits(), 3, half_open=False))

    def on_piece(self, call: int, data: bytes) -> None:
        self.passed += len(data)
        self.server.send(call, data)

    def on_flow(self, call: int, going: bool) -> None:  # noqa: FBT001 - the server's signature
        self.pauses += not going
        (self.server.resume_request if going else self.server.pause_request)(call)

    def on_request(self, call: int, request: Request) -> None:
        if request.target == "/cut":
            self.server.begin_reply(call, Response(200, (), b"half"))
            self.server.cut(call)
        elif request.target == "/pieces":
            self.server.begin_reply(call, Response(200, (), b"ab"))
            self.server.send(call, b"c")
            self.server.end_reply(call)
        elif request.target == "/relay":
            self.server.end_reply(call)
        else:
            self.server.reply(call, Response(200, (), b"whole"))

    def run(self, story: Callable[[str, int], Awaitable]) -> None:
        async def main() -> None:
            host, port = await self.server.listen("127.0.0.1", 0)
            self.server.start()
            try:
                await asyncio.wait_for(story(host, port), 20)
            finally:
                await self.server.close()

        asyncio.run(main())


RELAY = b"POST /relay HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_body_goes_through_in_pieces_and_the_connection_lives_on() -> None:
    """Each piece is answered before the next one is sent, and the request behind it is served."""
    relay = Relay()

    async def story(host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(RELAY)
        assert (await reader.readuntil(b"\r\n\r\n")).endswith(b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in (b"1\r\na\r\n", b"2\r\nbc\r\n"):
            writer.write(piece)
            assert await reader.readexactly(len(piece)) == piece
        writer.write(b"0\r\n\r\n" + GET % b"x")
        assert await reader.readexactly(5) == b"0\r\n\r\n"
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(5) == b"whole"
        writer.close()

    relay.run(story)


def test_a_slow_reader_slows_the_writer_down() -> None:
    """Of 64 MB that nobody takes only what the sockets hold is read; then all of it arrives."""
    relay = Relay()
    chunk, count = b"10000\r\n" + b"x" * 65536 + b"\r\n", 1000

    async def story(host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port, limit=65536)
        writer.write(RELAY)

        async def write() -> None:
            for _ in range(count):
                writer.write(chunk)
                await writer.drain()
            writer.write(b"0\r\n\r\n")

        writing = asyncio.ensure_future(write())
        await until(lambda: relay.pauses)
        await asyncio.sleep(0.2)
        assert relay.passed < 32 * 1024 * 1024
        received = 0
        while not (piece := await reader.read(1 << 20)).endswith(b"\r\n0\r\n\r\n"):
            received += len(piece)
        assert received + len(piece) > count * 65536
        await writing
        writer.close()

    relay.run(story)


def test_a_writer_that_goes_away_is_told() -> None:
    """Half a body in pieces ends with the call's loss, not with a request."""
    relay = Relay()

    async def story(host: str, port: int) -> None:
        _, writer = await asyncio.open_connection(host, port)
        writer.write(RELAY + b"5\r\nab")
        await until(lambda: relay.passed)
        writer.close()
        await until(lambda: relay.lost)

    relay.run(story)


def test_a_response_that_is_cut_is_not_taken_for_whole() -> None:
    """The connection ends without a last chunk."""
    relay = Relay()

    async def story(host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(GET % b"cut")
        with contextlib.suppress(ConnectionError):
            assert not (await reader.read()).endswith(b"0\r\n\r\n")
        writer.close()

    relay.run(story)


def test_old_clients_get_pieces_until_the_end_of_the_connection() -> None:
    """HTTP/1.0 knows no chunks."""
    relay = Relay()

    async def story(host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /pieces HTTP/1.0\r\n\r\n")
        told = await reader.read()
        assert b"chunked" not in told
        assert told.endswith(b"\r\n\r\nabc")
        writer.close()

    relay.run(story)
