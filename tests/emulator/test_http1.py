"""The HTTP parser: what is understood, what is refused, and what holds for any bytes."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import ProtocolError
from emulator.http1 import CONTINUE, NEED_DATA, Begin, Limits, Piece, Request, RequestParser
from emulator.http1_response import LAST_CHUNK, Response, render_begin, render_chunk, render_response

if TYPE_CHECKING:
    from collections.abc import Callable

BOUNDS = Limits(head_bytes=512, body_bytes=64, drain_bytes=256)

GOOD = {
    "get": (
        b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n",
        Request("GET", "/next", {"host": "a"}, b"", 0, keep_alive=True),
    ),
    "post": (
        b"POST /x?y=z HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        Request("POST", "/x?y=z", {"host": "a", "content-length": "3"}, b"abc", 3, keep_alive=True),
    ),
    "chunked": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
        Request("POST", "/", {"host": "a", "transfer-encoding": "Chunked"}, b"abcde", 5, keep_alive=True),
    ),
    "trailers": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nLambda-X: y\r\nZ:\r\n\r\n",
        Request(
            "POST",
            "/",
            {"host": "a", "transfer-encoding": "chunked"},
            b"",
            0,
            keep_alive=True,
            trailers={"lambda-x": "y", "z": ""},
        ),
    ),
    "close": (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n",
        Request("GET", "/", {"host": "a", "connection": "foo, Close"}, b"", 0, keep_alive=False),
    ),
    "1.0": (b"GET / HTTP/1.0\r\n\r\n", Request("GET", "/", {}, b"", 0, keep_alive=False, modern=False)),
    "empty lines before": (
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        Request("GET", "/", {"host": "a"}, b"", 0, keep_alive=True),
    ),
    "repeated header": (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nx:  2\t\r\n\r\n",
        Request("GET", "/", {"host": "a", "x": "1, 2"}, b"", 0, keep_alive=True),
    ),
    "latin-1 value": (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n",
        Request("GET", "/", {"host": "a", "x": "é"}, b"", 0, keep_alive=True),
    ),
    "at the body limit": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 64\r\n\r\n" + b"x" * 64,
        Request("POST", "/", {"host": "a", "content-length": "64"}, b"x" * 64, 64, keep_alive=True),
    ),
    "over the body limit": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65\r\n\r\n" + b"x" * 65,
        Request("POST", "/", {"host": "a", "content-length": "65"}, b"", 65, keep_alive=True, oversize=True),
    ),
    "chunks over the body limit": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"20\r\n" + b"x" * 32 + b"\r\n") * 3
        + b"0\r\n\r\n",
        Request("POST", "/", {"host": "a", "transfer-encoding": "chunked"}, b"", 96, keep_alive=True, oversize=True),
    ),
}

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

BAD = {
    "no request line": (b"hello\r\n\r\n", 400),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: a\n\r\n\r\n", 400),
    "line feed in a header": (HEAD + b"X: a\nContent-Length: 5\r\n\r\n", 400),
    "carriage return in a header": (HEAD + b"X: a\rb\r\n\r\n", 400),
    "NUL in a header": (HEAD + b"X: a\x00b\r\n\r\n", 400),
    "folded header": (HEAD + b"X: a\r\n b\r\n\r\n", 400),
    "space before the colon": (HEAD + b"Content-Length : 5\r\n\r\n", 400),
    "header without a name": (HEAD + b": 5\r\n\r\n", 400),
    "header without a colon": (HEAD + b"abc\r\n\r\n", 400),
    "two spaces in the request line": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "absolute target": (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "HTTP/2": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "both lengths": (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "two lengths": (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    "the same length twice": (HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
    "list of lengths": (HEAD + b"Content-Length: 5, 5\r\n\r\n", 400),
    "signed length": (HEAD + b"Content-Length: +5\r\n\r\n", 400),
    "negative length": (HEAD + b"Content-Length: -1\r\n\r\n", 400),
    "hexadecimal length": (HEAD + b"Content-Length: 0x5\r\n\r\n", 400),
    "empty length": (HEAD + b"Content-Length:\r\n\r\n", 400),
    "superscript length": (HEAD + b"Content-Length: \xb2\r\n\r\n", 400),
    "chunked in 1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "gzip coding": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "chunked twice": (HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
    "disguised coding": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n", 501),
    "unknown expectation": (HEAD + b"Expect: more\r\n\r\n", 417),
    "expecting too much": (HEAD + b"Expect: 100-continue\r\nContent-Length: 65\r\n\r\n", 413),
    "no chunk size": (CHUNKED + b"\r\n", 400),
    "negative chunk": (CHUNKED + b"-1\r\n", 400),
    "prefixed chunk": (CHUNKED + b"0x1\r\n", 400),
    "endless chunk line": (CHUNKED + b"1;" + b"x" * 300, 400),
    "chunk longer than said": (CHUNKED + b"1\r\nab\r\n", 400),
    "chunk size over the drain limit": (CHUNKED + b"ffffffff\r\n", 413),
    "trailer that is none": (CHUNKED + b"0\r\nnope\r\n\r\n", 400),
    "endless trailers": (CHUNKED + b"0\r\nX: " + b"x" * 600, 431),
    "length over the drain limit": (HEAD + b"Content-Length: 257\r\n\r\n", 413),
    "endless head": (HEAD + b"X: " + b"x" * 600, 431),
    "head over the limit": (HEAD + b"X: " + b"x" * 600 + b"\r\n\r\n", 431),
}


def events_of(pieces: list[bytes], streams: Callable[[Request], bool] | None = None) -> list[object]:
    parser = RequestParser(BOUNDS, streams)
    events: list[object] = []
    for piece in pieces:
        parser.feed(piece)
        while (event := parser.next_event()) is not NEED_DATA:
            events.append(event)
    parser.eof()
    return events


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@pytest.mark.parametrize(("data", "expected"), GOOD.values(), ids=GOOD)
def test_requests_are_understood(data: bytes, expected: Request) -> None:
    """Each of these bytes is this request."""
    assert events_of([data]) == [expected]


@pytest.mark.parametrize(("data", "status"), BAD.values(), ids=BAD)
def test_everything_ambiguous_is_refused(data: bytes, status: int) -> None:
    """What two readers could understand in two ways, and what is too large, is refused with this status."""
    with pytest.raises(ProtocolError) as caught:
        events_of([data])
    assert caught.value.status == status


@pytest.mark.parametrize(("data", "status"), BAD.values(), ids=BAD)
def test_refusals_do_not_depend_on_the_split(data: bytes, status: int) -> None:
    """A byte at a time is refused as the whole is."""
    with pytest.raises(ProtocolError) as caught:
        events_of([data[i : i + 1] for i in range(len(data))])
    assert caught.value.status == status


@given(st.lists(st.sampled_from(sorted(GOOD)), min_size=1, max_size=4), st.lists(st.integers(0, 4000), max_size=12))
def test_any_split_gives_the_same_requests(names: list[str], cuts: list[int]) -> None:
    """However the bytes of a connection are cut, the requests are the same."""
    data = b"".join(GOOD[name][0] for name in names)
    assert events_of(split(data, cuts)) == [GOOD[name][1] for name in names]


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_garbage_raises_only_the_peers_error(pieces: list[bytes]) -> None:
    """Bytes of any kind raise ProtocolError or nothing."""
    with contextlib.suppress(ProtocolError):
        events_of(pieces)


@given(
    st.sampled_from(sorted(GOOD)),
    st.integers(0, 400),
    st.binary(max_size=3),
    st.lists(st.integers(0, 4000), max_size=4),
)
def test_damaged_requests_raise_only_the_peers_error(name: str, at: int, noise: bytes, cuts: list[int]) -> None:
    """Neither do requests that were damaged anywhere; and the parser never holds more than its bounds allow."""
    data = GOOD[name][0]
    data = data[: at % len(data)] + noise + data[at % len(data) :]
    with contextlib.suppress(ProtocolError):
        events_of(split(data, cuts))


@given(st.binary(max_size=64), st.lists(st.integers(1, 20), max_size=10))
def test_chunking_does_not_change_a_body(body: bytes, sizes: list[int]) -> None:
    """A body sent in chunks of any size is the body sent whole."""
    data, rest = CHUNKED, body
    for size in sizes:
        chunk, rest = rest[:size], rest[size:]
        data += b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunk else b""
    data += b"%x\r\n%b\r\n" % (len(rest), rest) if rest else b""
    (request,) = events_of([data + b"0\r\n\r\n"])
    assert isinstance(request, Request)
    assert request.body == body


@given(st.binary(max_size=300), st.lists(st.integers(1, 90), max_size=10), st.lists(st.integers(0, 900), max_size=8))
def test_a_body_in_pieces_is_the_body(body: bytes, sizes: list[int], cuts: list[int]) -> None:
    """Wanted in pieces, a chunked body of any size comes whole, in order, between its begin and its end."""
    data, rest = CHUNKED, body
    for size in sizes:
        data += render_chunk(rest[:size])
        rest = rest[size:]
    data += render_chunk(rest) + LAST_CHUNK
    begin, *pieces, end = events_of(split(data + GOOD["get"][0], cuts), streams=lambda head: head.method == "POST")[:-1]
    assert isinstance(begin, Begin)
    assert all(isinstance(piece, Piece) and piece.data for piece in pieces)
    assert b"".join(piece.data for piece in pieces) == body
    assert isinstance(end, Request)
    assert (end.body, end.body_size, end.oversize) == (b"", len(body), False)


def test_a_body_in_pieces_is_bounded() -> None:
    """It may be larger than one that is collected; over its own limit it ends before the chunk that is too much."""
    parser = RequestParser(BOUNDS._replace(stream_bytes=300), lambda _: True)
    parser.feed(CHUNKED)
    assert isinstance(parser.next_event(), Begin)
    for _ in range(3):
        parser.feed(b"64\r\n" + b"x" * 100 + b"\r\n")
        assert parser.next_event() == Piece(b"x" * 100)
        assert parser.next_event() is NEED_DATA
    parser.feed(b"1\r\n")
    end = parser.next_event()
    assert isinstance(end, Request)
    assert (end.body_size, end.oversize, end.keep_alive) == (301, True, False)


@given(st.lists(st.integers(1, 60_000), max_size=12), st.integers(0, 5))
def test_a_large_body_may_be_received_where_it_belongs(sizes: list[int], ahead: int) -> None:
    """Whichever part of it arrives with the head and in whatever steps the rest: the body is the body."""
    body = bytes(range(256)) * 400
    parser = RequestParser(Limits())
    parser.feed(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body[:ahead])
    sent = ahead
    event = parser.next_event()
    for size in [*sizes, len(body)]:
        if not parser.has_room:
            break
        room = parser.room()
        count = min(size, len(room))
        room[:count] = body[sent : sent + count]
        parser.filled(count)
        sent += count
        event = parser.next_event()
    assert isinstance(event, Request)
    assert (event.body, event.body_size) == (body, len(body))
    assert not parser.has_room
    parser.feed(GOOD["get"][0])
    assert parser.next_event() == GOOD["get"][1]


def test_a_waiting_peer_is_told_to_continue_once() -> None:
    """`Expect: 100-continue` is answered when the body has not come by itself, and then the request is whole."""
    parser = RequestParser(BOUNDS)
    parser.feed(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert parser.next_event() is CONTINUE
    assert parser.next_event() is NEED_DATA
    parser.feed(b"ab")
    assert parser.next_event() == Request(
        "POST", "/", {"host": "a", "expect": "100-continue", "content-length": "2"}, b"ab", 2, keep_alive=True
    )


def test_a_peer_that_did_not_wait_is_not_told() -> None:
    """A body that is there already needs no permission."""
    parser = RequestParser(BOUNDS)
    parser.feed(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab")
    assert isinstance(parser.next_event(), Request)


def test_a_request_cut_in_two_is_an_error() -> None:
    """The end of the stream inside a request is reported, between requests it is not."""
    parser = RequestParser(BOUNDS)
    parser.eof()
    parser.feed(HEAD)
    assert parser.next_event() is NEED_DATA
    with pytest.raises(ProtocolError, match="ended in the middle"):
        parser.eof()


def test_an_oversize_body_is_not_kept() -> None:
    """While a body over the limit is drained, nothing of it stays in memory."""
    parser = RequestParser(BOUNDS)
    parser.feed(HEAD + b"Content-Length: 200\r\n\r\n")
    for _ in range(20):
        parser.feed(b"x" * 9)
        assert parser.next_event() is NEED_DATA
        assert parser.buffered_bytes == 0


def test_a_response_as_bytes() -> None:
    """Responses have a length, a date if there is one, and say when the connection ends."""
    response = Response(202, (("A", "b"),), b"xy")
    assert render_response(response) == b"HTTP/1.1 202 Accepted\r\nA: b\r\nContent-Length: 2\r\n\r\nxy"
    assert render_response(response, date="D", keep_alive=False) == (
        b"HTTP/1.1 202 Accepted\r\nDate: D\r\nA: b\r\nConnection: close\r\nContent-Length: 2\r\n\r\nxy"
    )


def test_a_response_in_pieces_as_bytes() -> None:
    """The head announces chunks, of which an empty one would be the end; HTTP/1.0 gets the bytes as they are."""
    response = Response(200, (("A", "b"),), b"xy")
    assert render_begin(response) == b"HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n"
    assert render_begin(response, keep_alive=False, chunked=False) == (
        b"HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\nxy"
    )
    assert render_chunk(b"") == b""
    assert render_chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
