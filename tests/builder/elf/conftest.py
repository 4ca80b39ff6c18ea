"""ELF files made for a test: compiled where a compiler is, damaged byte by byte where none is needed."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import unavailable

Compile = Callable[..., Path]


@pytest.fixture
def tool() -> Callable[[str], str]:
    """Give a tool's path: `tool("readelf")` skips the test without it, and fails where CI promises it."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None:
            unavailable(f"{name} is not installed: scripts/engines installs it")
        return found

    return find


@pytest.fixture
def cc(tmp_path: Path, tool: Callable[[str], str]) -> Compile:
    """Compile one C file: `cc(output, *gcc_flags, code="int x;")`. The output's folder is made."""
    gcc = tool("gcc")

    def compile_(output: Path, *flags: str, code: str = "int x;") -> Path:
        output.parent.mkdir(parents=True, exist_ok=True)
        source = tmp_path / f"{output.name}.c"
        source.write_text(code)
        done = subprocess.run(
            [gcc, "-o", output, source, *flags], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return output

    return compile_


@pytest.fixture
def library(cc: Compile, tmp_path: Path) -> Compile:
    """Make a shared library: `library(output, needs=[…], runpath="…", rpath="…", soname="…", bits=64)`."""

    def make(output: Path, *flags: str, needs=(), runpath="", rpath="", soname="", bits=64, code="int x;") -> Path:
        options = ["-shared", "-fPIC", "-nostdlib", f"-m{bits}", "-Wl,--no-as-needed", *flags]
        options += [f"-Wl,-soname,{soname or output.name}"]
        options += ["-Wl,--enable-new-dtags", f"-Wl,-rpath,{runpath}"] if runpath else []
        options += ["-Wl,--disable-new-dtags", f"-Wl,-rpath,{rpath}"] if rpath else []
        for name in needs:  # a stand-in to link against: only its name gets into the file
            stand_in = tmp_path / "stand-ins" / str(bits) / name.rpartition("/")[2]
            cc(stand_in, "-shared", "-fPIC", "-nostdlib", f"-m{bits}", f"-Wl,-soname,{name}")
            options.append(os.fspath(stand_in))
        return cc(output, *options, code=code)

    return make
