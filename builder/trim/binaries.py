"""What an ELF file says about others: what it needs, and which modules and libraries its constants name.

The shell around `native` and `builder/elf`. Never loads a file that it reads.
"""

import posixpath
from collections.abc import Callable
from pathlib import Path

from builder.elf import ElfError, read_elf, without_code, without_debug
from builder.plan import PACKAGES
from builder.trim.facts import Binary
from builder.trim.native import Names, is_module, library_names, native_names, reads_certificates

MAX_NATIVE_BYTES = 1 << 30


def inspect(path: str, source: Path, read: Callable[[], bytes], names: Names) -> Binary:
    """What the file at `source` says, which lies at `path` in the image; nothing for what is no ELF file."""
    try:
        elf = read_elf(source) if source.stat().st_size <= MAX_NATIVE_BYTES else None
    except (ElfError, OSError):
        elf = None
    if elf is None:
        return Binary()
    body = without_code(without_debug(read()))  # whose text is about other files, or none
    name = posixpath.basename(path).partition(".")[0]
    traits = {"certificates"} if reads_certificates(body) else set()
    if is_module(body, name):
        traits.add("module")
    folder = posixpath.dirname(path)[len(PACKAGES) + 1 :] if path.startswith(f"{PACKAGES}/") else ""
    module = f"{folder.replace('/', '.')}.{name}" if folder else name
    found = native_names(body, names, module) if "module" in traits else frozenset()
    return Binary(frozenset(elf.needed), found, library_names(body), frozenset(traits))
