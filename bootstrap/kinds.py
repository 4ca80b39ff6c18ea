"""Handlers that are no plain functions: which kind one is, and what the loop calls in its place.

Loaded once, in init, and only for them. A kind is declared by a prefix of the handler's name, or recognised by
the code object of its call: its flags and the names of its parameters, which cost no import of `inspect`.

| kind  | declared       | recognised by                                                   |
|-------|----------------|-----------------------------------------------------------------|
| asgi  | `asgi:app.app` | asynchronous, with three required parameters; a handler has two |
| wsgi  | `wsgi:app.app` | the second parameter is called `start_response`                 |
| async |                | `async def`, with `yield` or without                            |
| live  |                | `def` with `yield`                                              |
| other |                | any other callable, which is called like a plain function       |
| exec  | `exec:./tool`  |                                                                 |

Never calls the handler.
"""

from .errors import MalformedHandlerNameError
from .handler import resolve_handler

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from .handler import Handler
    from .logs import LogState
    from .settings import Settings

_COROUTINE_FLAGS = 0x80 | 0x100  # inspect.CO_COROUTINE, CO_ITERABLE_COROUTINE
_ASYNC_GENERATOR_FLAG = 0x200  # inspect.CO_ASYNC_GENERATOR
_GENERATOR_FLAG = 0x20  # inspect.CO_GENERATOR
_ASGI_PARAMETERS = 3  # scope, receive, send


def load_declared(settings: "Settings", log_state: "LogState") -> "Handler":
    """Return what stands in for a handler of the form `prefix:rest`. Raises as `resolve_handler` does."""
    prefix, _, rest = settings.handler.partition(":")
    if prefix == "exec":
        from .command import load_command  # noqa: PLC0415  each kind has its own imports

        return load_command(rest, settings)
    if prefix not in ("asgi", "wsgi"):
        raise MalformedHandlerNameError(
            f"Bad handler '{settings.handler}': found the prefix '{prefix}:'. "
            "Give module.function, or one of asgi:module.app, wsgi:module.app and exec:./command."
        )
    return _ADAPTERS[prefix](resolve_handler(rest), settings, log_state)


def adapt_handler(handler: "Handler", settings: "Settings", log_state: "LogState") -> "Handler":
    """Return what the loop calls for `handler`, which may be `handler` itself."""
    return _ADAPTERS[recognise(handler)](handler, settings, log_state)


def recognise(handler: object) -> str:
    """Return the kind: `asgi`, `wsgi`, `async`, `live` or `other`."""
    code, parameters, required = _signature(handler)
    if code is None:
        return "other"
    if parameters[1:2] == ("start_response",):
        return "wsgi"
    if code.co_flags & _COROUTINE_FLAGS and required == _ASGI_PARAMETERS:
        return "asgi"
    if code.co_flags & (_COROUTINE_FLAGS | _ASYNC_GENERATOR_FLAG):
        return "async"
    return "live" if code.co_flags & _GENERATOR_FLAG else "other"


def is_asynchronous(handler: object) -> bool:
    """Whether calling it gives something to await: its code says so, or that of what a decorator has wrapped."""
    while handler is not None:
        if hasattr(handler, "runs_on_loop") or recognise(handler) in ("asgi", "async"):
            return True
        handler = getattr(handler, "__wrapped__", None)
    return False


def _signature(handler: object) -> "tuple[CodeType | None, tuple[str, ...], int]":
    """Return the code of a call, its positional parameters without `self`, and how many of them are required."""
    function, skipped = handler, 0
    if hasattr(handler, "__func__"):  # a bound method
        function, skipped = handler.__func__, 1
    elif not hasattr(handler, "__code__") and not isinstance(handler, type):
        # An object whose class says how it is called; never a class itself, whose call makes an object.
        function, skipped = getattr(type(handler), "__call__", None), 1  # noqa: B004  its code is wanted
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None:
        return None, (), 0
    parameters = code.co_varnames[skipped : code.co_argcount]
    return code, parameters, len(parameters) - len(getattr(function, "__defaults__", None) or ())


def _adapt_asgi(handler: "Handler", settings: "Settings", log_state: "LogState") -> "Handler":
    from .asgi import adapt_asgi  # noqa: PLC0415  each kind has its own imports

    return _adapt_live(adapt_asgi(handler, settings, log_state), settings, log_state)  # type: ignore[arg-type]  # an application


def _adapt_wsgi(handler: "Handler", settings: "Settings", log_state: "LogState") -> "Handler":
    from .wsgi import adapt_wsgi  # noqa: PLC0415  each kind has its own imports

    return adapt_wsgi(handler, settings, log_state)  # type: ignore[arg-type]  # an application, not a handler


def _adapt_async(handler: "Handler", settings: "Settings", log_state: "LogState") -> "Handler":
    from .coroutines import event_loop  # noqa: PLC0415  it loads asyncio: in init, not in the first invocation

    event_loop(log_state)
    return _adapt_live(handler, settings, log_state)


def _adapt_live(handler: "Handler", _settings: "Settings", _log_state: "LogState") -> "Handler":
    from . import live  # noqa: F401, PLC0415  in init, not in the first invocation

    return handler


def _adapt_other(handler: "Handler", _settings: "Settings", _log_state: "LogState") -> "Handler":
    return handler


_ADAPTERS: "dict[str, Callable[[Handler, Settings, LogState], Handler]]" = {
    "asgi": _adapt_asgi,
    "wsgi": _adapt_wsgi,
    "async": _adapt_async,
    "live": _adapt_live,
    "other": _adapt_other,
}
