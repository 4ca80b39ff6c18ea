"""What the sources of dependencies say that makes a trim rule not apply: seen by reading, never by importing.

Two traps are known. Some packages import helpers from their own `tests` at run time, and packages that use
`lazy_loader.attach_stub` read their `.pyi` files when they are imported.
"""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from builder.trim.rules import Observed

MAX_SOURCE_BYTES = 4 << 20  # a larger module is generated data; it is not read for imports

_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")


def observe_sources(folder: Path, paths: Iterable[str]) -> Observed:
    """The exceptions found in the modules among `paths` (relative to `folder`) that lie in no `tests` folder themselves."""
    imported: set[str] = set()
    stub_loaders: set[str] = set()
    for path in paths:
        parts = path.split("/")
        if not path.endswith(".py") or "tests" in parts[:-1]:
            continue
        source = _read(folder / path)
        if b"tests" in source:
            imported.update(_test_folders(path, source))
        if b"attach_stub" in source and parts[-1] == "__init__.py":
            stub_loaders.add("/".join(parts[:-1]))
    return Observed(frozenset(imported), frozenset(stub_loaders))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes() if file.stat().st_size <= MAX_SOURCE_BYTES else b""
    except OSError:
        return b""


def _test_folders(path: str, source: bytes) -> Iterator[str]:
    """Every folder named `tests` that the module imports, or names in a string such as an import by name takes."""
    for dotted in _mentioned(path, source):
        parts = dotted.split(".")
        for index, part in enumerate(parts):
            if part == "tests":
                yield "/".join(parts[: index + 1])


def _mentioned(path: str, source: bytes) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return
    package = path.removesuffix(".py").removesuffix("/__init__").split("/")
    if not path.endswith("/__init__.py"):
        package = package[:-1]
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                base = package[: len(package) - node.level + 1] if node.level else []
                module = ".".join([*base, *([node.module] if node.module else [])])
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.Constant(value=str(text)) if len(text) < 200 and _DOTTED.fullmatch(text):
                yield text
