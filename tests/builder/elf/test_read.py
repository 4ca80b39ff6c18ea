"""builder.elf.read against pyelftools, and against bytes that nobody compiled."""

import os
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.elf import Elf, ElfError, read_elf
from builder.elf.layout import view_of
from builder.elf.read import MAX_DYNAMIC_BYTES, MAX_VERSIONS, parse_elf

REAL_FILE = Path(sys.executable).resolve()
REAL = REAL_FILE.read_bytes()
NAMES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64", "EM_386": "i386"}


def witness(path: Path) -> dict[str, object]:
    """Say what pyelftools makes of the same file."""
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        facts: dict[str, object] = {"machine": NAMES.get(elf["e_machine"]), "bits": elf.elfclass}
        facts["interpreter"] = facts["soname"] = None
        needed, rpath, runpath = [], (), ()
        for segment in elf.iter_segments():
            if segment["p_type"] == "PT_INTERP":
                facts["interpreter"] = segment.get_interp_name()
            if segment["p_type"] != "PT_DYNAMIC":
                continue
            for tag in segment.iter_tags():
                if tag.entry.d_tag == "DT_NEEDED":
                    needed.append(tag.needed)
                elif tag.entry.d_tag == "DT_SONAME":
                    facts["soname"] = tag.soname
                elif tag.entry.d_tag == "DT_RPATH":
                    rpath = tuple(tag.rpath.split(":"))
                elif tag.entry.d_tag == "DT_RUNPATH":
                    runpath = tuple(tag.runpath.split(":"))
        versions = elf.get_section_by_name(".gnu.version_r")
        found = [aux.name for _, auxiliary in versions.iter_versions() for aux in auxiliary] if versions else []
        numbers = [tuple(map(int, n[6:].split("."))) for n in found if n[:6] == "GLIBC_" and n[6:7].isdigit()]
        if "GLIBC_ABI_DT_RELR" in found:  # glibc 2.36's mark for compact relocations
            numbers.append((2, 36))
        return facts | {
            "needed": tuple(needed),
            "rpath": rpath,
            "runpath": runpath,
            "glibc_version": max(numbers, default=None),
        }


def samples() -> list[Path]:
    """List some real files: the interpreter, its extension modules, the system's libraries."""
    modules = sorted(Path(os.__file__).parent.glob("lib-dynload/*.so"))[:12]
    system = sorted(Path("/usr/lib").glob("*-linux-gnu/lib[a-f]*.so.?"))[:12]
    return [REAL_FILE, *modules, *system]


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.name)
def test_agrees_with_pyelftools(path):
    """On real files every field is what the independent parser reads."""
    elf = read_elf(path)
    assert elf is not None
    assert {name: getattr(elf, name) for name in witness(path)} == witness(path)


def test_the_interpreter_is_a_program():
    """The Python that runs this test is read as a program with a loader."""
    elf = read_elf(REAL_FILE)
    assert elf is not None
    assert elf.kind in {"pie", "executable"}
    assert elf.interpreter is not None
    assert elf.bits == struct.calcsize("P") * 8


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        (["-shared", "-fPIC", "-nostdlib"], "shared"),
        (["-nostdlib", "-no-pie", "-static", "-Wl,-e,0"], "executable"),
        (["-nostdlib", "-pie", "-Wl,-e,0"], "pie"),
        (["-nostdlib", "-static-pie", "-Wl,-e,0"], "pie"),
        (["-c"], "relocatable"),
    ],
)
def test_kind(cc, tmp_path, flags, kind):
    """Each kind of file that gcc makes is told apart."""
    elf = read_elf(cc(tmp_path / "it", *flags))
    assert elf is not None
    assert elf.kind == kind


@pytest.mark.parametrize("bits", [32, 64])
def test_reads_both_word_sizes(library, tmp_path, bits):
    """32-bit records differ in size and order, and give the same value."""
    made = library(tmp_path / "lib.so", "-Wl,-z,nodefaultlib", needs=["libb.so.2"], runpath="$ORIGIN:/x", bits=bits)
    machine = "x86_64" if bits == 64 else "i386"
    assert read_elf(made) == Elf(
        kind="shared",
        machine=machine,
        bits=bits,
        soname="lib.so",
        needed=("libb.so.2",),
        runpath=("$ORIGIN", "/x"),
        nodeflib=True,
    )


def test_rpath_is_not_runpath(library, tmp_path):
    """The old and the new tag are kept apart, because the loader treats them differently."""
    elf = read_elf(library(tmp_path / "lib.so", rpath="/old"))
    assert elf is not None
    assert (elf.rpath, elf.runpath) == (("/old",), ())


def test_a_separate_debugging_file_has_nothing_to_load(library, tool, tmp_path):
    """`objcopy --only-keep-debug` leaves headers without contents; that is no damage."""
    made = library(tmp_path / "lib.so", "-g", needs=["libb.so.2"])
    kept = tmp_path / "lib.debug"
    subprocess.run([tool("objcopy"), "--only-keep-debug", made, kept], check=True, timeout=60)
    assert read_elf(kept) == Elf("shared", "x86_64", 64)


@pytest.mark.parametrize(
    ("symbol", "version"),
    [
        ("f@GLIBC_2.5", (2, 5)),
        ("f@GLIBC_2.2.5", (2, 2, 5)),
        ("f@GLIBC_PRIVATE", None),
        ("f@CXXABI_9.9", None),
    ],
)
def test_glibc_version(cc, tmp_path, symbol, version):
    """Only numbered versions of glibc count, and they compare as numbers."""
    label = symbol.partition("@")[2]
    script = tmp_path / "versions"
    script.write_text(f"{label} {{ f; }};")
    libc = cc(
        tmp_path / "libc.so.6",
        "-shared",
        "-fPIC",
        "-nostdlib",
        f"-Wl,--version-script={script}",
        code="int f(void) { return 1; }",
    )
    user = cc(
        tmp_path / "user.so",
        "-shared",
        "-fPIC",
        "-nostdlib",
        os.fspath(libc),
        code="extern int f(void); int g(void) { return f(); }",
    )
    elf = read_elf(user)
    assert elf is not None
    assert elf.glibc_version == version


@pytest.mark.parametrize("data", [b"", b"\x7fEL", b"#!/bin/sh\n", b"GROUP ( /lib/libc.so.6 )"])
def test_not_elf_is_none(tmp_path, data):
    """A file without the magic is no ELF file, which is not an error."""
    path = tmp_path / "file"
    path.write_bytes(data)
    assert read_elf(path) is None


def test_what_is_no_regular_file_is_none_and_never_blocks(tmp_path):
    """A FIFO in a dependency's folder does not hang the build."""
    os.mkfifo(tmp_path / "fifo")
    assert read_elf(tmp_path / "fifo") is None
    assert read_elf(tmp_path) is None


def test_absent_is_an_oserror(tmp_path):
    """A missing file is the caller's problem, not the file's."""
    with pytest.raises(FileNotFoundError):
        read_elf(tmp_path / "absent")


def dynamic_file(*entries: tuple[int, int], size: int | None = None) -> bytes:
    """Write the smallest file with a dynamic segment: one PT_LOAD over all of it, strings at its end."""
    strings = b"\0libx.so\0unended"
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    where = 64 + 2 * 56
    total = where + len(dynamic) + len(strings)
    header = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, total, total, 0x1000)
    length = len(dynamic) if size is None else size
    pointer = struct.pack("<IIQQQQQQ", 2, 4, where, where, 0, length, length, 8)
    return header + load + pointer + dynamic + strings


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x7fELF", "e_ident should be 16 bytes at 0x0, but the file ends at 0x4"),
        (b"\x7fELF\3\1\1" + bytes(60), "unknown class or byte order in e_ident b'\\x7fELF\\x03"),
        (REAL[:40], "the ELF header should be 48 bytes at 0x10, but the file ends at 0x28"),
        (REAL[:80], "the program header table should be"),
        (REAL[:54] + b"\x39\0" + REAL[56:], "program headers of 57 bytes, expected 56"),
        (
            dynamic_file((5, 1 << 40), (10, 16), (1, 1)),
            "the dynamic string table at address 0x10000000000 lies in",
        ),
        (dynamic_file((5, 208), (10, 4), (1, 9)), "string 0x9 outside a string table of 0x4 bytes"),
        (dynamic_file((5, 224), (10, 999), (1, 9)), "string 0x9 of the dynamic string table has no end"),
        (dynamic_file(size=1 << 20), f"a dynamic segment of 1048576 bytes, at most {MAX_DYNAMIC_BYTES}"),
        (dynamic_file((0x6FFFFFFE, 220), (0x6FFFFFFF, 1)), "a required symbol version should be 16 bytes"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_damage_is_named(data, message):
    """Each kind of damage is one ElfError that says what was read, what was found and what to do."""
    with pytest.raises(ElfError) as raised:
        parse_elf(view_of(data, "some.so"))
    assert str(raised.value).startswith(f"reading the ELF file 'some.so': {raised.value.problem}; reinstall or")
    assert message in raised.value.problem


def test_a_flood_of_versions_is_cut():
    """A file with more version records than any real one is damaged, so that reading it stays bounded."""
    where = 64 + 2 * 56 + 2 * 16
    need = struct.pack("<HHIII", 1, 0xFFFF, 0, 16, 0)
    weak = struct.pack("<IHHII", 0, 2, 0, 0, 16)  # each points at the next
    data = dynamic_file((0x6FFFFFFE, where), (0x6FFFFFFF, 1))[:where] + need + weak * (MAX_VERSIONS + 1)
    data = data[: 64 + 32] + struct.pack("<Q", len(data)) + data[64 + 40 :]  # p_filesz of the PT_LOAD
    with pytest.raises(ElfError, match=f"more than {MAX_VERSIONS} required symbol versions"):
        parse_elf(view_of(data))


@given(st.binary(max_size=600), st.sampled_from([1, 2]), st.sampled_from([1, 2]))
def test_garbage_behind_the_magic_raises_only_elferror(tail, word, order):
    """Random bytes are an ElfError or a harmless value, never another exception."""
    with suppress(ElfError):
        parse_elf(view_of(b"\x7fELF" + bytes([word, order, 1]) + bytes(9) + tail))


SMALL = next((path for path in samples()[1:] if path.stat().st_size < 200_000), REAL_FILE).read_bytes()


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=12), st.data())
def test_flipped_bytes_of_a_real_file_raise_only_elferror(edits, data):
    """A real file with some bytes overwritten, and perhaps cut off, is an ElfError or a value."""
    damaged = bytearray(SMALL)
    for place, value in edits:
        spot = place % 1024 if place % 3 else place % len(damaged)  # headers are where it hurts
        damaged[max(spot, 4)] = value
    end = data.draw(st.one_of(st.just(len(damaged)), st.integers(4, len(damaged))))
    with suppress(ElfError):
        parse_elf(view_of(bytes(damaged[:end])))
