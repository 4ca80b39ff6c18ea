"""Streamed responses through the emulator: how fast, how soon, and at what memory.

One stream of nearly Lambda's largest size, by our runtime, to a socket that only reads. AWS's emulator buffers streams
and takes 6 MB, so it has no column. Like the others it never judges.
"""

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.emulator import Caller, Peer, serving

TOP = Path(__file__).parents[1]
SIZE = 180 * 1024 * 1024
SOURCE = f"""\
PIECE = bytes(65536)


def handler(event, context):
    yield {{"statusCode": 200, "headers": {{"content-type": "application/octet-stream"}}}}
    for _ in range({SIZE} // len(PIECE) if b"large" in str(event).encode() else 1):
        yield PIECE
"""
STREAMING = "/2021-11-15/functions/function/response-streaming-invocations"
SMALL_COUNT = 200


def fetch(caller: Caller, path: str, event: bytes) -> tuple[float, float, int]:
    """Seconds to the first byte of the body and to its end, and how many bytes came."""
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(event)}\r\nContent-Type: application/json\r\n\r\n"
    started = time.perf_counter()
    caller.connection.sendall(head.encode() + event)
    received, end = b"", -1
    while end < 0 or len(received) <= end + 4:
        received += caller.connection.recv(1 << 20)
        end = received.find(b"\r\n\r\n")
    first = time.perf_counter() - started
    size = len(received)
    while not received.endswith(b"\r\n0\r\n\r\n"):
        piece = caller.connection.recv(1 << 20)
        if not piece:
            raise SystemExit("the emulator closed the connection of its caller")
        size += len(piece)
        received = received[-8:] + piece
    return first, time.perf_counter() - started, size


def high_water_kb(port: int) -> int:
    """The emulator's peak memory, found by the port that it listens on."""
    inode = next(
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1] == f"0100007F:{port:04X}" and line.split()[3] == "0A"
    )
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(str(fd.readlink()) == f"socket:[{inode}]" for fd in folder.iterdir()):
                return int(re.search(r"VmHWM:\s+(\d+)", (folder.parent / "status").read_text())[1])  # type: ignore[index]
        except OSError:
            continue
    raise SystemExit(f"nobody holds port {port}")


def measured(peer: Peer, folder: Path, path: str, runs: int, *options: str) -> str:
    """A row of the table."""
    with serving(peer, folder, *options) as port:
        caller = Caller(port)
        fetch(caller, path, b'"small"')
        firsts = [fetch(caller, path, b'"small"')[0] * 1e3 for _ in range(SMALL_COUNT)]
        before = high_water_kb(port)
        rates = []
        for _ in range(runs):
            _, seconds, size = fetch(caller, path, b'"large"')
            rates.append(size / seconds / 1e6)
        grown = (high_water_kb(port) - before) / 1024
    rate = f"{median(rates):.0f} MB/s ({min(rates):.0f} to {max(rates):.0f})"
    return f"{rate} | {median(firsts):.2f} ms | {grown:.1f} MB |"


def report(scratch: Path, *, runs: int) -> Iterator[str]:
    """The section of docs/benchmarks.md."""
    (scratch / "app.py").write_text(SOURCE)
    base = os.path.realpath(sys.executable)
    before = [base, "-S", str(TOP / "emulator/__main__.py"), "--runtime-interface-emulator-address"]
    peer = Peer(before, ["--", base, "-S", str(TOP / "bootstrap/__main__.py"), "app.handler"])
    yield f"| a stream of {SIZE >> 20} MiB | throughput | first byte of a small one, p50 | emulator's memory grows by |"
    yield "|---|---|---|---|"
    yield f"| as HTTP | {measured(peer, scratch, '/', runs, '--http')}"
    yield f"| as event stream (`invoke_with_response_stream`) | {measured(peer, scratch, STREAMING, runs)}"
    yield ""
    yield f"{runs} large and {SMALL_COUNT} small streams each, of our runtime in pieces of 64 KiB."
