"""What AWS's emulator is told on its command line, and where it looks for a runtime: understood here, too.

Addresses are `HOST:PORT`. The Runtime API's has to be on the loopback: whoever reaches it can answer for the function.
It listens nowhere.
"""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING, Callable

from . import limits
from .errors import UsageError

if TYPE_CHECKING:
    import argparse

_PORT_LIMIT = 65535
_BOOTSTRAPS = ("/var/task/bootstrap", "/opt/bootstrap", "/var/runtime/bootstrap")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of AWS's emulator."""
    group = parser.add_argument_group("as AWS's emulator has them")
    group.add_argument(
        "--runtime-interface-emulator-address", metavar="HOST:PORT", help="the same as --host and --port"
    )
    group.add_argument(
        "--runtime-api-address",
        metavar="HOST:PORT",
        help="for the first environment's Runtime API, on the loopback (default a free port there)",
    )
    group.add_argument("--log-level", help="accepted and not used")
    group.add_argument("--enable-init-caching", action="store_true", help="accepted and not used")


def parse_address(text: str, *, name: str) -> tuple[str, int]:
    """`HOST:PORT`, `[IPv6]:PORT` or `:PORT` (everywhere), as Go has them. Raises `UsageError`."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or not (port.isascii() and port.isdigit()):
        raise UsageError(f"reading {name}: found {text!r}; give HOST:PORT, e.g. 127.0.0.1:8080")
    number = int(port)
    check_port(number, name=name)
    return host or "0.0.0.0", number  # noqa: S104 - asked for


def parse_runtime_api(text: str | None) -> tuple[str, int]:
    """The Runtime API's address: a free port of the loopback if none is given. Raises `UsageError`."""
    if text is None:
        return "127.0.0.1", 0
    host, port = parse_address(text, name="--runtime-api-address")
    if host not in {"localhost", "::1"} and not host.startswith("127."):
        raise UsageError(
            f"reading --runtime-api-address: found {text!r}; give an address of the loopback, e.g. 127.0.0.1:{port}: "
            "whoever reaches the Runtime API can answer for the function"
        )
    return host, port


def check_port(port: int, *, name: str) -> None:
    """Raises `UsageError` unless it is the number of a port, or 0."""
    if not 0 <= port <= _PORT_LIMIT:
        raise UsageError(f"reading {name}: found {port!r}; give 0 to {_PORT_LIMIT}")


def find_bootstrap(is_executable: Callable[[str, int], bool]) -> list[str]:
    """The runtime to start if none is given, where AWS's emulator looks for it; empty if there is none."""
    return next(([path] for path in _BOOTSTRAPS if is_executable(path, os.X_OK)), [])


def raise_open_files() -> None:
    """Ask the system for as many open files as a burst of callers takes, if it grants them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.OPEN_FILES if hard == resource.RLIM_INFINITY else min(limits.OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
