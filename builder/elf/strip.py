"""Drop the debugging information of a linked ELF file and change nothing else that can matter.

Exists because debuggers' sections are two thirds of a typical libpython, and because `strip` is not always
there, does not know other architectures, and has broken files that patchelf had rewritten (numpy's and
auditwheel's libraries). The method is a smaller promise than strip's: dropped sections stay in the table as
inactive entries, so no index, symbol or relocation needs a new number; loaded bytes (but e_shoff in the
header) and program headers stay where they are; kept sections behind them move up. A file with any trait that
is not understood comes back as it is. It never raises, and never touches the file system.

The static symbol table (`.symtab`) counts as debugging information: only debuggers read it, the dynamic loader and
the C library's back traces read `.dynsym`, and distributions ship their libraries without it.

Source: gABI chapter 4; the list of names follows binutils' bfd/elf.c (SEC_DEBUGGING).
"""

import os
from errno import EINVAL
from pathlib import Path

from builder.elf.errors import ElfError
from builder.elf.layout import (
    EXECUTABLE,
    HEADER_BYTES,
    MORE_SEGMENTS,
    SHARED,
    SHF_ALLOC,
    SHT_NOBITS,
    SHT_NULL,
    SHT_PROGBITS,
    Header,
    Section,
    Segment,
    View,
    pack_sections,
    read_header,
    read_sections,
    read_segments,
    view_of,
    with_section_table_at,
)
from builder.elf.read import open_view

_DEBUG_PREFIXES = (b".debug_", b".zdebug_")
_DEBUG_NAMES = frozenset({b".gnu_debuglink", b".gnu_debugaltlink", b".gdb_index"})
# SHF_MERGE | SHF_STRINGS | SHF_COMPRESSED: how linkers write debugging sections.
_DEBUG_FLAGS = 0x10 | 0x20 | 0x800
_SHF_INFO_LINK = 0x40
_SHT_SYMTAB, _SHT_STRTAB = 2, 3
_SHT_REL, _SHT_RELA = 9, 4  # their sh_info is a section, with or without SHF_INFO_LINK
_INACTIVE = Section(0, SHT_NULL, 0, 0, 0, 0, 0, 0, 0, 0)
_MAX_ALIGNMENT_BYTES = 4096  # of a section that is not loaded; linkers write 1 to 32


def without_debug(data: bytes) -> bytes:
    """Return `data` without `.debug_*`, `.zdebug_*`, `.gdb_index`, `.symtab` and the links to separate debugging files.

    The result is a function of `data` alone, and its own fixed point. `data` itself is returned when it is
    not a little endian program or shared library, has nothing to drop, or is laid out in a way that linkers
    do not.
    """
    return _maybe_rewritten(view_of(data)) or data


def read_without_debug(file: Path) -> bytes:
    """Return the same for the content of a regular file, without reading all of it. Raises OSError."""
    with open_view(file) as view:
        if view is None:
            raise OSError(EINVAL, "it is no regular file", os.fspath(file))
        return _maybe_rewritten(view) or view.peek(0, view.size_bytes)


def _maybe_rewritten(view: View) -> bytes | None:
    """Return the smaller file; None when it must stay as it is."""
    try:
        return _rewritten(view)
    except ElfError:
        return None


def _rewritten(view: View) -> bytes | None:
    """Return the smaller file; None or ElfError when it must stay as it is."""
    header = read_header(view)
    if header is None or header.order != "<" or header.type not in {EXECUTABLE, SHARED}:
        return None
    if header.phnum == MORE_SEGMENTS or header.shoff == 0:
        return None
    segments, sections = read_segments(view, header), read_sections(view, header)
    debug, symbols = _debug_indices(view, header, sections), _symbol_indices(header, sections)
    if debug is None or symbols is None:
        return None
    dropped = debug | symbols
    if not dropped or _referenced(sections, but=dropped) & dropped:
        return None
    head_size = _loaded_end(header, segments, sections)
    if not _is_plain_layout(view, header, sections, head_size):
        return None
    return _packed(view, header, sections, head_size=head_size, dropped=dropped)


def _debug_indices(view: View, header: Header, sections: tuple[Section, ...]) -> frozenset[int] | None:
    """Return the sections for debuggers; None when one that has such a name is not what linkers write."""
    if not 0 < header.shstrndx < len(sections):
        return None
    names = sections[header.shstrndx]
    table = view.peek(names.offset, names.size)
    found = {
        index
        for index, section in enumerate(sections)
        if _is_debug_name(table[section.name : table.find(b"\0", section.name)])
        and section.type != SHT_NULL
        and not section.flags & SHF_ALLOC  # Rust's .debug_gdb_scripts is loaded: not ours to drop
    }
    usual = all(sections[i].type == SHT_PROGBITS and not sections[i].flags & ~_DEBUG_FLAGS for i in found)
    return frozenset(found - {header.shstrndx}) if usual else None


def _symbol_indices(header: Header, sections: tuple[Section, ...]) -> frozenset[int] | None:
    """Return the static symbol tables and their strings; None when one is not what linkers write."""
    found: set[int] = set()
    for index, table in enumerate(sections):
        if table.type == _SHT_SYMTAB:
            strings = sections[table.link] if table.link < len(sections) else _INACTIVE
            if (
                strings.type != _SHT_STRTAB
                or (table.flags | strings.flags) & SHF_ALLOC
                or table.link == header.shstrndx
            ):
                return None
            found |= {index, table.link}
    return frozenset(found)


def _is_debug_name(name: bytes) -> bool:
    return name.startswith(_DEBUG_PREFIXES) or name in _DEBUG_NAMES


def _referenced(sections: tuple[Section, ...], *, but: frozenset[int]) -> set[int]:
    """Return the sections that one, `but` these, points to: a relocation table, a string table's user."""
    kept = [section for index, section in enumerate(sections) if index not in but]
    links = {section.link for section in kept}
    infos = {s.info for s in kept if s.flags & _SHF_INFO_LINK or s.type in {_SHT_REL, _SHT_RELA}}
    return links | infos


def _loaded_end(header: Header, segments: tuple[Segment, ...], sections: tuple[Section, ...]) -> int:
    """Return the first byte behind all that keeps its place: headers, segments, loaded sections."""
    ends = [header.phoff + header.phentsize * header.phnum, HEADER_BYTES[header.bits]]
    ends += [segment.offset + segment.filesz for segment in segments]
    ends += [s.offset + s.size for s in sections if s.flags & SHF_ALLOC and s.type != SHT_NOBITS]
    return max(ends)


def _movable(section: Section) -> bool:
    """Say whether it has bytes in the file that no running program sees."""
    return not section.flags & SHF_ALLOC and section.type not in {SHT_NULL, SHT_NOBITS} and section.size > 0


def _is_plain_layout(view: View, header: Header, sections: tuple[Section, ...], head_size: int) -> bool:
    """Check that all that moves lies in one row behind all that stays, with nothing hidden between or after.

    False for what patchelf rewrote, for a payload appended to the file, for a table in the middle.
    """
    pieces = [(section.offset, section.size) for section in sections if _movable(section)]
    pieces.append((header.shoff, header.shentsize * header.shnum))
    at = head_size
    for offset, size in sorted(pieces):
        if offset < at or offset + size > view.size_bytes or view.peek(at, offset - at).strip(b"\0"):
            return False
        at = offset + size
    odd = any(section.addralign > _MAX_ALIGNMENT_BYTES for section in sections if _movable(section))
    return not odd and not view.peek(at, view.size_bytes - at).strip(b"\0")


def _packed(
    view: View, header: Header, sections: tuple[Section, ...], *, head_size: int, dropped: frozenset[int]
) -> bytes | None:
    """Write the new file: loaded part, kept sections in their old order, section header table."""
    start = HEADER_BYTES[header.bits]
    parts = [view.take(0, start, "the ELF header"), view.take(start, head_size - start, "what is loaded")]
    size = head_size
    table = list(sections)
    for index in sorted(range(len(sections)), key=lambda index: (sections[index].offset, index)):
        section = sections[index]
        if index in dropped:
            table[index] = _INACTIVE
        elif _movable(section):
            padding = -size % max(section.addralign, 1)
            parts += [bytes(padding), view.take(section.offset, section.size, "a section")]
            table[index] = section._replace(offset=size + padding)
            size += padding + section.size
    padding = -size % (header.bits // 8)
    parts += [bytes(padding), pack_sections(header, tuple(table))]
    parts[0] = with_section_table_at(header, parts[0], size + padding)
    whole = b"".join(parts)
    return whole if len(whole) < view.size_bytes else None
