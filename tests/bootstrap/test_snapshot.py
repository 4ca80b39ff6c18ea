"""SnapStart: hooks in their order around the snapshot, and both ways in which they fail."""

from __future__ import annotations

import json

import pytest

from tests.bootstrap.recording_server import RecordingServer, render
from tests.bootstrap.runtime_process import UNREACHABLE, VERSIONS, require_python, run_runtime, write_function

BASE = "/2018-06-01/runtime"
SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
# What snapshot-restore-py keeps, in its form; tests/conformance runs the package itself.
REGISTRY = """
_before, _after = [], []
def register_before_snapshot(function, *args, **kwargs): _before.append((function, args, kwargs)); return function
def register_after_restore(function, *args, **kwargs): _after.append((function, args, kwargs)); return function
def get_before_snapshot(): return _before
def get_after_restore(): return _after
"""
SOURCE = """
from snapshot_restore_py import register_after_restore, register_before_snapshot
for name in "ab":
    register_before_snapshot(print, "before", name, flush=True)
    register_after_restore(print, "after", name, flush=True)
def handler(event, context): return "served"
"""


@pytest.fixture(params=VERSIONS)
def python(request):
    return require_python(request.param)


def run(folder, source: str, **more):
    write_function(folder, app=source, snapshot_restore_py=REGISTRY)
    return run_runtime(folder, environment=SNAP_START, **more)


def test_hooks_run_around_the_snapshot(tmp_path, python) -> None:
    """Before the snapshot last-in-first-out, after it first-in-first-out, and then events over a new connection."""
    outcome = run(tmp_path, SOURCE, python=python)
    assert outcome.stdout.split() == ["before", "b", "before", "a", "after", "a", "after", "b"]
    assert [request.path.removeprefix(BASE) for request in outcome.requests][:2] == [
        "/restore/next",
        "/invocation/next",
    ]
    assert [request.connection for request in outcome.requests][:2] == [0, 1]
    assert (outcome.answers[0].body, outcome.exit_code) == (b'"served"', UNREACHABLE)


@pytest.mark.parametrize("how", ["raise ValueError('x')", "raise SystemExit(9)"])
def test_a_failure_before_the_snapshot_is_an_init_error(tmp_path, how) -> None:
    """Type in the header, class in the body, exit code 64; no snapshot is asked for."""
    hook = f"\n@register_before_snapshot\ndef hook(): {how}\n"
    outcome = run(tmp_path, SOURCE + hook)
    (error,) = outcome.requests
    assert (error.path, outcome.exit_code) == (f"{BASE}/init/error", 64)
    assert error.headers["lambda-runtime-function-error-type"] == "Runtime.BeforeSnapshotError"
    assert json.loads(error.body)["errorType"] in ("ValueError", "Runtime.ExitError")
    assert outcome.stdout.startswith("[ERROR] ")


def test_a_failure_after_the_restore_is_a_restore_error(tmp_path) -> None:
    """Type in the header, class in the body, exit code 65; no event is asked for."""
    hook = "\n@register_after_restore\ndef hook(): raise KeyError('k')\n"
    outcome = run(tmp_path, SOURCE + hook)
    assert [request.path.removeprefix(BASE) for request in outcome.requests] == ["/restore/next", "/restore/error"]
    (error,) = outcome.answers
    assert error.headers["lambda-runtime-function-error-type"] == "Runtime.AfterRestoreError"
    assert (json.loads(error.body)["errorType"], outcome.exit_code) == ("KeyError", 65)


def test_without_the_package_there_is_a_snapshot_and_no_hook(tmp_path) -> None:
    """A function that never imports the package is snapshotted all the same; nothing is imported for it."""
    source = "import sys\ndef handler(event, context): return 'snapshot_restore_py' in sys.modules"
    outcome = run(tmp_path, source)
    assert outcome.answers[0].body == b"false"


def test_a_platform_without_snapshots_ends_the_process(tmp_path) -> None:
    """As with any other refused call: one line, and the exit code for a refusal."""
    write_function(tmp_path, app=SOURCE, snapshot_restore_py=REGISTRY)
    server = RecordingServer([], answers={"restore": render(404, b"404 page not found")})
    outcome = run_runtime(tmp_path, server=server, environment=SNAP_START)
    assert outcome.exit_code == 77
    assert "Waiting for the restore: found status 404" in outcome.stderr
