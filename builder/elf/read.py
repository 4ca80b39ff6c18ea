"""What the dynamic loader would see in one ELF file, read without running or loading it.

Exists because `ldd` runs the code it inspects and cannot read another machine's files. Only program headers
are used: section headers are for linkers and may be absent. It never searches for libraries (`closure` does),
never writes.

Source: gABI chapter 5, glibc's <elf.h>, the GNU symbol versioning of the LSB.
"""

import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from builder.elf.errors import ElfError
from builder.elf.layout import (
    CORE,
    EXECUTABLE,
    PT_DYNAMIC,
    PT_INTERP,
    PT_LOAD,
    RELOCATABLE,
    SHARED,
    Header,
    Segment,
    View,
    read_header,
    read_segments,
)

Kind = Literal["executable", "pie", "shared", "relocatable", "core", "other"]

# e_machine → the kernel's name. Lambda runs the first two; the others are named to make messages clear.
_MACHINES = {
    62: "x86_64",
    183: "aarch64",
    3: "i386",
    40: "arm",
    21: "ppc64",
    22: "s390x",
    243: "riscv",
    258: "loongarch",
}
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 0, 1, 5, 10, 14, 15, 29
_DT_FLAGS_1, _DT_VERNEED, _DT_VERNEEDNUM = 0x6FFFFFFB, 0x6FFFFFFE, 0x6FFFFFFF
_DF_1_NODEFLIB, _DF_1_PIE = 0x800, 0x08000000
_VER_FLG_WEAK = 0x2
_VERNEED, _VERNAUX = "HHIII", "IHHII"
_GLIBC = re.compile(r"GLIBC_(\d{1,4}(?:\.\d{1,4}){1,3})", re.ASCII)
_GLIBC_ABI = {"GLIBC_ABI_DT_RELR": (2, 36)}  # glibc 2.36's NEWS: compact relocations, marked by this version name

# Bounds on hostile files, each tens of times what real ones hold.
MAX_DYNAMIC_BYTES = 64 * 1024  # libtorch_cpu.so: under 1 KiB
MAX_STRING_BYTES = 64 * 1024  # a run path of a Nix build: some 4 KiB
MAX_VERSIONS = 4096  # libtorch_cpu.so: under 100


@dataclass(frozen=True, slots=True)
class Elf:
    """One ELF file as its loader reads it.

    `machine` is the kernel's name ("x86_64", "aarch64", …; "machine-N" for numbers not known here), `bits` 32
    or 64. `rpath` and `runpath` are split at colons, tokens unexpanded. `glibc_version` is the newest version
    that a symbol demands, (2, 35), or None when none is named. `nodeflib` is the linker's `-z nodefaultlib`.
    """

    kind: Kind
    machine: str
    bits: int
    interpreter: str | None = None
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    glibc_version: tuple[int, ...] | None = None
    nodeflib: bool = False


def read_elf(path: Path) -> Elf | None:
    """Read the file at `path`, symbolic links followed; None when it is no regular file or not ELF.

    Raises ElfError for a truncated or damaged file, OSError when it cannot be opened.
    """
    with open_view(path) as view:
        return parse_elf(view) if view else None


@contextmanager
def open_view(path: Path) -> Iterator[View | None]:
    """Give a view of the file at `path`, symbolic links followed; None of what is no regular file. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # NONBLOCK: a FIFO must not hang the build
    try:
        found = os.fstat(descriptor)
        is_file = stat.S_ISREG(found.st_mode)
        yield View(os.fspath(path), found.st_size, partial(_pread, descriptor)) if is_file else None
    finally:
        os.close(descriptor)


def parse_elf(view: View) -> Elf | None:
    """Read a view of bytes; pure. None when they are not ELF, ElfError when they are damaged."""
    header = read_header(view)
    if header is None:
        return None
    machine = _MACHINES.get(header.machine, f"machine-{header.machine}")
    if header.type in {RELOCATABLE, CORE}:  # nothing for a loader in them
        return Elf("relocatable" if header.type == RELOCATABLE else "core", machine, header.bits)
    segments = read_segments(view, header)
    interpreter = _interpreter(view, segments)
    dynamic = _Dynamic.read(view, header, segments)
    soname = dynamic.maybe_string(_DT_SONAME)
    flags = dynamic.tags.get(_DT_FLAGS_1, 0)
    return Elf(
        kind=_kind(header.type, is_pie=bool(flags & _DF_1_PIE) or (interpreter is not None and soname is None)),
        machine=machine,
        bits=header.bits,
        interpreter=interpreter,
        soname=soname,
        needed=tuple(dynamic.string(offset) for offset in dynamic.needed),
        rpath=_split(dynamic.maybe_string(_DT_RPATH)),
        runpath=_split(dynamic.maybe_string(_DT_RUNPATH)),
        glibc_version=_newest_glibc(dynamic),
        nodeflib=bool(flags & _DF_1_NODEFLIB),
    )


def _pread(descriptor: int, offset: int, size: int) -> bytes:
    found = os.pread(descriptor, size, offset)
    while len(found) < size and (more := os.pread(descriptor, size - len(found), offset + len(found))):
        found += more  # the kernel gives at most 2 GiB at once
    return found


def _kind(elf_type: int, *, is_pie: bool) -> Kind:
    """Tell a shared library from a position-independent program: both are ET_DYN."""
    if elf_type == EXECUTABLE:
        return "executable"
    if elf_type == SHARED:
        return "pie" if is_pie else "shared"
    return "other"


def _interpreter(view: View, segments: tuple[Segment, ...]) -> str | None:
    for segment in segments:
        if segment.type == PT_INTERP and segment.filesz:  # 0 in a separate debug file
            size = min(segment.filesz, MAX_STRING_BYTES)
            return _text(view.take(segment.offset, size, "the interpreter's path").partition(b"\0")[0])
    return None


@dataclass(frozen=True, slots=True)
class _Dynamic:
    """The dynamic segment: the last value of each tag, as the loader keeps it, and all of DT_NEEDED."""

    view: View
    order: str
    loads: tuple[Segment, ...]
    tags: dict[int, int]
    needed: tuple[int, ...]

    @classmethod
    def read(cls, view: View, header: Header, segments: tuple[Segment, ...]) -> "_Dynamic":
        loads = tuple(segment for segment in segments if segment.type == PT_LOAD)
        tags: dict[int, int] = {}
        needed: list[int] = []
        for segment in segments:
            if segment.type != PT_DYNAMIC:
                continue
            form = struct.Struct(header.order + ("QQ" if header.bits == 64 else "II"))  # noqa: PLR2004 - the word size
            if segment.filesz > MAX_DYNAMIC_BYTES:
                raise ElfError(view.name, f"a dynamic segment of {segment.filesz} bytes, at most {MAX_DYNAMIC_BYTES}")
            size = segment.filesz - segment.filesz % form.size
            for tag, value in form.iter_unpack(view.take(segment.offset, size, "the dynamic segment")):
                if tag == _DT_NULL:
                    break
                tags[tag] = value
                if tag == _DT_NEEDED:
                    needed.append(value)
        return cls(view, header.order, loads, tags, tuple(needed))

    def offset(self, address: int, what: str) -> int:
        """Where the byte that will be mapped at `address` stands in the file."""
        for load in self.loads:
            if load.vaddr <= address < load.vaddr + load.filesz:
                return address - load.vaddr + load.offset
        raise ElfError(self.view.name, f"{what} at address {address:#x} lies in no loaded segment")

    def string(self, index: int) -> str:
        """Return the string at `index` of DT_STRTAB."""
        size = self.tags.get(_DT_STRSZ, 0)
        if not 0 <= index < size:
            raise ElfError(self.view.name, f"string {index:#x} outside a string table of {size:#x} bytes")
        start = self.offset(self.tags.get(_DT_STRTAB, 0), "the dynamic string table") + index
        window = 256  # bytes: nearly every name; only run paths are longer
        while True:
            found, end, _ = self.view.peek(start, min(window, size - index)).partition(b"\0")
            if end:
                return _text(found)
            if window >= min(size - index, MAX_STRING_BYTES):
                raise ElfError(self.view.name, f"string {index:#x} of the dynamic string table has no end")
            window = MAX_STRING_BYTES

    def maybe_string(self, tag: int) -> str | None:
        return self.string(self.tags[tag]) if tag in self.tags else None

    def record(self, form: str, offset: int) -> tuple[int, ...]:
        layout = struct.Struct(self.order + form)
        return layout.unpack(self.view.take(offset, layout.size, "a required symbol version"))


def _newest_glibc(dynamic: _Dynamic) -> tuple[int, ...] | None:
    """Return the newest GLIBC_x.y among the symbol versions that must be there (weak ones need not)."""
    if _DT_VERNEED not in dynamic.tags:
        return None
    newest: tuple[int, ...] | None = None
    need = dynamic.offset(dynamic.tags[_DT_VERNEED], "the required symbol versions")
    left = MAX_VERSIONS
    for _ in range(min(dynamic.tags.get(_DT_VERNEEDNUM, 0), MAX_VERSIONS)):
        _version, count, _file, first, following = dynamic.record(_VERNEED, need)
        entry = need + first
        for _ in range(count):
            left -= 1
            if left < 0:
                raise ElfError(dynamic.view.name, f"more than {MAX_VERSIONS} required symbol versions")
            _hash, flags, _other, name, step = dynamic.record(_VERNAUX, entry)
            version = None if flags & _VER_FLG_WEAK else _glibc_version(dynamic.string(name))
            newest = max(filter(None, (newest, version)), default=None)
            entry += step
            if not step:
                break
        need += following
        if not following:
            break
    return newest


def _glibc_version(name: str) -> tuple[int, ...] | None:
    found = _GLIBC.fullmatch(name)
    return tuple(int(part) for part in found[1].split(".")) if found else _GLIBC_ABI.get(name)


def _split(path: str | None) -> tuple[str, ...]:
    return tuple(path.split(":")) if path else ()


def _text(raw: bytes) -> str:
    return os.fsdecode(raw)
