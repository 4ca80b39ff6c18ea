"""Runs of an image: it is started here, sandboxed, with the emulator as its platform, and answers events.

Several images may run at a time. Says what came out; never judges it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import emulator
from builder.cache import Cache
from builder.errors import ProofError
from builder.project import Event
from builder.prove.rootfs import DESCRIPTIONS, Contents, Runnable, runnable_contents
from builder.prove.start import Start, start

TIMEOUT_S = 60.0  # generous: a proof is about the answer, and CI machines are slow
MEMORY_MB = 1769  # one full CPU on Lambda; what the function is told, not a limit here
LOG_LIMIT_BYTES = 64 << 20  # of a run that is traced, which logs a line for each file

Ran = Sequence[emulator.Outcome] | Start


Watch = Callable[[int, int], None]  # is told which event is at work, from 1, and of how many

Prepare = Callable[[], AbstractContextManager[Runnable]]


def with_more(
    contents: Contents, cache: Cache, *, method: str, over: Sequence[Path] = (), variables: Mapping[str, str]
) -> Prepare:
    """Prepare an unpacked image with folders laid over it, and variables besides its own."""
    environment = {**contents.environment, **variables}
    more = replace(contents, layers=(*contents.layers, *over), environment=environment)
    return lambda: runnable_contents(more, cache, method=method)


def run_all(
    prepares: Sequence[Prepare], events: Sequence[Event], *, method: str, watch: Watch, timeout_s: float = TIMEOUT_S
) -> list[Ran]:
    """Run what each of them prepares with all events, at the same time; without events, start it.

    `watch` is told of the event that the slowest of them is at.
    Raises ProofError when the emulator cannot run it; what preparing raises passes.
    """
    with ExitStack() as stack:
        programs = [stack.enter_context(prepare()) for prepare in prepares]
        try:
            return asyncio.run(_all(programs, events, _Slowest(len(programs), len(events), watch), timeout_s))
        except (emulator.EmulatorError, OSError) as error:
            raise ProofError(f"proving the image: {error}", hint=hint_of(method)) from error


class _Slowest:
    """Tells who watches of the event that the slowest of several runs is at."""

    def __init__(self, runs: int, events: int, watch: Watch) -> None:
        self._at = [0] * runs
        self._events = events
        self._watch = watch

    def begin(self, run: int) -> None:
        """One more event of a run begins."""
        before = min(self._at)
        self._at[run] += 1
        if min(self._at) > before:
            self._watch(min(self._at), self._events)


async def _all(programs: Sequence[Runnable], events: Sequence[Event], slowest: _Slowest, timeout_s: float) -> list[Ran]:
    begins = (partial(slowest.begin, run) for run in range(len(programs)))
    runs = (_one(program, events, begin, timeout_s) for program, begin in zip(programs, begins, strict=True))
    return list(await asyncio.gather(*runs))


async def _one(program: Runnable, events: Sequence[Event], begin: Callable[[], None], timeout_s: float) -> Ran:
    settings = settings_for(program, timeout_s=timeout_s, log_limit_bytes=LOG_LIMIT_BYTES)
    if not events:
        return await start(settings, timeout_s=timeout_s)
    async with emulator.Emulator(settings, log=lambda _: None) as running:
        outcomes = []
        for event in events:
            begin()
            outcomes.append(await running.invoke(event.body))
        return outcomes


def settings_for(
    program: Runnable, *, timeout_s: float = TIMEOUT_S, memory_mb: int = MEMORY_MB,
    log_limit_bytes: int = emulator.limits.LOG_LIMIT_BYTES,
) -> emulator.Settings:  # fmt: skip
    """The emulator's settings that run the prepared image."""
    return emulator.Settings(
        command=program.command,
        environment=program.environment,
        cwd=program.folder,
        timeout_s=timeout_s,
        memory_mb=memory_mb,
        log_limit_bytes=log_limit_bytes,
    )


def hint_of(method: str) -> str:
    """What to do when a proof fails."""
    return (
        "Nothing was written. Correct the function or the event; the log of the run is above. "
        f"It ran {DESCRIPTIONS[method]}."
    )
