"""Timing of whole processes, in pairs: A B A B …, so that a comparison holds when the machine's speed drifts."""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of each counted run."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.runs)

    def __str__(self) -> str:
        return f"{self.median:.3f} s ({min(self.runs):.3f} to {max(self.runs):.3f})"


def run(command: Sequence[str], *, environment: dict[str, str], folder: Path) -> float:
    """Seconds from start to exit; a command that fails ends the measurement."""
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    spent = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return spent


def timings(cases: Sequence[Callable[[], float]], *, count: int, warmup: int = 1) -> list[Timing]:
    """Each case `count` times, in turn."""
    for _ in range(warmup):
        for case in cases:
            case()
    runs = [[case() for case in cases] for _ in range(count)]
    return [Timing(column) for column in zip(*runs, strict=True)]


# Runs only where nothing else wants to, and ends when its parent does.
_IDLER = (
    "import os\n"
    "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\n"
    "print(flush=True)\n"
    "parent = os.getppid()\n"
    "while os.getppid() == parent:\n"
    "    for _ in range(100_000): pass\n"
)


@contextmanager
def awake() -> Iterator[None]:
    """No processor sleeps meanwhile: waking one, in a virtual machine above all, takes longer than what is measured."""
    command = [sys.executable, "-I", "-S", "-c", _IDLER]
    idlers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(os.cpu_count() or 1)]
    try:
        for idler in idlers:
            assert idler.stdout is not None
            if idler.stdout.readline() != b"\n":
                raise SystemExit("keeping the processors awake: the scheduler's idle class is not to be had")
        yield
    finally:
        for idler in idlers:
            idler.kill()
            idler.communicate()


@contextmanager
def side_by_side(processors: int) -> Iterator[tuple[str, ...]]:
    """Keep this process on one processor meanwhile; yield what starts a command on the same (1), or on another (2).

    Left to itself the scheduler puts two that talk to each other now on one processor, now on two, which decides half
    of what a message between them takes.
    """
    allowed = os.sched_getaffinity(0)
    ours, *others = sorted(allowed)
    if processors > 1 and not others:
        raise SystemExit("two processors are needed, and there is one")
    os.sched_setaffinity(0, {ours})
    try:
        yield ("taskset", "--cpu-list", str(others[0] if processors > 1 else ours))
    finally:
        os.sched_setaffinity(0, allowed)


def machine() -> str:
    """The machine in one line, for the record."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1e6
    kernel = platform.release().split("-")[0]
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GB, Linux {kernel}, CPython {platform.python_version()}"
