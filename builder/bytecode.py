"""Bytecode compiled ahead, by the Python that will run it, the same bytes every time.

What marshal writes depends on what the compiling process did before. So modules are compiled in fresh processes, each
given a fixed run of the sorted list, with a fixed hash seed. Sources and bytecode go through pipes, so the compiling
Python may be in a sandbox, or of another architecture. Never imports or runs what it compiles.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from builder.bytecode_worker import ANSWER, FAILED, HEAD
from builder.errors import InterpreterError

RUN = 80  # modules per process: few enough to keep two cores busy, enough to pay for the start
TIMEOUT_S = 600
SHOWN_CHARS = 2000  # of what a failing interpreter says


@dataclass(frozen=True, slots=True)
class Module:
    """One module: its `source` on disk, the `target` of its bytecode, its `name` in the image, for tracebacks.

    A `bare` one is compiled without docstrings, assertions and annotations: for our own code, whose start and memory
    they cost.
    """

    source: str
    target: str
    name: str
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A module that does not compile: where and why."""

    source: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Compiler:
    """The command that runs a Python, and what its environment needs besides; `name` is for messages."""

    command: tuple[str, ...]
    name: str
    environment: Mapping[str, str] = field(default_factory=dict)


def compile_modules(modules: Sequence[Module], compiler: Compiler) -> list[Failure]:
    """Compile each module to its target; returns those that do not compile, which is common in packages and no error.

    Raises InterpreterError when the interpreter fails, OSError when a file cannot be read or written.
    """
    runs = [modules[start : start + RUN] for start in range(0, len(modules), RUN)]
    pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
    try:
        found = [pool.submit(_compile_run, run, compiler) for run in runs]
        return [failure for future in found for failure in future.result()]
    finally:
        pool.shutdown(cancel_futures=True)  # when interrupted, runs that have not begun never do


def _compile_run(run: Sequence[Module], compiler: Compiler) -> list[Failure]:
    asked: list[bytes] = []
    for module in run:
        name, source = module.name.encode("utf-8", "surrogateescape"), Path(module.source).read_bytes()
        asked += [HEAD.pack(module.bare, len(name), len(source)), name, source]
    answers = _answers(_run(b"".join(asked), compiler), len(run), compiler)
    failures = []
    for module, (kind, answer) in zip(run, answers, strict=True):
        if kind == FAILED:
            line, _, message = answer.decode("utf-8", "surrogateescape").partition("\0")
            failures.append(Failure(module.source, int(line), message))
        else:
            Path(module.target).write_bytes(answer)
    return failures


def _run(asked: bytes, compiler: Compiler) -> bytes:
    worker = Path(__file__).with_name("bytecode_worker.py").read_text(encoding="ascii")
    # Not `-I`, which would ignore the hash seed, on which the order of sets in bytecode depends.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(
            [*compiler.command, "-S", "-B", "-W", "ignore", "-c", worker],
            input=asked,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env={**inherited, **compiler.environment, "PYTHONHASHSEED": "0"},
        )
    except subprocess.TimeoutExpired:
        raise InterpreterError(
            f"compiling bytecode: {compiler.name} did not finish within {TIMEOUT_S} s", hint="Try --trim none."
        ) from None
    if done.returncode:
        raise InterpreterError(
            f"compiling bytecode: {compiler.name} ended with {done.returncode}",
            hint="Check that this Python works, or build with --trim none.",
            details=done.stderr.decode("utf-8", "replace")[-SHOWN_CHARS:],
        )
    return done.stdout


def _answers(told: bytes, count: int, compiler: Compiler) -> list[tuple[int, bytes]]:
    answers: list[tuple[int, bytes]] = []
    at = 0
    while at + ANSWER.size <= len(told):
        kind, size = ANSWER.unpack_from(told, at)
        at += ANSWER.size + size
        answers.append((kind, told[at - size : at]))
    if len(answers) != count or at != len(told):
        raise InterpreterError(
            f"compiling bytecode: {compiler.name} gave another answer than bytecode, it begins with {told[:80]!r}",
            hint="Check that this Python prints nothing by itself, or build with --trim none.",
        )
    return answers
