"""Streams as long as Lambda takes them, out of the runtime alone: its memory on the way, also to a slow reader.

The tests show the same with 48 MB. The reader counts bytes and keeps none; it says nothing about time, which is
`bench.streams`' subject.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.platform import render_event, running

TOP = Path(__file__).parents[1]
SIZE = 200_000_000
FIRST = 1_000_000  # what memory is compared with: the same stream, a short one
SLOW_BYTES_S = 20_000_000
SOURCE = """
PIECE = bytes(64_000)


def generator(event, context):
    for _ in range(event // len(PIECE)):
        yield PIECE


async def asynchronous(event, context):
    for _ in range(event // len(PIECE)):
        yield PIECE


async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    for _ in range(int(scope["query_string"]) // len(PIECE)):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body"})


def wsgi(environ, start_response):
    start_response("200 OK", [])
    return (PIECE for _ in range(int(environ["QUERY_STRING"]) // len(PIECE)))
"""
KINDS = {"a generator": "generator", "an asynchronous generator": "asynchronous", "ASGI": "asgi", "WSGI": "wsgi"}


def event(handler: str, size: int) -> bytes:
    """The `/next` response that asks for a stream of so many bytes."""
    if handler in {"generator", "asynchronous"}:
        return render_event(str(size).encode())
    http = {"method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9"}
    url = {"version": "2.0", "rawPath": "/", "rawQueryString": str(size), "headers": {"host": "h"}}
    return render_event(json.dumps({**url, "requestContext": {"http": http}, "isBase64Encoded": False}).encode())


def grown_kb(handler: str, folder: Path, *, bytes_s: int | None = None) -> int:
    """How much more memory a stream of SIZE takes than one of FIRST; `bytes_s` is how fast it is read."""
    command = [os.path.realpath(sys.executable), "-S", str(TOP / "bootstrap/__main__.py"), f"app.{handler}"]
    with running(command, folder, AWS_LWA_INVOKE_MODE="response_stream") as runtime:
        runtime.take_stream(event(handler, FIRST))
        before = runtime.peak_bytes()
        taken = runtime.take_stream(event(handler, SIZE), bytes_s=bytes_s)
        if taken < SIZE:
            raise SystemExit(f"{handler}: {taken} bytes came of {SIZE}")
        return (runtime.peak_bytes() - before) // 1024


def report(scratch: Path, *, runs: int) -> Iterator[str]:
    """The section of docs/benchmarks.md; `runs` streams of each kind, of which the worst counts."""
    (scratch / "app.py").write_text(SOURCE)
    size, slowly = f"{SIZE // 1_000_000} MB", f"{SLOW_BYTES_S // 1_000_000} MB/s"
    yield f"| a stream of {size} by | the runtime's memory grows by, KiB | the same, read at {slowly} |"
    yield "|---|---|---|"
    for kind, handler in KINDS.items():
        fast = max(grown_kb(handler, scratch) for _ in range(runs))
        slow = grown_kb(handler, scratch, bytes_s=SLOW_BYTES_S)
        yield f"| {kind} | {fast} | {slow} |"
    yield ""
    yield f"Against a stream of {FIRST // 1_000_000} MB in the same process; the highest of {runs}, read slowly once."
