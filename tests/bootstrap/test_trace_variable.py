"""The trace id in the environment: for Python, for C and for children, in the first life and in a long one."""

from __future__ import annotations

import subprocess

import pytest

from tests.bootstrap.runtime_process import ROOT, VERSIONS, clean_environment, require_python

PROGRAM = """
import os, posix, subprocess, sys
from bootstrap.loop import set_trace_id

CHILD = ["/bin/sh", "-c", 'printf %s "${_X_AMZN_TRACE_ID-None}"']  # a tenth of what a Python would take

def seen():
    return os.environ.get("_X_AMZN_TRACE_ID"), subprocess.run(CHILD, capture_output=True, text=True).stdout

def check(label):
    for text in ("Root=1", "Root=22;Parent=3", "x", "", "y" * 5000):
        set_trace_id(text)
        assert seen() == (text, text), (label, text, seen())
    os.environ["_X_AMZN_TRACE_ID"] = "the function's"
    assert seen() == ("the function's",) * 2
    set_trace_id("Root=4")
    assert seen() == ("Root=4",) * 2
    set_trace_id(None)
    assert seen() == (None, "None")
    set_trace_id(None)
    set_trace_id("Root=5")
    del os.environ["_X_AMZN_TRACE_ID"]
    set_trace_id("Root=5")
    assert seen() == ("Root=5",) * 2

if sys.argv[1] == "absent":
    sys.modules["ctypes"] = None
check("young")
assert "ctypes" not in sys.modules or sys.modules["ctypes"] is None
for number in range(10_000):
    set_trace_id(str(number))
assert ("bootstrap.fixed_variable" in sys.modules, bool(sys.modules["ctypes"])) == (True, sys.argv[1] != "absent")
check("old")
"""


@pytest.mark.parametrize("ctypes", ["present", "absent"])
@pytest.mark.parametrize("version", VERSIONS)
def test_everybody_sees_the_trace_id_of_now(version, ctypes, tmp_path) -> None:
    """`os.environ` and child processes agree, before the variable gets its own place, after, and where it cannot."""
    done = subprocess.run(
        [require_python(version), "-S", "-c", PROGRAM, ctypes],
        cwd=ROOT, env=clean_environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
