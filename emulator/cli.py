"""The command line: arguments and environment to `Settings`, errors to exit codes.

It is the program's composition root.

    python -m emulator [--host HOST] [--port PORT] [--timeout SECONDS] [--memory MB] -- COMMAND [ARGUMENT…]

Exit codes: 0 stopped by SIGTERM or SIGINT; 2 usage; 3 the command cannot be started; 4 the address cannot be listened
on; 70 a bug.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from . import http_options, limits
from .errors import EmulatorError, UsageError
from .values import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .http_options import HttpOptions

_VARIABLE_PREFIX = "EMULATOR_"
_ON, _OFF = frozenset({"1", "true", "yes", "on"}), frozenset({"", "0", "false", "no", "off"})
_TIMEOUT_VARIABLE = "AWS_LAMBDA_FUNCTION_TIMEOUT"
_MEMORY_VARIABLE = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
_PORT_LIMIT = 65535
_EXTENSIONS = "/opt/extensions"  # the platform's folder for them


class Arguments(NamedTuple):
    """What the command line asks for."""

    settings: Settings
    host: str
    port: int
    http: HttpOptions | None
    bandwidth_limited: bool


class _Flags(argparse.Namespace):
    host: str
    port: int
    timeout: str | None
    memory: str | None
    concurrency: int
    keep_alive: float
    queue_timeout: float
    http: bool
    cors: str | None
    proxies: int
    health_path: str
    drain: float
    limit_bandwidth: bool
    extensions: str


def main() -> int:
    """Run the program and return its exit code."""
    try:
        arguments = parse_arguments(sys.argv[1:], os.environ)
        _serve(arguments)
    except EmulatorError as error:
        sys.stderr.write(f"emulator: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:  # before the loop minds the signal
        pass
    return 0


def _serve(arguments: Arguments) -> None:
    # Imported here: a wrong flag is told without waiting for asyncio.
    import asyncio  # noqa: PLC0415 - see above

    from .serving import serve  # noqa: PLC0415 - see above

    asyncio.run(
        serve(
            arguments.settings,
            host=arguments.host,
            port=arguments.port,
            ready=_print_ready,
            http=arguments.http,
            bandwidth_limited=arguments.bandwidth_limited,
        )
    )


def _print_ready(url: str) -> None:
    sys.stderr.write(f"emulator: ready, {'POST events to' if 'invocations' in url else 'serving'} {url}\n")
    sys.stderr.flush()


def parse_arguments(argv: Sequence[str], environment: Mapping[str, str]) -> Arguments:
    """Flags before environment before defaults. Raises `UsageError`; `--help` prints and raises `SystemExit`."""
    ours, command = _split_command(argv)
    parser = _Parser(
        prog="emulator",
        usage="%(prog)s [--host HOST] [--port PORT] [--timeout SECONDS] [--memory MB] -- COMMAND [ARGUMENT…]",
        description="Run a Lambda runtime on this machine: the platform's half of the conversation.",
        allow_abbrev=False,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address for callers (default %(default)s)")
    parser.add_argument(
        "--port",
        type=int,
        default=environment.get("PORT") or "8080",
        help="port for callers, 0 for a free one (default $PORT or 8080)",
    )
    parser.add_argument(
        "--timeout",
        help=f"the function's timeout in seconds (default ${_TIMEOUT_VARIABLE} or {limits.TIMEOUT_S:.0f})",
    )
    parser.add_argument(
        "--memory", help=f"the function's memory in MB (default ${_MEMORY_VARIABLE} or {limits.MEMORY_MB})"
    )
    parser.add_argument("--concurrency", type=int, default=1, help="environments at a time (default %(default)s)")
    parser.add_argument(
        "--keep-alive",
        type=float,
        default=limits.KEEP_ALIVE_S,
        help="seconds an environment may idle (default %(default)s)",
    )
    parser.add_argument(
        "--queue-timeout",
        type=float,
        default=limits.QUEUE_TIMEOUT_S,
        help="seconds a caller may wait for an environment (default %(default)s)",
    )
    parser.add_argument(
        "--limit-bandwidth", action="store_true", help="slow streams down to 2 MiB/s after 6 MiB, as Lambda does"
    )
    parser.add_argument(
        "--extensions",
        default=_EXTENSIONS,
        metavar="DIR",
        help="folder of external extensions, empty for none (default %(default)s)",
    )
    http_options.add_arguments(parser)
    flags = parser.parse_args([*_from_environment(parser, environment), *ours], namespace=_Flags())
    if not 0 <= flags.port <= _PORT_LIMIT:
        raise UsageError(f"reading --port: found {flags.port!r}; give 0 to {_PORT_LIMIT}")
    if not command:
        raise UsageError(
            "reading the command line: found no runtime to start; give its command after `--`, "
            "e.g. emulator -- python -m bootstrap app.handler"
        )
    settings = Settings(
        command,
        environment,
        timeout_s=_number(flags.timeout, "--timeout", environment, _TIMEOUT_VARIABLE, default=limits.TIMEOUT_S),
        memory_mb=int(_number(flags.memory, "--memory", environment, _MEMORY_VARIABLE, default=limits.MEMORY_MB)),
        concurrency=flags.concurrency,
        keep_alive_s=flags.keep_alive,
        queue_timeout_s=flags.queue_timeout,
        extensions=flags.extensions if os.path.isdir(flags.extensions) else None,  # noqa: PTH112 - no pathlib here
    )
    http = http_options.parse_options(
        http=flags.http, cors=flags.cors, proxies=flags.proxies, health_path=flags.health_path, drain=flags.drain
    )
    return Arguments(settings, flags.host, flags.port, http, flags.limit_bandwidth)


def _from_environment(parser: _Parser, environment: Mapping[str, str]) -> list[str]:
    """Every option is also a variable: `EMULATOR_HEALTH_PATH=/up` is `--health-path=/up`, `EMULATOR_HTTP=1` `--http`.

    An image is configured so: its arguments are the runtime's.
    """
    found = []
    for option, is_switch in parser.options():
        variable = _VARIABLE_PREFIX + option.lstrip("-").replace("-", "_").upper()
        text = environment.get(variable)
        if text is None:
            continue
        if not is_switch:
            found.append(f"{option}={text}")
        elif text.lower() in _ON:
            found.append(option)
        elif text.lower() not in _OFF:
            raise UsageError(f"reading {variable}: found {text!r}; give 1 or 0")
    return found


def _split_command(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our arguments and the runtime's command: what stands after the first `--`."""
    arguments = list(argv)
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _number(flag: str | None, name: str, environment: Mapping[str, str], variable: str, *, default: float) -> float:
    text, source = (flag, name) if flag is not None else (environment.get(variable) or None, variable)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"reading {source}: found {text!r}; give a number")
    return value


class _Parser(argparse.ArgumentParser):
    def options(self) -> Iterator[tuple[str, bool]]:
        """Each option's name, and whether it is a switch that takes no value."""
        for action in self._actions:
            if action.dest != "help" and action.option_strings:
                yield action.option_strings[0], action.nargs == 0

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"reading the command line: {message}; the runtime's command comes after `--` (see --help)")
