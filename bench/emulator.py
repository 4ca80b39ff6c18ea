"""The emulator's figures beside AWS's emulator, in turns.

Ours runs our runtime and awslambdaric, AWS's runs awslambdaric: all of them the same handler. The caller is a socket
that does nothing else. Like the runtime's bench it never judges: the targets stand beside the figures.
"""

import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uv

from bench.platform import render_event, running
from bench.runtime import SMALL, SOURCE, Column, cell, in_turns, paired, warm

TOP = Path(__file__).parents[1]
PEER = TOP / "bench/peers/awslambdaric.txt"
SAM_CLI = "aws-sam-cli==1.170.0"  # it carries AWS's emulator
RIE = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}
PATH = "/2015-03-31/functions/function/invocations"
# Some milliseconds of computing: what environments on several cores share out.
BUSY = "def handler(event, context):\n    sum(range(150_000))\n    return event\n"
LARGE = b'"' + b"x" * 6_000_000 + b'"'
LIMIT_S = 60
WARMUP, SMALL_COUNT, LARGE_COUNT, PARALLEL_COUNT = 100, 1000, 5, 600
THEIRS, OURS, OURS_WITH_THEIRS = "AWS's emulator, awslambdaric", "ours, our runtime", "ours, awslambdaric"


@dataclass(frozen=True, slots=True)
class Peer:
    """An emulator with a runtime behind it: the command line up to the port, and the rest."""

    before: list[str]
    after: list[str]


def peers(scratch: Path) -> dict[str, Peer]:
    """What is measured, installed under `scratch`."""
    environment, sam = scratch / "environment", scratch / "sam"
    venv.create(environment, symlinks=True)
    python = str(environment / "bin/python")
    uv_bin = uv.find_uv_bin()
    subprocess.run([uv_bin, "pip", "install", "-q", "--python", python, "-r", str(PEER)], check=True)
    install = [uv_bin, "pip", "install", "-q", "--no-deps", "--target", str(sam), "--python", sys.executable, SAM_CLI]
    subprocess.run(install, check=True)
    rie = sam / "samcli/local/rapid" / RIE[platform.machine()]
    rie.chmod(0o755)
    shutil.copytree(TOP / "bootstrap", scratch / "bootstrap", ignore=shutil.ignore_patterns("__pycache__"))
    base = os.path.realpath(sys.executable)
    theirs = [python, "-m", "awslambdaric", "app.handler"]
    ours = [base, "-S", str(scratch / "bootstrap/__main__.py"), "app.handler"]
    emulator = [base, "-S", str(TOP / "emulator/__main__.py"), "--runtime-interface-emulator-address"]
    api = ["--runtime-api-address", f"127.0.0.1:{free_port()}"]
    return {
        THEIRS: Peer([str(rie), "--log-level", "error", *api, "--runtime-interface-emulator-address"], theirs),
        OURS: Peer(emulator, ["--", *ours]),
        OURS_WITH_THEIRS: Peer(emulator, ["--", *theirs]),
    }


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(peer: Peer, folder: Path, *options: str) -> Iterator[int]:
    """An emulator in `folder`, and its port."""
    port = free_port()
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "AWS_LAMBDA_FUNCTION_TIMEOUT": str(LIMIT_S)}
    command = [*peer.before, f"127.0.0.1:{port}", *options, *peer.after]
    with subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield port
        finally:
            process.terminate()


class Caller:
    """One kept-alive connection; connecting waits for the emulator to listen."""

    def __init__(self, port: int) -> None:
        deadline = time.monotonic() + LIMIT_S
        while True:
            with suppress(OSError):
                self.connection = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
                break
            if time.monotonic() > deadline:
                raise SystemExit(f"nothing listens on port {port}")
            time.sleep(0.01)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def invoke(self, event: bytes, *, status: int = 200) -> float:
        """Send an event; seconds to the whole response, which has to have that status."""
        head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(event)}\r\n\r\n"
        started = time.perf_counter()
        self.connection.sendall(head.encode() + event)
        received = self._receive()
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._receive()
        fields = received[:end].lower()
        if not received.startswith(b"HTTP/1.1 %d " % status):
            raise SystemExit(f"expected an answer, found {received[:300]!r}")
        at = fields.find(b"content-length:")
        if at >= 0:
            missing = int(fields[at + 15 :].split(b"\r\n")[0]) - (len(received) - end - 4)
            while missing > 0:
                missing -= len(self._receive())
        else:  # AWS's emulator sends what is large in chunks
            while not received.endswith(b"\r\n0\r\n\r\n"):
                received = received[-8:] + self._receive()
        return time.perf_counter() - started

    def _receive(self) -> bytes:
        piece = self.connection.recv(1 << 20)
        if not piece:
            raise SystemExit("the emulator closed the connection of its caller")
        return piece


def sequential(peer: Peer, folder: Path) -> list[float]:
    """Seconds of a small invocation: per invocation of a run, and the median."""
    with serving(peer, folder) as port:
        caller = Caller(port)
        for _ in range(WARMUP):
            caller.invoke(SMALL)
        started = time.perf_counter()
        moments = [caller.invoke(SMALL) for _ in range(SMALL_COUNT)]
        return [(time.perf_counter() - started) / SMALL_COUNT, median(moments)]


def large(peer: Peer, folder: Path) -> list[float]:
    """Median seconds of a large echo."""
    with serving(peer, folder) as port:
        caller = Caller(port)
        caller.invoke(LARGE)
        return [median(caller.invoke(LARGE) for _ in range(LARGE_COUNT))]


def alone(command: list[str], folder: Path) -> list[float]:
    """Median seconds from an event written to its response read, of the runtime without an emulator."""
    event = render_event(SMALL)
    with running(command, folder) as runtime:
        warm(runtime, event, WARMUP)
        return [warm(runtime, event, SMALL_COUNT)]


def parallel(peer: Peer, folder: Path, *, callers: int, environments: int) -> float:
    """Invocations a second with that many callers at once; an error ends the measurement."""
    with serving(peer, folder, "--concurrency", str(environments)) as port:
        first = Caller(port)
        first.invoke(SMALL)
        connections = [first, *(Caller(port) for _ in range(callers - 1))]
        counts = [0] * callers

        def work(index: int) -> None:
            for _ in range(PARALLEL_COUNT // callers):
                connections[index].invoke(SMALL)
                counts[index] += 1

        threads = [threading.Thread(target=work, args=(index,)) for index in range(callers)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent = time.perf_counter() - started
        if sum(counts) != PARALLEL_COUNT // callers * callers:
            raise SystemExit(f"{callers} callers: {sum(counts)} of {PARALLEL_COUNT} were answered")
        return sum(counts) / spent


def row(name: str, unit: str, figures: Column, *, ours: str, target: str, scale: float, inverse: bool = False) -> str:
    """A row of the table; `inverse`: figures are seconds, and the ratio is that of rates."""
    ratio = paired(figures, THEIRS, ours) if inverse else paired(figures, ours, THEIRS)
    cells = (cell(figures, name, scale) for name in (THEIRS, ours))
    return f"| {name}, {unit} | {' | '.join(cells)} | **{ratio:.2f}** | {target} |"


def report(scratch: Path, *, runs: int) -> Iterator[str]:
    """The section of docs/benchmarks.md."""
    folder = scratch / "function"
    folder.mkdir()
    (folder / "app.py").write_text(SOURCE)
    found = peers(scratch)

    def cases(function: Callable[[Peer, Path], list[float]]) -> dict[str, Callable[[], list[float]]]:
        return {name: lambda p=peer: function(p, folder) for name, peer in found.items()}  # type: ignore[misc]

    steady = cases(sequential)
    steady["runtime alone"] = lambda: [0.0, *alone(found[OURS].after[1:], folder)]
    each, latency = in_turns(steady, runs=runs)
    yield "| medians (spread) | AWS's emulator | firkin's | ratio, paired | must be |"
    yield "|---|---|---|---|---|"
    rate = "sequential small invocations, time for one"
    name = f"{rate}, each with its own runtime"
    yield row(name, "µs", each, ours=OURS, target="rate ≥ 2.0", scale=1e6, inverse=True)
    yield row(f"{rate}, awslambdaric under both", "µs", each, ours=OURS_WITH_THEIRS, target="rate ≥ 1.0", scale=1e6,
              inverse=True)  # fmt: skip
    (echo,) = in_turns(cases(large), runs=max(3, runs // 2))
    name = "echo of 6.0 MB of JSON, each with its own runtime"
    yield row(name, "ms", echo, ours=OURS, target="≤ 0.70", scale=1e3)
    yield ""
    added = [(a - b) * 1e3 for a, b in zip(latency[OURS], latency["runtime alone"], strict=True)]
    yield (
        f"Latency that the emulator adds to our runtime alone, p50: **{median(added):.2f} ms** "
        f"({min(added):.2f} to {max(added):.2f}; at most 0.35)."
    )
    yield ""
    busy = scratch / "busy"
    busy.mkdir()
    (busy / "app.py").write_text(BUSY)
    yield "| callers at once | environments | invocations of some ms of computing, a second | errors |"
    yield "|---|---|---|---|"
    for callers in (1, 8, 64):
        for environments in sorted({1, os.cpu_count() or 1, 8}):
            rates = [parallel(found[OURS], busy, callers=callers, environments=environments) for _ in range(3)]
            yield f"| {callers} | {environments} | {median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f}) | 0 |"
    yield ""
    yield (
        f"{SMALL_COUNT} small and {LARGE_COUNT} large invocations per run, {runs} runs in turns. "
        "AWS's emulator dies of three callers at once, so it has no row in the second table."
    )
