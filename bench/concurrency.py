"""Eight events at once: each mode of the runtime beside awslambdaric's processes, in turns, under one server.

The server keeps as many events in flight as there are polls; the handler returns its event, so that what is
measured is the runtime. Memory is proportional (shared pages are divided among those who share them), of the whole
group of processes, while all wait for an event.
"""

import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.platform import render_event
from bench.runtime import SMALL, cell, commands, in_turns, paired

CONCURRENCY, WARMUP, COUNT = 8, 400, 4000
LIMIT_S = 60
SOURCE = """
def handler(event, context): return event
async def asynchronous(event, context): return event
"""
MODES = {
    "awslambdaric": ("handler", "processes"),
    "processes": ("handler", "processes"),
    "threads": ("handler", "threads"),
    "loop": ("asynchronous", "loop"),
}
_NEXT = b"GET /2018-06-01/runtime/invocation/next"
_ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'


class Platform:
    """One thread for all connections: events for whoever asks, as long as there are some."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._waiting: list[socket.socket] = []
        self._partial: dict[socket.socket, bytes] = {}
        self._event = render_event(SMALL)

    def serve(self, count: int) -> float:
        """Hand out `count` events and take their answers; return the seconds, with all polls open at both ends."""
        self._run(lambda: len(self._waiting) >= CONCURRENCY)
        answered, left = 0, count
        begin = time.perf_counter()
        while answered < count:
            while left and self._waiting:
                self._waiting.pop(0).sendall(self._event)
                left -= 1
            answered += self._step()
        seconds = time.perf_counter() - begin
        self._run(lambda: len(self._waiting) >= CONCURRENCY)
        return seconds

    def _run(self, until: Callable[[], bool]) -> None:
        while not until():
            self._step()

    def _step(self) -> int:
        """Handle what has arrived; return how many answers were among it."""
        answered = 0
        ready = self._selector.select(LIMIT_S)
        if not ready:
            raise SystemExit(f"nothing arrived for {LIMIT_S} s")
        for key, _ in ready:
            peer = key.fileobj
            assert isinstance(peer, socket.socket)
            if peer is self._listener:
                connection, _ = peer.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._selector.register(connection, selectors.EVENT_READ)
                continue
            received = peer.recv(1 << 16)
            if not received:
                self._selector.unregister(peer)
                peer.close()
                continue
            data = self._partial.pop(peer, b"") + received
            if not is_whole(data):
                self._partial[peer] = data
            elif data.startswith(_NEXT):
                self._waiting.append(peer)
            elif b"/response HTTP/1.1" in data[:120]:
                peer.sendall(_ACCEPTED)
                answered += 1
            else:
                raise SystemExit(f"expected a response, found {data[:300]!r}")
        return answered


def is_whole(request: bytes) -> bool:
    """Whether this is a request with all of its body; some clients send the two apart."""
    head, end, body = request.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return bool(end) and len(body) >= int(length or 0)


@contextmanager
def pool(command: Sequence[str], folder: Path, mode: str) -> Iterator[tuple[int, Platform]]:
    """A runtime with its workers: the process group and its platform."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        env = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{listener.getsockname()[1]}",
            "AWS_LAMBDA_MAX_CONCURRENCY": str(CONCURRENCY),
            "FIRKIN_CONCURRENCY": mode,
        }
        with subprocess.Popen(
            command, cwd=folder, env=env, stdout=subprocess.DEVNULL, start_new_session=True
        ) as process:
            try:
                yield process.pid, Platform(listener)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def members(group: int) -> list[Path]:
    """The /proc folders of a process group."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getpgid(int(folder.name)) == group:
                found.append(folder)
    return found


def cpu_s(group: int) -> float:
    """CPU time of all threads of a group so far."""
    tasks = [task for folder in members(group) for task in (folder / "task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def memory_bytes(group: int) -> int:
    """Proportional memory of a group."""
    texts = [(folder / "smaps_rollup").read_text() for folder in members(group)]
    return sum(int(text.partition("\nPss:")[2].split()[0]) for text in texts) * 1024


def measure(command: Sequence[str], folder: Path, mode: str) -> list[float]:
    """Invocations per second, seconds of CPU for one, and bytes of memory."""
    with pool(command, folder, mode) as (group, platform):
        platform.serve(WARMUP)
        before = cpu_s(group)
        seconds = platform.serve(COUNT)
        return [COUNT / seconds, (cpu_s(group) - before) / COUNT, memory_bytes(group)]


def report(scratch: Path, *, runs: int) -> Iterator[str]:
    """The section of docs/benchmarks.md."""
    folder = scratch / "function"
    folder.mkdir()
    (folder / "app.py").write_text(SOURCE)
    programs = commands(scratch)
    cases = {}
    for name, (handler, mode) in MODES.items():
        *command, _ = programs["awslambdaric" if name == "awslambdaric" else "image"]
        cases[name] = lambda c=[*command, f"app.{handler}"], m=mode: measure(c, folder, m)
    rate, cpu, memory = in_turns(cases, runs=runs)
    heads = ("invocations/s", "ratio", "CPU each, µs", "ratio", "memory, MB", "ratio")
    yield f"| {CONCURRENCY} events at once, medians (spread) | {' | '.join(heads)} |"
    yield "|---|---|---|---|---|---|---|"
    for name in MODES:
        label = "awslambdaric 4.2.2, processes" if name == "awslambdaric" else f"firkin, {name}"
        columns = [(rate, 1.0), (cpu, 1e6), (memory, 1e-6)]
        cells = [
            f"{cell(column, name, scale)} | **{paired(column, name, 'awslambdaric'):.2f}**" for column, scale in columns
        ]
        yield f"| {label} | {' | '.join(cells)} |"
    yield ""
    yield (
        f"{COUNT} invocations per run, {runs} runs in turns; the platform's half takes part of the same cores. The "
        "handler returns its event; on the loop it is `async def`. Memory is proportional, of all processes, while "
        "they wait for events."
    )
