"""What every command does alike: signals, errors into messages and exit codes, results to stdout, origins of values.

stdout carries only results; everything else goes to stderr. Knows no command.
"""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import click
from click.core import ParameterSource

from builder.console import complain, render_annotation
from builder.disk import disk
from builder.errors import BuilderError

INTERRUPTED = 130  # 128 + SIGINT, as shells count
TERMINATED = 143  # 128 + SIGTERM
# Made before circles among them are looked for: a plan is thousands of small values without any, the syntax tree of a
# long module a hundred thousand, and looking takes a fifteenth of a build.
_OBJECTS = 250_000


def origin_of(context: click.Context, name: str) -> str:
    """Where the value of a parameter came from, in words; "" for a default."""
    option = next((parameter for parameter in context.command.params if parameter.name == name), None)
    if option is None:
        return ""
    match context.get_parameter_source(name):
        case ParameterSource.COMMANDLINE:
            return max(option.opts, key=len)
        case ParameterSource.ENVIRONMENT:
            return f"the environment, {_variable(context, option)}"
        case ParameterSource.DEFAULT_MAP:
            return "pyproject.toml, [tool.build-image]"
        case _:
            return ""


def _variable(context: click.Context, option: click.Parameter) -> str:
    """The environment variable that gives an option its value."""
    own = f"{context.auto_envvar_prefix}_{(option.name or '').upper()}"
    named = option.envvar if isinstance(option.envvar, str) else None
    return named if named and os.environ.get(named) else own


def render_json(value: dict[str, object]) -> bytes:
    """One JSON object, indented for people, with a line break at its end."""
    import json

    import orjson

    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a file's name that is not UTF-8, which only escapes can tell
        return json.dumps(value, indent=2).encode() + b"\n"


def print_json(value: dict[str, object]) -> None:
    """Write one JSON object to stdout. Raises OutputError."""
    print_bytes(render_json(value))


def print_line(data: bytes) -> None:
    """Write a result to stdout, with a line break at its end. Raises OutputError."""
    print_bytes(data if data.endswith(b"\n") else data + b"\n")


def print_bytes(data: bytes) -> None:
    """Write a result to stdout, all of it. Raises OutputError when nobody takes it."""
    if sys.stdout is None:
        return
    with disk("printing the result", otherwise="What was built is there; only stdout did not take the result."):
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except OSError:
            # What is left in the buffer would fail again when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise


def main(command: click.Command, arguments: Sequence[str]) -> NoReturn:
    """Run a command and end with its exit code; every error becomes a message here."""
    gc.set_threshold(_OBJECTS)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code = command.main(args=list(arguments), standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        _report_origin(error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted: no output is half-written, and the cache is as good as before")
        sys.exit(INTERRUPTED)
    except BuilderError as error:
        _complain(error.details.rstrip())
        if in_github_actions():
            _complain(render_annotation("error", f"{error}\n{error.hint}".rstrip()))
        else:
            _complain(f"error: {error}")
            _complain(error.hint and f"  {error.hint}")
        sys.exit(error.exit_code)


def in_github_actions() -> bool:
    """Whether this is a step of a workflow there. Source: GitHub's "Default environment variables"."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _terminated(_: int, __: FrameType | None) -> NoReturn:
    raise SystemExit(TERMINATED)


def _report_origin(error: click.ClickException) -> None:
    """Say which variable or table a refused value came from, when it was not typed."""
    if isinstance(error, click.BadParameter) and error.ctx and error.param and error.param.name:
        origin = origin_of(error.ctx, error.param.name)
        if origin and not origin.startswith("-"):
            _complain(f"  The value is from {origin}.")


def _complain(text: str) -> None:
    if text:
        with suppress(OSError):  # nobody reads stderr; the exit code still tells
            complain(text)
