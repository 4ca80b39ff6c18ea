"""One build, from a Config to its result: read → observe → plan → assemble → prove → check → publish.

The order is the promise: nothing is written outside the cache before the image has answered its events. Prints through
the console only; the command line decides what goes to stdout.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from builder.ahead import reading_ahead
from builder.assemble import Assembled, assemble
from builder.bases import HOST, choose_compiler, parse_base
from builder.bases import Choice as CompilerChoice
from builder.cache import Cache
from builder.config import Config, read_pyproject
from builder.console import Console
from builder.errors import BaseError, InterpreterError, SourceError
from builder.explain import remember
from builder.host import observe_host
from builder.interpreter import ARCHITECTURES, Interpreter, observe_interpreter
from builder.labels import image_labels, parse_pairs
from builder.left_out import with_left_out
from builder.observe import make_plan, moved, observe_function, observe_packages
from builder.outputs import (
    Output,
    check_outputs,
    inside,
    parse_output,
    parse_reference,
    write_index,
    write_output,
    write_package,
)
from builder.plan import Plan, PlannedLayer
from builder.platforms import each_platform, is_one_of_several, named_outputs, named_reference
from builder.project import Event, check_folder, name_of, read_events
from builder.summary import Row, show_summary
from builder.trim import Choice

if TYPE_CHECKING:
    from builder.bases.observe import Base
    from builder.prove import Proof
    from builder.settle import Round, Settled

MAX_DATE_S = 253_402_300_799  # the last second of the year 9999, as far as RFC 3339 reaches


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything known before the first byte is packed."""

    config: Config
    reference: str
    outputs: tuple[Output, ...]
    interpreter: Interpreter
    plan: Plan
    events: tuple[Event, ...]
    compiler: CompilerChoice
    indexes: tuple[Output, ...]  # what becomes an index of several images
    base: "Base | None" = None
    whole: Plan | None = None  # the plan before trimming by what is reached


def prepare(config: Config, cache: Cache, console: Console, *, environment: Mapping[str, str]) -> Prepared:
    """Read, observe and plan. Raises the BuilderError that fits what is wrong with the project or the machine."""
    with console.step("read"):
        check_folder(config.source)
        pyproject = read_pyproject(config.source)
        name = name_of(config.source, pyproject)
        reference = ":".join(parse_reference(config.tag or name, origin=config.origins.get("tag") or "--tag"))
        origin = config.origins.get("outputs") or "--output"
        outputs = tuple(parse_output(text, origin=origin) for text in config.outputs)
        asked = outputs or (() if config.push else (Output("oci", f"dist/{name}"),))
        indexes = tuple(output for output in asked if config.index and output.kind == "oci")
        outputs = named_outputs(asked, config)
        reference = named_reference(reference, config)
        check_outputs((*outputs, *indexes))
        if config.lint_ignore:
            from builder.lint import check_ignored

            check_ignored(config.lint_ignore, origin=config.origins.get("lint_ignore") or "--lint-ignore")
        events = tuple(read_events(config.source, config.events))
    with console.step("observe the base"):
        base = _base(config, cache, console, environment=environment)
        interpreter = base.interpreter if base else observe_interpreter(config.python)
        _check_platform(config, interpreter)
        compiler = choose_compiler(interpreter)
        choice = Choice(config.trim, config.keep, config.drop)
        function = observe_function(config, interpreter, choice, also_ignored=inside(config.source, outputs))
        console.detail(f"handler {function.handler}, {interpreter.described} at {interpreter.executable}")
    with console.step("install dependencies"):
        packages = observe_packages(
            config,
            interpreter,
            choice,
            cache,
            function=function,
            pyproject=pyproject,
            environment=environment,
            program=base.foundation.program if base else "",
        )
    with console.step("plan"):
        shipped = None if base and base.kept else observe_host(interpreter, choice, cache)
        plan = make_plan(
            config,
            interpreter,
            shipped,
            function,
            packages,
            foundation=base.foundation if base else None,
            warnings=[compiler.warning] if compiler.warning and config.trim != "none" else [],
        )
        plan = replace(
            plan,
            environment={**plan.environment, **parse_pairs(config.variables, "an environment variable")},
            labels={
                **(base.foundation.labels if base else {}),
                **image_labels(config.source, pyproject, config.labels, environment=environment),
            },
            created_s=_source_date(environment),
        )
    whole = plan if config.trim in {"reachable", "traced"} else None
    if whole:
        from builder.trim.apply import trim_plan

        with console.step("trim"):
            plan = trim_plan(plan, replace(choice, level="reachable"), interpreter, cache)
    for warning in plan.warnings:
        console.warn(warning)
    for name, origin in config.origins.items():
        if origin:
            console.detail(f"{name} = {getattr(config, name)!r}, from {origin}")
    plan = finished(plan, interpreter)
    return Prepared(config, reference, outputs, interpreter, plan, events, compiler, indexes, base, whole)


def finished(plan: Plan, interpreter: Interpreter) -> Plan:
    """The plan with its list of what was left out, its folders where the links of a base lead."""
    plan = with_left_out(plan)
    if plan.foundation and plan.foundation.kept:
        *layers, rest = moved([*plan.layers, PlannedLayer("rest", plan.rest)], interpreter.tree())
        return replace(plan, layers=tuple(layers), rest=rest.files)
    return plan


def _base(config: Config, cache: Cache, console: Console, *, environment: Mapping[str, str]) -> "Base | None":
    """What is built on; None for this machine's interpreter."""
    name = parse_base(config.base, origin=config.origins.get("base", ""))
    if name.kind == HOST:
        if config.flatten:
            raise BaseError(
                "reading --flatten: --base host is FROM scratch already", hint="Leave --flatten out, or name a --base."
            )
        return None
    from builder.bases.fetch import Asked
    from builder.bases.observe import observe_base

    asked = Asked(name, config.platform, config.offline, config.insecure)
    return observe_base(asked, cache, console, python=config.python, flatten=config.flatten, environment=environment)


def _source_date(environment: Mapping[str, str]) -> int:
    """The time that the image says it was made: $SOURCE_DATE_EPOCH, or 1970, which says nothing.

    Source: https://reproducible-builds.org/specs/source-date-epoch/. Raises SourceError.
    """
    text = environment.get("SOURCE_DATE_EPOCH", "") or "0"
    if not text.isascii() or not text.isdigit() or int(text) > MAX_DATE_S:
        raise SourceError(
            f"reading $SOURCE_DATE_EPOCH: {text!r} is no number of seconds since 1970",
            hint="For example SOURCE_DATE_EPOCH=$(git log -1 --format=%ct).",
        )
    return int(text)


def _check_platform(config: Config, interpreter: Interpreter) -> None:
    if config.platform and config.platform != f"linux/{interpreter.architecture}":
        known = ", ".join(f"linux/{name}" for name in ARCHITECTURES.values())
        origin = config.origins.get("platforms")
        raise InterpreterError(
            f"building for {config.platform!r}{origin and f' (from {origin})'}: --base host ships the interpreter of "
            f"this machine, which is linux/{interpreter.architecture}",
            hint=f"Build on a machine of that platform (known: {known}), or leave --platform out.",
        )


@dataclass(frozen=True, slots=True)
class Result:
    """A finished build."""

    prepared: Prepared
    assembled: Assembled
    method: str
    answers: tuple[Mapping[str, object], ...]
    steps: tuple[tuple[str, float], ...]  # names and seconds
    package: Path | None = None
    rounds: "tuple[Round, ...]" = ()  # of putting back what the trimmed image lacked

    @property
    def digest(self) -> str:
        """The image's digest, of its manifest."""
        return str(self.assembled.image.digest)

    @property
    def name(self) -> str:
        """`NAME@sha256:…`, which names this image and no other."""
        return f"{parse_reference(self.prepared.reference)[0]}@{self.digest}"


def build(config: Config, cache: Cache, console: Console, *, environment: Mapping[str, str]) -> list[Result]:
    """Build and prove an image for each platform asked for, then write all outputs."""
    made = [_make(one, cache, console, environment=environment) for one in each_platform(config)]
    with console.step("write"):
        for result in made:
            for output in result.prepared.outputs:
                if result.package and output.kind == "zip":
                    write_package(output, result.package)
                else:
                    write_output(output, result.assembled.image, result.prepared.reference, cache)
        if config.index:
            _write_indexes(made, console)
    for result in made:
        _summary(result.prepared, result.assembled, console)
    cache.prune()
    return made


def _write_indexes(made: Sequence[Result], console: Console) -> None:
    """Each oci: output once more as an index of all platforms, under the name that was given."""
    for output in made[0].prepared.indexes:
        tag = parse_reference(made[0].prepared.config.tag or "untagged")[1]
        digest = write_index(output, [result.assembled.image for result in made], tag=tag)
        console.warn(f"{output} is an index ({digest}), which Lambda refuses: deploy one of the images that it lists")


def _make(config: Config, cache: Cache, console: Console, *, environment: Mapping[str, str]) -> Result:
    """One image, proven; nothing of it is written outside the cache."""
    if is_one_of_several(config):
        console.say(f"building for {config.platform}")
    before = len(console.timings)
    prepared = prepare(config, cache, console, environment=environment)
    rounds: tuple[Round, ...] = ()
    if prepared.whole and _is_provable(prepared):
        with console.step("assemble and prove"):
            settled = _settle(prepared, prepared.whole, cache, console)
        prepared, assembled, rounds = replace(prepared, plan=settled.plan), settled.assembled, settled.rounds
        method, answers, log = _told(prepared, settled.proof, console)
    else:
        with console.step("assemble"):
            assembled = assemble_prepared(prepared, cache, console)
        with console.step("prove"):
            method, answers, log = _prove(prepared, assembled, cache, console)
    remember(prepared.plan, assembled.image, cache)
    with console.step("check"):
        _check(prepared, assembled, cache, console, log=log)
    package = None
    if any(output.kind == "zip" for output in prepared.outputs):
        with console.step("package"):
            package = _package(prepared, assembled, cache, console)
    return Result(prepared, assembled, method, answers, tuple(console.timings[before:]), package, rounds)


def _package(prepared: Prepared, assembled: Assembled, cache: Cache, console: Console) -> Path:
    """The deployment package, proven; it stays in the cache."""
    from builder.package import make_package

    plan = prepared.plan
    package = make_package(assembled.image, plan, prepared.interpreter.glibc, cache)
    if prepared.config.prove:
        from builder.prove.package import prove_package

        proof = prove_package(package, prepared.events, cache, handler=plan.handler, architecture=plan.architecture)
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
    with reading_ahead(cache, unpacked=_is_provable(prepared)) as ahead:
        return assemble(
            prepared.plan,
            prepared.interpreter,
            cache,
            say=console.say,
            compiler=prepared.compiler,
            base=base,
            ahead=ahead,
        )


def _prove(
    prepared: Prepared, assembled: Assembled, cache: Cache, console: Console
) -> tuple[str, tuple[Mapping[str, object], ...], str]:
    """How the image was proven, what it answered, and what it logged meanwhile."""
    if not prepared.config.prove:
        console.warn("not proven: --no-prove was given")
        return "not proven", (), ""
    from builder.prove import prove, runner_of

    if runner_of(prepared.plan.architecture) is None:
        console.warn(
            f"not proven: the image is for linux/{prepared.plan.architecture}, and this machine runs no programs of "
            f"it; install qemu-user-static, or prove it on such a machine"
        )
        return "not proven", (), ""
    return _told(prepared, prove(assembled.image, prepared.events, cache), console)


def _is_provable(prepared: Prepared) -> bool:
    from builder.prove import runner_of

    return prepared.config.prove and runner_of(prepared.plan.architecture) is not None


def _settle(prepared: Prepared, whole: Plan, cache: Cache, console: Console) -> "Settled":
    """The trimmed image that has been compared with the untrimmed function."""
    from builder.settle import Trimming, settle

    config, interpreter = prepared.config, prepared.interpreter
    return settle(
        Trimming(
            whole,
            Choice(config.trim, config.keep, config.drop),
            interpreter,
            prepared.events,
            config.volatile,
            cache,
            console,
            finish=lambda plan: finished(plan, interpreter),
            assemble=lambda plan: assemble_prepared(replace(prepared, plan=plan), cache, console),
        )
    )


def _told(prepared: Prepared, proof: "Proof", console: Console) -> tuple[str, tuple[Mapping[str, object], ...], str]:
    """How the image was proven, what it answered, and what it logged, told to the person as well."""
    if not prepared.events:
        console.warn("there are no sample events in events/: proven is only that the function starts")
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
    for answer in proof.answers:
        console.detail(
            f"{answer.event}: {answer.duration_ms:.1f} ms, {answer.max_memory_mb} MB: {answer.payload[:200]}"
        )
    return proof.method, answers, "".join(answer.log for answer in proof.answers)


def _check(prepared: Prepared, assembled: Assembled, cache: Cache, console: Console, *, log: str) -> None:
    from builder.lint import Subject, check_built

    image = assembled.image
    subject = Subject.of(image, prepared.reference)
    check_built(subject, str(image.digest), cache, console, ignored=prepared.config.lint_ignore, log=log)


def _summary(prepared: Prepared, assembled: Assembled, console: Console) -> None:
    rows = [
        Row(
            made.name,
            made.files,
            made.layer.size_uncompressed or 0,
            made.layer.descriptor.size,
            None if made.cached else made.seconds,
        )
        for made in assembled.layers
    ]
    show_summary(rows, prepared.outputs, console)
