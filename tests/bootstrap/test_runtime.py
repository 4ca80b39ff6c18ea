"""The whole runtime as a process, on every CPython here, against a recording server: what is on the wire."""

from __future__ import annotations

import json
import sys

import pytest

from tests.bootstrap.recording_server import REQUEST_ID, Event, RecordingServer, render
from tests.bootstrap.runtime_process import (
    SCRIPT,
    SUPPORTED,
    UNREACHABLE,
    VERSIONS,
    require_python,
    run_runtime,
    write_function,
)
from tests.conftest import unavailable

BASE = "/2018-06-01/runtime"
CASES = """
import os, sys
def echo(event, context): return event
def boom(event, context): raise ValueError("b\\u00e4d")
def unserializable(event, context): return object()
def leave(event, context): print("last words", end=""); exit(3)
def die(event, context): os._exit(7)
def trace(event, context): return os.environ.get("_X_AMZN_TRACE_ID")
def raw(event, context): return b"\\x00\\xff"
def kind(event, context): return type(event).__name__
def tenant(event, context): return [context.tenant_id, context.aws_request_id]
def path(event, context): return sys.path
def big(event, context): return "x" * 100 if event == "big" else event
class Nasty\u00c9rror(Exception): pass
Nasty\u00c9rror.__name__ = "Bad\\r\\nX-Injected: 1"
def nasty(event, context): raise Nasty\u00c9rror
def huge(event, context): raise ValueError("x" * (1 << 20))
"""


@pytest.fixture
def cases(tmp_path):
    return write_function(tmp_path, cases=CASES)


@pytest.fixture(params=VERSIONS)
def python(request):
    """Each CPython that the runtime supports and this machine has."""
    return require_python(request.param)


def test_the_newest_supported_python_is_among_those_tried() -> None:
    """No distribution of today brings it; scripts/engines fetches it."""
    if SUPPORTED[-1] not in VERSIONS:
        unavailable(f"there is no Python {SUPPORTED[-1]}: scripts/engines fetches it")
    assert VERSIONS[-1] == SUPPORTED[-1]


def test_a_response_on_the_wire(cases, python) -> None:
    """One /next, one /response with the contract's headers, one /next: all over one connection."""
    event = Event(b'{"a": "\xc3\xa9"}', {"Lambda-Runtime-Invocation-Id": "inv-1"})
    deep = b"[" * 900 + b"]" * 900  # as deep as is promised
    outcome = run_runtime(cases, "cases.echo", events=[event, Event(deep)], python=python)
    next_call, response = ("GET", f"{BASE}/invocation/next"), ("POST", f"{BASE}/invocation/{REQUEST_ID}/response")
    called = [(request.method, request.path) for request in outcome.requests]
    assert called == [next_call, response, next_call, response, next_call]
    assert {request.connection for request in outcome.requests} == {0}
    first, second = outcome.answers
    assert first.body == b'{"a": "\\u00e9"}'
    assert first.headers["content-type"] == "application/json"
    assert first.headers["lambda-runtime-invocation-id"] == "inv-1"
    assert first.headers["user-agent"].startswith("firkin-bootstrap python/3.")
    assert "lambda-runtime-invocation-id" not in second.headers
    assert second.body == deep
    assert outcome.exit_code == UNREACHABLE
    assert outcome.stdout == ""


def test_an_error_on_the_wire(cases, python) -> None:
    """A handler's exception goes to /error with its trace, type and X-Ray cause, and into one log record."""
    (error,) = run_runtime(cases, "cases.boom", python=python).answers
    line = CASES.splitlines().index(next(x for x in CASES.splitlines() if x.startswith("def boom"))) + 1
    assert error.path == f"{BASE}/invocation/{REQUEST_ID}/error"
    frame = f'  File "{cases}/cases.py", line {line}, in boom\n    {CASES.splitlines()[line - 1]}\n'
    expected = {"errorMessage": "b\u00e4d", "errorType": "ValueError", "requestId": REQUEST_ID, "stackTrace": [frame]}
    assert error.body == json.dumps(expected).encode()
    assert error.headers["lambda-runtime-function-error-type"] == "ValueError"
    cause = json.loads(error.headers["lambda-runtime-function-xray-error-cause"])
    assert (cause["working_directory"], cause["paths"]) == (str(cases), [f"{cases}/cases.py"])


def test_init_errors_are_posted_before_any_next(tmp_path, python) -> None:
    """A function that cannot be loaded is reported once, logged twice, and ends with exit code 1."""
    write_function(tmp_path, app="raise RuntimeError('no')")
    outcome = run_runtime(tmp_path, python=python)
    (error,) = outcome.requests
    assert (error.method, error.path) == ("POST", f"{BASE}/init/error")
    frame = f"  File \"{tmp_path}/app.py\", line 1, in <module>\n    raise RuntimeError('no')\n"
    expected = {"errorMessage": "no", "errorType": "RuntimeError", "requestId": "", "stackTrace": [frame]}
    assert error.body == json.dumps(expected).encode()
    assert error.headers["lambda-runtime-function-error-type"] == "RuntimeError"
    assert outcome.exit_code == 1
    warning, record = outcome.stdout.removesuffix("\n").split("\n")
    assert warning.startswith("[WARNING]\t20")
    assert "Z\t\tLAMBDA_WARNING: Unhandled exception. " in warning
    assert record.startswith("[ERROR] RuntimeError: no\rTraceback (most recent call last):\r\u00a0\u00a0File ")


def test_deciding_facts_per_python(cases, python) -> None:
    """The event's bytes, the trace id and the tenant belong to one invocation each."""
    events = [
        Event(headers={"Lambda-Runtime-Trace-Id": "Root=1"}),
        Event(),
        Event(headers={"Lambda-Runtime-Trace-Id": ""}),
    ]
    traced = run_runtime(cases, "cases.trace", events=events, python=python, environment={"_X_AMZN_TRACE_ID": "old"})
    assert [answer.body for answer in traced.answers] == [b'"Root=1"', b"null", b"null"]
    kinds = [Event(headers={"Content-Type": ""}), Event(headers={"Content-Type": "text/plain"})]
    assert [a.body for a in run_runtime(cases, "cases.kind", events=kinds, python=python).answers] == [
        b'"dict"',
        b'"bytes"',
    ]


def test_the_trace_id_is_there_for_a_late_import_of_os(tmp_path) -> None:
    """A function that imports os only in its handler, and a child process, see this invocation's id."""
    source = """
def handler(event, context):
    import sys
    early = "os" in sys.modules
    import os
    return [early, os.environ.get("_X_AMZN_TRACE_ID"), os.popen("echo $_X_AMZN_TRACE_ID").read()]
"""
    write_function(tmp_path, app=source)
    events = [Event(headers={"Lambda-Runtime-Trace-Id": f"Root={n}"}) for n in (1, 2)]
    first, second = run_runtime(tmp_path, events=events).answers
    assert json.loads(first.body) == [False, "Root=1", "Root=1\n"]
    assert json.loads(second.body) == [True, "Root=2", "Root=2\n"]


def test_the_tenant_is_the_invocations(cases) -> None:
    """The tenant id is that of the event, and None for the next event without one."""
    events = [Event(headers={"Lambda-Runtime-Aws-Tenant-Id": "t"}), Event()]
    bodies = [json.loads(a.body) for a in run_runtime(cases, "cases.tenant", events=events).answers]
    assert bodies == [["t", REQUEST_ID], [None, REQUEST_ID]]


def test_bytes_have_their_own_content_type(cases) -> None:
    """A bytes result travels unchanged."""
    (answer,) = run_runtime(cases, "cases.raw").answers
    assert (answer.body, answer.headers["content-type"]) == (b"\x00\xff", "application/unknown")


@pytest.mark.parametrize(
    ("handler", "event", "wire_type"),
    [
        ("cases.unserializable", Event(), "Runtime.MarshalError"),
        ("cases.echo", Event(b"{"), "Runtime.UnmarshalError"),
        ("cases.echo", Event(headers={"Lambda-Runtime-Client-Context": "{"}), "Runtime.LambdaContextUnmarshalError"),
    ],
)
def test_faults_have_their_wire_type_and_the_loop_lives_on(cases, handler, event, wire_type) -> None:
    """Type in body and header alike; the next event is served as if nothing had been."""
    first, second = run_runtime(cases, handler, events=[event, event]).answers
    assert first == second
    assert json.loads(first.body)["errorType"] == first.headers["lambda-runtime-function-error-type"] == wire_type


@pytest.mark.parametrize(("handler", "code"), [("cases.leave", 3), ("cases.die", 7)])
def test_leaving_in_a_handler_ends_the_process(cases, handler, code) -> None:
    """sys.exit, exit and os._exit mean what they say; what was printed is out, an exit is answered before."""
    outcome = run_runtime(cases, handler)
    assert outcome.exit_code == code
    errors = [json.loads(answer.body) for answer in outcome.answers]
    if code == 7:
        assert (errors, outcome.stdout) == ([], "")
    else:
        (error,) = errors
        assert error["errorType"] == "Runtime.ExitError"
        assert error["errorMessage"].startswith("The function ended its process: found SystemExit(3)")
        assert outcome.stdout.startswith("last words[ERROR] Runtime.ExitError: The function ended")


def test_leaving_at_import_is_reported_before_the_end(tmp_path, python) -> None:
    """The platform would otherwise see a process that is gone, and answer with nothing."""
    write_function(tmp_path, app="import sys; sys.exit(5)")
    outcome = run_runtime(tmp_path, python=python)
    (error,) = outcome.requests
    assert (error.path, outcome.exit_code) == (f"{BASE}/init/error", 5)
    assert json.loads(error.body)["errorType"] == "Runtime.ExitError"


def test_exceptions_outside_exception_are_failures_of_one_invocation(tmp_path) -> None:
    """A CancelledError or a class of the function's own is reported under its name, and the loop lives on."""
    source = "class Stop(BaseException): pass\ndef handler(event, context): raise Stop('now')"
    write_function(tmp_path, app=source)
    outcome = run_runtime(tmp_path, events=[Event(), Event()])
    assert [json.loads(answer.body)["errorType"] for answer in outcome.answers] == ["Stop", "Stop"]
    assert outcome.exit_code == UNREACHABLE


def test_a_class_name_cannot_forge_a_header(cases) -> None:
    """Line ends in an exception's class name stay inside one header, and in the body as they are."""
    (error,) = run_runtime(cases, "cases.nasty").answers
    assert error.headers["lambda-runtime-function-error-type"] == "Bad??X-Injected: 1"
    assert "x-injected" not in error.headers
    assert json.loads(error.body)["errorType"] == "Bad\r\nX-Injected: 1"


def test_a_huge_xray_cause_is_dropped(cases) -> None:
    """From 1 MiB on the platform would refuse the message; the body still says everything."""
    (error,) = run_runtime(cases, "cases.huge").answers
    assert "lambda-runtime-function-xray-error-cause" not in error.headers
    assert len(json.loads(error.body)["errorMessage"]) == 1 << 20


def test_a_refused_response_is_reported_and_survived(cases) -> None:
    """After 413 the failure goes to /error, whatever the answer to that is, and the next event is served."""
    for status in (202, 403):
        answers = {"response": render(413, b'{"errorType":"RequestEntityTooLarge"}'), "error": render(status, b"{}")}
        server = RecordingServer([Event(b'"big"'), Event()], answers=answers)
        outcome = run_runtime(cases, "cases.big", server=server)
        assert [a.path.rpartition("/")[2] for a in outcome.answers] == ["response", "error"] * 2
        error = json.loads(outcome.answers[1].body)
        assert error["errorType"] == "Function.ResponseSizeTooLarge"
        assert "102 bytes" in error["errorMessage"]
        assert "[ERROR] Function.ResponseSizeTooLarge: " in outcome.stdout


@pytest.mark.parametrize(
    ("answers", "code", "message"),
    [
        ({"next": render(403, b'{"errorType":"Forbidden"}')}, 77, "Asking for the next event: found status 403"),
        ({"next": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, 76, "found the request id ''"),
        ({"next": b"220 smtp ready\r\n"}, 76, "220 smtp ready"),
        ({"response": render(400, b"InvalidRequestID")}, 77, "Posting the response: found status 400"),
    ],
)
def test_a_platform_that_cannot_be_used_ends_the_process(cases, answers, code, message) -> None:
    """One line on standard error, one exit code for each cause, no traceback."""
    outcome = run_runtime(cases, "cases.echo", server=RecordingServer([Event()], answers=answers))
    assert (outcome.exit_code, outcome.stderr.count("\n")) == (code, 1)
    assert outcome.stderr.startswith("firkin bootstrap: ")
    assert message in outcome.stderr


@pytest.mark.parametrize("options", [{"piece_bytes": 1}, {"hang_up_after_answers": True}, {"host": "::1"}])
def test_a_slow_rude_or_ipv6_platform_is_served_alike(cases, options) -> None:
    """Single bytes, a connection per message, and IPv6 change nothing in what is sent."""
    server = RecordingServer([Event(b"[1]"), Event(b"[2]")], **options)
    assert [a.body for a in run_runtime(cases, "cases.echo", server=server).answers] == [b"[1]", b"[2]"]


def test_raw_utf8_where_the_platform_says_3_12(cases) -> None:
    """AWS_EXECUTION_ENV decides about escapes, in responses and in errors."""
    environment = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"}
    (answer,) = run_runtime(cases, "cases.echo", events=[Event('"\u00e9"'.encode())], environment=environment).answers
    assert answer.body == '"\u00e9"'.encode()
    (error,) = run_runtime(cases, "cases.boom", environment=environment).answers
    assert "b\u00e4d".encode() in error.body


def test_the_handler_may_come_from_the_environment(cases) -> None:
    """Without an argument, _HANDLER names the handler."""
    command = [sys.executable, "-S", str(SCRIPT)]
    (answer,) = run_runtime(cases, command=command, environment={"_HANDLER": "cases.echo"}).answers
    assert answer.body == b"{}"


def test_the_module_path_starts_with_the_function(cases) -> None:
    """The task root is first; neither our folder nor its parent is on the path."""
    (answer,) = run_runtime(cases, "cases.path").answers
    path = json.loads(answer.body)
    assert path[0] == str(cases)
    assert not {str(SCRIPT.parent), str(SCRIPT.parent.parent)} & set(path)


def test_what_a_handler_returned_ends_with_its_invocation(tmp_path) -> None:
    """A finaliser of the result runs after the answer, and before the next event is asked for."""
    source = """
import sys
class Result(dict):
    def __del__(self): print("ended", flush=True)
def handler(event, context):
    print("begins", flush=True)
    return Result(a=event)
"""
    outcome = run_runtime(write_function(tmp_path, app=source), events=[Event(b"1"), Event(b"2")])
    assert outcome.stdout == "begins\nended\n" * 2
    assert [answer.body for answer in outcome.answers] == [b'{"a": 1}', b'{"a": 2}']
