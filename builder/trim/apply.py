"""A Plan trimmed to what the handler reaches: fewer files, a reason in each, and those that it left out beside it.

Remembers each verdict by all that it was made of. Of the function's own modules that is what they say (their facts)
and not their bytes: an edit that imports nothing else needs no new verdict, and loads nothing of what makes one.
Never changes how a file is made.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from builder.cache import Cache, key_of
from builder.interpreter import Interpreter
from builder.plan import RUNTIME, TASK, How, Plan, PlannedFile, PlannedLayer, source_of
from builder.trace import Asked
from builder.trim.facts import render_facts
from builder.trim.facts_store import FactsStore
from builder.trim.reached import SOURCELESS, Verdict
from builder.trim.rules import Choice
from builder.trim.version import trimming_digest


def trim_plan(
    plan: Plan, choice: Choice, interpreter: Interpreter, cache: Cache, *,
    back: Mapping[str, str] | None = None, used: Asked | None = None,
) -> Plan:  # fmt: skip
    """The plan with only what is reached, or at level `traced` only what was `used`.

    `back` maps paths that must stay, whatever reading says, to their reasons.
    """
    back = back or {}
    key = key_of(
        "reach", trimming_digest(), interpreter.full_version, plan.handler,
        plan.foundation is not None and plan.foundation.has_packages,
        [choice.level, choice.keep, choice.drop], sorted(back.items()), _names_used(used),
        "".join(_inputs(plan, interpreter, cache)),
    )  # fmt: skip
    verdict = _remembered(cache, key)
    if verdict is None:
        from builder.trim.verdict import judge

        verdict = judge(plan, choice, interpreter, cache, back=back, used=used)
        text = json.dumps([verdict.kept, verdict.dropped, sorted(verdict.sourceless)])
        cache.write_record("reach", key, {"verdict": text})
    return replace(_applied(plan, verdict), dense=used is not None)


def _inputs(plan: Plan, interpreter: Interpreter, cache: Cache) -> Iterator[str]:
    """A line for each file of the plan, of all that a verdict depends on."""
    for layer in plan.layers:
        yield f"{layer.name}\n"
        own = FactsStore([layer], interpreter.version, cache)
        for file in layer.files:
            if not file.path.startswith(f"{TASK}/") or not _is_source(file):
                yield file.identity()
            elif file.how is How.BYTECODE:
                yield f"{file.path}\n"
            else:
                yield f"{file.path}\0{json.dumps(render_facts(own.facts(file.path)))}\n"
        own.save()


def _is_source(file: PlannedFile) -> bool:
    return file.how is How.BYTECODE or (file.how is How.COPY and file.path.endswith(".py"))


def _names_used(used: Asked | None) -> object:
    return used and [sorted(used.modules), sorted(used.files), sorted(used.libraries)]


def _remembered(cache: Cache, key: str) -> Verdict | None:
    record = cache.record("reach", key)
    match record:
        case {"verdict": str(text)}:
            kept, dropped, bare = json.loads(text)
            return Verdict({path: (why, via) for path, (why, via) in kept.items()}, dropped, frozenset(bare))
    return None


def _applied(plan: Plan, verdict: Verdict) -> Plan:
    layers = []
    rest: list[PlannedFile] = []
    gone_of = {**verdict.dropped, **dict.fromkeys(verdict.sourceless, SOURCELESS)}
    for layer in plan.layers:
        files = []
        for file in layer.files:
            if file.path in gone_of:
                if not file.path.startswith(f"{RUNTIME}/"):  # the untrimmed function runs by the same runtime
                    rest.append(file)
            elif file.how is How.BYTECODE and (source := source_of(file.path)) in verdict.sourceless:
                why, via = verdict.kept[source]
                files.append(replace(file, path=f"{source}c", why=why, via=via))
            elif cause := verdict.kept.get(file.path):
                files.append(replace(file, why=cause[0], via=cause[1]))
            else:
                files.append(file)
        files.sort(key=lambda file: file.path)
        gone = {file.path: gone_of[file.path] for file in layer.files if file.path in gone_of}
        layers.append(PlannedLayer(layer.name, tuple(files), {**layer.dropped, **gone}))
    return replace(plan, layers=tuple(layers), rest=tuple(rest))
