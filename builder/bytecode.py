"""Bytecode compiled ahead, by the Python that will run it, the same bytes every time.

Sources and bytecode go through pipes, so the compiling Python may be in a sandbox, or of another architecture. What it
has compiled for itself before, of the same source, is taken from there: it makes the same bytes of that
(`bytecode_worker` says how). Never imports or runs what it compiles.
"""

import os
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from builder.bytecode_worker import ANSWER, FAILED, HEAD
from builder.errors import InterpreterError

FORMAT = "4"  # of the bytes: another one when the same source gives others than before
RUN_BYTES = 768 * 1024  # of source in one process: little enough to keep two cores busy, enough to pay for its start
TIMEOUT_S = 600
SHOWN_CHARS = 2000  # of what a failing interpreter says

_QUICKER = 12  # times as quick is what was compiled before
_TIMES = struct.Struct("<4xIII")  # PEP 552: flags, time and size of the source
_CHECKED_BY_TIME = 0


@dataclass(frozen=True, slots=True)
class Module:
    """One module: its `source` on disk, its `name` in the image, for tracebacks.

    A `bare` one is compiled without docstrings, assertions and annotations: for our own code, whose start and memory
    they cost. `made` is where the interpreter keeps bytecode of the source, which is used if it would use it.
    """

    source: str
    name: str
    bare: bool = False
    made: str = ""


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


@contextmanager
def processes() -> Iterator[ThreadPoolExecutor]:
    """What compiles on all cores, several layers at a time. When interrupted, what has not begun never does."""
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def compile_modules(
    modules: Sequence[Module], compiler: Compiler, *, pool: ThreadPoolExecutor | None = None
) -> list[bytes | Failure]:
    """The bytecode of each module, or why it does not compile, which is common in packages and no error.

    `pool` is for those who compile others at the same time. Raises InterpreterError when the interpreter fails, OSError
    when a source cannot be read.
    """
    with nullcontext(pool) if pool else processes() as running:
        begun = [running.submit(_compile_run, run, compiler) for run in _runs(modules)]
        return [answer for run in begun for answer in run.result()]


def _runs(modules: Sequence[Module]) -> Iterator[list[Module]]:
    """The modules in order, cut where a process has enough."""
    run: list[Module] = []
    work = 0
    for module in modules:
        run.append(module)
        work += Path(module.source).stat().st_size // (_QUICKER if module.made else 1)
        if work >= RUN_BYTES:
            yield run
            run, work = [], 0
    if run:
        yield run


def _compile_run(run: Sequence[Module], compiler: Compiler) -> list[bytes | Failure]:
    asked: list[bytes] = []
    for module in run:
        parts = [
            module.name.encode("utf-8", "surrogateescape"),
            Path(module.source).read_bytes(),
            _made_before(module) if module.made else b"",
        ]
        asked += [HEAD.pack(module.bare, *map(len, parts)), *parts]
    answers = _answers(_run(b"".join(asked), compiler), len(run), compiler)
    return [_found(module, kind, answer) for module, (kind, answer) in zip(run, answers, strict=True)]


def _made_before(module: Module) -> bytes:
    """The bytecode that is kept of the source, if it is of this source by the rule of Python's own import; or b""."""
    try:
        data, source = Path(module.made).read_bytes(), Path(module.source).stat()
        flags, time, size = _TIMES.unpack_from(data)
    except (OSError, struct.error):
        return b""
    fresh = (flags, time, size) == (_CHECKED_BY_TIME, int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF)
    return data if fresh else b""


def _found(module: Module, kind: int, answer: bytes) -> bytes | Failure:
    if kind != FAILED:
        return answer
    line, _, message = answer.decode("utf-8", "surrogateescape").partition("\0")
    return Failure(module.source, int(line), message)


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
