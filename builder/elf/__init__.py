"""ELF files: what they are, which libraries they need, and how to leave out their debugging information.

Exists so that the builder can ship an interpreter with exactly its shared libraries, for any architecture,
without running any of them. Knows nothing of Python, Lambda or images; never writes a file.
"""

from builder.elf.closure import Closure, Library, Missing, closure
from builder.elf.constants import without_code
from builder.elf.errors import ElfError
from builder.elf.read import Elf, read_elf
from builder.elf.search import SearchPath, search_path
from builder.elf.strip import without_debug
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
    "search_path",
    "without_code",
    "without_debug",
]
