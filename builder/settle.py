"""A trimmed image that is held against the untrimmed function: what is missed comes back, with a reason, until none is.

Assemble, run both with all events, compare; where they differ, find what the trimmed one lacks, put it back, again. At
most `MAX_ROUNDS` times. For the same inputs it ends with the same image: what was put back is remembered under what
it was found out from, and found out again elsewhere. Never hides a difference: what cannot be mended fails the build.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from builder.ahead import laying_out
from builder.assemble import Assembled
from builder.cache import Cache, key_of
from builder.console import Console
from builder.errors import SourceError, TrimError
from builder.interpreter import Interpreter
from builder.plan import Plan
from builder.project import Event
from builder.prove.difference import MAX_SHOWN, Difference, Mask, Seen, differences, without_noise
from builder.prove.foreign import NATIVE, runner_of
from builder.prove.proof import Answer, Proof, judged, raise_for, readable
from builder.prove.rootfs import Contents, best_method, contents_of
from builder.prove.runs import Prepare, Ran, run_all, with_more
from builder.prove.start import Start
from builder.prove.untrimmed import folder_of
from builder.trace import Asked, additions, module_name, parse_trace, sources_left_out
from builder.trim import Choice
from builder.trim.apply import trim_plan
from builder.trim.missing import candidates, find_missing

FORMAT = "1"
MAX_ROUNDS = 8  # each puts back all that one failure names; chains of failures longer than this were not seen
REACHABLE, TRACED = "reachable", "traced"
SOME = 3  # paths named in a line
TRACE = {"FIRKIN_TRACE": "1"}


@dataclass(frozen=True, slots=True)
class Round:
    """One comparison that failed: what differed, and the paths put back for it with their reasons."""

    differences: tuple[str, ...]
    put_back: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Settled:
    """The end of it: the plan that holds, its image, its proof, and the rounds that it took."""

    plan: Plan
    assembled: Assembled
    proof: Proof
    rounds: tuple[Round, ...] = ()


@dataclass(frozen=True, slots=True)
class Trimming:
    """All that the rounds are made of.

    `whole` is the plan before trimming, `first` the one that reading led to; `volatile` are the user's patterns.
    """

    whole: Plan
    first: Plan
    choice: Choice
    interpreter: Interpreter
    events: tuple[Event, ...]
    volatile: tuple[str, ...]
    cache: Cache
    console: Console
    finish: Callable[[Plan], Plan]  # what is done to a plan after trimming
    assemble: Callable[[Plan], Assembled]
    method: str = ""

    def plan(self, back: Mapping[str, str], used: Asked | None = None) -> Plan:
        """The trimmed plan, with what has to stay; reachable as long as it is not known what was used."""
        if not back and used is None:
            return self.first
        choice = self.choice if used is not None else replace(self.choice, level=REACHABLE)
        return self.finish(trim_plan(self.whole, choice, self.interpreter, self.cache, back=back, used=used))

    def prepare(self, contents: Contents, *over: Path, traced: bool = False) -> Prepare:
        """The image, ready to be run: alone, or with what was left out."""
        return with_more(contents, self.cache, method=self.method, over=over, variables=TRACE if traced else {})

    def proof(self, answers: Sequence[Answer], *, remembered: bool = False) -> Proof:
        """The proof with these answers."""
        runner = runner_of(self.whole.architecture) or NATIVE
        by = "" if runner == NATIVE else runner
        return Proof(self.method, tuple(answers), remembered=remembered, emulator=by)

    def run(self, *prepares: Prepare) -> list[Ran]:
        """Run each of them, at the same time, with all events."""
        return run_all(prepares, self.events, method=self.method, watch=self.console.at_event)

    def key(self) -> str:
        """What the rounds depend on, and nothing else."""
        return key_of(
            "settled", FORMAT, self.method, self.choice.level, self.volatile,
            asked(self.events),
            ["".join(file.identity() for file in layer.files) for layer in self.first.layers],
            "".join(file.identity() for file in self.first.rest),
        )  # fmt: skip


def settle(trimming: Trimming) -> Settled:
    """The trimmed image that does what the untrimmed function does.

    Raises TrimError when they differ and nothing is left to put back, ProofError when both fail.
    """
    trimming = replace(trimming, method=best_method(trimming.cache))
    key = trimming.key()
    known = _Known.read(trimming.cache.record("settled", key))
    used = known.used if known else _used(trimming)
    back = dict(known.back) if known else {}
    rounds: list[Round] = list(known.rounds) if known else []
    while True:
        plan = trimming.plan(back, used)
        with nullcontext() if known else laying_out(plan.rest, trimming.cache):
            assembled = trimming.assemble(plan)
        digest = str(assembled.image.digest)
        if known and known.digest == digest:
            return Settled(plan, assembled, trimming.proof((), remembered=True), tuple(rounds))
        contents = contents_of(assembled.image, trimming.cache)
        answers, found = compare(trimming, contents, folder_of(plan.rest, trimming.cache))
        if not found:
            trimming.cache.write_record("settled", key, _Known(digest, back, used, tuple(rounds)).render())
            return Settled(plan, assembled, trimming.proof(answers), tuple(rounds))
        lacking = _lacking(trimming, plan, assembled, found, deeper=bool(rounds))
        more = {path: why for path, why in lacking.items() if path not in back}  # what is back already did not help
        if not more or len(rounds) >= MAX_ROUNDS:
            raise _failure(found, rounds)
        rounds.append(Round(tuple(map(str, found.differences[:MAX_SHOWN])), more))
        back |= more
        _tell(trimming.console, rounds)


@dataclass(frozen=True, slots=True)
class Found:
    """The differences of a comparison, and all that the trimmed run said."""

    differences: Sequence[Difference]
    text: str


def asked(events: Iterable[Event]) -> list[object]:
    """The events as a part of a key."""
    return [(event.name, event.body.hex(), event.expected and event.expected.hex()) for event in events]


def compare(trimming: Trimming, contents: Contents, rest: Path) -> tuple[list[Answer], Found | None]:
    """Run the image alone and with what was left out; the answers, and what differs. Raises ProofError."""
    alone, whole = trimming.prepare(contents), trimming.prepare(contents, rest)
    events, mask = trimming.events, Mask(trimming.volatile)
    trimmed, untrimmed = trimming.run(alone, whole)
    found = differences(_seen(events, untrimmed), _seen(events, trimmed), mask)
    if found:  # in turn, in case they were in each other's way, and for what no two runs have in common
        (again,), (trimmed,) = trimming.run(whole), trimming.run(alone)
        noise = differences(_seen(events, untrimmed), _seen(events, again), mask)
        found = without_noise(differences(_seen(events, again), _seen(events, trimmed), mask), noise)
    if found:
        return [], Found(found, "\n".join(f"{one.payload}\n{one.log}" for one in _seen(events, trimmed)))
    answers = judged(events, trimmed, trimming.method)
    raise_for(answers, trimming.method)
    return answers, None


def _seen(events: Sequence[Event], ran: Ran) -> list[Seen]:
    if isinstance(ran, Start):
        return [Seen("the start", 0, bool(ran.problem), ran.problem, readable(ran.log))]
    return [
        Seen(
            event.name,
            outcome.status,
            bool(outcome.function_error),
            outcome.payload.decode("utf-8", "replace"),
            readable(outcome.log.decode("utf-8", "replace")),
        )
        for event, outcome in zip(events, ran, strict=True)
    ]


def _lacking(trimming: Trimming, plan: Plan, assembled: Assembled, found: Found, *, deeper: bool) -> dict[str, str]:
    """What to put back: what the run says is missing; all that the whole function uses and the image lacks.

    The second where nothing was said, and in all rounds but the first (`deeper`): one failure may hide many.
    """
    bare = sources_left_out(plan)  # modules that are there: what may be missing is the text
    left = [file.path for file in plan.rest if not file.path.endswith(".pyc")]
    rest = {path: "" if path in bare else module_name(path) for path in left}
    event = found.differences[0].event
    back: dict[str, str] = {}
    for missing in find_missing(found.text):
        for path in candidates(missing, rest):
            back.setdefault(path, f"put back: event {event!r} lacked the {missing}")
    if back and not deeper:
        return back
    asked = _traced(trimming, plan, assembled)
    why = f"put back: event {event!r} differed, and the untrimmed function uses it"
    more = additions(plan, asked) or ([] if back else additions(plan, asked, sources=True))
    return back | {one.path: why for one in more if one.path not in back}


def _used(trimming: Trimming) -> Asked | None:
    """What the events use of the untrimmed function, for the level `traced`; None for any other."""
    if trimming.choice.level != TRACED:
        return None
    if not trimming.events:
        trimming.console.warn("--trim traced without sample events keeps only what a start uses")
    return _traced(trimming, trimming.first, trimming.assemble(trimming.first))


def _traced(trimming: Trimming, plan: Plan, assembled: Assembled) -> Asked:
    """What a traced run of the untrimmed function asks for."""
    contents, rest = contents_of(assembled.image, trimming.cache), folder_of(plan.rest, trimming.cache)
    (ran,) = trimming.run(trimming.prepare(contents, rest, traced=True))
    try:
        return parse_trace("\n".join(one.log for one in _seen(trimming.events, ran)), origin="the run that is traced")
    except SourceError:  # it used nothing but what was there at the start
        return Asked()


def _failure(found: Found, rounds: Sequence[Round]) -> TrimError:
    first = found.differences[0]
    more = f" (and {len(found.differences) - 1} more)" if len(found.differences) > 1 else ""
    tried = f" after {len(rounds)} rounds of putting files back" if rounds else ""
    return TrimError(
        f"comparing the trimmed image with the untrimmed function{tried}: {first}{more}",
        hint="If the two may differ there, declare it with --volatile. If something was left out, name it with --keep, "
        "or build with --trim safe.",
        details="\n".join(map(str, found.differences[:MAX_SHOWN])),
    )


def _tell(console: Console, rounds: Sequence[Round]) -> None:
    last = rounds[-1]
    count = len(last.put_back)
    console.say(f"round {len(rounds)}: {last.differences[0]}")
    console.say(f"  put back {count} {'file' if count == 1 else 'files'}: {_some(last.put_back)}")


def _some(paths: Collection[str]) -> str:
    first, more = sorted(paths)[:SOME], len(paths) - SOME
    return ", ".join(f"/{path}" for path in first) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class _Known:
    """What was settled before for the same inputs."""

    digest: str
    back: Mapping[str, str]
    used: Asked | None
    rounds: tuple[Round, ...]

    def render(self) -> dict[str, object]:
        used = self.used and {name: sorted(value) for name, value in asdict(self.used).items()}
        return {
            "digest": self.digest,
            "back": dict(self.back),
            "used": used,
            "rounds": [asdict(one) for one in self.rounds],
        }

    @classmethod
    def read(cls, record: Mapping[str, object] | None) -> "_Known | None":
        match record:
            case {"digest": str(digest), "back": dict(back), "used": dict() | None as used, "rounds": list(rounds)}:
                asked = used and Asked(**{name: frozenset(value) for name, value in used.items()})
                return cls(
                    digest, back, asked or None, tuple(Round(tuple(r["differences"]), r["put_back"]) for r in rounds)
                )
        return None
