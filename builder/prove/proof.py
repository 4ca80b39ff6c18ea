"""The proof: the image's own entry point, run on this machine, answers every sample event.

The platform's half is the emulator, in this process. Compares answers as JSON values. Never lets a build pass that could
not start, and never runs anything outside the sandbox that `rootfs` chose.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

import emulator
from builder.cache import Cache, key_of
from builder.errors import ProofError
from builder.oci import Image
from builder.project import Event
from builder.prove.rootfs import DESCRIPTIONS, Runnable, best_method, runnable

TIMEOUT_S = 60.0  # generous: a proof is about the answer, and CI machines are slow
MEMORY_MB = 1769  # one full CPU on Lambda; what the function is told, not a limit here
SHOWN_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one event. `problem` is empty when it is as it should be; durations in milliseconds."""

    event: str
    payload: str
    problem: str
    duration_ms: float
    init_ms: float | None
    max_memory_mb: int
    log: str


@dataclass(frozen=True, slots=True)
class Proof:
    """How the image was run, and what it answered; `remembered` when the same image answered the same events before."""

    method: str
    answers: tuple[Answer, ...]
    remembered: bool = False


def prove(image: Image, events: Sequence[Event], cache: Cache) -> Proof:
    """Run the image with the events. Raises ProofError, with the log of the run, when an answer is not as it should be."""
    method = best_method(cache)
    key = key_of(
        "proof",
        str(image.digest),
        method,
        [(event.name, event.body.hex(), (event.expected or b"").hex()) for event in events],
    )
    if cache.record("proofs", key) is not None:
        return Proof(method, (), remembered=True)
    with runnable(image, cache, method=method) as program:
        answers = asyncio.run(_answers(program, events))
    _raise_for(answers, method)
    cache.write_record("proofs", key, {"answers": len(answers)})
    return Proof(method, tuple(answers))


def settings_for(program: Runnable, *, timeout_s: float = TIMEOUT_S, memory_mb: int = MEMORY_MB) -> emulator.Settings:
    """The emulator's settings that run the prepared image."""
    return emulator.Settings(
        command=program.command,
        environment=program.environment,
        cwd=program.folder,
        timeout_s=timeout_s,
        memory_mb=memory_mb,
    )


async def _answers(program: Runnable, events: Sequence[Event]) -> list[Answer]:
    async with emulator.Emulator(settings_for(program), log=lambda _: None) as running:
        return [_judge(event, await running.invoke(event.body)) for event in events]


def _judge(event: Event, outcome: emulator.Outcome) -> Answer:
    payload = outcome.payload.decode("utf-8", "replace")
    return Answer(
        event.name, payload, _problem(event, outcome, payload), outcome.duration_ms, outcome.init_ms, outcome.max_memory_mb,
        outcome.log.decode("utf-8", "replace"),
    )  # fmt: skip


def _problem(event: Event, outcome: emulator.Outcome, payload: str) -> str:
    if event.expected is None:
        return f"it failed with {shortened(payload)}" if outcome.function_error else ""
    try:
        same = outcome.status == 200 and json.loads(payload) == json.loads(event.expected)  # noqa: PLR2004 - HTTP's OK
    except ValueError:
        same = False
    return "" if same else f"it answered {shortened(payload)}, and not as events/expected/{event.name}.json says"


def shortened(text: str) -> str:
    """Enough of a payload to recognise it."""
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}… ({len(text)} characters)"


def _raise_for(answers: Sequence[Answer], method: str) -> None:
    wrong = [answer for answer in answers if answer.problem]
    if wrong:
        first = wrong[0]
        raise ProofError(
            f"proving the image: event {first.event!r}: {first.problem}",
            hint="Nothing was written. Correct the function or the event; the log of the run is above. It ran "
            + DESCRIPTIONS[method]
            + ".",
            details="".join(f"--- {answer.event}\n{answer.log}" for answer in wrong),
        )
