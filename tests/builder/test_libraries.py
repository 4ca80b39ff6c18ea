"""Shared libraries: the closure is complete, remembered while it is true, and what is missing is said."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from builder.cache import Cache
from builder.errors import InterpreterError
from builder.interpreter import Interpreter
from builder.libraries import OPENED, Libraries, find_libraries, search_libraries
from tests.conftest import unavailable

Compile = Callable[..., Path]


@pytest.fixture
def cc(tmp_path: Path) -> Compile:
    """Compile C: `cc(output, *flags, code=…)`."""
    gcc = shutil.which("gcc")
    if gcc is None:
        unavailable("gcc is not installed: scripts/engines installs it")

    def run(output: Path, *flags: str, code: str = "int x;") -> Path:
        output.parent.mkdir(parents=True, exist_ok=True)
        source = tmp_path / "source.c"
        source.write_text(code)
        subprocess.run([gcc, "-o", output, source, *flags], check=True, timeout=60)
        return output

    return run


@pytest.fixture
def needy(cc: Compile, tmp_path: Path) -> Path:
    """A shared library that needs libnowhere.so.1, which is on no machine."""
    stand_in = cc(tmp_path / "stand-in" / "libnowhere.so", "-shared", "-nostdlib", "-Wl,-soname,libnowhere.so.1")
    return cc(tmp_path / "m" / "needy.so", "-shared", "-nostdlib", "-Wl,--no-as-needed", str(stand_in))


def sonames(libraries: Libraries) -> list[str]:
    return [library.soname for library in libraries.found]


def test_the_interpreters_own_libraries_are_found(this_python: Interpreter):
    """Libc and the program loader are always there, each with a place on this machine and a reason."""
    found = search_libraries(this_python, [])
    assert any(name.startswith("libc.so") for name in sonames(found))
    assert Path(found.loader).name in sonames(found)
    assert sonames(found) == sorted(set(sonames(found)))
    for library in found.found:
        assert Path(library.source).stat().st_size == library.size
        assert not Path(library.source).is_symlink()
        assert library.why
    assert found.missing == {}
    assert found.warnings() == ()


def test_libraries_are_planned_where_the_loader_looks(this_python: Interpreter):
    """All go into libc's folder under their sonames, the loader where the program names it."""
    found = search_libraries(this_python, [])
    planned = {file.path: file for file in found.planned(stripped=False)}
    assert found.loader in planned
    assert all(path == found.loader or path.startswith(found.folder + "/") for path in planned)
    assert {file.mode for file in planned.values()} == {0o755}
    assert {file.how.value for file in found.planned(stripped=True)} == {"without debug information"}


def test_a_library_needed_by_its_whole_path_keeps_it(this_python: Interpreter):
    """A soname that is a path is a place in the image."""
    found = search_libraries(this_python, [])
    odd = replace(found, found=(replace(found.found[0], soname="/opt/x/libx.so"),))
    assert odd.planned(stripped=False)[0].path == "opt/x/libx.so"


def test_what_is_missing_is_a_warning_with_who_needs_it(this_python: Interpreter, needy: Path, cache: Cache):
    """A library that is nowhere stops nothing: whether its user is ever imported is not known here."""
    found = find_libraries(this_python, [str(needy)], cache)
    assert found.missing == {"libnowhere.so.1": "needed by m/needy.so"}
    assert found.warnings() == (
        "libnowhere.so.1, needed by m/needy.so, is not on this machine; what loads it will fail",
    )


def test_what_is_missing_is_looked_for_again(this_python: Interpreter, needy: Path, cache: Cache, cc: Compile):
    """A result with something missing is not remembered: the library may be installed at any time."""
    subject = cc(needy.parent / "other.so", "-shared", "-nostdlib", "-Wl,-rpath,$ORIGIN", "-Wl,--no-as-needed",
                 str(needy.parent.parent / "stand-in" / "libnowhere.so"))  # fmt: skip
    assert find_libraries(this_python, [str(subject)], cache).missing
    shutil.copy(needy.parent.parent / "stand-in" / "libnowhere.so", needy.parent / "libnowhere.so.1")
    again = find_libraries(this_python, [str(subject)], cache)
    assert not again.missing
    assert "libnowhere.so.1" in sonames(again)


def test_a_library_opened_by_name_is_shipped_or_missed(this_python: Interpreter):
    """Sonames that no file lists are found on the system, and said when they are not there."""
    found = search_libraries(this_python, [], also=("libgcc_s.so.1", "libnowhere.so.9"))
    assert "libgcc_s.so.1" in sonames(found)
    assert found.missing == {"libnowhere.so.9": OPENED}
    assert found.warnings()[0].startswith("libnowhere.so.9, opened by name at run time, is not on this machine")


def test_what_a_package_carries_stays_in_it(this_python: Interpreter, cc: Compile, tmp_path: Path):
    """Libraries below `inside` are shipped with their package, not a second time."""
    carried = cc(tmp_path / "p" / "libs" / "libown.so", "-shared", "-nostdlib")
    module = cc(
        tmp_path / "p" / "m.so", "-shared", "-nostdlib", "-Wl,-rpath,$ORIGIN/libs", "-Wl,--no-as-needed", str(carried)
    )
    assert "libown.so" in str(sonames(search_libraries(this_python, [str(module)])))
    within = search_libraries(this_python, [str(module)], inside=str(tmp_path / "p"))
    assert not any("libown.so" in name for name in sonames(within))
    assert not within.missing


def test_files_that_the_loader_would_not_take_are_passed_over(this_python: Interpreter, tmp_path: Path):
    """Text named like a library, damaged files and files for other machines ask for nothing."""
    executable = Path(this_python.executable).read_bytes()
    (tmp_path / "text.so").write_text("INPUT(libc.so.6)")
    (tmp_path / "cut.so").write_bytes(executable[:100])
    other = bytearray(executable[:4096])
    other[18:20] = (8).to_bytes(2, "little")  # e_machine: MIPS
    (tmp_path / "other.so").write_bytes(other)
    roots = [str(file) for file in tmp_path.iterdir()] + [str(tmp_path / "gone.so")]
    assert search_libraries(this_python, roots) == search_libraries(this_python, [])


def test_a_result_is_remembered_until_a_file_changes(
    this_python: Interpreter, cache: Cache, cc: Compile, tmp_path: Path
):
    """The second search reads no ELF file; a library that changed is searched for again."""
    library = cc(tmp_path / "libs" / "liba.so", "-shared", "-nostdlib")
    module = cc(
        tmp_path / "m.so", "-shared", "-nostdlib", "-Wl,-rpath,$ORIGIN/libs", "-Wl,--no-as-needed", str(library)
    )
    first = find_libraries(this_python, [str(module)], cache)
    assert find_libraries(this_python, [str(module)], cache) == first
    os.utime(library, ns=(1, 1))
    assert find_libraries(this_python, [str(module)], cache) != first
    for record in (cache.folder / "records" / "libraries").iterdir():
        record.write_text("{}")
    find_libraries(this_python, [str(module)], cache)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"#!/bin/sh\n", "it is no ELF program"), (b"\x7fELF\x02\x01\x01" + bytes(5), "reading .*python: ")],
)
def test_a_program_that_is_none_is_refused(this_python: Interpreter, tmp_path: Path, content: bytes, message: str):
    """A script in the place of the interpreter, and a damaged file, are named."""
    (tmp_path / "python").write_bytes(content)
    with pytest.raises(InterpreterError, match=message) as caught:
        search_libraries(replace(this_python, executable=str(tmp_path / "python")), [])
    assert caught.value.hint


def test_a_static_program_is_refused(this_python: Interpreter, cc: Compile, tmp_path: Path):
    """An interpreter without a program loader cannot load extension modules: it is not shipped."""
    static = cc(tmp_path / "static", "-static", "-nostdlib", code="void _start(void) { for (;;); }")
    with pytest.raises(InterpreterError, match="it is linked statically") as caught:
        search_libraries(replace(this_python, executable=str(static)), [])
    assert "loads shared libraries" in caught.value.hint


def test_in_a_base_nothing_of_this_machine_is_found(this_python: Interpreter, cc: Compile, needy: Path, tmp_path: Path):
    """A base's own files count, packages at their place in the image, and links of the base stay inside it."""
    root = tmp_path / "root"
    libc = next(lib for lib in search_libraries(this_python, []).found if lib.soname == "libc.so.6")
    loader = search_libraries(this_python, []).loader
    for place, source in (
        ("usr/bin/python3.11", this_python.executable),
        (loader, f"/{loader}"),
        ("lib/libc.so.6", libc.source),
    ):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / place)
    (root / "lib/libm.so.6").symlink_to("/etc/passwd")
    base = replace(this_python, root=str(root), executable="/usr/bin/python3.11")
    found = find_libraries(base, [str(needy)], Cache(tmp_path / "cache", print), at=("opt/python", str(needy.parent)))
    assert all(library.source.startswith(f"{root}/") for library in found.found)
    assert "libnowhere.so.1" in found.missing
    assert "libnowhere.so.1, needed by python/needy.so, is not in the base; what loads it will fail" in found.warnings()
