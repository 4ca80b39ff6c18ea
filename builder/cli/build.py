"""`build-image`: checks what the options ask for together, builds, and prints the images' names or JSON."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli.build_options import build_options
from builder.cli.common import HELP, config_of, open_cache, source
from builder.cli.finish import finish_image, told_of_images
from builder.cli.grouped import GroupedCommand
from builder.program import in_github_actions, print_bytes, print_json

if TYPE_CHECKING:
    from builder.cache import Cache
    from builder.config import Config
    from builder.console import Console
    from builder.prepared import Prepared

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


@click.command(
    "build-image",
    cls=GroupedCommand,
    short_help="Turn a function into a proven image; the same as build-image.",
    context_settings={"auto_envvar_prefix": "BUILD_IMAGE", **HELP},
    epilog=EXIT_CODES,
)
@source
@build_options
def build_command(
    source: str, *, no_prove: bool, load: bool, dockerfile: bool, show_plan: bool, as_json: bool, no_cache: bool,
    quiet: bool, verbose: bool, outputs: tuple[str, ...], report: Path | None,
    sbom: Path | None, provenance: Path | None, check: str | None, image_refs: Path | None, **options: object,
) -> None:  # fmt: skip
    """Turn the folder SOURCE, with a Python function, into a container image that has answered its sample events.

    Options may also stand in variables, BUILD_IMAGE_TRIM for --trim, and in [tool.build-image] of SOURCE's
    pyproject.toml. The command line comes first, then the variable, then the table.
    """
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
    documents = tuple(str(file) for file in (report, sbom, provenance, image_refs) if file)
    config = config_of(source, outputs=asked, documents=documents, prove=not no_prove, cache=not no_cache, **options)
    _check_push(config)
    with open_cache(console, fresh=no_cache or check is not None) as cache:
        if show_plan or dockerfile:
            from builder.prepare import prepare

            prepared = prepare(each_platform(config)[0], cache, console, environment=os.environ)
            _print_planned(prepared, as_dockerfile=dockerfile)
            return
        if check:
            _check(each_platform(config)[0], check, cache, console)
            return
        if config.push:
            _ask_registry(config, console)
        finish = partial(finish_image, several=several, report=report, sbom=sbom, provenance=provenance)
        told = told_of_images(config, cache, console, finish, recallable=not (report or sbom or provenance))
    names = "".join(f"{one['image']}\n" for one in told).encode()
    if image_refs:
        write_whole(image_refs, names, f"writing {image_refs}")
    if as_json:
        print_json({"images": told} if several else told[0])
    else:
        print_bytes(names)


def _ask_registry(config: "Config", console: "Console") -> None:
    """Find what a registry has against the push before the build, which may be long, and not after it."""
    from builder.platforms import asked_reference, each_platform, named_reference
    from builder.registry import check_push

    name = named_reference(asked_reference(config), each_platform(config)[0])
    with console.step("ask the registry"):
        check_push(name, environment=os.environ, insecure=config.insecure)


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
    from builder.check import check_same
    from builder.make import assemble_prepared
    from builder.outputs import open_image
    from builder.prepare import prepare

    image = open_image(given, config.platform)
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
