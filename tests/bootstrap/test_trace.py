"""FIRKIN_TRACE: a line for each module and file that a function asks for, found or not."""

from __future__ import annotations

import json

import pytest

from bootstrap.trace import _named
from tests.bootstrap.recording_server import Event
from tests.bootstrap.runtime_process import VERSIONS, require_python, run_runtime, write_function

CODE = """
import colorsys
def handler(event, context):
    if event == 1:
        import helper
        try:
            import never_there
        except ImportError:
            pass
        try:
            open("missing.csv")
        except OSError:
            pass
        open("data/table.csv").close()
    return event
"""


def traced(stderr: str) -> set[tuple[str, str]]:
    lines = (json.loads(line) for line in stderr.splitlines() if "firkinTrace" in line)
    return {(line["firkinTrace"], line["name"]) for line in lines}


@pytest.mark.parametrize("version", VERSIONS)
def test_each_thing_is_written_once_when_it_is_first_asked_for(tmp_path, version) -> None:
    """Modules by name and files by absolute path, also those that are not there; the answer is as ever."""
    write_function(tmp_path, app=CODE, helper="")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/table.csv").touch()
    events = [Event(str(number).encode()) for number in (0, 1, 1)]
    python = require_python(version)
    outcome = run_runtime(tmp_path, events=events, python=python, environment={"FIRKIN_TRACE": "1"})
    assert [json.loads(answer.body) for answer in outcome.answers] == [0, 1, 1]
    found = traced(outcome.stderr)
    names = {("module", name) for name in ("app", "colorsys", "helper", "never_there")}
    assert found >= names | {("file", f"{tmp_path}/missing.csv"), ("file", f"{tmp_path}/data/table.csv")}
    assert len([line for line in outcome.stderr.splitlines() if "firkinTrace" in line]) == len(found)
    assert not any(name.endswith(".pyc") for _, name in found), "bytecode is named by its module"


def test_modules_that_import_module_loads_are_files() -> None:
    """importlib.import_module raises no event of an import: what it opens tells, be it source or bytecode."""
    assert _named("open", "/opt/python/a/__pycache__/b.cpython-311.pyc") == ("file", "/opt/python/a/b.py")
    assert _named("open", "/opt/python/b.pyc") == ("file", "/opt/python/b.pyc")


@pytest.mark.parametrize("event", ["subprocess.Popen", "os.exec", "os.posix_spawn"])
def test_a_program_that_is_started_is_a_file(event: str) -> None:
    """By its path; of a bare name only PATH knows which it is, and nothing says that it is a file here."""
    assert _named(event, "/opt/python/a/ffmpeg") == ("file", "/opt/python/a/ffmpeg")
    assert _named(event, b"/opt/python/a/ffmpeg") == ("file", "/opt/python/a/ffmpeg")
    assert _named(event, "ffmpeg") == ("", "")


def test_programs_are_seen_when_they_start(tmp_path) -> None:
    """As Python's own modules start them."""
    starts = (
        "import os, subprocess\n"
        "os.waitpid(os.posix_spawn('/bin/false', ['false'], {}), 0)\n"
        "subprocess.run(['/bin/true'])\n"
    )
    write_function(tmp_path, app=starts + "def handler(event, context):\n    return event\n")
    outcome = run_runtime(tmp_path, events=[Event(b"1")], environment={"FIRKIN_TRACE": "1"})
    assert traced(outcome.stderr) >= {("file", "/bin/true"), ("file", "/bin/false")}


def test_nothing_is_written_and_nothing_loaded_without_the_variable(tmp_path) -> None:
    """Tracing costs nobody anything who did not ask for it."""
    write_function(
        tmp_path, app="import sys\ndef handler(event, context): return '_lambda_runtime.trace' in sys.modules"
    )
    outcome = run_runtime(tmp_path, environment={"FIRKIN_TRACE": ""})
    assert json.loads(outcome.answers[0].body) is False
    assert "firkinTrace" not in outcome.stderr
