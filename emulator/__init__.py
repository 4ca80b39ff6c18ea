"""The platform's half of Lambda's conversation: it starts a runtime, gives it events and tells what came of them.

Any runtime: it is a process that speaks the Runtime API. Only the standard library is needed, Python 3.9 or newer.

    settings = Settings(["python", "-m", "awslambdaric", "app.handler"], os.environ)
    async with Emulator(settings) as emulator:
        outcome = await emulator.invoke(b'{"name": "Ada"}')

The names below are loaded when they are first used: importing the package costs nothing, and the command line can
complain about its arguments before asyncio is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import Emulator
    from .errors import (
        ClosedError,
        CommandNotStartedError,
        EmulatorError,
        InternalError,
        InvalidAnswerError,
        InvokeError,
        ListenError,
        ProtocolError,
        RequestTooLargeError,
        TooManyRequestsError,
        UsageError,
    )
    from .http_options import HttpOptions, parse_options
    from .prompt_loop import run
    from .serving import serve
    from .trial import Initialised, initialise
    from .values import Outcome, Settings

__all__ = [
    "ClosedError",
    "CommandNotStartedError",
    "Emulator",
    "EmulatorError",
    "HttpOptions",
    "Initialised",
    "InternalError",
    "InvalidAnswerError",
    "InvokeError",
    "ListenError",
    "Outcome",
    "ProtocolError",
    "RequestTooLargeError",
    "Settings",
    "TooManyRequestsError",
    "UsageError",
    "initialise",
    "parse_options",
    "run",
    "serve",
]

_HOMES = {
    "Emulator": "engine",
    "HttpOptions": "http_options",
    "Initialised": "trial",
    "Outcome": "values",
    "Settings": "values",
    "initialise": "trial",
    "parse_options": "http_options",
    "run": "prompt_loop",
    "serve": "serving",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only when a name is first used

    value: object = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
