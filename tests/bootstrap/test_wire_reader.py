"""A response in pieces: the same however it is cut, and one kind of error for everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.errors import ProtocolError
from bootstrap.wire import MAX_BODY_BYTES, MAX_HEAD_BYTES, Response, maybe_parse_whole
from bootstrap.wire_reader import ResponseReader

OK = b"HTTP/1.1 200 OK\r\n"


def read(*pieces: bytes) -> tuple[Response | None, bytes]:
    reader = ResponseReader()
    response = None
    for number, piece in enumerate(pieces):
        response = reader.feed(piece)
        if response is not None:
            return response, reader.leftover + b"".join(pieces[number + 1 :])
    return response, reader.leftover


def facts(result: tuple[Response | None, bytes]) -> tuple[object, ...]:
    response, leftover = result
    assert response is not None
    return response.status, response.headers, response.body, response.keep_alive, leftover


@pytest.mark.parametrize(
    ("message", "status", "body", "keep_alive", "leftover"),
    [
        (OK + b"Content-Length: 2\r\n\r\n{}", 200, b"{}", True, b""),
        (OK + b"content-length:2\r\n\r\n{}rest", 200, b"{}", True, b"rest"),
        (OK + b"Content-Length: 0\r\n\r\n", 200, b"", True, b""),
        (b"HTTP/1.1 202 \r\nContent-Length: 0\r\n\r\n", 202, b"", True, b""),
        (b"HTTP/1.1 413\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n", 413, b"", False, b""),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"x", False, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True, b""),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, b"", True, b""),
        (
            OK + b"Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0a;x=y\r\n0123456789\r\n0\r\n\r\n",
            200,
            b"abc0123456789",
            True,
            b"",
        ),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: v\r\nU: w\r\n\r\nnext", 200, b"a", True, b"next"),
    ],
)
def test_every_framing_is_read(message, status, body, keep_alive, leftover) -> None:
    """A body is as long as its one framing says, and what follows is not touched."""
    found = facts(read(message))
    assert (found[0], *found[2:]) == (status, body, keep_alive, leftover)


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b"Lambda-Runtime-Trace-Id:  Root=1;a=b \t", "lambda-runtime-trace-id", "Root=1;a=b"),
        (b"LAMBDA-RUNTIME-TRACE-ID:", "lambda-runtime-trace-id", ""),
        (b'Lambda-Runtime-Client-Context: {"a": "\xc3\xa9"}', "lambda-runtime-client-context", '{"a": "\u00e9"}'),
        (b"X: \xff", "x", "\udcff"),
        (b"X: 1\r\nX: 2", "x", "2"),
    ],
)
def test_headers_are_folded_and_stripped(line, name, value) -> None:
    """Names compare in lower case; values lose outer space, are UTF-8 and never fail to decode."""
    response, _ = read(OK + line + b"\r\nContent-Length: 0\r\n\r\n")
    assert response.headers[name] == value


GARBAGE = [
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 20x OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 2000\r\nContent-Length: 0\r\n\r\n",
    OK + b"\r\n",
    OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
    OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    OK + b"Content-Length: -1\r\n\r\n",
    OK + b"Content-Length: +1\r\n\r\nx",
    OK + b"Content-Length: 1_0\r\n\r\n",
    OK + b"Content-Length: \xc2\xb2\r\n\r\n",
    OK + b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
    OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    OK + b"No colon\r\n\r\n",
    OK + b": no name\r\n\r\n",
    OK + b"Content-Length : 0\r\n\r\n",
    OK + b"Content-Length: 0\r\n folded\r\n\r\n",
    OK + b"A: b\nContent-Length: 0\r\n\r\n",
    OK + b"A: b\rC\r\nContent-Length: 0\r\n\r\n",
    OK + b"A: \0\r\nContent-Length: 0\r\n\r\n",
    OK + b"A: " + b"x" * MAX_HEAD_BYTES,
    OK + b"A: " + b"x" * MAX_HEAD_BYTES + b"\r\nContent-Length: 0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 300,
    OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"T: v\r\n" * MAX_HEAD_BYTES,
]


@pytest.mark.parametrize("message", GARBAGE)
def test_everything_else_is_a_protocol_error(message) -> None:
    """What is not the subset is refused with a message that quotes it and says what to check."""
    with pytest.raises(ProtocolError, match=r"found .*\. .*\."):
        read(message)


@pytest.mark.parametrize("message", [m for m in GARBAGE if len(m) < 1000])
def test_garbage_is_refused_at_any_speed(message) -> None:
    """Byte by byte, garbage is refused as well, and not waited on."""
    with pytest.raises(ProtocolError):
        read(*[message[i : i + 1] for i in range(len(message))])


@st.composite
def responses(draw) -> bytes:
    body = draw(st.binary(max_size=300))
    if draw(st.booleans()):
        return OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    size = draw(st.integers(1, 50))
    chunks = [body[i : i + size] for i in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


@st.composite
def splits(draw, messages) -> tuple[bytes, list[bytes]]:
    message = draw(messages)
    cuts = sorted(draw(st.sets(st.integers(0, len(message)), max_size=12)))
    return message, [message[a:b] for a, b in zip([0, *cuts], [*cuts, len(message)], strict=True)]


@given(splits(st.builds(bytes.__add__, responses(), st.binary(max_size=5))))
def test_any_split_gives_the_same(case) -> None:
    """How the network cuts the bytes makes no difference to the response or to what follows it."""
    message, pieces = case
    assert facts(read(*pieces)) == facts(read(message))


LIKELY = st.sampled_from(
    [
        OK,
        b"HTTP/1.1 ",
        b"\r\n",
        b"\r\n\r\n",
        b"Content-Length: 3",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"5\r\nhello\r\n",
        b":",
        b"0",
        b"a",
        b"\n",
    ]
)


@given(splits(st.lists(LIKELY | st.binary(max_size=6), max_size=10).map(b"".join)))
def test_garbage_raises_only_the_peers_error(case) -> None:
    """Arbitrary bytes, in arbitrary pieces, end in a response, in a wish for more, or in ProtocolError."""
    message, pieces = case

    def outcome(*parts: bytes) -> object:
        try:
            result = read(*parts)
        except ProtocolError:
            return "refused"
        return facts(result) if result[0] is not None else "waiting"

    assert outcome(*pieces) == outcome(message)


def test_missing_bytes_tell_how_much_to_ask_for() -> None:
    """A sized body says what is still on its way, so that it can be received in few calls."""
    reader = ResponseReader()
    assert (reader.started, reader.missing_bytes) == (False, 0)
    reader.feed(OK + b"Content-Length: 10\r\n\r\nabc")
    assert (reader.started, reader.missing_bytes) == (True, 7)


@given(responses() | st.lists(LIKELY | st.binary(max_size=6), max_size=10).map(b"".join))
def test_a_response_in_one_piece_is_read_the_same_without_the_automaton(message) -> None:
    """The short way gives what the reader gives, or refuses as it does, or leaves the message to it."""
    try:
        found = maybe_parse_whole(message)
    except ProtocolError:
        with pytest.raises(ProtocolError):
            read(message)
    else:
        assert found is None or facts((found, b"")) == facts(read(message))


def test_tiny_chunks_stay_small() -> None:
    """A body in millions of chunks of a byte or two takes memory in proportion to its bytes, not its chunks."""
    reader = ResponseReader()
    reader.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(1000):
        reader.feed(b"2\r\nab\r\n")
    assert len(reader._pieces) == 1
    assert reader.feed(b"0\r\n\r\n").body == b"ab" * 1000


@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(1, 300), min_size=1, max_size=8), st.integers(0, 300))
def test_a_body_received_in_its_place_is_the_body(body, counts, begun) -> None:
    """Filled in place, in portions of any size after a beginning of any size, it is what `feed` would give."""
    head = OK + b"Content-Length: %d\r\n\r\n" % len(body)
    reader = ResponseReader()
    assert not reader.sized
    response = reader.feed(head + body[:begun])
    if response is None:
        with reader.place() as place:
            while reader.missing_bytes:
                count = min(counts[reader.missing_bytes % len(counts)], reader.missing_bytes)
                at = len(body) - reader.missing_bytes
                place[-reader.missing_bytes :][:count] = body[at : at + count]
                reader.placed(count)
            assert reader.sized
        response = reader.feed(b"")
    assert facts((response, b"")) == facts(read(head + body))


def test_chunks_have_no_place() -> None:
    """Only a body whose whole length is known is received in place."""
    reader = ResponseReader()
    reader.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab")
    assert (reader.missing_bytes, reader.sized) == (3, False)
