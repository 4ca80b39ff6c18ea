"""Whether programs of an architecture run on this machine: natively, through an emulator that the kernel knows, or not.

The kernel's list (binfmt_misc) is read; nothing is tried and nothing registered. Only emulators with the flag F count:
the kernel has opened them already, so that they are there in a sandbox too.
Source: the kernel's Documentation/admin-guide/binfmt-misc.rst.
"""

import platform
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from builder.interpreter import ARCHITECTURES

BINFMT = Path("/proc/sys/fs/binfmt_misc")
NATIVE = "native"

_NO_ENTRIES = frozenset(("register", "status"))
_E_MACHINE = {"amd64": 62, "arm64": 183}  # ELF's numbers, <elf.h>
_IDENT = b"\x7fELF\x02\x01\x01" + bytes(9)  # 64 bits, little-endian, version 1
_ET_EXEC, _ET_DYN = 2, 3


def runner_of(architecture: str, *, entries: Path = BINFMT) -> str | None:
    """NATIVE, the name of the emulator that runs programs of an architecture (`arm64`) here, or None."""
    if ARCHITECTURES.get(platform.machine()) == architecture:
        return NATIVE
    if architecture not in _E_MACHINE:
        return None
    heads = [_IDENT + struct.pack("<HH", kind, _E_MACHINE[architecture]) for kind in (_ET_EXEC, _ET_DYN)]
    for name, text in _read(entries):
        if all(takes(text, head) for head in heads):
            return name
    return None


def takes(entry: str, head: bytes) -> bool:
    """Whether an entry of the kernel's list runs a program that begins with `head`, from within a sandbox too."""
    lines = entry.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines[1:] if len(line.split(maxsplit=1)) > 1)
    try:
        magic = bytes.fromhex(facts["magic"])
        mask = bytes.fromhex(facts.get("mask", "ff" * len(magic)))
        offset = int(facts.get("offset", "0"))
    except (KeyError, ValueError):
        return False
    part = head[offset : offset + len(magic)]
    same = all(got & bits == wanted & bits for got, wanted, bits in zip(part, magic, mask, strict=False))
    return lines[:1] == ["enabled"] and "F" in facts.get("flags:", "") and len(part) == len(magic) and same


def _read(folder: Path) -> Iterator[tuple[str, str]]:
    """The entries' names and texts, none where the kernel's list is switched off, not mounted or hidden."""
    try:
        if (folder / "status").read_text(encoding="ascii").strip() != "enabled":
            return
        names: Iterable[Path] = sorted(folder.iterdir())
    except OSError:
        return
    for file in names:
        if file.name not in _NO_ENTRIES:
            try:
                yield file.name, file.read_text(encoding="ascii")
            except (OSError, UnicodeDecodeError):
                continue
