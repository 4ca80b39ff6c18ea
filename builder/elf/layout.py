"""The fixed records of an ELF file as values: header, segments, sections.

Written by hand on `struct` because time counts here: for 116 libraries pyelftools needs 0.05 to 0.15 s to be imported
and 0.45 s for their segments and symbol versions, this parser 0.02 s. The tests hold the two against each other.
It never follows a pointer into contents (`read` does) and never touches the file system: bytes come from a `View`.

Source: the gABI, chapters 4 and 5 (https://gabi.xinuos.com), and glibc's <elf.h>.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from builder.elf.errors import ElfError

MAGIC = b"\x7fELF"
IDENT_SIZE_BYTES = 16  # EI_NIDENT
HEADER_BYTES = {32: 52, 64: 64}  # sizeof(Ehdr)
MORE_SEGMENTS = 0xFFFF  # PN_XNUM: the true count stands in section 0; only core files have so many

CORE, EXECUTABLE, RELOCATABLE, SHARED = 4, 2, 1, 3  # e_type
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
SHT_NULL, SHT_PROGBITS, SHT_NOBITS = 0, 1, 8
SHF_ALLOC = 0x2

_BITS = {1: 32, 2: 64}  # EI_CLASS
_ORDER = {1: "<", 2: ">"}  # EI_DATA, in struct's letters
_HEADER = {32: "HHIIIIIHHHHHH", 64: "HHIQQQIHHHHHH"}
_SEGMENT = {32: "IIIIIIII", 64: "IIQQQQQQ"}
_SECTION = {32: "IIIIIIIIII", 64: "IIQQQQIIQQ"}
_SHOFF = {32: (32, "I"), 64: (40, "Q")}  # where e_shoff stands in the file


@dataclass(frozen=True, slots=True)
class View:
    """A file read in places: `read_at(offset, size)` may return fewer bytes at the end, never more."""

    name: str
    size_bytes: int
    read_at: Callable[[int, int], bytes]

    def peek(self, offset: int, size: int) -> bytes:
        """Return at most `size` bytes at `offset`; none beyond the end, however wild the two are."""
        return self.read_at(offset, min(size, self.size_bytes - offset)) if offset < self.size_bytes else b""

    def take(self, offset: int, size: int, what: str) -> bytes:
        """Return exactly `size` bytes at `offset`, or ElfError naming `what` they should have been."""
        found = self.read_at(offset, size) if offset + size <= self.size_bytes else b""
        if len(found) != size:
            raise ElfError(
                self.name,
                f"{what} should be {size} bytes at {offset:#x}, but the file ends at {self.size_bytes:#x}",
            )
        return found


def view_of(data: bytes, name: str = "<bytes>") -> View:
    """Wrap bytes in memory."""
    return View(name, len(data), lambda offset, size: data[offset : offset + size])


@dataclass(frozen=True, slots=True)
class Header:
    """The ELF header, without the fields that nobody here asks for. Offsets and sizes in bytes."""

    bits: int
    order: str
    type: int
    machine: int
    phoff: int
    shoff: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int


class Segment(NamedTuple):
    """One program header. Offsets and sizes in bytes."""

    type: int
    offset: int
    vaddr: int
    filesz: int


class Section(NamedTuple):
    """One section header with every field in the file's order, so that packing it gives the same bytes."""

    name: int
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    addralign: int
    entsize: int


def read_header(view: View) -> Header | None:
    """Read the header; None when the file is not ELF at all; ElfError when it only starts so."""
    if view.read_at(0, len(MAGIC)) != MAGIC:
        return None
    ident = view.take(0, IDENT_SIZE_BYTES, "e_ident")
    bits, order = _BITS.get(ident[4]), _ORDER.get(ident[5])
    if bits is None or order is None:
        raise ElfError(view.name, f"unknown class or byte order in e_ident {ident!r}")
    form = struct.Struct(order + _HEADER[bits])
    fields = form.unpack(view.take(IDENT_SIZE_BYTES, form.size, "the ELF header"))
    (
        kind,
        machine,
        _version,
        _entry,
        phoff,
        shoff,
        _flags,
        _ehsize,
        phentsize,
        phnum,
        shentsize,
        shnum,
        strndx,
    ) = fields
    return Header(bits, order, kind, machine, phoff, shoff, phentsize, phnum, shentsize, shnum, strndx)


def read_segments(view: View, header: Header) -> tuple[Segment, ...]:
    """Read all program headers in file order; ElfError for a table that is cut off or has odd records."""
    if header.phnum == 0:
        return ()
    form = struct.Struct(header.order + _SEGMENT[header.bits])
    if header.phentsize != form.size or header.phnum == MORE_SEGMENTS:
        raise ElfError(view.name, f"{header.phnum} program headers of {header.phentsize} bytes, expected {form.size}")
    table = view.take(header.phoff, form.size * header.phnum, "the program header table")
    if header.bits == 32:  # noqa: PLR2004 - the word size itself
        return tuple(Segment(r[0], r[1], r[2], r[4]) for r in form.iter_unpack(table))
    return tuple(Segment(r[0], r[2], r[3], r[5]) for r in form.iter_unpack(table))


def read_sections(view: View, header: Header) -> tuple[Section, ...]:
    """Read all section headers in index order; ElfError for a table that is cut off or has odd records."""
    if header.shnum == 0:
        return ()
    form = struct.Struct(header.order + _SECTION[header.bits])
    if header.shentsize != form.size:
        raise ElfError(view.name, f"section headers of {header.shentsize} bytes, expected {form.size}")
    table = view.take(header.shoff, form.size * header.shnum, "the section header table")
    return tuple(Section._make(record) for record in form.iter_unpack(table))


def pack_sections(header: Header, sections: tuple[Section, ...]) -> bytes:
    """Write the section header table as bytes; the inverse of `read_sections`."""
    form = struct.Struct(header.order + _SECTION[header.bits])
    return b"".join(form.pack(*section) for section in sections)


def with_section_table_at(header: Header, data: bytes, shoff: int) -> bytes:
    """Return `data`, which starts with the ELF header, with `e_shoff` set to `shoff`."""
    place, letter = _SHOFF[header.bits]
    packed = struct.pack(header.order + letter, shoff)
    return data[:place] + packed + data[place + len(packed) :]
