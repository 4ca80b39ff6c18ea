"""ELF files: what they are, which libraries they need, and how to leave out their debugging information.

Exists so that the builder can ship an interpreter with exactly its shared libraries, for any architecture,
without running any of them. Knows nothing of Python, Lambda or images; never writes a file.

The names below are loaded when they are first used: most builds look for no library.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.elf.constants import without_code
    from builder.elf.errors import ElfError
    from builder.elf.library_closure import Closure, Library, Missing, closure
    from builder.elf.read import Elf, read_elf
    from builder.elf.search import SearchPath, search_path
    from builder.elf.strip import read_without_debug, without_debug
    from builder.elf.tree import Tree

__all__ = [
    "Closure",
    "Elf",
    "ElfError",
    "Library",
    "Missing",
    "SearchPath",
    "Tree",
    "closure",
    "read_elf",
    "read_without_debug",
    "search_path",
    "without_code",
    "without_debug",
]

_HOMES = {
    "Closure": "library_closure",
    "Elf": "read",
    "ElfError": "errors",
    "Library": "library_closure",
    "Missing": "library_closure",
    "SearchPath": "search",
    "Tree": "tree",
    "closure": "library_closure",
    "read_elf": "read",
    "read_without_debug": "strip",
    "search_path": "search",
    "without_code": "constants",
    "without_debug": "strip",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
