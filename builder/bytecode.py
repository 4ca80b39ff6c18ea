"""Bytecode compiled ahead, by the Python that will run it, the same bytes every time.

What marshal writes depends on what the compiling process did before. So modules are compiled in fresh processes, each
given a fixed run of the sorted list, with a fixed hash seed. Never imports or runs what it compiles.
"""

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from builder.bytecode_worker import CANNOT_READ_OR_WRITE
from builder.errors import InterpreterError

RUN = 150  # modules per process: few enough to keep two cores busy, enough to pay for the start
TIMEOUT_S = 600
SHOWN_CHARS = 2000  # of what a failing interpreter says


@dataclass(frozen=True, slots=True)
class Module:
    """One module: its `source` on disk, the `target` of its bytecode, its `name` in the image, for tracebacks."""

    source: str
    target: str
    name: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A module that does not compile: where and why."""

    source: str
    line: int
    message: str


def compile_modules(modules: Sequence[Module], executable: str) -> list[Failure]:
    """Compile each module to its target; returns those that do not compile, which is common in packages and no error.

    Raises InterpreterError when the interpreter fails, OSError when a file cannot be read or written.
    """
    runs = [modules[start : start + RUN] for start in range(0, len(modules), RUN)]
    pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
    try:
        found = [pool.submit(_compile_run, run, executable) for run in runs]
        return [failure for future in found for failure in future.result()]
    finally:
        pool.shutdown(cancel_futures=True)  # when interrupted, runs that have not begun never do


def _compile_run(run: Sequence[Module], executable: str) -> list[Failure]:
    text = "".join(f"{module.source}\0{module.target}\0{module.name}\0" for module in run)
    worker = Path(__file__).with_name("bytecode_worker.py")
    # Not `-I`, which would ignore the hash seed, on which the order of sets in bytecode depends.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(
            [executable, "-S", "-B", "-W", "ignore", str(worker)],
            input=text.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env=inherited | {"PYTHONHASHSEED": "0"},
        )
    except subprocess.TimeoutExpired:
        raise InterpreterError(
            f"compiling bytecode: {executable} did not finish within {TIMEOUT_S} s", hint="Try --trim none."
        ) from None
    fields = done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
    if done.returncode == CANNOT_READ_OR_WRITE and len(fields) == len(("errno", "text", "file")):
        raise OSError(int(fields[0]), fields[1], fields[2])
    if done.returncode:
        raise InterpreterError(
            f"compiling bytecode: {executable} ended with {done.returncode}",
            hint="Check that this Python works, or build with --trim none.",
            details=done.stderr.decode("utf-8", "replace")[-SHOWN_CHARS:],
        )
    return [
        Failure(source, int(line), message)
        for source, line, message in zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    ]
