"""What is really missing when a file that is there "is no such file": its interpreter, or its dynamic loader."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.interpreters import find_missing
from tests.bootstrap.runtime_process import run_runtime

PATH = "/usr/local/bin:/usr/bin:/bin"


@pytest.mark.parametrize(
    ("head", "missing"),
    [
        (b"#!/bin/sh\necho", None),
        (b"#! /bin/sh -e\n", None),
        (b"#!/opt/nope/sh -e\n", "/opt/nope/sh"),
        (b"#!/opt/nope/sh", "/opt/nope/sh"),
        (b"#!/usr/bin/env sh\n", None),
        (b"#!/usr/bin/env nope -x\n", "nope"),
        (b"#!/usr/bin/env -S A=1 nope -x\n", "nope"),
        (b"#!/usr/bin/env\n", None),
        (b"#!\n", None),
        (b"", None),
        (b"\x7fELF\x02\x01", None),
    ],
)
def test_a_script_names_its_interpreter(tmp_path: Path, head: bytes, missing: str | None) -> None:
    """In its first line; `env` looks for another on PATH."""
    (tmp_path / "tool").write_bytes(head)
    assert find_missing(str(tmp_path / "tool"), PATH) == missing


def test_a_binary_names_its_loader(tmp_path: Path) -> None:
    """A real one, whole, and with another loader's name in its place."""
    program = Path(shutil.which("true")).read_bytes()
    begin = program.index(b"/lib64/ld-") if b"/lib64/ld-" in program else program.index(b"/lib/ld-")
    (tmp_path / "tool").write_bytes(program)
    assert find_missing(str(tmp_path / "tool"), PATH) is None
    (tmp_path / "tool").write_bytes(program[: begin + 4] + b"XX" + program[begin + 6 :])
    assert "XX" in find_missing(str(tmp_path / "tool"), PATH)


@given(st.binary(max_size=200), st.sampled_from([b"", b"#!", b"\x7fELF\x02\x01"]))
def test_any_bytes_are_read(tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes) -> None:
    """Whatever the file is: an answer, no exception."""
    path = tmp_path_factory.mktemp("any") / "tool"
    path.write_bytes(start + data.replace(b"\0", b"") if start == b"#!" else start + data)
    found = find_missing(str(path), PATH)
    assert found is None or isinstance(found, str)


def test_a_file_that_cannot_be_read_is_left_to_the_kernel(tmp_path: Path) -> None:
    """Its own message is all there is then."""
    assert find_missing(str(tmp_path), PATH) is None


def test_a_command_without_its_interpreter_fails_in_init(tmp_path: Path) -> None:
    """Before any event has come, and with the interpreter's name."""
    (tmp_path / "tool").write_text("#!/opt/nope/sh\n")
    (tmp_path / "tool").chmod(0o755)
    outcome = run_runtime(tmp_path, "exec:./tool")
    (error,) = outcome.answers
    told = json.loads(error.body)
    assert (error.path.rpartition("/runtime/")[2], outcome.exit_code) == ("init/error", 1)
    assert told["errorType"] == "Runtime.HandlerNotFound"
    assert told["errorMessage"].startswith("Handler './tool' cannot start: found no '/opt/nope/sh', by which ")
