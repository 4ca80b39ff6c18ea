"""A build of which only words of the function's modules changed takes everything else from the build before.

Host, packages and trimming depend on what a function's modules say (imports, names, strings) and not on their bytes. So
an edit that says the same leaves the layers below as they are, and of the plan only the function's layer is made
again: nobody lists thousands of files for a line. `unchanged` knows that the rest of the world is as it was. The image
is run, compared, checked and written as any other.

Whatever is not sure is built whole: another file, another fact, a difference between the trimmed image and the
untrimmed function, anything that the cache does not hold any more.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, cast

from builder.ahead import read_last
from builder.assemble import Assembled
from builder.bases import choose_compiler
from builder.build import write
from builder.cache import Cache, key_of, mark_used
from builder.config import Config, read_pyproject
from builder.console import Console
from builder.errors import BuilderError, LintError, ProofError
from builder.explain import share
from builder.function import observe_function
from builder.interpreter import Interpreter
from builder.labels import image_labels
from builder.layer_records import parse_layer, render_layer
from builder.layer_writer import AssembledLayer
from builder.make import (
    Proven,
    Result,
    assemble_prepared,
    check_prepared,
    is_run,
    prove_prepared,
    tell_proof,
    trimming_of,
)
from builder.oci import BlobStore, ImageError, OCIError
from builder.outputs import check_outputs, inside
from builder.plan import TASK, How, Plan, PlannedFile, PlannedLayer
from builder.platforms import each_platform
from builder.prepared import Prepared
from builder.project import read_events, unread_answers
from builder.trim import Choice, observe_sources
from builder.trim.facts import render_facts
from builder.trim.facts_store import FactsStore
from builder.unchanged import Known, outputs_of

if TYPE_CHECKING:
    from builder.confirm import Ground

LAYER = "function"


def frame_of(result: Result, cache: Cache) -> dict[str, object] | None:
    """What of a build an edit leaves as it is, as a part of a record; None where an edit needs a whole build.

    That is so where the image depends on what ran: files were put back after a comparison, or traced.
    """
    prepared, assembled = result.prepared, result.assembled
    plan = prepared.plan
    last = plan.layers[-1]
    elsewhere = (*(file for layer in plan.layers[:-1] for file in layer.files), *plan.rest)
    if (
        last.name != LAYER
        or result.rounds
        or prepared.config.trim == "traced"
        or any(file.path.startswith(f"{TASK}/") for file in elsewhere)
    ):
        return None
    rest = ""
    if prepared.whole and is_run(prepared):
        from builder.prove.untrimmed import key_of_rest

        rest = key_of_rest(plan.rest)
    below = [[made.name, made.files, render_layer(made.layer)] for made in assembled.layers[:-1]]
    return {
        "interpreter": asdict(prepared.interpreter),
        "plan": {
            "architecture": plan.architecture, "python": plan.python, "script": plan.script,
            "environment": dict(plan.environment), "warnings": plan.warnings, "created_s": plan.created_s,
        },
        "files": [{**asdict(file), "content": file.content.hex()} for file in last.files],
        "below": below,
        "says": _says(prepared, [file for file in last.files if _is_own(file)], cache),
        "rest": rest,
        "trimmed": prepared.whole is not None,
        "reasons": result.reasons,
    }  # fmt: skip


def edited(
    known: Known, config: Config, cache: Cache, console: Console, *, environment: Mapping[str, str]
) -> Result | None:
    """The image of an edited function, proven and written; None when a whole build has to tell.

    Raises what is wrong with the function itself: ProofError, LintError.
    """
    if known.frame is None:
        return None
    try:
        return _edited(known, known.frame, each_platform(config)[0], cache, console, environment=environment)
    except (ProofError, LintError):
        raise
    except (BuilderError, OCIError):
        return None


def _edited(
    known: Known, frame: Mapping[str, object], config: Config, cache: Cache, console: Console, *,
    environment: Mapping[str, str],
) -> Result | None:  # fmt: skip
    before = len(console.timings)
    with console.step("read"):
        prepared = _prepared(known, frame, config, cache, environment=environment)
    if prepared is None:
        return None
    with ThreadPoolExecutor(1, "ahead") as pool:
        ground = (
            pool.submit(_ground, prepared, str(frame["rest"]), cache) if prepared.whole and is_run(prepared) else None
        )
        with console.step("assemble"):
            assembled = assemble_prepared(prepared, cache, console)
        pool.submit(read_last, assembled.image, cache)
        with console.step("prove"):
            proven = _proven(prepared, assembled, ground, cache, console)
    if proven is None or not share(str(frame["reasons"]), assembled.image, cache):
        return None
    for warning in (*unread_answers(config.source), *prepared.plan.warnings):
        console.warn(warning)
    with console.step("check"):
        check_prepared(prepared, assembled, cache, console, log=proven.log)
    result = Result(prepared, assembled, proven, tuple(console.timings[before:]), reasons=str(frame["reasons"]))
    write([result], cache, console)
    return result


def _prepared(
    known: Known, frame: Mapping[str, object], config: Config, cache: Cache, *, environment: Mapping[str, str]
) -> Prepared | None:
    """What was prepared before, with the function's files as they are now; None when they say something else."""
    outputs = tuple(outputs_of(known.described))
    check_outputs(outputs)
    interpreter = _interpreter(cast("dict[str, object]", frame["interpreter"]))
    choice = Choice(config.trim, config.keep, config.drop)
    function = observe_function(
        config, interpreter, choice, also_ignored=inside(config.source, outputs, config.documents)
    )
    now = {file.source: file for file in function.files}
    layer = PlannedLayer(LAYER, tuple(_file(row, now) for row in cast("list[dict[str, object]]", frame["files"])))
    labels = image_labels(config.source, read_pyproject(config.source), config.labels, environment=environment)
    plan = Plan((layer,), handler=function.handler, labels=labels, **frame["plan"])  # type: ignore[arg-type]  # as it was written
    prepared = Prepared(
        config,
        str(known.described["reference"]),
        outputs,
        interpreter,
        plan,
        tuple(read_events(config.source, config.events)),
        choose_compiler(interpreter),
        indexes=(),
        whole=plan if frame["trimmed"] else None,
        below=tuple(
            _layer(*row, cache=cache) for row in cast("list[tuple[str, int, dict[str, object]]]", frame["below"])
        ),
    )
    return prepared if frame["says"] == _says(prepared, function.files, cache) else None


def _interpreter(row: Mapping[str, object]) -> Interpreter:
    """An interpreter as a record has it; JSON knows no tuples."""
    return Interpreter(**{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()})  # type: ignore[arg-type]  # as it was written


def _file(row: Mapping[str, object], now: Mapping[str, PlannedFile]) -> PlannedFile:
    """A planned file as a record has it, in its present state."""
    told = {**row, "how": How(str(row["how"])), "content": bytes.fromhex(str(row["content"]))}
    file = PlannedFile(**told)  # type: ignore[arg-type]  # as it was written
    fresh = now.get(file.source)
    return replace(file, size=fresh.size, stamp=fresh.stamp) if fresh else file


def _layer(name: str, files: int, row: dict[str, object], *, cache: Cache) -> AssembledLayer:
    """A layer as a record has it. Raises ImageError when it is none."""
    layer = parse_layer(row)
    if layer is None:
        raise ImageError(f"reading the cache: the record of layer {name!r} is none")
    mark_used(BlobStore(cache.blobs).path(layer.descriptor.digest))
    return AssembledLayer(name, layer, cached=True, seconds=0.0, files=files)


def _says(prepared: Prepared, files: Sequence[PlannedFile], cache: Cache) -> str:
    """A digest of all that layers below and trimming depend on: what modules say, and other files as they are."""
    source = prepared.config.source
    store = FactsStore([PlannedLayer(LAYER, tuple(files))], prepared.interpreter.version, cache)
    said = [
        (file.path, file.mode, render_facts(store.facts(file.path)) if file.path.endswith(".py") else file.stamp)
        for file in files
    ]
    store.save()
    seen = observe_sources(source, [file.path.removeprefix(f"{TASK}/") for file in files])
    return key_of("says", prepared.plan.handler, said, sorted(seen.imported), sorted(seen.stub_loaders))


def _is_own(file: PlannedFile) -> bool:
    """Whether a file of the layer is one of the function's folder."""
    return file.how is How.COPY and file.path.startswith(f"{TASK}/")


def _ground(prepared: Prepared, rest: str, cache: Cache) -> "Ground":
    """What the proof stands on; loads what proves as well."""
    from builder.confirm import ground_of

    return ground_of((made.layer for made in prepared.below), rest, BlobStore(cache.blobs), cache)


def _proven(
    prepared: Prepared, assembled: Assembled, ground: "Future[Ground] | None", cache: Cache, console: Console
) -> Proven | None:
    """The proof, as of any build; None where the image differs from the untrimmed function."""
    if prepared.whole is None or ground is None:
        return prove_prepared(prepared, assembled, cache, console)
    from builder.confirm import confirm

    proof = confirm(trimming_of(prepared, prepared.whole, cache, console), assembled, ground.result())
    return tell_proof(prepared, proof, console) if proof else None
