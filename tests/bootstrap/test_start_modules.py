"""What a cold start loads: counted by name, because each module is paid for in every one of them."""

from __future__ import annotations

import json

import pytest

from tests.bootstrap.runtime_process import UNREACHABLE, VERSIONS, require_python, run_runtime, write_function

# Ours, and the extension modules that the socket and the clock need; `_socket` may be built in.
AT_IMPORT_OF_THE_HANDLER = {
    "_lambda_runtime",
    "_lambda_runtime.connection",
    "_lambda_runtime.errors",
    "_lambda_runtime.handler",
    "_lambda_runtime.logs",
    "_lambda_runtime.loop",
    "_lambda_runtime.runtime_api",
    "_lambda_runtime.settings",
    "_lambda_runtime.start",
    "_lambda_runtime.termination",
    "_lambda_runtime.wire",
    "_socket",
    "posix",
    "time",
    "app",
}
DURING_NEXT = {
    "_lambda_runtime.invocation",
    "_lambda_runtime.context",
    "_lambda_runtime.payload",
    "_lambda_runtime.wire_reader",
    "_json",
}
SOURCE = """
import sys
at_import = sorted(sys.modules)
def handler(event, context):
    return {"import": at_import, "first": sorted(sys.modules)}
"""


@pytest.fixture(params=VERSIONS)
def python(request):
    return require_python(request.param)


def modules_of(python: str, folder, **environment: str) -> dict[str, set[str]]:
    outcome = run_runtime(write_function(folder, app=SOURCE), python=python, environment=environment)
    found = json.loads(outcome.answers[0].body)
    return {name: set(modules) for name, modules in found.items()}


def interpreter_modules(python: str, tmp_path) -> set[str]:
    script = write_function(tmp_path, plain="import sys; print(*sys.modules)") / "plain.py"
    outcome = run_runtime(tmp_path, command=[python, "-S", str(script)])
    return set(outcome.stdout.split())


def test_nothing_but_this_is_loaded_before_the_handler(python, tmp_path) -> None:
    """A start loads these modules and no other: no os, socket, re, json, logging, typing, traceback."""
    found = modules_of(python, tmp_path)
    allowed = interpreter_modules(python, tmp_path) | AT_IMPORT_OF_THE_HANDLER
    assert found["import"] <= allowed
    assert found["first"] <= allowed | DURING_NEXT
    assert found["first"] >= DURING_NEXT
    assert not DURING_NEXT & found["import"]


@pytest.mark.parametrize(
    ("kind", "loaded"),
    [("on-demand", "False"), ("", "False"), ("provisioned-concurrency", "True"), ("snap-start", "True")],
)
def test_a_process_kept_for_later_loads_everything_in_init(kind, loaded, tmp_path) -> None:
    """Where init is far from the first event, nothing is left for the first event to load."""
    source = "import atexit, sys; atexit.register(lambda: print('_lambda_runtime.invocation' in sys.modules))"
    write_function(tmp_path, app=source + "\ndef handler(event, context): pass")
    nobody = "127.0.0.1:1"  # so the process ends where it would ask for the first event
    environment = {"AWS_LAMBDA_INITIALIZATION_TYPE": kind, "AWS_LAMBDA_RUNTIME_API": nobody}
    outcome = run_runtime(tmp_path, environment=environment)
    assert (outcome.exit_code, outcome.stdout) == (UNREACHABLE, f"{loaded}\n")
