"""A function's files may have any name, also ours, in every way to start the runtime."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from builder.bytecode import Compiler, Module, compile_modules
from tests.bootstrap.recording_server import Event
from tests.bootstrap.runtime_process import EDGES, ROOT, SCRIPT, VERSIONS, require_python, run_runtime, write_function

if TYPE_CHECKING:
    from pathlib import Path

HANDLER = "def handler(event, context): return [__file__, __name__]"
OWN_NAMES = sorted({path.stem for path in SCRIPT.parent.glob("*.py")} - {"__init__", "__main__"})
NAMES = ["bootstrap", "emulator", "builder", *OWN_NAMES]


def answer_of(folder: Path, handler: str, command: list[str], **environment: str) -> object:
    outcome = run_runtime(folder, command=[*command, handler], environment=environment)
    assert outcome.answers, outcome.stderr
    return json.loads(outcome.answers[0].body)


@pytest.mark.parametrize("name", NAMES)
def test_a_handler_file_may_have_any_of_our_names(name, tmp_path) -> None:
    """As the image starts it, a handler in bootstrap.py, logs.py or wire.py is the function's own file."""
    write_function(tmp_path, **{name: HANDLER})
    found = answer_of(tmp_path, f"{name}.handler", [sys.executable, "-S", str(SCRIPT)])
    assert found == [f"{tmp_path}/{name}.py", name]


@pytest.mark.parametrize("version", EDGES)
@pytest.mark.parametrize("form", ["script", "folder", "relative folder", "link"])
def test_bootstrap_py_works_in_every_form(version, form, tmp_path) -> None:
    """By script, by folder, by a relative path and through a symbolic link, on every CPython."""
    function = write_function(tmp_path / "task", bootstrap=HANDLER)
    (tmp_path / "link").symlink_to(SCRIPT.parent)
    program = {
        "script": str(SCRIPT),
        "folder": str(SCRIPT.parent),
        "relative folder": "../link",
        "link": f"{tmp_path}/link/__main__.py",
    }[form]
    found = answer_of(function, "bootstrap.handler", [require_python(version), "-S", program])
    assert found == [f"{function}/bootstrap.py", "bootstrap"]


@pytest.mark.parametrize("version", VERSIONS)
def test_bootstrap_py_works_where_the_script_is_bytecode(version, tmp_path) -> None:
    """As images are started: `__main__.pyc`, without docstrings, and the source of nothing else is read either."""
    python = require_python(version)
    function, runtime = write_function(tmp_path / "task", bootstrap=HANDLER), tmp_path / "runtime"
    runtime.mkdir()
    sources = list(SCRIPT.parent.glob("*.py"))
    modules = [Module(str(path), str(runtime / path.name), bare=True) for path in sources]
    for path, bytecode in zip(sources, compile_modules(modules, Compiler((python,), python)), strict=True):
        assert isinstance(bytecode, bytes)
        (runtime / f"{path.stem}.pyc").write_bytes(bytecode)
    found = answer_of(function, "bootstrap.handler", [python, "-S", str(runtime / "__main__.pyc")])
    assert found == [f"{function}/bootstrap.py", "bootstrap"]


@pytest.mark.parametrize("version", EDGES)
@pytest.mark.parametrize("name", ["emulator", "builder", "logs", "start"])
def test_our_names_work_with_the_module_form(version, name, tmp_path) -> None:
    """`python -m bootstrap` in the function's folder finds the function's files first."""
    write_function(tmp_path, **{name: HANDLER})
    command = [require_python(version), "-m", "bootstrap"]
    found = answer_of(tmp_path, f"{name}.handler", command, PYTHONPATH=str(ROOT))
    assert found == [f"{tmp_path}/{name}.py", name]


def test_bootstrap_py_with_the_module_form(tmp_path) -> None:
    """With -m, Python itself takes a bootstrap.py in the current folder; from elsewhere it works."""
    function = write_function(tmp_path / "task", bootstrap=HANDLER)
    environment = {"PYTHONPATH": str(ROOT), "LAMBDA_TASK_ROOT": str(function)}
    found = answer_of(tmp_path, "bootstrap.handler", [sys.executable, "-m", "bootstrap"], **environment)
    assert found == [f"{function}/bootstrap.py", "bootstrap"]
    command = [sys.executable, "-P", "-m", "bootstrap"]
    assert answer_of(function, "bootstrap.handler", command, PYTHONPATH=str(ROOT)) == found


@pytest.mark.parametrize("name", ["traceback", "token", "json", "re", "struct", "types", "enum", "linecache"])
def test_failures_are_reported_beside_files_named_like_the_standard_library(name, tmp_path) -> None:
    """The runtime's own failure path imports nothing that a function's file could stand in for."""
    write_function(tmp_path, **{name: "raise SystemExit(99)", "app": "def handler(event, context): return 1 / 0"})
    (error,) = run_runtime(tmp_path, events=[Event()]).answers
    assert json.loads(error.body)["errorType"] == "ZeroDivisionError"
    assert len(json.loads(error.body)["stackTrace"]) == 1


KINDS = {
    "async def handler(event, context): return 1": "1",
    "def handler(event, context): yield '1'": "1",
    "async def handler(event, context): yield '1'": "1",
    "def handler(environ, start_response): return 1 / 0": "Runtime.UnmarshalError",
    "async def handler(scope, receive, send): return 1 / 0": "Runtime.UnmarshalError",
}


@pytest.mark.parametrize("source", KINDS)
def test_every_kind_of_handler_works_beside_files_with_our_names(source, tmp_path) -> None:
    """What a kind loads of ours is ours, whatever lies in the function's folder."""
    write_function(tmp_path, **dict.fromkeys(OWN_NAMES, "raise SystemExit(99)"), app=source)
    (answer,) = run_runtime(tmp_path, events=[Event()]).answers
    assert KINDS[source] in answer.body.decode()


def test_the_package_imports_under_its_public_name() -> None:
    """Tools and tests import bootstrap.X as any package."""
    from bootstrap.wire_reader import ResponseReader  # noqa: PLC0415  the import is the test

    assert ResponseReader.__module__ == "bootstrap.wire_reader"
