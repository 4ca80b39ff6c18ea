"""Asynchronous handlers: one loop for the life of the process, and no failure that nobody hears of."""

from __future__ import annotations

import json

import pytest

from tests.bootstrap.recording_server import Event
from tests.bootstrap.runtime_process import EDGES, VERSIONS, require_python, run_runtime, write_function

CASES = """
import asyncio, functools, sys, time
loops = []
async def same_loop(event, context):
    loops.append(asyncio.get_running_loop())
    return [len(loops), len(set(loops)), context.get_remaining_time_in_millis() > 0]
at_import = asyncio.new_event_loop()
asyncio.set_event_loop(at_import) if {"own_loop", "future"} & set(sys.argv[1].split(".")) else at_import.close()
async def own_loop(event, context): return asyncio.get_running_loop() is at_import
class Object:
    async def __call__(self, event, context): return event
    async def method(self, event, context): return event
call, method = Object(), Object().method
partial = functools.partial(call.method)
def wrapped(event, context): return call(event, context)
def future(event, context):
    found = asyncio.get_event_loop().create_future()
    found.set_result(event)
    return found
async def nested(event, context): return call(event, context)
async def boom(event, context): raise ValueError("async")
async def unserializable(event, context): return object()
async def cancel(event, context):
    asyncio.current_task().cancel()
    await asyncio.sleep(1)
async def leave(event, context): sys.exit(3)

left = []
async def background(event, context):
    if event == "start":
        async def work():
            left.append("begun")
            await asyncio.sleep(0.01)
            left.append("done")
        left.append(asyncio.ensure_future(work()))
    await asyncio.sleep(0 if event == "start" else 0.1)
    return [str(x) for x in left if isinstance(x, str)]

kept = set()
async def fails(event, context):
    async def work(): raise LookupError(event)
    kept.add(asyncio.ensure_future(work()))  # kept: asyncio itself would never mention it
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return "answered"
async def handles(event, context):
    async def work(): raise LookupError("expected")
    task = asyncio.ensure_future(work())
    await asyncio.sleep(0.01)
    try: await task
    except LookupError: pass
    return (await asyncio.gather(work(), return_exceptions=True)) and "handled"
async def callback(event, context):
    asyncio.get_running_loop().call_soon(lambda: 1 // 0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
"""


@pytest.fixture
def cases(tmp_path):
    return write_function(tmp_path, cases=CASES)


def bodies(folder, handler, *events: bytes, **more):
    outcome = run_runtime(folder, f"cases.{handler}", events=[Event(event) for event in events], **more)
    return [json.loads(answer.body) for answer in outcome.answers], outcome


@pytest.mark.parametrize("version", VERSIONS)
def test_one_loop_serves_all_invocations(cases, version) -> None:
    """What belongs to a loop, a connection pool first of all, survives from event to event."""
    found, outcome = bodies(cases, "same_loop", b"1", b"2", b"3", python=require_python(version))
    assert found == [[1, 1, True], [2, 1, True], [3, 1, True]]
    assert (outcome.stdout, outcome.stderr.count("\n")) == ("", 1)  # the one line is about the end of the test


@pytest.mark.parametrize("version", VERSIONS)
def test_a_loop_made_by_the_function_is_the_loop(cases, version) -> None:
    """Who opens connections at import, on a loop made current, finds that loop running in the handler."""
    assert bodies(cases, "own_loop", b"1", python=require_python(version))[0] == [True]


@pytest.mark.parametrize("version", EDGES)
@pytest.mark.parametrize("handler", ["call", "method", "partial", "wrapped", "future", "nested"])
def test_whatever_can_be_awaited_is(cases, handler, version) -> None:
    """Objects, methods, partials and plain functions that give something awaitable, also in turn."""
    assert bodies(cases, handler, b'{"a": 1}', python=require_python(version))[0] == [{"a": 1}]


@pytest.mark.parametrize(
    ("handler", "error_type"),
    [("boom", "ValueError"), ("unserializable", "Runtime.MarshalError"), ("cancel", "CancelledError")],
)
def test_failures_are_those_of_any_handler(cases, handler, error_type) -> None:
    """The type is the exception's; a cancellation fails one invocation and does not end the process."""
    found, _ = bodies(cases, handler, b"1", b"2")
    assert [body["errorType"] for body in found] == [error_type] * 2


def test_traces_show_the_functions_lines_only(cases) -> None:
    """Neither the runtime's frames nor asyncio's stand before the handler's own."""
    (found,), _ = bodies(cases, "boom", b"1")
    assert [line.splitlines()[0].rpartition(", ")[2] for line in found["stackTrace"]] == ["in boom"]


def test_leaving_means_leaving(cases) -> None:
    """sys.exit in a coroutine is reported and ends the process with its code, as it does in a function."""
    (found,), outcome = bodies(cases, "leave", b"1")
    assert (found["errorType"], outcome.exit_code) == ("Runtime.ExitError", 3)
    assert "asyncio" not in "".join(found["stackTrace"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_task_left_behind_goes_on_with_the_next_event(cases, version) -> None:
    """The answer does not wait for it, and nothing cancels it."""
    found, _ = bodies(cases, "background", b'"start"', b'"later"', python=require_python(version))
    assert found == [["begun"], ["begun", "done"]]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_background_tasks_failure_is_logged_once(cases, version) -> None:
    """Also while the function keeps the task, where asyncio says nothing; the answer is not touched."""
    found, outcome = bodies(cases, "fails", b'"one"', b'"two"', python=require_python(version))
    assert found == ["answered"] * 2
    assert [outcome.stdout.count(f"[ERROR] LookupError: {event}\r") for event in ("one", "two")] == [1, 1]
    assert outcome.stdout.count("[ERROR]") == 2
    assert "never retrieved" not in outcome.stderr


def test_a_failure_that_is_handled_is_nobodys_business(cases) -> None:
    """Awaited late, or gathered: not logged."""
    found, outcome = bodies(cases, "handles", b"1")
    assert (found, outcome.stdout) == (["handled"], "")


def test_a_callbacks_failure_is_logged(cases) -> None:
    """What asyncio would write to its own logger is a record like a handler's."""
    assert bodies(cases, "callback", b"1")[1].stdout.count("[ERROR] ZeroDivisionError: ") == 1


@pytest.mark.parametrize(("source", "loaded"), [("async def", True), ("def", False)])
def test_asyncio_is_loaded_in_init_and_only_where_it_is_used(source, loaded, tmp_path) -> None:
    """The first invocation of an asynchronous handler does not wait for it; others never load it."""
    text = f"import atexit, sys; atexit.register(lambda: print('asyncio' in sys.modules))\n{source} handler(e, c): pass"
    nobody = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}  # so the process ends where it would ask for an event
    assert run_runtime(write_function(tmp_path, app=text), environment=nobody).stdout == f"{loaded}\n"
