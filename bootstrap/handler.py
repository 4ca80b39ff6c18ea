"""`app.handler` → the function, with every way to fail named; imports the user's module, calls nothing.

`__import__` instead of `importlib.import_module`: importlib stays unloaded, and the traceback of a failing
import starts in the user's file instead of in the import machinery.
"""

import sys

from .errors import (
    BuiltInModuleConflictError,
    HandlerNotFoundError,
    ImportModuleError,
    MalformedHandlerNameError,
    UserCodeSyntaxError,
)

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType

    from .context import LambdaContext
    from .logs import LogState
    from .settings import Settings

    Handler = Callable[[object, LambdaContext], object]


# What `types` and `inspect` know by name, without loading them: a function, and the flags of code that gives a
# generator (0x20), a coroutine (0x80, or 0x100 by `types.coroutine`) or an asynchronous generator (0x200).
_FUNCTION: type = type(lambda: None)
_LIVE_CODE_FLAGS = 0x20 | 0x80 | 0x100 | 0x200


def load_handler(settings: "Settings", log_state: "LogState") -> "Handler":
    """Return the function that the loop calls: the handler itself, or for special kinds what stands in for it.

    Classified once, here; the loop knows one kind only. Raises as `resolve_handler` and `kinds` do.
    """
    if ":" in settings.handler:
        from .kinds import load_declared  # noqa: PLC0415  no plain function pays for it

        return load_declared(settings, log_state)
    handler = resolve_handler(settings.handler)
    if is_plain_function(handler):
        return handler
    from .kinds import adapt_handler  # noqa: PLC0415  same

    return adapt_handler(handler, settings, log_state)


def is_plain_function(handler: object) -> bool:
    """Whether this is an ordinary `def` of a Lambda handler, for which nothing more needs to be known."""
    if type(handler) is not _FUNCTION:
        return False
    function: FunctionType = handler  # type: ignore[assignment]  # as the line above says
    code = function.__code__
    if code.co_flags & _LIVE_CODE_FLAGS:
        return False
    return code.co_argcount < 2 or code.co_varnames[1] != "start_response"  # noqa: PLR2004  WSGI's second


def resolve_handler(name: str) -> "Handler":
    """Import the module and return the function of `app.handler`, `pkg.app.handler` or `src/app.handler`.

    Messages are awslambdaric's where it has one, because people search for them. Raises FunctionError's
    branches for what they name, and whatever else the module raises while it is imported.
    """
    path, dot, function_name = name.rpartition(".")
    module_name = path.replace("/", ".")
    if not dot or not all(module_name.split(".")):
        raise MalformedHandlerNameError(
            f"Bad handler '{name}': found no module and function. "
            "Give module.function, such as app.handler or src/app.handler."
        )
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise BuiltInModuleConflictError(f"Cannot use built-in module {path} as a handler module")
    module = _import(module_name, path)
    try:
        handler: Handler = getattr(module, function_name)
    except AttributeError as error:
        raise HandlerNotFoundError(f"Handler '{function_name}' missing on module '{path}'") from error
    return handler


def _import(module_name: str, path: str) -> object:
    try:
        __import__(module_name)
    except ImportError as error:
        raise ImportModuleError(f"Unable to import module '{path}': {error}") from error
    except SyntaxError as error:
        raise UserCodeSyntaxError(
            f"Syntax error in module '{path}': {error}",
            (f'  File "{error.filename}" Line {error.lineno}\n    {error.text}',),
        ) from error
    return sys.modules[module_name]
