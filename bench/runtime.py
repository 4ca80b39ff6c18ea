"""The runtime's figures beside awslambdaric's, in turns, and beside programs in C and Python that move the same bytes.

Both Pythons are the same interpreter in one environment; both runtimes talk to one server (`bench.platform`).
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import orjson
import uv

from bench.measure import awake, side_by_side
from bench.platform import Runtime, render_event, running
from builder.bytecode import Compiler, Module, compile_modules

TOP = Path(__file__).parents[1]
PEER = TOP / "bench/peers/awslambdaric.txt"
SOURCE = "def handler(event, context):\n    return event\n"
SMALL = b'{"key1": "value1", "key2": "value2", "key3": [1, 2, 3]}'
# About 900 kB of the kind of records that APIs return.
RECORD = b'{"id": 12345, "name": "a name of some length", "tags": ["x", "y"], "price": 12.5, "active": true}'
LARGE = b"[" + b", ".join([RECORD] * 9000) + b"]"
BYTES = bytes(range(256)) * 23_437  # 6.0 MB
WARMUP, SMALL_COUNT, LARGE_COUNT = 100, 1000, 5

Column = dict[str, list[float]]  # command → one figure per run


@dataclass(frozen=True, slots=True)
class Row:
    """A measure: what it is, its figures, how they are shown, and what must be reached against awslambdaric."""

    name: str
    unit: str
    scale: float
    figures: Column
    ours: str = "image"
    target: float | None = None


def commands(scratch: Path) -> dict[str, list[str]]:
    """The programs under measurement, installed under `scratch`; `floor` only where there is a C compiler."""
    environment = scratch / "environment"
    venv.create(environment, symlinks=True)
    python = str(environment / "bin/python")
    subprocess.run([uv.find_uv_bin(), "pip", "install", "-q", "--python", python, "-r", str(PEER)], check=True)
    site = next(environment.glob("lib/python*/site-packages"))
    shutil.copytree(TOP / "bootstrap", site / "bootstrap", ignore=shutil.ignore_patterns("__pycache__"))
    base = os.path.realpath(sys.executable)
    image = [base, "-S", str(compiled_as_in_images(scratch, base)), "app.handler"]
    dependencies = scratch / "dependencies"
    shutil.copytree(Path(orjson.__file__).parent, dependencies / "orjson")  # the builder's own, in its version
    found = {
        "awslambdaric": [python, "-m", "awslambdaric", "app.handler"],
        "image": image,
        "orjson": ["env", f"PYTHONPATH={dependencies}", *image],
        "minimal": [base, "-S", str(TOP / "bench/floor.py")],
        "module": [python, "-m", "bootstrap", "app.handler"],
        "python": [base, "-I", "-S", "-c", "pass"],
    }
    with suppress(FileNotFoundError):
        floor = str(scratch / "floor")
        subprocess.run(["cc", "-O2", "-o", floor, str(TOP / "bench/floor.c")], check=True)
        found["floor"] = [floor]
    return found


def compiled_as_in_images(scratch: Path, base: str) -> Path:
    """A copy of the runtime with the bytecode that the builder gives it; what starts it."""
    folder = scratch / "image/bootstrap"
    shutil.copytree(TOP / "bootstrap", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "__pycache__").mkdir()
    tag = sys.implementation.cache_tag
    targets = {path: folder / f"__pycache__/{path.stem}.{tag}.pyc" for path in folder.glob("*.py")}
    targets[folder / "__main__.py"] = script = folder / "__main__.pyc"
    made = compile_modules([Module(str(path), str(path), bare=True) for path in targets], Compiler((base,), base))
    for target, bytecode in zip(targets.values(), made, strict=True):
        if not isinstance(bytecode, bytes):
            raise SystemExit(f"the runtime does not compile: {bytecode}")
        target.write_bytes(bytecode)
    return script


def in_turns(cases: Mapping[str, Callable[[], list[float]]], *, runs: int) -> list[Column]:
    """Run the cases A B C A B C …, once more than counted; one column per figure that a case gives."""
    results: dict[str, list[list[float]]] = {name: [] for name in cases}
    for number in range(runs + 1):
        for name, case in cases.items():
            figures = case()
            if number:
                results[name].append(figures)
    count = len(next(iter(results.values()))[0])
    return [{name: [run[index] for run in column] for name, column in results.items()} for index in range(count)]


def start(command: list[str], folder: Path) -> list[float]:
    """Seconds from exec to the first request for an event, and to the first response; then the resident memory."""
    with running(command, folder) as runtime:
        asked = runtime.wait_for_next() - runtime.started
        _, answered = runtime.invoke(render_event(SMALL))
        runtime.wait_for_next()
        return [asked, answered - runtime.started, runtime.resident_bytes()]


def plain_start(command: list[str], folder: Path) -> list[float]:
    """Seconds of a whole process that does nothing."""
    with running(command, folder) as runtime:
        return [runtime.wait_for_end(), 0, 0]


def steady(command: list[str], folder: Path) -> list[float]:
    """Of small invocations: seconds of CPU, median seconds from event written to response read; idle memory."""
    event = render_event(SMALL)
    with running(command, folder) as runtime:
        warm(runtime, event, WARMUP)
        before = runtime.cpu_s()
        latency = warm(runtime, event, SMALL_COUNT)
        return [(runtime.cpu_s() - before) / SMALL_COUNT, latency, runtime.resident_bytes()]


def large(command: list[str], folder: Path, event: bytes) -> list[float]:
    """Median seconds from event written to response read, of large echoes."""
    with running(command, folder) as runtime:
        warm(runtime, event, 2)
        return [warm(runtime, event, LARGE_COUNT)]


def warm(runtime: Runtime, event: bytes, count: int) -> float:
    """Serve `count` events; return the median latency, with the runtime waiting for the next one."""
    moments = [runtime.invoke(event) for _ in range(count)]
    runtime.wait_for_next()
    return median(answered - written for written, answered in moments)


def measure(programs: dict[str, list[str]], folder: Path, *, runs: int) -> Iterator[Row]:
    """Every row of the table."""
    looping = {name: programs[name] for name in ("awslambdaric", "image", "minimal", "floor") if name in programs}

    def cases(
        function: Callable[..., list[float]], *more: bytes, **others: list[str]
    ) -> dict[str, Callable[[], list[float]]]:
        return {name: lambda c=command: function(c, folder, *more) for name, command in {**looping, **others}.items()}  # type: ignore[misc]

    started = {
        name: lambda c=command, f=plain_start if name == "python" else start: f(c, folder)
        for name, command in programs.items()
        if name != "orjson"
    }
    first, answered, begun = in_turns(started, runs=runs * 2)
    yield Row("exec → first `/next`, the image's entry command", "ms", 1e3, first, target=0.45)
    yield Row("exec → first `/next`, `python -m bootstrap`", "ms", 1e3, first, ours="module", target=0.60)
    yield Row("exec → first response", "ms", 1e3, answered, target=0.55)
    # The limits are for the runtime: with a processor for each, waking the other one is half of all columns.
    for places, name, limits in ((1, "both on one processor", (0.40, 0.50)), (2, "each on its own", (None, None))):
        with side_by_side(places) as place:
            placed = {program: lambda c=[*place, *command]: steady(c, folder) for program, command in looping.items()}
            with awake():
                cpu, latency, memory = in_turns(placed, runs=runs)
            _, drowsy, _ = in_turns(placed, runs=runs)
        yield Row(f"CPU per small invocation, {name}", "µs", 1e6, cpu, target=limits[0])
        yield Row(f"latency of a small invocation, {name}", "µs", 1e6, latency, target=limits[1])
        yield Row("the same, processors asleep in between", "µs", 1e6, drowsy)
    (echo,) = in_turns(cases(large, render_event(LARGE), orjson=programs["orjson"]), runs=runs)
    name = f"latency, JSON echo of {len(LARGE) / 1e3:.0f} kB"
    yield Row(f"{name}, orjson in the image", "ms", 1e3, echo, ours="orjson", target=0.30)
    yield Row(f"{name}, no orjson", "ms", 1e3, echo)
    (echo,) = in_turns(cases(large, render_event(BYTES, content_type="text/plain")), runs=runs)
    yield Row(f"latency, bytes echo of {len(BYTES) / 1e6:.1f} MB", "ms", 1e3, echo, target=0.60)
    yield Row("resident memory when idle, after one event", "MB", 1e-6, begun, target=0.65)
    yield Row(f"resident memory when idle, after {WARMUP + SMALL_COUNT:,} events", "MB", 1e-6, memory, target=0.65)


def paired(figures: Column, ours: str, theirs: str) -> float:
    """The median of the ratios of runs that followed each other: drift of the machine falls out."""
    return median(a / b for a, b in zip(figures[ours], figures[theirs], strict=True))


def cell(figures: Column, name: str, scale: float) -> str:
    """A median and its spread, for the table."""
    if name not in figures:
        return ""
    runs = [figure * scale for figure in figures[name]]
    return f"{median(runs):.1f} ({min(runs):.1f} to {max(runs):.1f})"


def report(scratch: Path, *, runs: int) -> Iterator[str]:
    """The section of docs/benchmarks.md."""
    folder = scratch / "function"
    folder.mkdir()
    (folder / "app.py").write_text(SOURCE)
    programs = commands(scratch)
    yield "| medians (spread) | awslambdaric 4.2.2 | firkin | ratio, paired | at most | echo in Python | echo in C |"
    yield "|---|---|---|---|---|---|---|"
    first: Column = {}
    for row in measure(programs, folder, runs=runs):
        first = first or row.figures
        ratio = paired(row.figures, row.ours, "awslambdaric")
        names = ("awslambdaric", row.ours, "minimal", "floor")
        them, us, least, floor = (cell(row.figures, name, row.scale) for name in names)
        target = f"{row.target:.2f}" if row.target else ""
        yield f"| {row.name}, {row.unit} | {them} | {us} | **{ratio:.2f}** | {target} | {least} | {floor} |"
    yield ""
    nothing, times = cell(first, "python", 1e3), paired(first, "image", "python")
    yield (
        f"`python -I -S -c pass` takes {nothing} ms from start to end; the image's entry command asks for its first "
        f"event after **{times:.2f}** times that (at most 1.8)."
    )
    yield (
        "The two echo programs parse nothing and can do nothing else: what is between them and firkin is the "
        "contract, what is under them is sockets, the kernel, and the interpreter."
    )
    yield (
        "Latency is from the event written to its response read, as the platform sees it. CPU is user and system "
        "time of all threads. Small invocations are measured with platform and runtime on one processor, as in a "
        "function of less than two, and with a processor for each; with loops of the scheduler's idle class that keep "
        "the processors from sleeping, and, for latency, without, where waking them is the larger part. "
        f"{SMALL_COUNT} small and {LARGE_COUNT} large invocations per run, {runs} runs in turns."
    )
