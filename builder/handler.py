"""Which function is the handler: the one named, else the one usual name that exists. Reads source, never runs it.

A handler is `module.function`; the module may be a path (`package/module.function` or `package.module.function`), and
what the runtime can import, a hyphen included, is a module's name. `asgi:` and `wsgi:` before it declare an
application; `exec:` begins a command of the function's folder instead.
"""

import ast
import os
import posixpath
import re
import symtable
import sys
import warnings
from collections.abc import Collection
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import FunctionSyntaxError, HandlerError, SourceError

if TYPE_CHECKING:
    from builder.config import Config

# In the order in which people meet them: this project's examples, AWS's console, plain Python habit.
USUAL_NAMES = ("app.handler", "lambda_function.lambda_handler", "main.handler")

_APPLICATIONS = ("asgi", "wsgi")
_FORM = re.compile(r"[^\s./\\:]+(?:[./][^\s./\\:]+)*\.[^\W\d]\w*")


class _Binding(Enum):
    """Whether a module binds a name; MAYBE where only running it would tell."""

    NO = 0
    MAYBE = 1
    YES = 2


def module_file(handler: str, files: Collection[str]) -> str | None:
    """The file of the folder that `handler` lives in, or None: `a.b.f` is in a/b/__init__.py, else in a/b.py.

    In that order, because the import system prefers the package.
    """
    module = handler.rpartition(":")[2].rpartition(".")[0].replace(".", "/")
    return next((file for file in (f"{module}/__init__.py", f"{module}.py") if file in files), None)


def configured_handler(config: "Config", files: Collection[str], version: tuple[int, int]) -> str:
    """The handler that a configuration asks for, or finds; raises as `find_handler`."""
    origin = config.origins.get("handler", "")
    return find_handler(config.source, files, config.handler, origin=origin, version=version)


def find_handler(
    source: Path,
    files: Collection[str],
    asked: str | None,
    *,
    origin: str = "",
    version: tuple[int, int] = sys.version_info[:2],
) -> str:
    """The handler to ship, for a Python of that version; `files` are relative to `source`, `origin` says who asked.

    Raises HandlerError (missing, ambiguous, ill-formed), FunctionSyntaxError, or SourceError for an unreadable file.
    """
    if asked is not None:
        return _check_asked(source, files, asked, origin=origin, version=version)
    modules = {name: file for name in USUAL_NAMES if (file := module_file(name, files))}
    found = {name: _defines(source, file, name, version=version) for name, file in modules.items()}
    best = _Binding.YES if _Binding.YES in found.values() else _Binding.MAYBE
    there = [name for name, binding in found.items() if binding is best]
    if len(there) == 1:
        return there[0]
    if there:
        raise HandlerError(
            f"looking for the handler in {source}: {' and '.join(there)} are all there",
            hint=_say_which(there[0]),
        )
    without = "; ".join(f"{file} is there and defines no {_function(name)!r}" for name, file in modules.items())
    raise HandlerError(
        f"looking for the handler in {source}: none of {', '.join(USUAL_NAMES)} is there"
        + (without and f" ({without})"),
        hint=_say_which("module.function"),
    )


def _say_which(handler: str) -> str:
    return f'Say which with --handler {handler}, or handler = "{handler}" under [tool.build-image] in pyproject.toml.'


def _function(handler: str) -> str:
    return handler.rpartition(".")[2]


def _check_asked(source: Path, files: Collection[str], asked: str, *, origin: str, version: tuple[int, int]) -> str:
    where = f" (from {origin})" if origin else ""
    prefix, _, rest = asked.rpartition(":")
    if asked.startswith("exec:"):
        return _check_command(source, files, asked, where)
    if prefix in _APPLICATIONS:
        _check_asked(source, files, rest, origin=origin, version=version)
        return asked
    if not _FORM.fullmatch(asked):
        raise HandlerError(
            f"looking for the handler: {asked!r}{where} is not of the form module.function",
            hint="For example app.handler.",
        )
    file = module_file(asked, files)
    if file is None:
        module = asked.rpartition(".")[0].replace(".", "/")
        raise HandlerError(
            f"looking for the handler {asked!r}{where}: there is no {module}.py in {source}",
            hint="Check the name and the folder, and that neither .dockerignore nor --drop leaves the file out.",
        )
    if _defines(source, file, asked, version=version) is _Binding.NO:
        raise HandlerError(
            f"looking for the handler {asked!r}{where}: {file} defines no {_function(asked)!r}",
            hint=f"Define it at the top level of {file}, or name another with --handler.",
        )
    return asked


def _check_command(source: Path, files: Collection[str], asked: str, where: str) -> str:
    """`exec:./tool arguments`: a command with a slash is a file of the folder, any other is looked up in the image."""
    command, *_ = asked.removeprefix("exec:").split(maxsplit=1) or [""]
    if not command:
        raise HandlerError(
            f"looking for the handler: {asked!r}{where} names no command", hint="For example exec:./tool."
        )
    if "/" not in command or command.startswith("/"):
        return asked
    file = posixpath.normpath(command)
    if file not in files or not os.access(source / file, os.X_OK):
        raise HandlerError(
            f"looking for the handler {asked!r}{where}: {file} is no executable file of {source}",
            hint="Check the name, that .dockerignore does not leave it out, and chmod +x it.",
        )
    return asked


def _defines(source: Path, file: str, handler: str, *, version: tuple[int, int]) -> _Binding:
    """Whether the module binds the handler's function at its top level, by whatever statement.

    A file for a newer Python than this one may use syntax unknown here: then its compiler decides, later in the build.
    """
    text = _read(source, file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, filename=file)
            names = symtable.symtable(text, file, "exec")  # type: ignore[arg-type]  # bytes, as for compile()
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if version > sys.version_info[:2]:
            return _Binding.MAYBE
        raise _syntax_error(file, error) from None
    name = _function(handler)
    if _is_bound(names, name):
        return _Binding.YES
    unseen = _is_bound(names, "__getattr__") or any(_may_bind(node, name) for node in ast.walk(tree))
    return _Binding.MAYBE if unseen else _Binding.NO


def _read(source: Path, file: str) -> bytes:
    try:
        return (source / file).read_bytes()
    except OSError as error:
        raise SourceError(
            f"reading the function: {file}: {error.strerror}", hint="Make it readable, or name it in .dockerignore."
        ) from None


def _syntax_error(file: str, error: Exception) -> FunctionSyntaxError:
    line = getattr(error, "lineno", None)
    place = f"{file}, line {line}" if line else file
    return FunctionSyntaxError(
        f"reading the function: {place}: {getattr(error, 'msg', '') or str(error) or type(error).__name__}",
        hint="Correct it; nothing was built.",
        details=(getattr(error, "text", None) or "").rstrip(),
    )


def _is_bound(names: symtable.SymbolTable, name: str) -> bool:
    if name not in names.get_identifiers():
        return False
    symbol = names.lookup(name)
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _may_bind(node: ast.AST, name: str) -> bool:
    """Whether a node may bind the name unseen: `import *`, `global`, `exec`, `globals()`, the name in a string."""
    match node:
        case ast.ImportFrom(names=[ast.alias(name="*")]) | ast.Call(func=ast.Name(id="exec" | "globals")):
            return True
        case ast.Global(names=names):
            return name in names
        case ast.Constant(value=value):
            return value == name
        case _:
            return False
