"""The command line: `build-image`, and `firkin` with build, run and invoke. The composition root of the builder.

Parses, calls, prints, and turns errors into exit codes. stdout carries only results; everything else goes to stderr. Heavy
modules are imported inside commands: `--help` must be instant.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click
from click.core import ParameterSource

from builder.errors import BuilderError

if TYPE_CHECKING:
    from builder.cache import Cache
    from builder.config import Config
    from builder.console import Console

INTERRUPTED = 130  # 128 + SIGINT, as shells count
TERMINATED = 143  # 128 + SIGTERM

EXIT_CODES = """
\b
Exit codes:
  0  built                        8  output not written
  1  a bug in firkin              9  Docker Engine
  2  usage                       10  image not readable
  3  folder or its settings      11  function error (invoke)
  4  handler                     12  no answer (invoke)
  5  syntax error in the code    13  interpreter
  6  dependencies               130  interrupted
  7  proof failed
"""


def _defaults(context: click.Context, _: click.Parameter, value: str) -> str:
    """Take [tool.build-image] of the folder as the defaults of the other options."""
    from builder.config import parse_table, read_pyproject

    if not value.startswith(("oci:", "tar:")):
        table = parse_table(read_pyproject(Path(value)))
        known = {parameter.name for parameter in context.command.params}
        context.default_map = {name: given for name, given in table.items() if name in known}
    return value


def _source(command: Callable[..., None]) -> Callable[..., None]:
    return click.argument("source", default=".", is_eager=True, callback=_defaults, envvar="BUILD_IMAGE_SOURCE")(
        command
    )


@click.command(
    "build-image",
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
    type=click.Choice(["host"]),
    default="host",
    show_default=True,
    help="What the image is built on: this machine's Python.",
)
@click.option("--python", metavar="VERSION|PATH", help="The Python to ship; else the one that runs this.")
@click.option("--platform", metavar="OS/ARCH", help="Must be this machine's with --base host.")
@click.option(
    "--engine", type=click.Choice(["oci"]), default="oci", show_default=True, help="What assembles the image."
)
@click.option(
    "--trim",
    type=click.Choice(["none", "safe"]),
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
    help="Sample events, relative to SOURCE; else events/*.json. Repeatable.",
)
@click.option("--no-prove", is_flag=True, help="Write the image without running it.")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="KIND:PLACE",
    help="oci:DIR, tar:FILE, docker or rootfs:DIR; else oci:dist/NAME. Repeatable.",
)
@click.option("--load", is_flag=True, help="The same as -o docker.")
@click.option("--dockerfile", is_flag=True, help="Print a Dockerfile of the image; build nothing.")
@click.option(
    "--plan",
    "show_plan",
    is_flag=True,
    help="Print which file goes to which layer and why, as JSON; build nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.option("--offline", is_flag=True, help="Use no network.")
@click.option("--no-cache", is_flag=True, help="Build everything anew. uv's own cache of downloads is still used.")
@click.option("-q", "--quiet", is_flag=True, help="Only warnings, errors and the result.")
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
@click.version_option(package_name="firkin")
def _build(
    source: str, *, no_prove: bool, load: bool, dockerfile: bool, show_plan: bool, as_json: bool, no_cache: bool,
    quiet: bool, verbose: bool, outputs: tuple[str, ...], **options: object,
) -> None:  # fmt: skip
    """Turn the folder SOURCE, with a Python function, into a container image that has answered its sample events."""
    from builder.build import build, describe, describe_plan, prepare
    from builder.console import Console

    console = Console(quiet=quiet, verbose=verbose)
    asked = (*outputs, *(["docker"] if load and "docker" not in outputs else []))
    config = _config(source, outputs=asked, prove=not no_prove, cache=not no_cache, **options)
    with _cache(console, fresh=no_cache) as cache:
        if show_plan or dockerfile:
            prepared = prepare(config, cache, console, environment=os.environ)
            if show_plan:
                _print_json(describe_plan(prepared.plan))
            if dockerfile:
                from builder.dockerfile import render_dockerfile

                click.echo(
                    render_dockerfile(prepared.plan, source=config.source, reference=prepared.reference),
                    nl=False,
                )
            return
        result = build(config, cache, console, environment=os.environ)
    if as_json:
        _print_json(describe(result))
    else:
        click.echo(result.name)


@click.group("firkin", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="firkin")
def _firkin() -> None:
    """Small, proven container images for Python functions on AWS Lambda."""


_firkin.add_command(_build, "build")


@_firkin.command("run", context_settings={"auto_envvar_prefix": "FIRKIN_RUN"})
@_source
@click.option("--handler", metavar="MODULE.FUNCTION", help="The handler of a folder; an image knows its own.")
@click.option("--python", metavar="VERSION|PATH", help="The Python that runs a folder.")
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
@click.option("--offline", is_flag=True, help="Use no network.")
def _run(source: str, *, host: str, port: int, timeout: float, memory: int, **options: object) -> None:
    """Start SOURCE, a function's folder or oci:DIR or tar:FILE, and serve its invocations until Ctrl-C."""
    import asyncio

    import emulator
    from builder.console import Console
    from builder.prove import settings_for
    from builder.run import prepared

    console = Console()
    with (
        _cache(console) as cache,
        prepared(source, _config(source, **options), cache, console, environment=os.environ) as program,
    ):
        settings = settings_for(program, timeout_s=timeout, memory_mb=memory)
        asyncio.run(emulator.serve(settings, host=host, port=port, ready=lambda url: console.say(f"ready: POST {url}")))


@_firkin.command("invoke")
@click.argument("event", default="{}")
@click.option("--url", help="The endpoint; else http://127.0.0.1:PORT.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="The port on this machine."
)
def _invoke(event: str, *, url: str | None, port: int) -> None:
    """Send EVENT, a file or '-' or JSON text, to a running function and print its response."""
    from builder.invoke import invoke, read_event

    body = read_event(event, sys.stdin.buffer)
    answer = invoke(url or f"http://127.0.0.1:{port}", body)
    sys.stdout.buffer.write(answer + (b"" if answer.endswith(b"\n") else b"\n"))
    sys.stdout.buffer.flush()


def _config(source: str, **options: object) -> "Config":
    """The Config of the options, each with its origin."""
    from builder.config import Config

    context = click.get_current_context()
    origins = {name: _origin(context, name) for name in options}
    given = {name: value for name, value in options.items() if value is not None}
    return Config(source=Path(source), origins=origins, **given)  # type: ignore[arg-type]  # click has checked the types


def _origin(context: click.Context, name: str) -> str:
    match context.get_parameter_source(name):
        case ParameterSource.COMMANDLINE:
            return f"--{name}"
        case ParameterSource.ENVIRONMENT:
            return f"the environment, {context.auto_envvar_prefix}_{name.upper()}"
        case ParameterSource.DEFAULT_MAP:
            return "pyproject.toml, [tool.build-image]"
        case _:
            return ""


@contextmanager
def _cache(console: "Console", *, fresh: bool = False) -> Iterator["Cache"]:
    """The cache; a fresh one is removed afterwards."""
    from dataclasses import replace

    from builder.cache import Cache, default_folder

    cache = Cache(default_folder(os.environ), console.warn)
    if not fresh:
        yield cache
        return
    with cache.scratch() as scratch:
        yield replace(cache, folder=scratch)


def _print_json(value: dict[str, object]) -> None:
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def build_image() -> NoReturn:
    """The console command `build-image`."""
    _main(_build, sys.argv[1:])


def firkin() -> NoReturn:
    """The console command `firkin`."""
    _main(_firkin, sys.argv[1:])


def _main(command: click.Command, arguments: Sequence[str]) -> NoReturn:
    """Run a command and end with its exit code; every error becomes a message here."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code = command.main(args=list(arguments), standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        print("interrupted: nothing was written; the cache is as good as before", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BuilderError as error:
        _report(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)


def _terminated(_: int, __: FrameType | None) -> NoReturn:
    raise SystemExit(TERMINATED)


def _report(error: BuilderError) -> None:
    if error.details:
        print(error.details.rstrip(), file=sys.stderr)
    print(f"error: {error}", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)
