"""What is known before the first byte is packed: folder, base, packages and host, read and observed into a Plan.

Writes nothing but the cache, and builds nothing. Prints through the console only.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from builder.bases import HOST, choose_compiler, parse_base
from builder.cache import Cache
from builder.config import Config, read_pyproject
from builder.console import Console
from builder.errors import BaseError, InterpreterError, SourceError
from builder.function import observe_function
from builder.host import observe_host
from builder.interpreter import ARCHITECTURES, Interpreter, observe_interpreter
from builder.labels import image_labels, parse_pairs
from builder.left_out import with_left_out
from builder.observe import make_plan, moved, observe_packages
from builder.outputs import (
    Output,
    check_outputs,
    inside,
    parse_output,
)
from builder.plan import Plan, PlannedLayer
from builder.platforms import asked_reference, named_outputs, named_reference
from builder.prepared import Prepared
from builder.project import check_folder, name_of, read_events, unread_answers
from builder.trim import Choice

if TYPE_CHECKING:
    from builder.bases.observe import Base

_BY_REACH = ("reachable", "traced")  # levels that leave out what a program might read

MAX_DATE_S = 253_402_300_799  # the last second of the year 9999, as far as RFC 3339 reaches


def prepare(config: Config, cache: Cache, console: Console, *, environment: Mapping[str, str]) -> Prepared:
    """Read, observe and plan. Raises the BuilderError that fits what is wrong with the project or the machine."""
    with console.step("read"):
        check_folder(config.source)
        pyproject = read_pyproject(config.source)
        name = name_of(config.source, pyproject)
        reference = named_reference(asked_reference(config, name), config)
        origin = config.origins.get("outputs") or "--output"
        outputs = tuple(parse_output(text, origin=origin) for text in config.outputs)
        asked = outputs or (() if config.push else (Output("oci", f"dist/{name}"),))
        indexes = tuple(output for output in asked if config.index and output.kind == "oci")
        outputs = named_outputs(asked, config)
        check_outputs((*outputs, *indexes), config.documents)
        if config.lint_ignore:
            from builder.lint import check_ignored

            check_ignored(config.lint_ignore, origin=config.origins.get("lint_ignore") or "--lint-ignore")
        if config.volatile:
            from builder.prove.difference import check_volatile

            check_volatile(config.volatile, origin=config.origins.get("volatile") or "--volatile")
        events = tuple(read_events(config.source, config.events))
        for line in unread_answers(config.source):
            console.warn(line)
    with console.step("observe the base"):
        base = _base(config, cache, console, environment=environment)
        if base and base.kept and config.trim in _BY_REACH:
            _say_what_stays(base, console)
        interpreter = base.interpreter if base else observe_interpreter(config.python)
        _check_platform(config, interpreter)
        compiler = choose_compiler(interpreter)
        choice = Choice(config.trim, config.keep, config.drop)
        written = inside(config.source, outputs, config.documents)
        function = observe_function(config, interpreter, choice, also_ignored=written)
        console.detail(f"handler {function.handler}, {interpreter.described} at {interpreter.executable}")
    with console.step("install dependencies"), ThreadPoolExecutor(1, "ahead") as pool:
        # Looked at while uv works, on another core.
        host = None if base and base.kept else pool.submit(observe_host, interpreter, choice, cache)
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
        shipped = host.result() if host else None
        plan = make_plan(
            config,
            interpreter,
            shipped,
            function,
            packages,
            foundation=base.foundation if base else None,
            warnings=[compiler.warning] if compiler.warning and config.trim != "none" else [],
            can_compile=compiler.possible,
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
    whole = plan if config.trim in _BY_REACH else None
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


def _say_what_stays(base: "Base", console: Console) -> None:
    """A person who asked for little should know why there is much."""
    console.say("the base is kept as it is: trimming is for what lies over it (--flatten takes only what is needed)")
    if base.foundation.has_packages:
        console.say("all dependencies stay: the base has packages of its own, which may look for them")


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
            hint=f"Name a base of that platform, such as --base python:3.13-slim, or build on such a machine; "
            f"known are {known}.",
        )
