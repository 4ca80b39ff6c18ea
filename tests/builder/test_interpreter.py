"""Which Python is shipped, what is known of it, and why one is refused."""

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from builder.errors import InterpreterError
from builder.interpreter import Interpreter, find_executable, observe_interpreter, parse_interpreter, uv_program

RUNNING = platform.python_version()


def script(file: Path, text: str) -> str:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def facts(interpreter: Interpreter, **changes: object) -> str:
    asked = {name: fact for name, fact in asdict(interpreter).items() if name not in {"musl", "root", "library_path"}}
    return json.dumps(asked | changes)


def test_this_python_is_described(this_python: Interpreter):
    """The facts of the running Python are its own, and its base's when it is a virtual environment."""
    assert this_python.version == sys.version_info[:2]
    assert this_python.full_version == RUNNING
    assert Path(this_python.executable) == Path(os.path.realpath(sys._base_executable))
    assert (Path(this_python.stdlib) / "os.py").is_file()
    assert this_python.name == f"python{sys.version_info[0]}.{sys.version_info[1]}"
    assert this_python.architecture in ("amd64", "arm64")
    assert this_python.library_folder in ("lib", "lib64")
    assert platform.machine() in this_python.described


@pytest.mark.parametrize("asked", [None, f"{sys.version_info[0]}.{sys.version_info[1]}", RUNNING])
def test_the_running_python_needs_no_process(asked: str | None):
    """The Python that runs the build is the default, and is what its own version names."""
    assert find_executable(asked) is None


def test_an_interpreter_asked_by_path_tells_the_same(this_python: Interpreter):
    """The probe gives the same facts in this process and in another."""
    assert observe_interpreter(sys.executable) == this_python


def test_a_virtual_environment_stands_for_its_base(tmp_path: Path, this_python: Interpreter):
    """What is shipped is the interpreter behind an environment, never the environment."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    assert observe_interpreter(str(tmp_path / "env" / "bin" / "python")) == this_python


def test_what_a_start_up_hook_prints_is_passed_over(this_python: Interpreter):
    """Only the last line of the answer counts."""
    assert parse_interpreter("hello from site\n" + facts(this_python) + "\n", "p") == this_python


@pytest.mark.parametrize("text", ["", "hello", "[]", "3", "{}", '{"version": 3}', '{"version": [3, 11], "x": 1}'])
def test_a_program_that_does_not_answer_is_no_python(text: str):
    """An answer that is not the probe's is shown, with the program that gave it."""
    with pytest.raises(InterpreterError) as caught:
        parse_interpreter(text, "/bin/thing")
    assert str(caught.value) == f"asking /bin/thing what it is: it answered {text!r}"
    assert caught.value.hint == "Name a CPython with --python."


@pytest.mark.parametrize(
    ("changes", "says", "hint"),
    [
        ({"implementation": "pypy"}, "is pypy", "Only CPython can be shipped"),
        ({"version": [3, 8], "full_version": "3.8.20"}, "is Python 3.8.20", "needs Python 3.9 or newer"),
        ({"gil": False}, f"is the free-threaded build of Python {RUNNING}", "Name the ordinary build"),
    ],
)
def test_what_cannot_be_shipped_is_refused(this_python: Interpreter, changes: dict[str, object], says: str, hint: str):
    """Other implementations, old versions and builds that need another layout are named for what they are."""
    with pytest.raises(InterpreterError) as caught:
        parse_interpreter(facts(this_python, **changes), "p")
    assert str(caught.value) == f"reading the interpreter: {this_python.executable} {says}"
    assert hint in caught.value.hint


def test_an_architecture_that_lambda_lacks_is_refused(this_python: Interpreter):
    """The architecture is translated to its OCI name, or refused by the name uname gives it."""
    assert replace(this_python, machine="x86_64").architecture == "amd64"
    assert replace(this_python, machine="aarch64").architecture == "arm64"
    with pytest.raises(InterpreterError, match="it is for 'riscv64'") as caught:
        _ = replace(this_python, machine="riscv64").architecture
    assert caught.value.hint == "Lambda runs x86_64 and aarch64 only."


def test_wheels_are_described_by_their_libc(this_python: Interpreter):
    """Messages about wheels name what a wheel must match."""
    there = replace(this_python, version=(3, 12), machine="aarch64", glibc="2.34")
    assert there.described == "CPython 3.12 on linux aarch64 (glibc 2.34)"
    assert replace(there, glibc="").described == "CPython 3.12 on linux aarch64 (unknown libc)"
    assert replace(there, glibc="", musl="1.2.3").described == "CPython 3.12 on linux aarch64 (musl 1.2.3)"


@pytest.mark.parametrize("asked", ["-h", "--help", "x", "python", "3", "3.", "3.x", ""])
def test_what_is_neither_version_nor_path_is_refused(asked: str):
    """Text that is no version never reaches another program's command line."""
    with pytest.raises(InterpreterError) as caught:
        find_executable(asked)
    assert str(caught.value) == f"looking for Python: {asked!r} is neither a version nor a path"
    assert "Name a version such as 3.13" in caught.value.hint


def test_a_path_must_be_a_program(tmp_path: Path):
    """A folder, a missing file and one that may not be executed are no interpreters."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(InterpreterError, match="is no program"):
            find_executable(str(path))


def test_a_version_that_is_not_here_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The error names the version asked for and the one that could be shipped instead."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))
    with pytest.raises(InterpreterError) as caught:
        find_executable("3.99")
    assert str(caught.value) == "looking for Python 3.99: this machine has none"
    assert "install Python 3.99" in caught.value.hint
    assert f"to ship {RUNNING}" in caught.value.hint


def test_a_version_is_found_on_path_by_what_it_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A stand-in that only prints, and one of another version, are passed over for the one that answers right."""
    for folder, text in (("a", "exit 127"), ("b", "echo 3.98.1"), ("c", "echo 3.99.2")):
        (tmp_path / folder).mkdir()
        right = script(tmp_path / folder / "python3.99", text)
    monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / folder) for folder in "abc"))
    assert find_executable("3.99") == right
    assert find_executable("3.99.2") == right
    with pytest.raises(InterpreterError, match=r"looking for Python 3\.99\.1"):
        find_executable("3.99.1")


def test_the_versions_behind_a_version_managers_stand_ins_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Pyenv's shims refuse versions that are not chosen; the interpreters beside them are used."""
    (tmp_path / "shims").mkdir()
    script(tmp_path / "shims" / "python3.99", "echo 'pyenv: python3.99: command not found' >&2; exit 127")
    (tmp_path / "versions" / "3.99.4" / "bin").mkdir(parents=True)
    real = script(tmp_path / "versions" / "3.99.4" / "bin" / "python3.99", "echo 3.99.4")
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    assert find_executable("3.99") == real


def test_a_program_that_fails_is_shown_with_its_words(tmp_path: Path):
    """An interpreter that ends with an error is reported with its exit code and what it wrote."""
    broken = script(tmp_path / "python", "echo 'libpython3.so: cannot open' >&2; exit 3")
    with pytest.raises(InterpreterError) as caught:
        observe_interpreter(broken)
    assert str(caught.value) == f"asking {broken} what it is: it ended with 3"
    assert "libpython3.so: cannot open" in caught.value.details


def test_a_program_that_repeats_its_arguments_does_not_show_our_source(tmp_path: Path):
    """What another program complains of is its own words."""
    other = script(tmp_path / "python", 'echo "unknown: $*" >&2; exit 2')
    with pytest.raises(InterpreterError) as caught:
        observe_interpreter(other)
    assert caught.value.details == "unknown: -I -\n"


def test_a_file_that_is_no_program_is_reported(tmp_path: Path):
    """A file that may be executed and cannot be is the user's to correct, not our bug."""
    file = tmp_path / "python"
    file.write_bytes(b"\x7fELF nonsense")
    file.chmod(0o755)
    with pytest.raises(InterpreterError, match=r"asking .* what it is: "):
        observe_interpreter(str(file))


def test_uv_is_the_one_that_came_with_us():
    """Uv is found by its package, so that another uv on PATH does not decide what is installed."""
    done = subprocess.run([uv_program(), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("uv ")


def test_the_bytecode_of_its_standard_library_is_where_it_keeps_it(this_python: Interpreter):
    for module in (json, json.decoder, argparse):
        assert module.__file__
        assert this_python.is_stdlib(module.__file__)
        assert this_python.bytecode_file(module.__file__) == module.__cached__


def test_packages_functions_and_bases_are_no_standard_library(this_python: Interpreter):
    assert not this_python.is_stdlib(f"{this_python.stdlib}/site-packages/json/decoder.py")
    assert not this_python.is_stdlib(pytest.__file__)
    assert not this_python.is_stdlib(f"{this_python.stdlib}-other/json/decoder.py")
    assert not replace(this_python, root="/base").is_stdlib(f"{this_python.stdlib}/json/decoder.py")
