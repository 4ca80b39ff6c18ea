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

    from .context import LambdaContext

    Handler = Callable[[object, LambdaContext], object]


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
