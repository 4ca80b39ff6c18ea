"""Many events at once, as real processes against a server that lets them poll together: by each of the three modes."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from bootstrap.supervisor import RESTARTS_MAX, STEADY_S, count_end, describe_end
from tests.bootstrap.concurrent_server import ConcurrentServer, end, event, running_pool
from tests.bootstrap.recording_server import Request, render
from tests.bootstrap.runtime_process import VERSIONS, require_python, run_runtime, write_function
from tests.bootstrap.web_events import v2

if TYPE_CHECKING:
    from pathlib import Path

TERMINATED = 143
# Every handler waits until all four are in it, so that a runtime which serves one after the other never ends.
SOURCE = """
import asyncio, atexit, contextvars, functools, logging, os, sys, threading, time
atexit.register(print, "exit hook", flush=True)
seen = contextvars.ContextVar("seen", default="nothing")
inside = 0
def tell(context, **more):
    logging.error("from %s", context.aws_request_id)
    before = seen.get()
    seen.set(context.aws_request_id)
    return {"pid": os.getpid(), "id": context.aws_request_id, "tenant": context.tenant_id, "before": before,
            "trace": os.environ.get("_X_AMZN_TRACE_ID"), "listed": "_X_AMZN_TRACE_ID" in dict(os.environ),
            "thread": threading.current_thread().name, **more}
def together(event, context):
    meet(context)
    return tell(context)
def meet(context):
    open(f"in-{context.aws_request_id}", "w").close()
    while len([name for name in os.listdir(".") if name.startswith("in-")]) < 4:
        time.sleep(0.01)
async def asynchronous(event, context):
    global inside
    inside += 1
    while inside < 4:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(logging.error, "thread of %s", context.aws_request_id)
    return tell(context, loop=id(asyncio.get_running_loop()))
@functools.wraps(asynchronous)
def decorated(event, context):
    return asynchronous(event, context)
def misbehave(event, context):
    if event == "die": os._exit(7)
    if event == "exit": sys.exit(3)
    if event == "raise": raise ValueError(context.aws_request_id)
    if event == "fork" and os.fork() == 0: return "child"
    if event == "fork and exit" and os.fork() == 0: sys.exit(5)
    if event == "fork and raise" and os.fork() == 0: raise KeyError("child")
    if str(event).startswith("fork"): return os.waitstatus_to_exitcode(os.wait()[1])
    if event == "slow": print("slow", flush=True); time.sleep(0.5)
    return os.getpid()
async def misbehave_asynchronously(event, context):
    if event == "orphan":
        async def fail(): raise OSError("lost")
        asyncio.ensure_future(fail())
        await asyncio.sleep(0)
    if event == "late orphan":
        async def fail():
            await asyncio.sleep(0.1)
            raise OSError("late")
        asyncio.ensure_future(fail())
    if event == "cancelled": asyncio.current_task().cancel(); await asyncio.sleep(1)
    if event == "slow": print("slow", flush=True); await asyncio.sleep(0.5)
    return misbehave(event, context) if event != "slow" else "done"
def jitter(event, context):
    time.sleep(event / 1e5)
    logging.error("from %s", context.aws_request_id)
    if event % 3 == 0: raise ValueError(os.environ["_X_AMZN_TRACE_ID"])
    return [context.aws_request_id, context.tenant_id, os.environ["_X_AMZN_TRACE_ID"], event]
async def jitter_asynchronously(event, context):
    await asyncio.sleep(event / 1e5)
    return jitter(event, context)
def stream(event, context):
    yield context.aws_request_id
    yield b"!"
async def stream_asynchronously(event, context):
    yield context.aws_request_id
    await asyncio.sleep(0)
    yield b"!"
def lazy(event, context):
    async def later(): return context.aws_request_id
    return later()
async def asgi(scope, receive, send):
    if scope["type"] == "lifespan": return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})
def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [f"{environ['wsgi.multithread']} {environ['wsgi.multiprocess']}".encode()]
"""


@pytest.fixture(params=VERSIONS)
def python(request):
    return require_python(request.param)


@pytest.fixture
def folder(tmp_path):
    return write_function(tmp_path, app=SOURCE)


def serve(folder: Path, mode: str, handler: str, events, count: int = 4, **options) -> tuple[list[Request], str, str]:
    """The answers to some events, served by a pool that is then ended in order; standard output and error."""
    with (
        ConcurrentServer(events, polls=count) as server,
        running_pool(folder, server, concurrency=count, mode=mode, handler=f"app.{handler}", **options) as process,
    ):
        answers = list(server.wait_for_answers(len(events)))
        code, out, err = end(process)
        assert code == TERMINATED, err
        return answers, out, err


CASES = [
    ("processes", "together", 4),
    ("processes", "asynchronous", 4),
    ("threads", "together", 1),
    ("threads", "asynchronous", 1),
    ("loop", "asynchronous", 1),
    ("loop", "decorated", 1),
]


@pytest.mark.parametrize(("mode", "handler", "processes"), CASES)
def test_events_are_served_at_once_and_nothing_leaks(folder, mode, handler, processes, python) -> None:
    """Four polls are open together, four handlers are at work together; ids, trace and context are their own."""
    if mode == "processes" and handler == "asynchronous":
        (folder / "app.py").write_text(SOURCE.replace("inside < 4", "inside < 1"))
    answers, out, err = serve(folder, mode, handler, [event(n) for n in range(8)], python=python)
    told = [json.loads(answer.body) for answer in answers]
    assert sorted(one["id"] for one in told) == [f"request-{n}" for n in range(8)]
    for answer, one in zip(answers, told, strict=True):
        number = one["id"].rpartition("-")[2]
        assert answer.path.endswith(f"/{one['id']}/response")
        assert (one["tenant"], one["trace"], one["listed"]) == (f"tenant-{number}", f"Root={number}", True)
        assert one["before"] == "nothing" or processes > 1
    assert len({one["pid"] for one in told}) == processes
    assert len({one.get("loop") for one in told}) == 1 or processes > 1
    lines = [line.split("\t") for line in out.splitlines() if line.startswith("[ERROR]")]
    assert {line[3].split()[-1] == line[2] for line in lines} == {True}
    assert (out.count("exit hook\n"), err) == (processes, "")


@pytest.mark.parametrize("mode", ["processes", "threads", "loop"])
def test_hundreds_of_events_on_eight_polls_stay_apart(folder, mode) -> None:
    """Answers, errors, tenants, trace ids and log records of each are its own, whatever overlaps with what."""
    handler = "jitter_asynchronously" if mode == "loop" else "jitter"
    events = [event(number, str(number * 7919 % 101).encode()) for number in range(300)]
    answers, out, _ = serve(folder, mode, handler, events, count=8)
    assert len({answer.path for answer in answers}) == len(events)
    for answer in answers:
        request_id, kind = answer.path.split("/")[-2:]
        number, told = int(request_id.removeprefix("request-")), json.loads(answer.body)
        delay = number * 7919 % 101
        if delay % 3:
            assert (kind, told) == ("response", [request_id, f"tenant-{number}", f"Root={number}", delay])
        else:
            assert (kind, told["errorMessage"], told["requestId"]) == ("error", f"Root={number}", request_id)
    records = [line.split("\t") for line in out.splitlines() if "\t" in line]
    assert len(records) == len(events)
    assert all(record[3] == f"from {record[2]}" for record in records)


def test_an_asynchronous_handler_runs_in_the_main_thread_and_a_plain_one_does_not(folder) -> None:
    """All of an asynchronous function is one thread's, also what precedes its first `await`."""
    for mode, handler, main in (("loop", "decorated", True), ("threads", "together", False)):
        answers, _, _ = serve(folder, mode, handler, [event(n) for n in range(4)])
        assert {json.loads(a.body)["thread"] == "MainThread" for a in answers} == {main}


@pytest.mark.parametrize("mode", ["processes", "threads", "loop"])
@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("app.stream", "request-0!"),
        ("app.stream_asynchronously", "request-0!"),
        ("app.lazy", "request-0"),
        ("app.asgi", "/my/path"),
        ("app.wsgi", None),
        ("exec:./tool", "request-0"),
    ],
)
def test_every_kind_of_handler_works_or_is_refused(folder, mode, handler, expected) -> None:
    """A loop takes what is asynchronous, and commands, which are processes of their own; the others take all."""
    tool = folder / "tool"
    tool.write_text("#!/bin/sh\nprintf %s $LAMBDA_RUNTIME_AWS_REQUEST_ID\n")
    tool.chmod(0o755)
    body = json.dumps(v2("/my/path")).encode() if handler in ("app.asgi", "app.wsgi") else b"{}"
    with (
        ConcurrentServer([event(0, body)], polls=1) as server,
        running_pool(folder, server, concurrency=2, mode=mode, handler=handler) as process,
    ):
        (answer,) = server.wait_for_answers(1)[:1]
        if mode == "loop" and handler in ("app.stream", "app.lazy", "app.wsgi"):
            assert json.loads(answer.body)["errorType"] == "Runtime.UnsuitableHandler"
            assert "Write it as `async def`, or set threads or processes." in json.loads(answer.body)["errorMessage"]
            assert end(process, number=0)[0] == 1
            return
        flags = "True False" if mode == "threads" else "False True"
        assert (expected or flags).encode() in answer.body
        assert end(process)[0] == TERMINATED


def test_streams_of_one_loop_do_not_hold_each_other_up(tmp_path) -> None:
    """Two streams on one loop are in progress together: each waits for the other after its first part."""
    source = """
import asyncio
both = None
async def handler(event, context):
    global both
    both = both or [asyncio.Event(), asyncio.Event()]
    yield b"first"
    both[event].set()
    await both[1 - event].wait()
    yield b"second"
"""
    write_function(tmp_path, app=source)
    answers, _, _ = serve(tmp_path, "loop", "handler", [event(0, b"0"), event(1, b"1")], count=2)
    assert [answer.chunks for answer in answers] == [(b"first", b"second")] * 2


@pytest.mark.parametrize("mode", ["processes", "threads"])
def test_a_dead_worker_is_replaced_and_its_invocation_answered(folder, mode) -> None:
    """The invoker learns how the process ended, and the next events find another one."""
    with (
        ConcurrentServer([event(0, b'"die"')], polls=2) as server,
        running_pool(folder, server, concurrency=2, mode=mode, handler="app.misbehave") as process,
    ):
        (error,) = server.wait_for_answers(1)
        told = json.loads(error.body)
        assert error.path.endswith("/request-0/error")
        assert (told["errorType"], told["requestId"]) == ("Runtime.ExitError", "request-0")
        assert "ended with exit status 7" in told["errorMessage"]
        asked = sum(request.method == "GET" for request in server.requests)
        server.wait_for(lambda s: sum(request.method == "GET" for request in s.requests) > asked - 1)
        server.add(*(event(n) for n in (1, 2)))
        if mode == "processes":
            assert len({a.body for a in server.wait_for_answers(3)[1:]}) in (1, 2)
        code, out, _ = end(process)
        assert (code, "[ERROR] Runtime.ExitError: Running the handler: found worker" in out) == (TERMINATED, True)


@pytest.mark.parametrize("mode", ["processes", "threads", "loop"])
def test_leaving_is_answered_and_the_others_finish(folder, mode) -> None:
    """`sys.exit` in one invocation: it is told, those beside it end as they would, a new worker takes over."""
    handler = "misbehave_asynchronously" if mode == "loop" else "misbehave"
    with (
        ConcurrentServer([event(0, b'"slow"'), event(1, b'"exit"')], polls=2) as server,
        running_pool(folder, server, concurrency=2, mode=mode, handler=f"app.{handler}") as process,
    ):
        server.wait_for_answers(2)
        told = {answer.path.split("/")[-2]: answer for answer in server.answers}
        assert json.loads(told["request-1"].body)["errorType"] == "Runtime.ExitError"
        assert told["request-0"].path.endswith("/response")
        server.wait_for(lambda s: s.polls_open >= 2)
        server.add(event(2))
        server.wait_for_answers(3)
        assert end(process)[0] == TERMINATED


def test_a_worker_that_keeps_dying_ends_the_environment(tmp_path) -> None:
    """After five replacements in a row the process says so and ends; the pause before each is longer."""
    write_function(tmp_path, app="import os\ndef handler(event, context): os._exit(9)")
    with (
        ConcurrentServer([event(n) for n in range(20)], polls=1) as server,
        running_pool(tmp_path, server, concurrency=1) as process,
    ):
        code, _, err = end(process, number=0)
        assert len(server.answers) == RESTARTS_MAX + 1
    assert (code, err.count("\n")) == (70, 1)
    assert err.startswith(
        "firkin bootstrap: Keeping 1 workers alive: found worker 1 ended 6 times in a row within 60 s"
    )


def test_the_pauses_are_a_table() -> None:
    """Nothing, then 0.1 s doubling, then the end; a worker that has lived long enough begins anew."""
    ends, pauses = 0, []
    for _ in range(RESTARTS_MAX + 1):
        ends, pause = count_end(ends, lived_s=1)
        pauses.append(pause)
    assert pauses == [0, 0.1, 0.2, 0.4, 0.8, None]
    assert count_end(ends, lived_s=STEADY_S) == (1, 0)
    assert (describe_end(3), describe_end(-9)) == ("exit status 3", "signal 9")


@pytest.mark.parametrize("mode", ["processes", "threads", "loop"])
def test_a_process_forked_by_the_handler_says_nothing_to_the_platform(folder, mode) -> None:
    """It ends by itself: 71 after a return, its own code after `sys.exit`, 1 after an exception; the parent answers."""
    handler = "misbehave_asynchronously" if mode == "loop" else "misbehave"
    events = [event(0, b'"fork"'), event(1, b'"fork and exit"'), event(2, b'"fork and raise"')]
    answers, out, err = serve(folder, mode, handler, events, count=1)
    assert [answer.body for answer in answers] == [b"71", b"5", b"1"]
    assert "has returned from the handler as if it were its parent" in err
    assert "KeyError: 'child'" in err
    # A child that leaves by an exception runs the hooks, as everywhere; in a thread it is ended like a thread.
    assert out.count("exit hook") == (3 if mode == "processes" else 1)


def test_failed_tasks_are_logged_with_the_invocation_that_began_them(folder) -> None:
    """At the end of that invocation; or, when it is over, soon after the failure. A cancellation is a failure."""
    with (
        ConcurrentServer(
            [event(0, b'"orphan"'), event(1, b'"late orphan"'), event(2, b'"cancelled"')], polls=3, folder=folder
        ) as server,
        running_pool(
            folder,
            server,
            concurrency=3,
            mode="loop",
            handler="app.misbehave_asynchronously",
            AWS_LAMBDA_LOG_FORMAT="JSON",
        ) as process,
    ):
        server.wait_for(lambda s: s.log.count('"OSError"') >= 2)
        server.wait_for_answers(3)
        end(process)
        records = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    assert {
        (record["errorMessage"], record["requestId"]) for record in records if record["errorType"] == "OSError"
    } == {
        ("lost", "request-0"),
        ("late", "request-1"),
    }
    assert [record["requestId"] for record in records if record["errorType"] == "CancelledError"] == ["request-2"]


@pytest.mark.parametrize("mode", ["processes", "threads", "loop"])
def test_sigterm_lets_invocations_finish_and_runs_hooks(folder, mode, python) -> None:
    """Those in progress are answered, those that wait end at once, no new event is taken."""
    handler = "misbehave_asynchronously" if mode == "loop" else "misbehave"
    with (
        ConcurrentServer([event(0, b'"slow"')], polls=3) as server,
        running_pool(folder, server, concurrency=3, mode=mode, handler=f"app.{handler}", python=python) as process,
    ):
        assert process.stdout.readline() == b"slow\n"
        code, out, err = end(process)
        assert [answer.path.rpartition("/")[2] for answer in server.answers] == ["response"]
    assert (code, out, err) == (TERMINATED, "exit hook\n" * (3 if mode == "processes" else 1), "")


def test_a_signal_handler_of_the_functions_own_is_left_alone(tmp_path) -> None:
    """Where one process serves all, a handler that exits ends it in order: what is in progress is answered."""
    source = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("mine", flush=True), sys.exit(7)))
def handler(event, context):
    print("slow", flush=True)
    time.sleep(0.5)
"""
    write_function(tmp_path, app=source)
    with (
        ConcurrentServer([event(0)], polls=2) as server,
        running_pool(tmp_path, server, concurrency=2, mode="threads") as process,
    ):
        assert process.stdout.readline() == b"slow\n"
        code, out, _ = end(process)
        assert len(server.answers) == 1
    assert (code, out) == (TERMINATED, "mine\n")


@pytest.mark.parametrize("mode", ["processes", "threads"])
def test_a_refused_answer_is_logged_and_survived(folder, mode) -> None:
    """As in awslambdaric: whatever is wrong with one invocation, the worker has others to serve."""
    with (
        ConcurrentServer(
            [event(n) for n in range(3)],
            polls=1,
            answer=lambda request: render(500, b"no") if request.path.endswith("request-0/response") else None,
        ) as server,
        running_pool(folder, server, concurrency=1, mode=mode, handler="app.misbehave") as process,
    ):
        answers = server.wait_for_answers(3)
        assert len({answer.body for answer in answers}) == 1
        _, out, _ = end(process)
    assert "[WARNING]" in out
    assert "Posting the response: found status 500 and 'no'." in out
    assert "The answer may be lost; the worker goes on." in out


def test_asking_is_repeated_with_growing_pauses(folder) -> None:
    """A worker asks five times in all; an answer in between is as good as any."""
    refusals = [render(500, b"not yet"), b"garbage\r\n\r\n", b""]
    with (
        ConcurrentServer(
            [event(0)],
            polls=1,
            answer=lambda request: refusals.pop(0) if request.path.endswith("/next") and refusals else None,
        ) as server,
        running_pool(folder, server, concurrency=1, handler="app.misbehave") as process,
    ):
        server.wait_for_answers(1)
        code, out, _ = end(process)
    assert code == TERMINATED
    assert ["Attempt 1 of 5" in out, "Attempt 2 of 5" in out, "Attempt 3 of 5" in out, "Attempt 4" in out] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("mode", ["processes", "threads"])
def test_when_the_platform_is_gone_the_environment_ends(folder, mode) -> None:
    """Nobody is replaced when nobody can reach the platform; the exit code says so."""
    with (
        ConcurrentServer([], polls=1) as server,
        running_pool(folder, server, concurrency=2, mode=mode, handler="app.misbehave") as process,
    ):
        server.wait_for(lambda s: s.polls_open == 2)
        server.__exit__()
        code, _, err = end(process, number=0)
    assert code == 69
    assert "Check AWS_LAMBDA_RUNTIME_API" in err


def test_a_failed_init_ends_the_environment(tmp_path) -> None:
    """Each worker reports it, as in awslambdaric; 403 says that a sibling was first, and is no failure."""
    write_function(tmp_path, app="import nope")
    posts = []

    def answer(request: Request) -> bytes:
        posts.append(request.path)
        return render(202 if len(posts) == 1 else 403, b"{}")

    with (
        ConcurrentServer([], polls=1, answer=answer) as server,
        running_pool(tmp_path, server, concurrency=3) as process,
    ):
        code, out, err = end(process, number=0)
    assert (code, err) == (1, "")
    assert set(posts) == {"/2018-06-01/runtime/init/error"}
    assert "Runtime.ImportModuleError" in out
    assert "found status 403" not in out


@pytest.mark.parametrize(("mode", "how"), [("processes", "os._exit(4)"), ("threads", "os.kill(os.getpid(), 9)")])
def test_an_init_that_dies_without_a_word_is_reported_for_it(tmp_path, mode, how) -> None:
    """The platform learns what the process could not say any more."""
    write_function(tmp_path, app=f"import os\n{how}")
    with (
        ConcurrentServer([], polls=1) as server,
        running_pool(tmp_path, server, concurrency=1, mode=mode) as process,
    ):
        code, _, _ = end(process, number=0)
        (error,) = server.answers
    assert error.path.endswith("/init/error")
    assert json.loads(error.body)["errorType"] == "Runtime.ExitError"
    assert code == (4 if mode == "processes" else 137)


def test_a_log_socket_that_is_not_there_costs_the_log_and_not_the_function(folder) -> None:
    """The output stays where it was, after a line that says so."""
    missing = {"_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET": str(folder / "nope.sock")}
    _, out, err = serve(folder, "processes", "misbehave", [event(0)], count=1, **missing)
    assert out == "exit hook\n"
    assert err.count("Its output stays where this process's goes.") == 2


@pytest.mark.parametrize(("name", "value"), [("AWS_LAMBDA_MAX_CONCURRENCY", "many"), ("FIRKIN_CONCURRENCY", "fibres")])
def test_a_setting_that_makes_no_sense_is_refused(folder, name, value) -> None:
    """Before anything is started, with the name of the variable."""
    outcome = run_runtime(folder, "app.misbehave", environment={name: value})
    assert (outcome.exit_code, outcome.requests) == (78, [])
    assert f"Reading {name}: found {value!r}. Give " in outcome.stderr


def test_children_of_others_do_not_confuse_the_supervisor(folder) -> None:
    """As process 1 of a container it inherits orphans; a worker that is stopped from outside is replaced."""
    with (
        ConcurrentServer([event(0)], polls=2) as server,
        running_pool(folder, server, concurrency=2, handler="app.misbehave") as process,
    ):
        pid = int(server.wait_for_answers(1)[0].body)
        server.wait_for(lambda s: s.polls_open == 2)
        os.kill(pid, signal.SIGTERM)
        asked = sum(request.method == "GET" for request in server.requests)
        server.wait_for(lambda s: sum(request.method == "GET" for request in s.requests) > asked)
        assert end(process)[0] == TERMINATED
