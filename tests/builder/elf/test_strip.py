"""builder.elf.strip: smaller files that load, link and disassemble as before, and files it leaves alone."""

import json
import os
import shutil
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.elf import read_without_debug, without_debug
from builder.elf.layout import read_header, read_sections, read_segments, view_of
from tests.conftest import elsewhere, unavailable

CODE = """
#include <stddef.h>
struct pair { int left; double right; };
int global = 7;
static __thread int local;
int add(int a, int b) { struct pair p = { a, b }; local++; return p.left + b + global; }
"""
SHARED = ["-shared", "-fPIC", "-nostdlib", "-g", "-O1", "-Wl,--build-id"]
IS_LINUX_X86_64 = sysconfig.get_platform() == "linux-x86_64"


def parts(data: bytes):
    """Take a file apart with our own parser: header, segments, sections."""
    header = read_header(view_of(data))
    assert header is not None
    return header, read_segments(view_of(data), header), read_sections(view_of(data), header)


def section_facts(path: Path) -> list[tuple[str, str, int, int, bytes]]:
    """Say what pyelftools sees in each section: name, type, flags, address, bytes."""
    with path.open("rb") as stream:
        return [
            (one.name, one["sh_type"], one["sh_flags"], one["sh_addr"], stored(stream, one))
            for one in ELFFile(stream).iter_sections()
        ]


def stored(stream, section) -> bytes:
    """Read a section's bytes as they stand in the file."""
    if section["sh_type"] in ("SHT_NOBITS", "SHT_NULL"):
        return b""
    stream.seek(section["sh_offset"])
    return stream.read(section["sh_size"])


def is_debug(name: str) -> bool:
    return name.startswith((".debug_", ".zdebug_")) or name in (".gnu_debuglink", ".gdb_index", ".symtab", ".strtab")


def assert_same_but_debug(before: Path, after: Path) -> None:
    """Check the promise on two files: loaded bytes, headers and kept sections are the same, debug is gone."""
    old, new = before.read_bytes(), after.read_bytes()
    (old_header, old_segments, old_sections), (new_header, new_segments, new_sections) = (
        parts(old),
        parts(new),
    )
    assert len(new) < len(old)
    assert new_segments == old_segments
    assert old[:32] == new[:32]  # e_ident to e_entry
    assert (new_header.shnum, new_header.shstrndx) == (old_header.shnum, old_header.shstrndx)
    for segment in old_segments:
        mapped = slice(segment.offset, segment.offset + segment.filesz)
        where_shoff_stands = slice(40, 48) if old_header.bits == 64 else slice(32, 36)
        left, right = bytearray(old), bytearray(new)
        left[where_shoff_stands] = right[where_shoff_stands] = b"\0" * (
            where_shoff_stands.stop - where_shoff_stands.start
        )
        assert left[mapped] == right[mapped]
    for old_facts, new_facts, section in zip(section_facts(before), section_facts(after), new_sections, strict=True):
        if is_debug(old_facts[0]):
            assert section == (0,) * 10
        else:
            assert new_facts == old_facts
            assert section.offset % max(section.addralign, 1) == 0 or section.type in (0, 8)
    assert [s[:4] for s in new_sections if any(s)] == [
        s[:4] for s, facts in zip(old_sections, section_facts(before), strict=True) if any(s) and not is_debug(facts[0])
    ]


def readelf(tool, path: Path) -> str:
    """Give all that readelf says, which must be no complaint."""
    done = subprocess.run([tool("readelf"), "-aW", path], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert "Warning:" not in done.stdout
    assert "Error:" not in done.stdout
    return done.stdout


@pytest.mark.parametrize(
    "flags",
    [
        SHARED,
        [*SHARED, "-m32"],
        [*SHARED, "-gz=zlib"],
        [*SHARED, "-Wl,-z,noseparate-code"],
        [*SHARED, "-fuse-ld=gold"],
        ["-g", "-nostdlib", "-Wl,-e,add", "-no-pie", "-static"],
        ["-g", "-nostdlib", "-Wl,-e,add", "-pie", "-fPIE"],
        [*SHARED, "-gdwarf-5", "-gsplit-dwarf"],
    ],
    ids=["64", "32", "compressed", "one segment", "gold", "executable", "pie", "split"],
)
def test_only_debugging_information_goes(cc, tool, tmp_path, flags):
    """Whatever gcc links: loaded bytes, program headers and all other sections stay, readelf is content."""
    before = cc(tmp_path / "before", *flags, code=CODE)
    after = tmp_path / "after"
    after.write_bytes(without_debug(before.read_bytes()))
    assert_same_but_debug(before, after)
    assert read_without_debug(before) == after.read_bytes()
    readelf(tool, before)
    readelf(tool, after)


def test_is_its_own_fixed_point(cc, tmp_path):
    """Once dropped there is nothing left to drop, and the same bytes give the same bytes."""
    data = cc(tmp_path / "it", *SHARED, code=CODE).read_bytes()
    once = without_debug(data)
    assert once != data
    assert without_debug(data) == once
    assert without_debug(once) is once


def test_dynamic_symbols_stay(cc, tool, tmp_path):
    """Back traces of native crashes still have the names that the C library can see: .dynsym is the same to nm."""
    before = cc(tmp_path / "before", *SHARED, code=CODE)
    after = tmp_path / "after"
    after.write_bytes(without_debug(before.read_bytes()))
    said = [
        subprocess.run([tool("nm"), "--dynamic", p], capture_output=True, check=True).stdout for p in (before, after)
    ]
    assert said[0] == said[1] != b""


def edited(data: bytes, index: int, **fields: int) -> bytes:
    """Write other values into one section header."""
    header, _, sections = parts(data)
    form = struct.Struct("<IIQQQQIIQQ")
    place = header.shoff + index * form.size
    return data[:place] + form.pack(*sections[index]._replace(**fields)) + data[place + form.size :]


def index_of(path: Path, name: str) -> int:
    return [facts[0] for facts in section_facts(path)].index(name)


ALTERATIONS = {
    "a payload behind it": lambda data, at: data + b"PK\3\4 zip",
    "cut off": lambda data, at: data[:-1],
    "big endian": lambda data, at: data[:5] + b"\2" + data[6:],
    "a core file": lambda data, at: data[:16] + b"\4\0" + data[18:],
    "odd section headers": lambda data, at: data[:58] + b"\x41\0" + data[60:],
    "no section table": lambda data, at: data[:40] + bytes(8) + data[48:],
    "name table out of range": lambda data, at: data[:62] + b"\xff\0" + data[64:],
    "loaded debug section": lambda data, at: edited(data, at(".debug_info"), flags=2),
    "unknown flag": lambda data, at: edited(data, at(".debug_info"), flags=0x80000000),
    "unknown type": lambda data, at: edited(data, at(".debug_info"), type=0x70000001),
    "overlap": lambda data, at: edited(data, at(".debug_info"), offset=parts(data)[2][at(".debug_line")].offset),
    "inside the loaded part": lambda data, at: edited(data, at(".comment"), offset=0x40),
    "beyond the end": lambda data, at: edited(data, at(".symtab"), size=1 << 40),
    "a link to a debug section": lambda data, at: edited(data, at(".symtab"), link=at(".debug_str")),
    "relocations of a debug section": lambda data, at: edited(
        data, at(".comment"), type=4, info=at(".debug_info"), flags=0
    ),
    "wild alignment": lambda data, at: edited(data, at(".symtab"), addralign=1 << 62),
    "hidden bytes": lambda data, at: edited(data, at(".debug_info"), size=parts(data)[2][at(".debug_info")].size - 9),
}


@pytest.mark.skipif(not IS_LINUX_X86_64, reason="the alterations are written for 64-bit little endian")
@pytest.mark.parametrize("name", ALTERATIONS)
def test_a_file_that_is_not_understood_stays_as_it_is(cc, tmp_path, name):
    """One odd trait and the same object comes back."""
    path = cc(tmp_path / "it", *SHARED, code=CODE)
    data = ALTERATIONS[name](path.read_bytes(), lambda section: index_of(path, section))
    assert data != path.read_bytes()
    assert without_debug(data) is data
    path.write_bytes(data)
    assert read_without_debug(path) == data


@pytest.mark.parametrize(
    "flags",
    [["-c", "-g"], [*SHARED, "-Wl,--emit-relocs"], [*SHARED, "-s"]],
    ids=["object", "relocations kept", "nothing to drop"],
)
def test_what_gcc_makes_and_we_leave_alone(cc, tmp_path, flags):
    """Object files, files with relocations against debug sections and clean files are returned themselves."""
    data = cc(tmp_path / "it", *flags, code=CODE).read_bytes()
    assert without_debug(data) is data


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"text", bytes(4096)])
def test_what_is_not_elf_stays(tmp_path, data):
    """Any bytes may be given, and read."""
    assert without_debug(data) is data
    (tmp_path / "it").write_bytes(data)
    assert read_without_debug(tmp_path / "it") == data


def test_only_what_stays_is_read(cc, tmp_path, monkeypatch):
    """Megabytes for debuggers are left on the disk."""
    code = CODE + "".join(f"struct s{n} {{ int field_{n}; }} g{n};" for n in range(3000))
    path = cc(tmp_path / "it", *SHARED, code=code)
    taken, pread = [], os.pread
    monkeypatch.setattr(os, "pread", lambda *place: taken.append(pread(*place)) or taken[-1])
    kept = read_without_debug(path)
    assert kept == without_debug(path.read_bytes())
    assert sum(map(len, taken)) < len(kept) + 8192 < path.stat().st_size / 2


def test_only_regular_files_are_read(tmp_path):
    """A fifo, which nobody may ever write to, is an error at once."""
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path):
        with pytest.raises(OSError, match="no regular file"):
            read_without_debug(path)
    with pytest.raises(FileNotFoundError):
        read_without_debug(tmp_path / "none")


@given(st.binary(max_size=900), st.sampled_from([b"\1\1", b"\2\1", b"\2\2", b"\7\7"]))
def test_garbage_never_raises(tail, word):
    """Random bytes behind the magic come back as they are."""
    data = b"\x7fELF" + word + tail
    assert without_debug(data) == data


@pytest.fixture(scope="session")
def small_with_debug(tmp_path_factory) -> bytes:
    """Compile one small library with debugging information for the property test."""
    folder = tmp_path_factory.mktemp("strip")
    (folder / "it.c").write_text(CODE)
    gcc = shutil.which("gcc")
    if gcc is None:
        unavailable("gcc is not installed: scripts/engines installs it")
    subprocess.run([gcc, *SHARED, "-o", folder / "it", folder / "it.c"], check=True, timeout=60)
    return (folder / "it").read_bytes()


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """Name a file that each example writes anew."""
    return tmp_path_factory.mktemp("damaged") / "it"


@settings(max_examples=300)
@given(data=st.data())
def test_damaged_files_never_raise_and_keep_their_loaded_bytes(small_with_debug, file, data):
    """Overwritten headers give the file itself, or a file whose segments hold the same bytes."""
    header, _, sections = parts(small_with_debug)
    damaged = bytearray(small_with_debug)
    table = range(header.shoff, header.shoff + 64 * len(sections))
    spots = st.one_of(st.integers(4, 600), st.sampled_from(table))
    for spot, value in data.draw(st.lists(st.tuples(spots, st.integers(0, 255)), min_size=1, max_size=6)):
        damaged[spot] = value
    before = bytes(damaged)
    after = without_debug(before)
    file.write_bytes(before)
    assert read_without_debug(file) == after
    if after is not before:
        assert len(after) < len(before)
        segments = parts(before)[1]
        assert parts(after)[1] == segments
        for segment in segments:
            start, end = max(segment.offset, 64), segment.offset + segment.filesz
            assert after[start:end] == before[start:end]


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory) -> Path:
    """Copy this Python's binaries without their debugging information; the rest of its prefix is linked."""
    base, version = Path(sys.base_prefix), f"python{sys.version_info[0]}.{sys.version_info[1]}"
    home = tmp_path_factory.mktemp("interpreter")
    library = home / "lib" / version
    (library / "lib-dynload").mkdir(parents=True)
    (home / "bin").mkdir()
    binaries = [
        base / "bin" / version,
        *base.glob("lib/libpython3*.so*"),
        *base.glob(f"lib/{version}/lib-dynload/*.so"),
    ]
    if not binaries[0].exists() or len(binaries) < 10:
        elsewhere("this Python does not have its extension modules in its prefix")
    for binary in binaries:
        copy = home / binary.relative_to(base)
        copy.write_bytes(without_debug(binary.read_bytes()))
        copy.chmod(0o755)
    for entry in (base / "lib" / version).iterdir():
        if entry.name != "lib-dynload":
            (library / entry.name).symlink_to(entry)
    return home


# Extension modules that cannot be loaded on every machine, with or without debugging information.
UNUSABLE = {"_tkinter", "nis", "_dbm", "_gdbm"}

PROGRAM = """
import importlib, os, pathlib, sys
loaded, failed = [], {}
for file in sorted(pathlib.Path(sys.prefix, "lib").glob("python3*/lib-dynload/*.so")):
    name = file.name.partition(".")[0]
    try:
        loaded.append(importlib.import_module(name).__file__)
    except ImportError as error:
        failed[name] = str(error)
import ctypes, decimal, hashlib, json, sqlite3, ssl, zlib
from tests.conftest import elsewhere, unavailable
assert zlib.decompress(zlib.compress(b"x" * 999)) == b"x" * 999
assert sqlite3.connect(":memory:").execute("select 6 * 7").fetchone() == (42,)
assert ctypes.pythonapi.PyLong_FromLong is not None
maps = pathlib.Path("/proc/self/maps").read_text()
mapped = maps.count(sys.prefix)
print(json.dumps({"loaded": len(loaded), "prefix": sys.prefix, "failed": failed, "mapped": mapped}))
"""


def test_a_whole_interpreter_runs_without_debug(interpreter):
    """Every extension module of this Python loads and works from copies without debugging information."""
    program = next((interpreter / "bin").iterdir())
    path = os.environ["PATH"]
    environment = {"LD_LIBRARY_PATH": f"{interpreter}/lib", "PYTHONHOME": str(interpreter), "PATH": path}
    command = [program, "-W", "ignore", "-B", "-s", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["prefix"] == str(interpreter)
    assert said["loaded"] == len(list(interpreter.glob("lib/*/lib-dynload/*.so"))) - len(
        UNUSABLE & said["failed"].keys()
    )
    assert said["mapped"] > said["loaded"]  # the copies are what was loaded, each in several segments


def test_real_files_shrink_as_with_strip(interpreter, tool, tmp_path):
    """On this Python's own files: sizes within two per cent of `strip -g`'s, no complaint of readelf."""
    base = Path(sys.base_prefix)
    files = sorted(interpreter.glob("lib/libpython3*.so*")) + sorted(interpreter.glob("lib/*/lib-dynload/_[s-z]*.so"))
    compared = 0
    for after in files:
        before = base / after.relative_to(interpreter)
        if after.stat().st_size == before.stat().st_size:  # built without debugging information
            continue
        stripped = tmp_path / after.name
        subprocess.run([tool("strip"), "-g", "-o", stripped, before], check=True, timeout=60)
        assert after.stat().st_size <= stripped.stat().st_size * 1.02 + 2048
        readelf(tool, after)
        compared += 1
    if not compared:
        elsewhere("this Python was built without debugging information")
