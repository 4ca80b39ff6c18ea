"""One image of what was prepared: assembled, proven, checked; in the cache, and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from builder.ahead import reading_ahead
from builder.assemble import Assembled, assemble
from builder.cache import Cache
from builder.config import Config
from builder.console import Console
from builder.explain import remember
from builder.outputs import parse_reference
from builder.plan import Plan
from builder.platforms import is_one_of_several
from builder.prepared import Prepared
from builder.summary import advice_on_json
from builder.trim import Choice

if TYPE_CHECKING:
    from builder.prove import Proof
    from builder.settle import Round, Settled, Trimming


@dataclass(frozen=True, slots=True)
class Proven:
    """How an image was proven, what it answered, and what it logged meanwhile."""

    method: str
    answers: tuple[Mapping[str, object], ...] = ()
    log: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A finished build."""

    prepared: Prepared
    assembled: Assembled
    proven: Proven
    steps: tuple[tuple[str, float], ...]  # names and seconds
    package: Path | None = None
    rounds: "tuple[Round, ...]" = ()  # of putting back what the trimmed image lacked
    reasons: str = ""  # the key of what `explain` tells

    @property
    def digest(self) -> str:
        """The image's digest, of its manifest."""
        return str(self.assembled.image.digest)

    @property
    def name(self) -> str:
        """`NAME@sha256:…`, which names this image and no other."""
        return f"{parse_reference(self.prepared.reference)[0]}@{self.digest}"


def make(config: Config, cache: Cache, console: Console, *, environment: Mapping[str, str]) -> Result:
    """One image, proven; nothing of it is written outside the cache."""
    from builder.prepare import prepare

    if is_one_of_several(config):
        console.say(f"building for {config.platform}")
    before = len(console.timings)
    prepared = prepare(config, cache, console, environment=environment)
    rounds: tuple[Round, ...] = ()
    if prepared.whole and is_run(prepared):
        with console.step("assemble and prove"):
            settled = _settle(prepared, prepared.whole, cache, console)
        prepared, assembled, rounds = replace(prepared, plan=settled.plan), settled.assembled, settled.rounds
        proven = tell_proof(prepared, settled.proof, console)
    else:
        with console.step("assemble"):
            assembled = assemble_prepared(prepared, cache, console)
        with console.step("prove"):
            proven = prove_prepared(prepared, assembled, cache, console)
    reasons = remember(prepared.plan, assembled.image, cache)
    with console.step("check"):
        check_prepared(prepared, assembled, cache, console, log=proven.log)
    package = None
    if any(output.kind == "zip" for output in prepared.outputs):
        with console.step("package"):
            package = _package(prepared, assembled, cache, console)
    steps = tuple(console.timings[before:])
    return Result(prepared, assembled, proven, steps, package, rounds, reasons)


def _package(prepared: Prepared, assembled: Assembled, cache: Cache, console: Console) -> Path:
    """The deployment package, proven; it stays in the cache."""
    from builder.package import make_package

    plan = prepared.plan
    package = make_package(assembled.image, plan, prepared.interpreter.glibc, cache)
    if prepared.config.prove:
        from builder.prove.package import prove_package

        proof = prove_package(
            package,
            prepared.events,
            cache,
            handler=plan.handler,
            architecture=plan.architecture,
            watch=console.at_event,
        )
        if proof is None:
            console.warn("the zip is not proven: this machine has no sandbox in which it could lie at /var/task")
        else:
            console.say(f"proven as a zip too, {proof.described}")
    return package


def assemble_prepared(prepared: Prepared, cache: Cache, console: Console) -> Assembled:
    """The image of what was prepared, in the cache, by the engine that was asked for."""
    if prepared.config.engine == "docker":
        from builder.engine import assemble_by_engine

        return assemble_by_engine(prepared, cache, console)
    base = prepared.base.image if prepared.base and prepared.base.kept else None
    with reading_ahead(cache, unpacked=is_run(prepared)) as ahead:
        return assemble(
            prepared.plan,
            prepared.interpreter,
            cache,
            say=console.say,
            compiler=prepared.compiler,
            base=base,
            ahead=ahead,
            below=prepared.below,
        )


def is_run(prepared: Prepared) -> bool:
    """Whether the image is run, to be proven."""
    return not _why_not_proven(prepared)


def _why_not_proven(prepared: Prepared) -> str:
    """Why the image is not run, as a warning; "" when it is."""
    if not prepared.config.prove:
        return "not proven: --no-prove was given"
    from builder.prove import runner_of

    if runner_of(prepared.plan.architecture) is None:
        return (
            f"not proven: the image is for linux/{prepared.plan.architecture}, and this machine runs no programs of "
            f"it; install qemu-user-static, or prove it on such a machine"
        )
    return ""


def prove_prepared(prepared: Prepared, assembled: Assembled, cache: Cache, console: Console) -> Proven:
    """The image run with its events, unless it cannot be, or is not to be. Raises ProofError."""
    reason = _why_not_proven(prepared)
    if reason:
        unseen = "; that the function misses nothing is known by reading alone" if prepared.whole else ""
        console.warn(f"{reason}{unseen}")
        return Proven("not proven")
    from builder.prove import prove

    return tell_proof(prepared, prove(assembled.image, prepared.events, cache, watch=console.at_event), console)


def _settle(prepared: Prepared, whole: Plan, cache: Cache, console: Console) -> "Settled":
    """The trimmed image that has been compared with the untrimmed function."""
    from builder.settle import settle

    return settle(trimming_of(prepared, whole, cache, console))


def trimming_of(prepared: Prepared, whole: Plan, cache: Cache, console: Console) -> "Trimming":
    """What comparing the image with the untrimmed function is made of."""
    from builder.settle import Trimming

    def finish(plan: Plan) -> Plan:
        from builder.prepare import finished

        return finished(plan, prepared.interpreter)

    config = prepared.config
    return Trimming(
        whole,
        prepared.plan,
        Choice(config.trim, config.keep, config.drop),
        prepared.interpreter,
        prepared.events,
        config.volatile,
        cache,
        console,
        finish=finish,
        assemble=lambda plan: assemble_prepared(replace(prepared, plan=plan), cache, console),
    )


def tell_proof(prepared: Prepared, proof: "Proof", console: Console) -> Proven:
    """What came of a proof, told to the person as well."""
    if not prepared.events:
        also = ", trimmed and untrimmed" if prepared.whole else ""
        console.warn(f"there are no sample events in events/: proven is only that the function starts{also}")
    answers = tuple(
        {
            "event": a.event,
            "duration_ms": round(a.duration_ms, 2),
            "init_ms": a.init_ms and round(a.init_ms, 2),
            "max_memory_mb": a.max_memory_mb,
        }
        for a in proof.answers
    )
    count = len(prepared.events)
    told = "unchanged since it was proven" if proof.remembered else "proven"
    console.say(f"{told}: {count} {'event' if count == 1 else 'events'}, {proof.described}")
    paths = (file.path for layer in prepared.plan.layers for file in layer.files)
    advice = advice_on_json((len(event.body) for event in prepared.events), paths)
    if advice and not prepared.below:  # of which an edit knows no paths; the whole build has told it
        console.say(advice)
    for answer in proof.answers:
        console.detail(
            f"{answer.event}: {answer.duration_ms:.1f} ms, {answer.max_memory_mb} MB: {answer.payload[:200]}"
        )
    return Proven(proof.method, answers, "".join(answer.log for answer in proof.answers))


def check_prepared(prepared: Prepared, assembled: Assembled, cache: Cache, console: Console, *, log: str) -> None:
    """Check the image by the rules of lint. Raises LintError."""
    from builder.lint import Subject, check_built

    image = assembled.image
    subject = Subject.of(image, prepared.reference)
    check_built(subject, str(image.digest), cache, console, ignored=prepared.config.lint_ignore, log=log)
