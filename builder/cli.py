"""The command line: `build-image`, and `firkin` with build, run and invoke. The composition root of the builder.

Declares the options, calls, and prints results. Heavy modules are imported inside commands: `--help` must be instant.
What all commands do alike, from signals to exit codes, is in `program`.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from builder.errors import BuilderError, FunctionError, SourceError
from builder.program import in_github_actions, main, origin_of, print_bytes, print_json, print_line, render_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.build import Prepared, Result
    from builder.cache import Cache
    from builder.config import Config
    from builder.console import Console

EXIT_CODES = """
\b
Exit codes:
  0  built                       10  image not readable
  1  a bug in firkin             11  function error (invoke)
  2  usage                       12  no answer (invoke)
  3  folder or its settings      13  interpreter
  4  handler                     14  registry
  5  syntax error in the code    15  base
  6  dependencies                16  refused by Lambda (lint)
  7  proof failed                17  not the same image (--check)
  8  output not written          18  trimming changed the function
  9  Docker Engine              130  interrupted
                                143  terminated
"""


def _defaults(context: click.Context, _: click.Parameter, value: str) -> str:
    """Take [tool.build-image] of the folder as the defaults of the other options."""
    from builder.config import parse_table, read_pyproject

    if not value.startswith(("oci:", "tar:")) and Path(value).is_dir():  # else the command says what is wrong with it
        table = parse_table(read_pyproject(Path(value)))
        known = {parameter.name for parameter in context.command.params}
        context.default_map = {name: given for name, given in table.items() if name in known}
    return value


_source = click.argument("source", default=".", is_eager=True, callback=_defaults, envvar="BUILD_IMAGE_SOURCE")


@click.command(
    "build-image",
    short_help="Turn a function into a proven image; the same as build-image.",
    context_settings={"auto_envvar_prefix": "BUILD_IMAGE", "help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
@_source
@click.option(
    "--handler", metavar="MODULE.FUNCTION", help="The handler; else [tool.build-image], else the usual names."
)
@click.option("-t", "--tag", metavar="NAME[:TAG]", help="The image's name; else the project's or the folder's.")
@click.option(
    "--base",
    metavar="BASE",
    default="host",
    show_default=True,
    help="host (this machine's Python), oci:DIR, tar:FILE, docker:NAME, or the name of an image in a registry.",
)
@click.option(
    "--flatten",
    is_flag=True,
    help="Take only the needed files out of the base, its Python and libraries, FROM scratch.",
)
@click.option(
    "--python",
    metavar="VERSION|PATH",
    help="The Python to ship; else the one that runs this, or the first of the base.",
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="OS/ARCH",
    envvar="BUILD_IMAGE_PLATFORM",
    help="linux/amd64 or linux/arm64; else the base's, with --base host this machine's. Repeatable: an image each.",
)
@click.option(
    "--index", is_flag=True, help="With several platforms, make each oci:DIR one index of all; Lambda refuses an index."
)
@click.option(
    "--engine",
    type=click.Choice(["oci", "docker"]),
    default="oci",
    show_default=True,
    help="What assembles the image: this program, or a Docker Engine from a Dockerfile.",
)
@click.option("--template", metavar="FILE", help="Another template of the Dockerfile, relative to SOURCE.")
@click.option(
    "--trim",
    type=click.Choice(["none", "safe", "reachable", "traced"]),
    default="safe",
    show_default=True,
    help="How much is left out.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="PATTERN",
    help="Keep these files whatever the trim level says. Repeatable.",
)
@click.option("--drop", multiple=True, metavar="PATTERN", help="Leave these files out. Repeatable.")
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="FILE",
    envvar="BUILD_IMAGE_EVENT",
    help="Sample events, relative to SOURCE; else events/*.json. Repeatable.",
)
@click.option(
    "--volatile",
    multiple=True,
    metavar="REGEX",
    help="What may differ between two runs of the function, besides times, ids and the like. Repeatable.",
)
@click.option("--no-prove", is_flag=True, help="Write the image without running it.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    envvar="BUILD_IMAGE_LABEL",
    help="A label of the image, besides those from the project and git. Repeatable.",
)
@click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    envvar="BUILD_IMAGE_ENV",
    help="A variable of the image's environment. Repeatable.",
)
@click.option(
    "--lint-ignore",
    multiple=True,
    metavar="RULE",
    help="Build although this rule of `firkin lint` is broken. Repeatable.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="KIND:PLACE",
    envvar="BUILD_IMAGE_OUTPUT",
    help="oci:DIR, tar:FILE, docker, rootfs:DIR, layers:DIR or zip:FILE; else oci:dist/NAME. Repeatable.",
)
@click.option("--load", is_flag=True, help="The same as -o docker.")
@click.option("--push", is_flag=True, help="Push the image to the registry that --tag names, with SBOM and provenance.")
@click.option(
    "--insecure-registry",
    "insecure",
    multiple=True,
    metavar="HOST[:PORT]",
    envvar="BUILD_IMAGE_INSECURE_REGISTRY",
    help="Allow plain HTTP and unverified TLS for this registry alone. Repeatable.",
)
@click.option(
    "--image-refs",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write NAME@sha256:… to a file too, a line for each image.",
)
@click.option("--dockerfile", is_flag=True, help="Print a Dockerfile of the image; build nothing.")
@click.option(
    "--plan",
    "show_plan",
    is_flag=True,
    envvar="BUILD_IMAGE_PLAN",
    help="Print which file goes to which layer and why, as JSON; build nothing.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a report of the build: FILE.html or FILE.json.",
)
@click.option(
    "--sbom",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what is in the image, as CycloneDX 1.6 JSON.",
)
@click.option(
    "--provenance",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write how the image was made, as an in-toto statement of SLSA provenance.",
)
@click.option(
    "--check",
    metavar="IMAGE",
    help="Build once more, from an empty cache, and compare with this image (oci:DIR or tar:FILE); write nothing.",
)
@click.option("--json", "as_json", is_flag=True, envvar="BUILD_IMAGE_JSON", help="Print the result as one JSON object.")
@click.option("--offline", is_flag=True, help="Use no network.")
@click.option("--no-cache", is_flag=True, help="Build everything anew. uv's own cache of downloads is still used.")
@click.option("-q", "--quiet", is_flag=True, help="Only warnings, errors and the result.")
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
@click.version_option(package_name="firkin")
def _build(
    source: str, *, no_prove: bool, load: bool, dockerfile: bool, show_plan: bool, as_json: bool, no_cache: bool,
    quiet: bool, verbose: bool, outputs: tuple[str, ...], report: Path | None,
    sbom: Path | None, provenance: Path | None, check: str | None, image_refs: Path | None, **options: object,
) -> None:  # fmt: skip
    """Turn the folder SOURCE, with a Python function, into a container image that has answered its sample events."""
    from builder.console import Console
    from builder.disk import write_whole
    from builder.platforms import each_platform

    if report:
        from builder.report import check_report

        check_report(report)
    if show_plan and dockerfile:
        raise click.UsageError("--plan and --dockerfile both want stdout: ask for one of them.")
    console = Console(quiet=quiet, verbose=verbose, github=in_github_actions())
    several = len(set(options["platforms"])) > 1  # type: ignore[call-overload]  # a tuple, of click's making
    if several and (show_plan or dockerfile or check):
        raise click.UsageError("--plan, --dockerfile and --check are about one image: name one --platform.")
    if options["index"] and not several:
        raise click.UsageError("--index is of several platforms: name them with --platform.")
    asked = (*outputs, *(["docker"] if load and "docker" not in outputs else []))
    config = _config(source, outputs=asked, prove=not no_prove, cache=not no_cache, **options)
    _check_push(config)
    with _cache(console, fresh=no_cache or check is not None) as cache:
        if show_plan or dockerfile:
            from builder.build import prepare

            prepared = prepare(each_platform(config)[0], cache, console, environment=os.environ)
            _print_planned(prepared, as_dockerfile=dockerfile)
            return
        if check:
            _check(each_platform(config)[0], check, cache, console)
            return
        finish = partial(_finish, several=several, report=report, sbom=sbom, provenance=provenance)
        told = _told(config, cache, console, finish, recallable=not (report or sbom or provenance))
    names = "".join(f"{one['image']}\n" for one in told).encode()
    if image_refs:
        write_whole(image_refs, names, f"writing {image_refs}")
    if as_json:
        print_json({"images": told} if several else told[0])
    else:
        print_bytes(names)


def _told(
    config: "Config",
    cache: "Cache",
    console: "Console",
    finish: "Callable[[Result, Cache, Console], dict[str, object]]",
    *,
    recallable: bool,
) -> list[dict[str, object]]:
    """What --json tells of each image: of the last build when nothing has changed since, else of one made now."""
    from builder.unchanged import applies, recall, remember, watching

    if not recallable or not applies(config):
        from builder.build import build

        return [finish(result, cache, console) for result in build(config, cache, console, environment=os.environ)]
    remembered = recall(config, cache, console, os.environ)
    if remembered:
        return [remembered]
    with watching() as seen:
        from builder.build import build

        (result,) = build(config, cache, console, environment=os.environ)
    told = finish(result, cache, console)
    remember(told, result, seen, cache=cache, console=console, environment=os.environ)
    return [told]


def _finish(
    result: "Result", cache: "Cache", console: "Console", *,
    several: bool, report: Path | None, sbom: Path | None, provenance: Path | None,
) -> dict[str, object]:  # fmt: skip
    """Write what is said about an image, push it, and give what --json tells of it.

    Of several images, each has its architecture in the names of its files.
    """
    from builder.describe import describe
    from builder.platforms import own_file

    architecture = result.prepared.plan.architecture if several else ""
    if report:
        from builder.report import write_report
        from builder.report.observe import observe

        file = own_file(report, architecture)
        write_report(file, describe(result), result.prepared.plan, observe(result, cache))
        console.say(f"wrote {file}")
    pushed = _push(result, console)
    if sbom or provenance:
        _attest(result, sbom=own_file(sbom, architecture), provenance=own_file(provenance, architecture))
    return {**describe(result), **pushed}


def _print_planned(prepared: "Prepared", *, as_dockerfile: bool) -> None:
    from builder.describe import describe_plan
    from builder.dockerfile import SCRATCH, render_dockerfile

    if as_dockerfile:
        foundation = prepared.plan.foundation
        text = render_dockerfile(
            prepared.plan,
            prepared.config,
            reference=prepared.reference,
            python=prepared.interpreter.full_version,
            prepared=False,
            base=foundation.pinned if foundation and foundation.kept else SCRATCH,
        )
        print_bytes(text.encode())
    else:
        print_json(describe_plan(prepared.plan))


def _check(config: "Config", given: str, cache: "Cache", console: "Console") -> None:
    from builder.build import assemble_prepared, prepare
    from builder.check import check_same
    from builder.outputs import open_image

    image = open_image(given)
    prepared = prepare(config, cache, console, environment=os.environ)
    built = assemble_prepared(prepared, cache, console).image
    check_same(built, image, name=given)
    console.say(f"{given} is what this folder gives")
    print_bytes(f"{built.digest}\n".encode())


def _check_push(config: "Config") -> None:
    from builder.oci.reference import names_registry

    if not config.push:
        return
    if not names_registry(config.tag or ""):
        raise click.UsageError(
            f"--push needs a tag that names the registry, as ghcr.io/team/name:1 or docker.io/team/name:1 does; "
            f"{'none was given' if config.tag is None else f'it is {config.tag!r}'}. Give one with -t."
        )
    if config.offline:
        raise click.UsageError("--push needs a network: leave out --offline, or --push.")


def _push(result: "Result", console: "Console") -> dict[str, object]:
    """Push an image if that was asked for; gives what --json tells of it."""
    if not result.prepared.config.push:
        return {}
    from builder.describe import describe_push
    from builder.publish import publish

    return describe_push(publish(result, console, environment=os.environ))


def _attest(result: "Result", *, sbom: Path | None, provenance: Path | None) -> None:
    from builder.attest import attest
    from builder.disk import write_whole

    said = attest(result)
    for file, body in ((sbom, said.sbom), (provenance, said.provenance)):
        if file:
            write_whole(file, body, f"writing {file}")


@click.group("firkin", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="firkin")
def _firkin() -> None:
    """Small, proven container images for Python functions on AWS Lambda."""


_firkin.add_command(_build, "build")


@_firkin.command("bases", short_help="List the bases that are known, and where their Python is.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print them as one JSON object, with the sources of what is said."
)
def _bases(*, as_json: bool) -> None:
    """List the bases that are known: their names, where their Python is, their C library."""
    from builder.bases import known_bases
    from builder.bases.known import render_bases

    if as_json:
        print_json({"bases": [base.describe() for base in known_bases()]})
    else:
        print_bytes(render_bases(known_bases()).encode())


@_firkin.command("init", short_help="Write a commented [tool.build-image] into pyproject.toml.")
@click.argument("source", default=".", type=click.Path(path_type=Path))
def _init(source: Path) -> None:
    """Add a commented [tool.build-image] to the pyproject.toml of the folder SOURCE."""
    from builder.config import LISTS, STRINGS
    from builder.console import Console
    from builder.init import EXAMPLES, Setting, init

    helps = {parameter.name: parameter.help for parameter in _build.params if isinstance(parameter, click.Option)}
    names = {**STRINGS, **LISTS}
    settings = [Setting(key, helps[names[key]] or "", example) for key, example in EXAMPLES.items()]
    handler = init(source, settings)
    found = f"with the handler {handler}" if handler else "without a handler: none of the usual names is there"
    Console().say(f"wrote [tool.build-image] to {source / 'pyproject.toml'}, {found}")


# What is about the function comes from the same variables as for a build, what is about serving from its own.
@_firkin.command(
    "run",
    context_settings={"auto_envvar_prefix": "FIRKIN_RUN"},
    short_help="Start a function's folder or an image on this machine.",
)
@_source
@click.option(
    "--handler",
    metavar="MODULE.FUNCTION",
    envvar="BUILD_IMAGE_HANDLER",
    help="The handler of a folder; an image knows its own.",
)
@click.option("--python", metavar="VERSION|PATH", envvar="BUILD_IMAGE_PYTHON", help="The Python that runs a folder.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, 900, min_open=True),
    default=3.0,
    show_default=True,
    help="Seconds an invocation may take.",
)
@click.option(
    "--memory",
    type=click.IntRange(128, 10240),
    default=128,
    show_default=True,
    help="MB the function is told it has.",
)
@click.option("--http", is_flag=True, help="Serve HTTP: every request is an event, as for a function URL.")
@click.option(
    "--cors", metavar="JSON", help="With --http: answer browsers like a function URL with this Cors; * for all."
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Environments at a time.",
)
@click.option("--reload", is_flag=True, help="Begin anew when a file of the folder changes.")
@click.option("--offline", is_flag=True, envvar="BUILD_IMAGE_OFFLINE", help="Use no network.")
@click.option("--trace", is_flag=True, help="Write what the function asks for into its log, for `firkin trace`.")
def _run(
    source: str, *, host: str, port: int, timeout: float, memory: int, http: bool, cors: str | None,
    concurrency: int, reload: bool, trace: bool, **options: object,
) -> None:  # fmt: skip
    """Start SOURCE, a function's folder or oci:DIR or tar:FILE, and serve its invocations until Ctrl-C."""
    from dataclasses import replace

    import emulator
    from builder.console import Console
    from builder.prove import settings_for
    from builder.run import prepared, run

    console = Console()
    config = _config(source, **options)
    try:
        front = emulator.parse_options(http=http, cors=cors)
    except emulator.UsageError as error:
        raise click.UsageError(str(error)) from error
    with (
        _cache(console) as cache,
        prepared(source, config, cache, console, environment=os.environ) as program,
    ):
        if reload and program.method != "folder":
            raise click.UsageError(f"--reload needs a function's folder; {source} is an image.")
        settings = replace(settings_for(program, timeout_s=timeout, memory_mb=memory), concurrency=concurrency)
        if trace:
            settings = replace(settings, environment={**settings.environment, "FIRKIN_TRACE": "1"})
        try:
            run(settings, console, host=host, port=port, http=front, watched=config.source if reload else None)
        except emulator.ListenError as error:
            raise click.UsageError(f"{error}; name another with --port or --host.") from error
        except emulator.EmulatorError as error:
            raise BuilderError(f"running {source}: {error}", hint="See the message above.") from error


@_firkin.command("invoke", short_help="Send an event to a running function; print its response.")
@click.argument("event", default="{}")
@click.option("--url", help="The endpoint; else http://127.0.0.1:PORT.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="The port on this machine."
)
@click.option(
    "--wait",
    type=click.FloatRange(0, 900),
    default=0.0,
    metavar="SECONDS",
    help="Wait that long for the function to listen.",
)
def _invoke(event: str, *, url: str | None, port: int, wait: float) -> None:
    """Send EVENT, a file or '-' or JSON text, to a running function and print its response."""
    from builder.invoke import invoke, read_event, wait_for

    body = read_event(event, sys.stdin.buffer)
    url = url or f"http://127.0.0.1:{port}"
    if wait:
        wait_for(url, seconds=wait)
    try:
        print_line(invoke(url, body))
    except FunctionError as error:
        print_line(error.details.encode())  # the function's own words are its response, an error or not
        raise FunctionError(str(error), hint=error.hint) from error


@_firkin.command("lint", short_help="Say why Lambda would refuse an image, before the deploy.")
@click.argument("image")
@click.option("--ignore", multiple=True, metavar="RULE", help="Say nothing of this rule. Repeatable.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@click.option(
    "--sarif", type=click.Path(path_type=Path), metavar="FILE", help="Write the findings as SARIF, for dashboards."
)
@click.option("--platform", default="linux/amd64", show_default=True, help="Which image of a registry's index.")
@click.option(
    "--insecure-registry", "insecure", multiple=True, metavar="HOST[:PORT]", help="Reach this registry without TLS."
)
@click.option("--offline", is_flag=True, help="Use no network.")
def _lint(
    image: str, *, ignore: tuple[str, ...], strict: bool, as_json: bool, sarif: Path | None, **registry: object
) -> None:
    """Check IMAGE for every reason for which Lambda refuses it or the function fails there.

    IMAGE is oci:DIR, tar:FILE or an image of a registry.
    """
    from importlib.metadata import version

    from builder.console import Console
    from builder.disk import write_whole
    from builder.lint import (
        check_ignored,
        describe_findings,
        failed,
        gate,
        is_local,
        lint,
        open_subject,
        pulled_subject,
        render_sarif,
        render_text,
    )

    check_ignored(ignore, origin="--ignore")
    console = Console()
    with _cache(console) as cache:
        if is_local(image):
            subject = open_subject(image)
        elif Path(image).exists():
            kind = "oci" if Path(image).is_dir() else "tar"
            raise SourceError(
                f"reading the image: {image!r} is a place here, and a bare name is an image in a registry",
                hint=f"For an image say {kind}:{image}. A function's folder is checked by build-image.",
            )
        else:
            from builder.oci import BlobStore
            from builder.registry import pull_image

            pulled = pull_image(image, cache=cache, console=console, environment=os.environ, **registry)  # type: ignore[arg-type]  # click has checked the types
            subject = pulled_subject(image, pulled, BlobStore(cache.blobs))
        findings = lint(subject, cache, ignored=ignore)
    if sarif:
        log = render_sarif(findings, image, version=version("firkin"))
        write_whole(sarif, render_json(log), f"writing {sarif}")
    if as_json:
        print_json(describe_findings(findings, image, passed=not failed(findings, strict=strict)))
    else:
        print_bytes(render_text(findings, image).encode("utf-8", "surrogateescape"))
    gate(findings, image, strict=strict)


@_firkin.command("explain", short_help="Say why a module or file is in an image, or why not.")
@click.argument("image")
@click.argument("name", metavar="MODULE|PATH")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as one JSON object.")
def _explain(image: str, name: str, *, as_json: bool) -> None:
    """Tell why a module or file is in IMAGE, or why not.

    IMAGE is oci:DIR, tar:FILE or the name of an image in the Docker Engine.
    """
    from builder.console import Console
    from builder.explain import describe, explain, open_reasons, render

    with _cache(Console()) as cache:
        answers = explain(name, open_reasons(image, cache))
    if as_json:
        print_json(describe(answers))
    else:
        print_bytes(render(answers).encode("utf-8", "surrogateescape"))


@_firkin.command("trace", short_help="Keep in the image what a real run asked for and missed.")
@_source
@click.option(
    "--log",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="The function's log, of one that ran with FIRKIN_TRACE=1; '-' is stdin.",
)
@click.option("--container", metavar="NAME", help="A container in the Docker Engine that ran with it, instead.")
@click.option(
    "--trim",
    type=click.Choice(["none", "safe", "reachable", "traced"]),
    envvar="BUILD_IMAGE_TRIM",
    help="The level to keep things at.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing; print what would be added.")
@click.option("--offline", is_flag=True, envvar="BUILD_IMAGE_OFFLINE", help="Use no network.")
def _trace(source: str, *, log: Path | None, container: str | None, dry_run: bool, **options: object) -> None:
    """Add what a running function asked for, and SOURCE's image would lack, to keep in SOURCE's pyproject.toml."""
    from builder.build import prepare
    from builder.console import Console
    from builder.pyproject import write_keep
    from builder.trace import additions, parse_trace, read_log

    if (log is None) == (container is None):
        raise click.UsageError("Give one of --log FILE and --container NAME.")
    asked = parse_trace(read_log(log, container, sys.stdin.buffer), origin=str(log or container))
    console = Console()
    with _cache(console) as cache:
        config = _folder_config(source, **options)
        found = additions(prepare(config, cache, console, environment=os.environ).plan, asked, config.keep)
    for one in found:
        console.say(f"{one.pattern}: was left out: {one.why}")
    if found and not dry_run:
        write_keep(Path(source), [one.pattern for one in found])
        console.say(f"added to keep in {Path(source) / 'pyproject.toml'}; build again")
    if not found:
        console.say("all that was asked for is in the image already")
    print_bytes("".join(f"{one.pattern}\n" for one in found).encode("utf-8", "surrogateescape"))


def _folder_config(source: str, **options: object) -> "Config":
    """The Config of a folder as a plain build would have it, but for the given options."""
    from builder.config import Config, parse_table, read_pyproject

    table = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in parse_table(read_pyproject(Path(source))).items()
    }
    given = {name: value for name, value in options.items() if value is not None}
    return Config(source=Path(source), **{**table, **given})  # type: ignore[arg-type]  # checked by both


def _config(source: str, **options: object) -> "Config":
    """The Config of the options, each with its origin."""
    from builder.config import Config

    context = click.get_current_context()
    origins = {name: origin_of(context, name) for name in options}
    given = {name: value for name, value in options.items() if value is not None}
    return Config(source=Path(source), origins=origins, **given)  # type: ignore[arg-type]  # click has checked the types


@contextmanager
def _cache(console: "Console", *, fresh: bool = False) -> Iterator["Cache"]:
    """The cache; a fresh one is removed afterwards."""
    from dataclasses import replace

    from builder.cache import Cache, default_folder

    cache = Cache(default_folder(os.environ), console.mention)
    if not fresh:
        yield cache
        return
    with cache.scratch() as scratch:
        yield replace(cache, folder=scratch)


def build_image() -> NoReturn:
    """The console command `build-image`."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["init"] and not Path("init").is_dir():  # the one word that is no folder to build
        main(_init, arguments[1:])
    main(_build, arguments)


def firkin() -> NoReturn:
    """The console command `firkin`."""
    main(_firkin, sys.argv[1:])
