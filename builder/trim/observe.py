"""What the sources of dependencies say that makes a trim rule not apply: seen by reading, never by importing.

Two traps are known. Some packages import helpers from their own `tests` at run time, and packages that use
`lazy_loader.attach_stub` read their `.pyi` files when they are imported.
"""

import ast
import posixpath
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from builder.trim.rules import Observed, is_below

MAX_SOURCE_BYTES = 4 << 20  # a larger module is generated data; it is not read for imports

MAX_NAME_CHARS = 200  # a longer string is no module's name

_DOTTED = re.compile(r"\.?\w+(?:\.\w+)+|\.\w+")
# Most mentions are prose. Others are dotted, begin a string, follow `from`, or are in a list of imports.
_NAMED = re.compile(rb"""\.\s*tests\b|\btests\.\w|["']tests\b|\bfrom[\s\\]+tests\b""")
_TESTS = re.compile(rb"\btests\b")
_IMPORTS = re.compile(rb"import(?:[^\\\n]|\\\n)*|import[\s\\]*\([^)]*")
_COMMENT = re.compile(rb"#[^\n]*")
_LIST_BYTES = 4000  # of a list of imports, as far as `tests` in it


def observe_sources(folder: Path, paths: Iterable[str]) -> Observed:
    """The exceptions found in the modules among `paths`, relative to `folder`.

    A module in a `tests` folder counts once that folder is known to be imported: it is kept, and may import others.
    """
    modules = [path for path in paths if path.endswith(".py")]
    waiting = [path for path in modules if "tests" in path.split("/")[:-1]]
    imported: set[str] = set()
    stub_loaders: set[str] = set()
    ready = [path for path in modules if "tests" not in path.split("/")[:-1]]
    while ready:
        for path in ready:
            source = _read(folder / path)
            if b"tests" in source and ("tests" in path or _may_name(source)):  # a relative import names its own
                imported.update(_test_folders(path, source))
            if b"attach_stub" in source:
                stub_loaders.add(posixpath.dirname(path) or f"{path}i")
        ready = [path for path in waiting if is_below(path, imported)]
        waiting = [path for path in waiting if not is_below(path, imported)]
    return Observed(frozenset(imported), frozenset(stub_loaders))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes() if file.stat().st_size <= MAX_SOURCE_BYTES else b""
    except OSError:
        return b""


def _may_name(source: bytes) -> bool:
    """Whether a source has to be parsed to know if it names a tests folder. Takes time in proportion to its size."""
    if _NAMED.search(source):
        return True
    for found in _TESTS.finditer(source):
        before = _COMMENT.sub(b"", source[max(found.start() - _LIST_BYTES, 0) : found.start()])
        start = before.rfind(b"import")
        if start >= 0 and _IMPORTS.fullmatch(before, start):
            return True
    return False


def _test_folders(path: str, source: bytes) -> Iterator[str]:
    """Every folder named `tests` that the module imports, or names in a string such as an import by name takes."""
    for dotted in _mentioned(path, source):
        parts = dotted.split(".")
        for index, part in enumerate(parts):
            if part == "tests":
                yield "/".join(parts[: index + 1])


def _mentioned(path: str, source: bytes) -> Iterator[str]:
    """The dotted names of what the module may import; one that begins with a dot, in each package above the module."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    package = path.split("/")[:-1]
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                base = package[: max(len(package) - node.level + 1, 0)] if node.level else []
                module = ".".join([*base, *([node.module] if node.module else [])])
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.Constant(value=str(text)) if len(text) <= MAX_NAME_CHARS and _DOTTED.fullmatch(text):
                yield text
                if text.startswith("."):
                    yield from (".".join(package[:depth]) + text for depth in range(1, len(package) + 1))
