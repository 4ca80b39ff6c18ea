"""The proof: the image's own entry point, run on this machine, answers every sample event.

The platform's half is the emulator, in this process. Compares answers as JSON values. Never lets a build pass that
could not start, and never runs anything outside the sandbox that `rootfs` chose.
"""

import json
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import emulator
from builder.cache import Cache, key_of
from builder.errors import ProofError
from builder.oci import Image
from builder.project import Event
from builder.prove.foreign import NATIVE, runner_of
from builder.prove.rootfs import DESCRIPTIONS, Runnable, best_method, runnable
from builder.prove.runs import TIMEOUT_S, Ran, Watch, hint_of, run_all
from builder.prove.start import Start

SHOWN_CHARS = 2000  # of a payload
LOG_CHARS = 20_000  # of each run's log, its end

_NO_MODULE = re.compile(r"ImportModuleError: .*No module named '([^'.]+)'")
_OK = 200  # HTTP's
_SERVER_ERROR = 500


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
    """How the image was run, and what it answered; `remembered` when the same image answered the same events before.

    `emulator` is the program that the kernel ran the image's with, "" for an image of this machine's architecture.
    """

    method: str
    answers: tuple[Answer, ...]
    remembered: bool = False
    emulator: str = ""

    @property
    def described(self) -> str:
        """How it was run, for people."""
        return DESCRIPTIONS[self.method] + (f", emulated by {self.emulator}" if self.emulator else "")


def prove(
    image: Image, events: Sequence[Event], cache: Cache, *,
    method: str | None = None, watch: Watch = lambda *_: None, timeout_s: float = TIMEOUT_S,
) -> Proof:  # fmt: skip
    """Run the image with the events; without events, prove that it starts. `timeout_s` is for each event.

    Raises ProofError, with the log of the run, when an answer is not as it should be; what `runnable` raises passes.
    """
    method = method or best_method(cache)
    runner = runner_of(image.config.architecture) or NATIVE
    return prove_program(
        lambda: runnable(image, cache, method=method),
        events,
        cache,
        name=str(image.digest),
        method=method,
        by="" if runner == NATIVE else runner,
        watch=watch,
        timeout_s=timeout_s,
    )


def prove_program(
    prepare: Callable[[], AbstractContextManager[Runnable]], events: Sequence[Event], cache: Cache, *,
    name: str, method: str, by: str = "", watch: Watch = lambda *_: None, timeout_s: float = TIMEOUT_S,
) -> Proof:  # fmt: skip
    """The same for whatever `prepare` makes runnable.

    `name` tells one content from another; `by` names the program that emulates its architecture, if one does.
    """
    key = key_of(
        "proof",
        name,
        method,
        by,
        [(event.name, event.body.hex(), event.expected and event.expected.hex()) for event in events],
    )
    if cache.record("proofs", key) is not None:
        return Proof(method, (), remembered=True, emulator=by)
    (ran,) = run_all([prepare], events, method=method, watch=watch, timeout_s=timeout_s)
    answers = judged(events, ran, method)
    raise_for(answers, method)
    cache.write_record("proofs", key, {"answers": len(answers)})
    return Proof(method, tuple(answers), emulator=by)


def judged(events: Sequence[Event], ran: Ran, method: str) -> list[Answer]:
    """The answers of a run to the events. Raises ProofError for a start that failed."""
    if not isinstance(ran, Start):
        return [judge(event, outcome) for event, outcome in zip(events, ran, strict=True)]
    if ran.problem:
        raise ProofError(
            f"proving the image: {shortened(ran.problem)}",
            hint=hint_of(method),
            details=readable(ran.log)[-LOG_CHARS:],
        )
    return []


def judge(event: Event, outcome: emulator.Outcome) -> Answer:
    """An outcome as an Answer to the event: whether it is as it should be."""
    payload = outcome.payload.decode("utf-8", "replace")
    return Answer(
        event=event.name,
        payload=payload,
        problem=_problem(event, outcome, payload),
        duration_ms=outcome.duration_ms,
        init_ms=outcome.init_ms,
        max_memory_mb=outcome.max_memory_mb,
        log=readable(outcome.log.decode("utf-8", "replace")),
    )


def _problem(event: Event, outcome: emulator.Outcome, payload: str) -> str:
    if event.expected is None:
        failed = outcome.function_error or outcome.status != _OK
        if failed:
            return f"it failed with {_failure(payload)}"
        if (status := _http_status(payload)) >= _SERVER_ERROR:
            return f"it answered with HTTP status {status}: {shortened(payload)}"
        return ""
    try:
        right = outcome.status == _OK and same_json(json.loads(payload), json.loads(event.expected))
    except (ValueError, RecursionError):
        right = False
    if right:
        return ""
    wanted = shortened(event.expected.decode("utf-8", "replace").strip())
    return f"it answered {shortened(payload) or 'nothing'} where expected/{event.name}.json says {wanted}"


def _failure(payload: str) -> str:
    """What an error says, as Python would; its traceback is in the log. An answer that is no error as it is."""
    try:
        error = json.loads(payload)
    except (ValueError, RecursionError):
        error = None
    if not isinstance(error, dict) or not isinstance(error.get("errorType"), str):
        return shortened(payload) or "no answer at all"
    message = error.get("errorMessage")
    return shortened(f"{error['errorType']}: {message}" if message else error["errorType"])


def _http_status(payload: str) -> int:
    """The status of an answer for API Gateway, a function URL or a load balancer; 0 for any other answer.

    A web application whose route raises answers with 500 and no error of the function's.
    """
    try:
        value = json.loads(payload.partition("\0")[0])  # a streamed answer begins with its head
    except (ValueError, RecursionError):
        return 0
    status = value.get("statusCode") if isinstance(value, dict) else None
    return status if isinstance(status, int) and not isinstance(status, bool) else 0


def same_json(one: object, other: object) -> bool:
    """Whether two parsed JSON values are the same value: 1 is 1.0, but true is not 1, as it would be to Python."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return one == other


def shortened(text: str) -> str:
    """Enough of a payload to recognise it."""
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}… ({len(text)} characters)"


def readable(log: str) -> str:
    """A log for a terminal: the runtime joins the lines of one record by carriage returns, which would overwrite."""
    return log.replace("\r\n", "\n").replace("\r", "\n")


def _missing_module(answer: Answer) -> str:
    """The first advice for whoever has declared no dependencies, which is what most first builds fail by."""
    found = _NO_MODULE.search(answer.problem)
    if found is None:
        return ""
    return (
        f"{found[1]!r} is neither in the folder nor among the dependencies: name the package that brings it in "
        "requirements.txt or pyproject.toml.\n  "
    )


def raise_for(answers: Sequence[Answer], method: str) -> None:
    """Raise ProofError for the first answer that is not as it should be."""
    wrong = [answer for answer in answers if answer.problem]
    if wrong:
        first = wrong[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise ProofError(
            f"proving the image: event {first.event!r}: {first.problem}{more}",
            hint=_missing_module(first) + hint_of(method),
            details="".join(f"--- log of {answer.event}\n{answer.log[-LOG_CHARS:]}" for answer in wrong if answer.log),
        )
