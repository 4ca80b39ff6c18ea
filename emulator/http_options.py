"""How the HTTP mode is asked for: its options as a value, from flags. It serves nothing.

Kept apart from `function_url`, so that the command line can be read without loading what serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .errors import UsageError
from .parser import seconds, whole

if TYPE_CHECKING:
    import argparse

    from .cors import Cors

HEALTH_PATH = "/ping"
DRAIN_S = 8.0
"""How long requests under way may take to end after SIGTERM; Cloud Run and Docker kill after 10 s."""

_PROXIES_LIMIT = 16
_DRAIN_LIMIT_S = 900.0


class HttpOptions(NamedTuple):
    """How requests are taken.

    `proxies` stand in front of us and are believed about the client; `health_path` is answered here ("": none);
    `cors` answers browsers in the function's place; after SIGTERM requests under way have `drain_s` to end.
    """

    proxies: int = 0
    health_path: str = HEALTH_PATH
    cors: Cors | None = None
    drain_s: float = DRAIN_S


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the HTTP mode."""
    group = parser.add_argument_group("serving HTTP instead of the Invoke API")
    group.add_argument("--http", action="store_true", help="every HTTP request is an event, as for a function URL")
    group.add_argument(
        "--cors", metavar="JSON", help="answer browsers as a function URL with this Cors does; * for all"
    )
    group.add_argument(
        "--proxies", type=whole, default=0, metavar="N", help="proxies in front to believe (default %(default)s)"
    )
    group.add_argument(
        "--health-path",
        default=HEALTH_PATH,
        metavar="PATH",
        help="path answered without the function, empty for none (default %(default)s)",
    )
    group.add_argument(
        "--drain",
        type=seconds,
        default=DRAIN_S,
        metavar="SECONDS",
        help="time for requests under way after SIGTERM (default %(default)s)",
    )


def parse_options(
    *,
    http: bool,
    cors: str | None = None,
    proxies: int = 0,
    health_path: str = HEALTH_PATH,
    drain: float = DRAIN_S,
) -> HttpOptions | None:
    """The options as a value, None without the mode. Raises `UsageError` for values that cannot be right."""
    if not 0 <= proxies <= _PROXIES_LIMIT:
        raise UsageError(f"reading --proxies: found {proxies!r}; give 0 to {_PROXIES_LIMIT}")
    if health_path and not health_path.startswith("/"):
        raise UsageError(f"reading --health-path: found {health_path!r}; give a path that begins with /, or nothing")
    if not 0 <= drain <= _DRAIN_LIMIT_S:
        raise UsageError(f"reading --drain: found {drain!r}; give seconds from 0 to {_DRAIN_LIMIT_S:.0f}")
    if not http:
        if cors is not None:
            raise UsageError("reading --cors: it needs --http, since the Invoke API is not for browsers; add that")
        return None
    if cors is None:
        return HttpOptions(proxies, health_path, None, drain)
    from .cors import parse_cors  # noqa: PLC0415 - only when it is configured

    return HttpOptions(proxies, health_path, parse_cors(cors, source="--cors"), drain)
