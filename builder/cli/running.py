"""A function on this machine: `run` serves it, `invoke` sends it an event."""

import os
import sys

import click

from builder.cli.common import config_of, offline, open_cache, source
from builder.errors import BuilderError, FunctionError
from builder.program import origin_of, print_line


# What is about the function comes from the same variables as for a build, what is about serving from its own.
@click.command(
    "run",
    context_settings={"auto_envvar_prefix": "FIRKIN_RUN"},
    short_help="Start a function's folder or an image on this machine.",
)
@source
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
@click.option("--no-extensions", is_flag=True, help="Do not start what is in the /opt/extensions of an image.")
@offline
@click.option("--trace", is_flag=True, help="Write what the function asks for into its log, for `firkin trace`.")
def run_command(
    source: str, *, host: str, port: int, timeout: float, memory: int, http: bool, cors: str | None,
    concurrency: int, reload: bool, no_extensions: bool, trace: bool, **options: object,
) -> None:  # fmt: skip
    """Start SOURCE, a function's folder or oci:DIR or tar:FILE, and serve its invocations until Ctrl-C."""
    from dataclasses import replace

    import emulator
    from builder.console import Console
    from builder.image_names import is_local
    from builder.prove import settings_for
    from builder.run import check_target, prepared, run

    console = Console()
    check_target(source)
    if is_local(source):
        for name in ("handler", "python"):
            if origin_of(click.get_current_context(), name).startswith("-"):
                raise click.UsageError(
                    f"--{name} is about a function's folder; {source} is an image, which has its own."
                )
    if not host:
        raise click.UsageError("--host: give an address of this machine, or 0.0.0.0 or :: for all of them.")
    config = config_of(source, **options)
    try:
        front = emulator.parse_options(http=http, cors=cors)
    except emulator.UsageError as error:
        raise click.UsageError(str(error)) from error
    with (
        open_cache(console) as cache,
        prepared(source, config, cache, console, environment=os.environ, extensions=not no_extensions) as program,
    ):
        if reload and program.method != "folder":
            raise click.UsageError(f"--reload needs a function's folder; {source} is an image.")
        settings = replace(settings_for(program, timeout_s=timeout, memory_mb=memory), concurrency=concurrency)
        settings = replace(settings, extensions=program.extensions or None)
        if trace:
            settings = replace(settings, environment={**settings.environment, "FIRKIN_TRACE": "1"})
        try:
            run(settings, console, host=host, port=port, http=front, watched=config.source if reload else None)
        except emulator.ListenError as error:
            raise click.UsageError(f"{error}, with --port or --host.") from error
        except emulator.EmulatorError as error:
            raise BuilderError(f"running {source}: {error}", hint="See the message above.") from error


@click.command("invoke", short_help="Send an event to a running function; print its response.")
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
def invoke_command(event: str, *, url: str | None, port: int, wait: float) -> None:
    """Send EVENT, a file or '-' or JSON text, to a running function and print its response."""
    from builder.invoke import invoke, read_event, url_of, wait_for

    if url and origin_of(click.get_current_context(), "port"):
        raise click.UsageError("--url and --port both name the endpoint: give one of them.")
    body = read_event(event, sys.stdin.buffer)
    url = url_of(url) if url else f"http://127.0.0.1:{port}"
    if wait:
        wait_for(url, seconds=wait)
    try:
        print_line(invoke(url, body))
    except FunctionError as error:
        print_line(error.details.encode())  # the function's own words are its response, an error or not
        raise FunctionError(str(error), hint=error.hint) from error
