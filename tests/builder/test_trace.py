"""Out of a log, into patterns for keep: what was asked for and would be left out, and nothing else."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import SourceError
from builder.plan import How, Plan, PlannedFile, PlannedLayer, short_name
from builder.trace import Asked, additions, module_name, parse_trace, read_log

STDLIB = "var/lang/lib/python3.11"
DROPPED = {
    f"{STDLIB}/colorsys.py": "unreached",
    f"{STDLIB}/xml/dom/__init__.py": "unreached",
    f"{STDLIB}/xml/dom/minidom.py": "unreached",
    f"{STDLIB}/lib-dynload/_bz2.cpython-311-x86_64-linux-gnu.so": "unreached",
    "opt/python/pkg/data/a.csv": "unreached",
    "opt/python/pkg/data/sub/b.csv": "unreached",
    "opt/python/pkg/other.py": "unreached",
    "lib/x86_64-linux-gnu/libodd.so.3": "no kept file needs it",
}
PLAN = Plan((PlannedLayer("all", (), DROPPED),), "amd64", "python3.11", "app.handler", {})


def line(kind: str, name: str) -> str:
    return json.dumps({"firkinTrace": kind, "name": name}, separators=(",", ":"))


@pytest.mark.parametrize(
    "written",
    [
        line("module", "a.b"),
        f"2026-01-02T03:04:05Z stderr F {line('module', 'a.b')}",
        json.dumps({"timestamp": 1, "message": line("module", "a.b")}),
        f"app-1  | {line('module', 'a.b')}\r",
    ],
)
def test_lines_are_found_whatever_a_log_puts_around_them(written: str) -> None:
    """Docker, CloudWatch and compose add to a line, and some put it into JSON."""
    assert parse_trace(f"START\n{written}\nEND\n") == Asked(modules=frozenset({"a.b"}))


@given(st.text().filter(lambda text: "firkinTrace" not in text))
def test_any_other_log_is_refused(text: str) -> None:
    """A log without a trace is a mistake of the caller's: it says how to get one."""
    with pytest.raises(SourceError, match="holds no line of a trace"):
        parse_trace(text)


@given(st.text(min_size=1))
def test_any_name_comes_back(name: str) -> None:
    """A file may be called anything."""
    written = json.dumps({"firkinTrace": "file", "name": name}, separators=(",", ":"))
    assert parse_trace(written) == Asked(files=frozenset({name}))


@pytest.mark.parametrize(
    ("asked", "patterns"),
    [
        (Asked(modules=frozenset({"colorsys", "json"})), ["colorsys.py"]),
        (Asked(modules=frozenset({"xml.dom"})), ["xml/dom/__init__.py"]),
        (Asked(modules=frozenset({"xml.dom.minidom"})), ["xml/dom/minidom.py"]),
        (Asked(modules=frozenset({"_bz2"})), ["lib-dynload/_bz2.cpython-311-x86_64-linux-gnu.so"]),
        (Asked(files=frozenset({"/opt/python/pkg/data/a.csv", "/etc/hosts"})), ["pkg/data/a.csv"]),
        (Asked(files=frozenset({"/opt/python/pkg/data"})), ["pkg/data/a.csv"]),
        (Asked(files=frozenset({"/opt/python/pkg"})), []),
        (Asked(libraries=frozenset({"libodd.so.3"})), ["lib/x86_64-linux-gnu/libodd.so.3"]),
        (Asked(), []),
    ],
)
def test_what_was_asked_for_and_left_out_becomes_a_pattern(asked: Asked, patterns: list[str]) -> None:
    """A module by its name, a file by its path, a listed folder by the files in it, a library by its file name."""
    assert [one.pattern for one in additions(PLAN, asked)] == patterns


def test_a_module_that_is_there_as_bytecode_is_not_left_out() -> None:
    """It was used and found; only who reads its source misses anything."""
    bytecode = PlannedFile("opt/python/pkg/other.pyc", "other.py", "reached", How.BYTECODE)
    plan = replace(PLAN, layers=(PlannedLayer("all", (bytecode,), DROPPED),))
    asked = Asked(modules=frozenset({"pkg.other"}))
    assert additions(plan, asked) == []
    assert [one.path for one in additions(plan, asked, sources=True)] == ["opt/python/pkg/other.py"]


def test_what_is_kept_already_needs_no_pattern() -> None:
    """A pattern that a person wrote counts, in its long and its short form."""
    asked = Asked(modules=frozenset({"colorsys", "pkg.other", "xml.dom"}))
    assert [one.pattern for one in additions(PLAN, asked, ["color*.py", "opt/python/pkg"])] == ["xml/dom/__init__.py"]


@pytest.mark.parametrize(
    ("path", "module", "short"),
    [
        ("opt/python/a/b.py", "a.b", "a/b.py"),
        ("opt/python/a/__init__.py", "a", "a/__init__.py"),
        ("opt/python/a/_c.abi3.so", "a._c", "a/_c.abi3.so"),
        ("var/task/app.py", "app", "app.py"),
        ("opt/python/a/data.json", "", "a/data.json"),
        ("lib/libm.so.6", "", "lib/libm.so.6"),
        ("opt/python/a/__pycache__/b.cpython-311.pyc", "", "a/__pycache__/b.cpython-311.pyc"),
    ],
)
def test_a_path_has_a_module_name_and_a_short_name(path: str, module: str, short: str) -> None:
    """Names are those of import statements, and patterns those of keep."""
    assert (module_name(path), short_name(path)) == (module, short)


def test_a_log_is_a_file_or_stdin(tmp_path: Path) -> None:
    """What cannot be read is said; bytes that are no UTF-8 do not matter."""
    file = tmp_path / "log"
    file.write_bytes(b"\xff log")
    assert read_log(file, None, io.BytesIO()) == "\ufffd log"
    assert read_log(Path("-"), None, io.BytesIO(b"in")) == "in"
    with pytest.raises(SourceError, match="reading the log: "):
        read_log(tmp_path / "none", None, io.BytesIO())
