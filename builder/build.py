"""One build, from a Config to its result: read → observe → plan → assemble → prove → publish.

The order is the promise: nothing is written outside the cache before the image has answered its events. Prints through the
console only; the command line decides what goes to stdout.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from builder.assemble import Assembled, assemble
from builder.cache import Cache
from builder.config import Config, read_pyproject
from builder.console import Console, megabytes, seconds
from builder.errors import InterpreterError
from builder.host import observe_host
from builder.interpreter import ARCHITECTURES, Interpreter, observe_interpreter
from builder.observe import make_plan, observe_function, observe_packages
from builder.outputs import Output, check_outputs, inside, parse_output, parse_reference, write_output
from builder.plan import Plan
from builder.project import Event, check_folder, name_of, read_events
from builder.trim import Choice


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything known before the first byte is packed."""

    config: Config
    reference: str
    outputs: tuple[Output, ...]
    interpreter: Interpreter
    plan: Plan
    events: tuple[Event, ...]


def prepare(config: Config, cache: Cache, console: Console, *, environment: Mapping[str, str]) -> Prepared:
    """Read, observe and plan. Raises the BuilderError that fits what is wrong with the project or the machine."""
    with console.step("read"):
        check_folder(config.source)
        pyproject = read_pyproject(config.source)
        name = name_of(config.source, pyproject)
        reference = ":".join(parse_reference(config.tag or name))
        outputs = tuple(parse_output(text) for text in config.outputs) or (Output("oci", f"dist/{name}"),)
        check_outputs(outputs)
        events = tuple(read_events(config.source, config.events))
    with console.step("observe the interpreter"):
        interpreter = observe_interpreter(config.python)
        _check_platform(config, interpreter)
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
        )
    with console.step("plan"):
        base = observe_host(interpreter, choice, cache)
        plan = make_plan(config, interpreter, base, function, packages)
    for warning in plan.warnings:
        console.warn(warning)
    return Prepared(config, reference, outputs, interpreter, plan, events)


def _check_platform(config: Config, interpreter: Interpreter) -> None:
    if config.platform and config.platform != f"linux/{interpreter.architecture}":
        known = ", ".join(f"linux/{name}" for name in ARCHITECTURES.values())
        raise InterpreterError(
            f"building for {config.platform!r}: --base host ships the interpreter of this machine, which is linux/{interpreter.architecture}",
            hint=f"Build on a machine of that platform (known: {known}), or leave --platform out.",
        )


@dataclass(frozen=True, slots=True)
class Result:
    """A finished build."""

    prepared: Prepared
    assembled: Assembled
    method: str
    answers: tuple[Mapping[str, object], ...]

    @property
    def digest(self) -> str:
        """The image's digest, of its manifest."""
        return str(self.assembled.image.digest)

    @property
    def name(self) -> str:
        """`NAME@sha256:…`, which names this image and no other."""
        return f"{parse_reference(self.prepared.reference)[0]}@{self.digest}"


def build(config: Config, cache: Cache, console: Console, *, environment: Mapping[str, str]) -> Result:
    """Build, prove, and write the outputs."""
    prepared = prepare(config, cache, console, environment=environment)
    with console.step("assemble"):
        assembled = assemble(prepared.plan, prepared.interpreter, cache, say=console.say)
    with console.step("prove"):
        method, answers = _prove(prepared, assembled, cache, console)
    with console.step("write"):
        for output in prepared.outputs:
            write_output(output, assembled.image, prepared.reference, cache)
    _summary(prepared, assembled, console)
    cache.prune()
    return Result(prepared, assembled, method, answers)


def _prove(
    prepared: Prepared, assembled: Assembled, cache: Cache, console: Console
) -> tuple[str, tuple[Mapping[str, object], ...]]:
    if not prepared.config.prove:
        console.warn("not proven: --no-prove was given")
        return "not proven", ()
    from builder.prove import DESCRIPTIONS, prove

    proof = prove(assembled.image, prepared.events, cache)
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
    how = DESCRIPTIONS[proof.method]
    count = len(prepared.events)
    told = "unchanged since it was proven" if proof.remembered else "proven"
    console.say(f"{told}: {count} {'event' if count == 1 else 'events'}, {how}")
    for answer in proof.answers:
        console.detail(
            f"{answer.event}: {answer.duration_ms:.1f} ms, {answer.max_memory_mb} MB: {answer.payload[:200]}"
        )
    return proof.method, answers


def _summary(prepared: Prepared, assembled: Assembled, console: Console) -> None:
    rows = [
        [
            made.name,
            str(made.files),
            megabytes(made.layer.size_uncompressed or 0),
            megabytes(made.layer.descriptor.size),
            "cache" if made.cached else seconds(made.seconds),
        ]
        for made in assembled.layers
    ]
    total = [made.layer for made in assembled.layers]
    rows.append([
        "image", str(sum(made.files for made in assembled.layers)), megabytes(sum(layer.size_uncompressed or 0 for layer in total)),
        megabytes(sum(layer.descriptor.size for layer in total)), "",
    ])  # fmt: skip
    console.table("layers", ["layer", "files", "unpacked", "gzip", "made in"], rows)
    console.table("steps", ["step", "time"], [[name, seconds(spent)] for name, spent in console.timings])
    for output in prepared.outputs:
        console.say(f"wrote {output}")


def describe(result: Result) -> dict[str, object]:
    """The result as the JSON object of --json."""
    plan = result.prepared.plan
    return {
        "image": result.name,
        "digest": result.digest,
        "config_digest": str(result.assembled.image.config_descriptor.digest),
        "reference": result.prepared.reference,
        "architecture": plan.architecture,
        "python": result.prepared.interpreter.full_version,
        "handler": plan.handler,
        "outputs": [str(output) for output in result.prepared.outputs],
        "size": sum(made.layer.descriptor.size for made in result.assembled.layers),
        "layers": [
            {
                "name": made.name,
                "digest": str(made.layer.descriptor.digest),
                "diff_id": str(made.layer.diff_id),
                "size": made.layer.descriptor.size,
                "size_uncompressed": made.layer.size_uncompressed,
                "files": made.files,
                "cached": made.cached,
            }
            for made in result.assembled.layers
        ],
        "proof": {
            "method": result.method,
            "events": len(result.prepared.events),
            "answers": list(result.answers),
        },
        "warnings": list(plan.warnings),
    }


def describe_plan(plan: Plan) -> dict[str, object]:
    """The Plan as the JSON object of --plan."""
    return {
        "architecture": plan.architecture,
        "entrypoint": list(plan.entrypoint),
        "command": list(plan.command),
        "environment": dict(plan.environment),
        "working_folder": plan.working_folder,
        "layers": [
            {
                "name": layer.name,
                "files": [
                    {
                        "path": f"/{file.path}",
                        "how": file.how.value,
                        "from": file.source,
                        "size": file.size,
                        "mode": f"{file.mode:04o}",
                        "why": file.why,
                    }
                    for file in layer.files
                ],
                "dropped": [{"path": f"/{path}", "why": why} for path, why in sorted(layer.dropped.items())],
            }
            for layer in plan.layers
        ],
        "warnings": list(plan.warnings),
    }
