"""An ELF file without its instructions: what is left for those who look for text in it.

Half of a compiled module is code, in which no constant lies that a pointer can lead to. Never raises, and never touches
the file system.

Source: gABI chapter 4.
"""

from builder.elf.errors import ElfError
from builder.elf.layout import SHT_PROGBITS, read_header, read_sections, view_of

_SHF_EXECINSTR = 0x4
_ALIGNMENT = 16  # of the places of all that stays: who looks for aligned constants finds them


def without_code(data: bytes) -> bytes:
    """Return `data` without the contents of its sections of instructions; as it is when it is no sound ELF file."""
    view = view_of(data)
    try:
        header = read_header(view)
        sections = read_sections(view, header) if header else ()
    except ElfError:
        return data
    code = [(s.offset, s.offset + s.size) for s in sections if s.type == SHT_PROGBITS and s.flags & _SHF_EXECINSTR]
    parts, at = [], 0
    for start, end in sorted(code):
        begin, behind = -(-start // _ALIGNMENT) * _ALIGNMENT, end // _ALIGNMENT * _ALIGNMENT
        if at <= begin < behind <= len(data):
            parts.append(data[at:begin])
            at = behind
    return b"".join([*parts, data[at:]])
