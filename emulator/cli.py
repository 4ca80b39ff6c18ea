"""The command line: arguments and environment to `Settings`, errors to exit codes.

It is the program's composition root.

    python -m emulator [--host HOST] [--port PORT] [--timeout SECONDS] [--memory MB] -- COMMAND [ARGUMENT…]

Exit codes: 0 stopped by SIGTERM or SIGINT; 2 usage; 3 the command cannot be started; 4 the address cannot be listened
on; 70 a bug.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from . import addresses, event_options, http_options, limits, parser
from .errors import EmulatorError, UsageError
from .parser import Parser, seconds, whole
from .values import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .asynchronous import EventOptions
    from .http_options import HttpOptions

_TIMEOUT_VARIABLE = "AWS_LAMBDA_FUNCTION_TIMEOUT"
_MEMORY_VARIABLE = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
_PORT_OPTIONS = frozenset({"--port", "--runtime-interface-emulator-address"})
_EXTENSIONS = "/opt/extensions"  # the platform's folder for them


class Arguments(NamedTuple):
    """What the command line asks for."""

    settings: Settings
    host: str
    port: int
    http: HttpOptions | None
    events: EventOptions
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
    shutdown_timeout: float | None
    memory_limit: str
    retries: int
    max_event_age: float
    retry_delay_scale: float
    on_failure: str | None
    runtime_interface_emulator_address: str | None
    runtime_api_address: str | None


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
    addresses.raise_open_files()
    # Imported here: a wrong flag is told without waiting for asyncio.
    from .prompt_loop import run  # noqa: PLC0415 - see above
    from .serving import serve  # noqa: PLC0415 - see above

    run(
        serve(
            arguments.settings,
            host=arguments.host,
            port=arguments.port,
            ready=_print_ready,
            http=arguments.http,
            events=arguments.events,
            bandwidth_limited=arguments.bandwidth_limited,
        )
    )


def _print_ready(url: str) -> None:
    sys.stderr.write(f"emulator: ready, {'POST events to' if 'invocations' in url else 'serving'} {url}\n")
    sys.stderr.flush()


def parse_arguments(argv: Sequence[str], environment: Mapping[str, str]) -> Arguments:
    """Flags before environment before defaults. Raises `UsageError`; `--help` prints and raises `SystemExit`."""
    options = _make_parser()
    switches = frozenset(name for name, is_switch in options.options() if is_switch) | {"-h", "--help"}
    ours, command = _split_command(argv, switches)
    named = {word.partition("=")[0] for word in ours}
    own_port = "EMULATOR_PORT" in environment or not named.isdisjoint(_PORT_OPTIONS)
    variables = parser.from_variables(options, environment, {} if own_port else {"PORT": "--port"})
    flags = options.parse_args([*variables, *ours], namespace=_Flags())
    command = command or addresses.find_bootstrap(os.access)
    if not command:
        raise UsageError(
            "reading the command line: found no runtime to start; give its command after `--`, "
            "e.g. python -m emulator -- python -m awslambdaric app.handler"
        )
    settings = Settings(
        command,
        environment,
        timeout_s=_number(flags.timeout, "--timeout", environment, _TIMEOUT_VARIABLE, default=limits.TIMEOUT_S),
        memory_mb=int(_number(flags.memory, "--memory", environment, _MEMORY_VARIABLE, default=limits.MEMORY_MB)),
        limits_memory=flags.memory_limit == "auto" and bool(flags.memory or environment.get(_MEMORY_VARIABLE)),
        concurrency=flags.concurrency,
        keep_alive_s=flags.keep_alive,
        queue_timeout_s=flags.queue_timeout,
        extensions=_extensions_folder(flags.extensions),
        shutdown_s=flags.shutdown_timeout,
        runtime_api=addresses.parse_runtime_api(flags.runtime_api_address),
    )
    http = http_options.parse_options(
        http=flags.http, cors=flags.cors, proxies=flags.proxies, health_path=flags.health_path, drain=flags.drain
    )
    events = event_options.parse_options(
        retries=flags.retries,
        max_age_s=flags.max_event_age,
        delay_scale=flags.retry_delay_scale,
        on_failure=flags.on_failure,
    )
    host, port = flags.host, flags.port
    if flags.runtime_interface_emulator_address is not None:
        host, port = addresses.parse_address(
            flags.runtime_interface_emulator_address, name="--runtime-interface-emulator-address"
        )
    addresses.check_port(port, name="--port")
    if not host:
        raise UsageError("reading --host: found ''; give an address of this machine, or 0.0.0.0 or :: for all of them")
    return Arguments(settings, host, port, http, events, flags.limit_bandwidth)


def _make_parser() -> Parser:
    parser = Parser(
        prog="python -m emulator",
        usage="%(prog)s [OPTION…] -- COMMAND [ARGUMENT…]",
        description="Run a Lambda runtime on this machine: the platform's half of the conversation.",
        epilog="Every option is also a variable: EMULATOR_QUEUE_TIMEOUT=5 is --queue-timeout=5.",
        allow_abbrev=False,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address for callers (default %(default)s)")
    parser.add_argument(
        "--port",
        type=whole,
        default=8080,
        help="port for callers, 0 for a free one (default $PORT or 8080)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        help=f"the function's timeout (default ${_TIMEOUT_VARIABLE} or {limits.TIMEOUT_S:.0f})",
    )
    parser.add_argument(
        "--memory",
        metavar="MB",
        help=f"the function's memory size (default ${_MEMORY_VARIABLE} or {limits.MEMORY_MB})",
    )
    parser.add_argument(
        "--memory-limit",
        choices=("auto", "none"),
        default="auto",
        help="auto: a memory size that was given is a limit; none: it is only reported (default %(default)s)",
    )
    parser.add_argument(
        "--concurrency", metavar="N", type=whole, default=1, help="environments at a time (default %(default)s)"
    )
    parser.add_argument(
        "--keep-alive",
        metavar="SECONDS",
        type=seconds,
        default=limits.KEEP_ALIVE_S,
        help="time an environment may idle (default %(default)s)",
    )
    parser.add_argument(
        "--queue-timeout",
        metavar="SECONDS",
        type=seconds,
        default=limits.QUEUE_TIMEOUT_S,
        help="time a caller may wait for an environment (default %(default)s)",
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
    parser.add_argument(
        "--shutdown-timeout",
        metavar="SECONDS",
        type=seconds,
        help="time for SIGTERM and extensions at the end "
        f"(default as on Lambda: 0, with extensions 0.5 or 2; with --http {limits.HTTP_SHUTDOWN_S:.0f})",
    )
    event_options.add_arguments(parser)
    http_options.add_arguments(parser)
    addresses.add_arguments(parser)
    return parser


def _split_command(argv: Sequence[str], switches: frozenset[str]) -> tuple[list[str], list[str]]:
    """Our arguments and the runtime's command: what follows `--`, or the first word that is no option's.

    The second is how AWS's emulator is called.
    """
    at = 0
    while at < len(argv):
        word = argv[at]
        if word == "--":
            return list(argv[:at]), list(argv[at + 1 :])
        if not word.startswith("-"):
            return list(argv[:at]), list(argv[at:])
        at += 1 if "=" in word or word in switches else 2
    return list(argv), []


def _number(flag: str | None, name: str, environment: Mapping[str, str], variable: str, *, default: float) -> float:
    text, source = (flag, name) if flag is not None else (environment.get(variable) or None, variable)
    example = "MB, e.g. 512" if name == "--memory" else "seconds, e.g. 30"
    return default if text is None else parser.number(text, source, example)


def _extensions_folder(given: str) -> str | None:
    if os.path.isdir(given):  # noqa: PTH112 - no pathlib here
        return given
    if given and given != _EXTENSIONS:
        raise UsageError(f"reading --extensions: found {given!r}; give a folder that is there, or nothing for none")
    return None
