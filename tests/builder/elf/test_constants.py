"""builder.elf.constants: all that is no instruction stays, at places that are aligned as before."""

import sysconfig
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.elf import without_code

WORTH_BYTES = 64  # shorter contents are found by accident


def libraries() -> list[Path]:
    """Compiled modules of this Python."""
    return sorted(Path(sysconfig.get_config_var("DESTSHARED")).glob("*.so"))[:20]


def test_all_but_instructions_stays():
    """What pyelftools says is in each section, and where."""
    files = libraries()
    assert files
    for file in files:
        data, found = file.read_bytes(), without_code(file.read_bytes())
        with file.open("rb") as opened:
            sections = [(one["sh_flags"], one["sh_offset"], one.data()) for one in ELFFile(opened).iter_sections()]
        for flags, offset, content in sections:
            if len(content) < WORTH_BYTES:
                continue
            if flags & SH_FLAGS.SHF_EXECINSTR:
                assert content not in found, file
            elif content == data[offset : offset + len(content)]:  # has bytes in the file
                at = found.find(content)
                while at >= 0 and at % 16 != offset % 16:
                    at = found.find(content, at + 1)
                assert at >= 0, file
        assert len(found) < len(data)


@settings(max_examples=50)
@given(st.integers(0, 1 << 12), st.binary(max_size=64))
def test_what_is_damaged_is_taken_as_it_is(at, put):
    """Any bytes give bytes, none of which are new."""
    data = bytearray(libraries()[0].read_bytes()[: 1 << 14])
    data[at : at + len(put)] = put
    found = without_code(bytes(data))
    assert len(found) <= len(data)
    assert without_code(put) == put
