"""Managed instances: the same scenarios through awslambdaric's worker processes and through ours.

Both get `AWS_LAMBDA_MAX_CONCURRENCY` and the log socket, from one server. What may differ is in the table of
docs/reference/differences-from-awslambdaric.md, section "On managed instances".
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.bootstrap.concurrent_server import ConcurrentServer, end, event, running_pool
from tests.bootstrap.recording_server import render
from tests.bootstrap.runtime_process import SCRIPT, write_function

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bootstrap.recording_server import Request

pytestmark = pytest.mark.network

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
WARNING = re.compile(r"LAMBDA_WARNING[^\r]*\r")
COUNT = 4
SOURCE = """
import logging, os, time
def handler(event, context):
    logging.error("from %s", context.tenant_id)
    open(f"in-{context.aws_request_id}", "w").close()
    while len([name for name in os.listdir(".") if name.startswith("in-")]) < 4:
        time.sleep(0.01)
    if event == "raise":
        raise ValueError(context.aws_request_id)
    if event == "die":
        os._exit(7)
    print("printed by", context.aws_request_id)
    return [context.aws_request_id, os.environ["_X_AMZN_TRACE_ID"], context.tenant_id]
"""
# Threads of awslambdaric's own poll for it from 3.12 on, and only there is a poll repeated.
REPEATS = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"}


def commands(python: str) -> list[list[str]]:
    """Theirs and ours."""
    return [[python, "-m", "awslambdaric", "app.handler"], [python, str(SCRIPT), "app.handler"]]


def seen(requests: list[Request]) -> list[tuple[str, bytes, str | None]]:
    """The answers in the order of their paths, with what of their headers can be compared."""
    names = ("content-type", "lambda-runtime-invocation-id")
    return sorted((r.path, r.body, *(r.headers.get(name) for name in names)) for r in requests)


def lines(log: str) -> list[str]:
    """The records of a log, without their times, in any order."""
    return sorted(TIME.sub("TIME", WARNING.sub("WARNING", log)).splitlines())


@pytest.mark.parametrize("logs", [{}, {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "DEBUG"}])
def test_the_same_events_have_the_same_answers_and_logs(tmp_path: Path, awslambdaric_python: str, logs) -> None:
    """Polls open at once, handlers at work at once; answers, headers, and what goes over the log socket."""
    found = []
    for number, command in enumerate(commands(awslambdaric_python)):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_function(folder, app=SOURCE)
        events = [event(n, Lambda_Runtime_Invocation_Id=f"inv-{n}") for n in range(5)] + [event(5, b'"raise"')]
        with (
            ConcurrentServer(events, polls=COUNT, folder=folder) as server,
            running_pool(folder, server, concurrency=COUNT, command=command, **logs) as process,
        ):
            answers = list(server.wait_for_answers(len(events)))
            server.wait_for(lambda s: s.log.count("printed by") == 5 and s.polls_open == COUNT)
            connections = len(server.logs)
            log = server.log.replace(str(folder), "FOLDER")
            process.kill()
            out = end(process, number=0)[1] if number else process.stdout.read1().decode()
        found.append((seen_in(folder, answers), lines(log), connections, lines(out)))
    assert found[0] == found[1]
    assert found[1][2] == 2 * COUNT
    assert ("runtime_worker_pool_initializing" in "".join(found[1][3])) == bool(logs)


def seen_in(folder: Path, requests: list[Request]) -> list[tuple[str, bytes, str | None]]:
    return [(path, body.replace(str(folder).encode(), b"FOLDER"), *rest) for path, body, *rest in seen(requests)]


@pytest.mark.parametrize(("path", "status"), [("response", 500), ("response", 403), ("error", 400)])
def test_an_answer_that_is_refused_ends_nothing(tmp_path, awslambdaric_python: str, path, status) -> None:
    """Both log it, and serve the next event in the same process."""
    write_function(tmp_path, app="import os\ndef handler(event, context): return os.getpid() if event else 1 / 0")
    for command in commands(awslambdaric_python):
        events = [event(0, b"false" if path == "error" else b"true"), event(1, b"true"), event(2, b"true")]
        with (
            ConcurrentServer(
                events,
                polls=1,
                folder=tmp_path,
                answer=lambda request: render(status, b"{}") if request.path.endswith(f"request-0/{path}") else None,
            ) as server,
            running_pool(tmp_path, server, concurrency=1, command=command) as process,
        ):
            answers = server.wait_for_answers(3)
            assert answers[1].body == answers[2].body
            server.wait_for(lambda s: "[WARNING]" in s.log)
            process.kill()
        (tmp_path / "log.sock").unlink()


def test_a_poll_that_fails_is_repeated(tmp_path, awslambdaric_python: str) -> None:
    """Both ask again, later; the same process serves. After a status, theirs falls silent instead."""
    write_function(tmp_path, app="def handler(event, context): return 1")
    for command in commands(awslambdaric_python):
        refusals = [b""] * 2
        with (
            ConcurrentServer(
                [event(0)],
                polls=1,
                answer=lambda r, left=refusals: left.pop() if r.path.endswith("next") and left else None,
            ) as server,
            running_pool(tmp_path, server, concurrency=1, command=command, **REPEATS) as process,
        ):
            server.wait_for_answers(1)
            assert [r.method for r in server.requests][:4] == ["GET"] * 3 + ["POST"]
            process.kill()


def test_a_failed_init_is_reported_by_each_and_403_forgiven(tmp_path, awslambdaric_python: str) -> None:
    """Siblings post the same; the second is refused, and nobody minds. Then the processes have ended."""
    write_function(tmp_path, app="import nope")
    bodies, codes = [], []
    for command in commands(awslambdaric_python):
        posts: list[bytes] = []

        def answer(request: Request, posts=posts) -> bytes:
            posts.append(request.body)
            return render(202 if len(posts) == 1 else 403, b"{}")

        with (
            ConcurrentServer([], polls=1, answer=answer) as server,
            running_pool(tmp_path, server, concurrency=3, command=command) as process,
        ):
            code, _, err = end(process, number=0)
            assert "Traceback" not in err
        bodies.append({json.loads(body)["errorType"] for body in posts})
        codes.append(code)
    assert bodies[0] == bodies[1] == {"Runtime.ImportModuleError"}
    assert codes == [0, 1]


def test_only_ours_replaces_a_dead_worker(tmp_path, awslambdaric_python: str) -> None:
    """Theirs leaves the invoker to the time-out and serves on with one process less, or with none."""
    write_function(tmp_path, app="import os\ndef handler(event, context): return os._exit(7) if event else 1")
    seen_of = []
    for command in commands(awslambdaric_python):
        with (
            ConcurrentServer([event(0, b"true")], polls=1) as server,
            running_pool(tmp_path, server, concurrency=1, command=command) as process,
        ):
            if command[1] == "-m":
                code, _, _ = end(process, number=0)
            else:
                server.wait_for_answers(1)
                server.wait_for(lambda s: s.polls_open)
                code, _, _ = end(process)
            seen_of.append((code, [answer.path.rpartition("/")[2] for answer in server.answers]))
    assert seen_of == [(0, []), (143, ["error"])]


def test_only_ours_hands_sigterm_on(tmp_path, awslambdaric_python: str) -> None:
    """Theirs ends the process that waits, and leaves its workers asking for events."""
    write_function(
        tmp_path, app="import atexit\natexit.register(print, 'bye', flush=True)\ndef handler(event, context): pass"
    )
    codes, printed = [], []
    for command in commands(awslambdaric_python):
        with (
            ConcurrentServer([], polls=1, folder=tmp_path) as server,
            running_pool(tmp_path, server, concurrency=2, command=command) as process,
        ):
            server.wait_for(lambda s: s.polls_open == 2)
            process.terminate()
            codes.append(process.wait(20))
            printed.append(server.log.count("bye"))
        (tmp_path / "log.sock").unlink()
    assert codes == [-15, 143]
    assert printed == [0, 2]
