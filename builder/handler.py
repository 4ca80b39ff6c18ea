"""Which function is the handler: the one named, else the one usual name that exists. Reads source, never runs it.

A handler is `module.function`; the module may be a path (`package/module.function` or `package.module.function`).
"""

import ast
import re
import sys
import warnings
from collections.abc import Collection
from pathlib import Path

from builder.errors import FunctionSyntaxError, HandlerError

# In the order in which people meet them: this project's examples, AWS's console, plain Python habit.
USUAL_NAMES = ("app.handler", "lambda_function.lambda_handler", "main.handler")

_FORM = re.compile(r"[^\W\d]\w*(?:[./][^\W\d]\w*)*\.[^\W\d]\w*")


def module_file(handler: str, files: Collection[str]) -> str | None:
    """The file of the folder that `handler` lives in, or None: `a.b.f` is a/b.py or a/b/__init__.py."""
    module = handler.rpartition(".")[0].replace(".", "/")
    return next((file for file in (f"{module}.py", f"{module}/__init__.py") if file in files), None)


def find_handler(
    source: Path,
    files: Collection[str],
    asked: str | None,
    *,
    origin: str = "",
    version: tuple[int, int] = sys.version_info[:2],
) -> str:
    """The handler to ship, for a Python of that version. Raises HandlerError (missing, ambiguous, ill-formed) or FunctionSyntaxError."""
    if asked is not None:
        return _check_asked(source, files, asked, origin, version)
    there = [
        name
        for name in USUAL_NAMES
        if (file := module_file(name, files)) and _defines(source / file, name.rpartition(".")[2], version)
    ]
    if len(there) == 1:
        return there[0]
    if there:
        raise HandlerError(
            f"looking for the handler in {source}: {' and '.join(there)} are all there",
            hint=f'Say which with --handler {there[0]}, or handler = "{there[0]}" under [tool.build-image] in pyproject.toml.',
        )
    raise HandlerError(
        f"looking for the handler in {source}: none of {', '.join(USUAL_NAMES)} is there",
        hint='Name it with --handler module.function, or handler = "module.function" under [tool.build-image] in pyproject.toml.',
    )


def _check_asked(source: Path, files: Collection[str], asked: str, origin: str, version: tuple[int, int]) -> str:
    where = f" (from {origin})" if origin else ""
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
            hint="Check the name and the folder, and that .dockerignore does not leave the file out.",
        )
    if not _defines(source / file, asked.rpartition(".")[2], version):
        raise HandlerError(
            f"looking for the handler {asked!r}{where}: {file} defines no {asked.rpartition('.')[2]!r}",
            hint=f"Define it at the top level of {file}, or name another with --handler.",
        )
    return asked


def _defines(file: Path, name: str, version: tuple[int, int]) -> bool:
    """Whether the module binds `name` at its top level, by whatever statement; a star import may bind anything.

    A file for a newer Python than this one may use syntax unknown here: then its compiler decides, later in the build.
    """
    try:
        tree = parse_source(file)
    except FunctionSyntaxError:
        if version > sys.version_info[:2]:
            return True
        raise
    return any(_binds(node, name) for node in _top_level(tree.body))


def parse_source(file: Path) -> ast.Module:
    """The syntax tree of one of the function's files. Raises FunctionSyntaxError with the place and the line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(file.read_bytes(), filename=file.name)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        text = (getattr(error, "text", None) or "").rstrip()
        place = f"{file.name}, line {line}" if line else file.name
        raise FunctionSyntaxError(
            f"reading the function: {place}: {getattr(error, 'msg', error)}",
            hint="Correct it; nothing was built.",
            details=text,
        ) from None


def _top_level(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements that run at import, those inside if, try and with included."""
    found: list[ast.stmt] = []
    for node in body:
        found.append(node)
        for inner in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With):
                found += _top_level(getattr(node, inner, []))
        for clause in getattr(node, "handlers", []):
            found += _top_level(clause.body)
    return found


def _binds(node: ast.stmt, name: str) -> bool:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name == name
        case ast.Import() | ast.ImportFrom():
            names = [alias.asname or alias.name.partition(".")[0] for alias in node.names]
            return name in names or "*" in names
        case ast.Assign():
            return any(
                isinstance(leaf, ast.Name) and leaf.id == name for target in node.targets for leaf in ast.walk(target)
            )
        case ast.AnnAssign():
            return isinstance(node.target, ast.Name) and node.target.id == name
        case _:
            return False
