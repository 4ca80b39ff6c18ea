"""Throws garbage at the HTTP reader: what is checked for each input, the inputs of a seeded random run, and atheris.

The tests run some thousand inputs; `scripts/fuzz SECONDS` runs for as long as it is told, led by coverage where
atheris is installed. An input that breaks a promise is printed as bytes, fit for a test.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from bootstrap.errors import ProtocolError
from bootstrap.wire import MAX_BODY_BYTES, MAX_HEAD_BYTES, maybe_parse_whole
from bootstrap.wire_reader import MAX_CHUNK_LINE_BYTES, ResponseReader

SEEDS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n[1,2,3]",
    b'HTTP/1.1 202 Accepted\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Length: 15\r\n\r\n{"status":"OK"}',
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nA: b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nLambda-Runtime-Trace-Id: 1\r\nA-Client-Context: \xc3\xa9\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 413 Too Large\r\nConnection: close\r\ncontent-length:  2 \r\n\r\n{}rest",
    b"HTTP/1.1 204 No Content\r\n\r\n",
)
PIECES = (
    b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"\t", b"0", b"ffffffffffffffff", b"-1", b"\xff", b"\r\n\r\n",
    b"HTTP/1.1 200 OK", b"HTTP/2 200", b"Content-Length: 3", b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Connection: close", b"100 Continue", b"A" * 300,
    b"X: " + b"y" * MAX_HEAD_BYTES,
)  # fmt: skip
# What may be kept besides a body: a head, trailers or a line that have no end yet.
_KEPT_BESIDE_BYTES = MAX_HEAD_BYTES + MAX_CHUNK_LINE_BYTES


def outcome(pieces: list[bytes]) -> object:
    """What the reader makes of the pieces: a response and what follows it, `refused`, or `waiting`."""
    reader, fed = ResponseReader(), 0
    for number, piece in enumerate(pieces):
        try:
            response = reader.feed(piece)
        except ProtocolError:
            return "refused"
        fed += len(piece)
        kept = len(reader._buffer) + sum(map(len, reader._pieces))  # noqa: SLF001  memory is the question
        assert kept <= min(fed, MAX_BODY_BYTES + _KEPT_BESIDE_BYTES), "more is kept than may be"
        assert 0 <= reader.missing_bytes <= MAX_BODY_BYTES, "more is waited for than may come"
        if response is not None:
            after = reader.leftover + b"".join(pieces[number + 1 :])
            return response.status, response.headers, response.body, response.keep_alive, after
    return "waiting"


def check(message: bytes, cuts: list[int]) -> None:
    """Raise AssertionError if the pieces give anything but what the whole gives; ProtocolError is the one error."""
    edges = sorted({min(cut, len(message)) for cut in cuts} | {0, len(message)})
    pieces = [message[begin:end] for begin, end in pairwise(edges)]
    whole = outcome([message])
    assert outcome(pieces) == whole, "the pieces give something else than the whole"
    try:
        short = maybe_parse_whole(message)
    except ProtocolError:
        assert whole == "refused", "the short way refuses what the reader takes"
    else:
        found = short and (short.status, short.headers, short.body, short.keep_alive, b"")
        assert found in (None, whole), "the short way gives something else than the reader"


def mutate(chance: random.Random) -> bytes:
    """Return a seed that has suffered: parts cut out, doubled, moved, replaced, bits turned."""
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randint(1, 5)):
        begin = chance.randint(0, len(data))
        end = min(len(data), begin + chance.randint(0, 12))
        what = chance.randrange(5)
        if what == 0:
            del data[begin:end]
        elif what == 1:
            data[begin:begin] = data[begin:end]
        elif what == 2:
            data[begin:begin] = chance.choice(PIECES)
        elif what == 3:
            data[begin:end] = chance.choice(PIECES)
        elif begin < len(data):
            data[begin] ^= 1 << chance.randrange(8)
    return bytes(data)


def run(count: int, seed: int) -> None:
    """Check `count` inputs of one seed."""
    chance = random.Random(seed)
    for _ in range(count):
        message = mutate(chance)
        cuts = [chance.randint(0, len(message)) for _ in range(chance.randint(0, 10))]
        try:
            check(message, cuts)
        except Exception:
            print(f"check({message!r}, {cuts!r})", file=sys.stderr)
            raise


def main(seconds: float) -> None:
    """Run until the time is over: led by coverage where atheris is installed, else at random, seed after seed."""
    try:
        import atheris  # noqa: PLC0415  has an environment of its own
    except ImportError:
        seed, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            run(1000, seed)
            seed += 1
        print(f"{seed * 1000:,} inputs, no promise broken")
        return

    def one(data: bytes) -> None:
        provider = atheris.FuzzedDataProvider(data)
        cuts = [provider.ConsumeIntInRange(0, 2000) for _ in range(provider.ConsumeIntInRange(0, 10))]
        check(provider.ConsumeBytes(len(data)), cuts)

    atheris.instrument_all()
    corpus = tempfile.mkdtemp(prefix="firkin-fuzz-")  # Fuzz ends the process, so nobody can remove it
    for number, seed_message in enumerate(SEEDS):
        (Path(corpus) / str(number)).write_bytes(seed_message + bytes(8))
    atheris.Setup([sys.argv[0], f"-max_total_time={int(seconds)}", corpus], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)
