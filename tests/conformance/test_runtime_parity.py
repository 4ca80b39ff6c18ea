"""The same functions and events through awslambdaric and through our runtime: the documented differences, no others.

Both run under one recording server (every call, header, body, log line and exit code) and under AWS's own
emulator (what the invoker gets). docs/reference/differences-from-awslambdaric.md lists what may differ.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bootstrap.recording_server import Event, RecordingServer, render
from tests.bootstrap.runtime_process import SCRIPT, Outcome, run_runtime
from tests.conformance.awss_emulator import ask_awss

pytestmark = pytest.mark.network

PAGE = Path(__file__).parents[2] / "docs/reference/differences-from-awslambdaric.md"
ROW = re.compile(r"^\| `(?P<case>[^`]+)` \| (?P<facet>calls|headers|cause|body|log|exit code|answer) \|", re.MULTILINE)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
# What the page says about every case: the rest of the warning, and the last line when the platform has gone.
WARNING = re.compile(
    r"(LAMBDA_WARNING: Unhandled exception\. The most likely cause is an issue in the function code\.) [^\r]*"
)
FAREWELL = re.compile(r"\[ERROR\] \[\d+\] LAMBDA_RUNTIME Failed to get next invocation\. No Response from endpoint\n")
OUTLIVES = {69, 1}  # both end when the platform has gone; the page says how


@dataclass(frozen=True)
class Case:
    """A function, the events it gets, and how it is run; `ends` says that the process ends by itself."""

    source: str
    events: tuple[Event, ...] = (Event(),)
    handler: str = "app.handler"
    environment: dict[str, str] = field(default_factory=dict)
    answers: dict[str, bytes] = field(default_factory=dict)
    ends: bool = False
    under_rie: bool = True


def returns(expression: str, *events: Event, before: str = "", **more) -> Case:
    return Case(f"{before}\ndef handler(event, context): return {expression}\n", events or (Event(),), **more)


def does(statement: str, *events: Event, before: str = "", **more) -> Case:
    return Case(f"{before}\ndef handler(event, context):\n    {statement}\n", events or (Event(),), **more)


def with_header(name: str, value: str) -> Event:
    return Event(headers={f"Lambda-Runtime-{name}": value})


JSON = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}
SNAP = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
REGISTER = "from snapshot_restore_py import register_after_restore, register_before_snapshot\n"
LOG = "import logging"
CATCH = "\ndef f():\n    try: 1 / 0\n    except ZeroDivisionError: logging.getLogger('a').exception('x %s', 'y')"
DICT_CONFIG = """
import logging.config, sys
logging.config.dictConfig({"version": 1, "disable_existing_loggers": False,
    "formatters": {"f": {"format": "%(levelname)-8s - %(message)s"}},
    "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f", "stream": sys.stdout}},
    "root": {"level": "CRITICAL", "handlers": ["h"]}})
"""
LOGS = "[logging.getLogger('a').log(n, 'n=%s', n, extra={'k': n}) for n in (10, 20, 35, 40, 50)]"
CASES = {
    "echo": returns("event", Event(b'{"a": [1, 2.5, null, true, "x"]}'), Event(b"[]")),
    "nothing": returns("None"),
    "non-ASCII": returns("event", Event('"\u00e9\U0001f600"'.encode())),
    "non-ASCII, managed 3.12": returns(
        "event", Event('"\u00e9"'.encode()), environment={"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"}
    ),
    "lone surrogate": returns("'\\ud800'"),
    "NaN comes": returns("repr(event)", Event(b"[NaN]"), under_rie=False),
    "NaN": returns("[float('nan'), float('inf')]"),
    "floats": returns("[1e16, 1e-7, 0.1, -0.0, 1e400]"),
    "big integer": returns("event", Event(b"123456789012345678901234567890")),
    "Decimal": returns("[D('1.10'), D('NaN'), {'k': D('1E+3')}]", before="from decimal import Decimal as D"),
    "named tuple": returns("[P(1, (2, P(3, 4)))]", before="import collections\nP = collections.namedtuple('P', 'x y')"),
    "keys": returns("{1: 1, True: 2, None: 3, 1.5: 4}"),
    "bytes inside": returns("{'b': b'text'}"),
    "bytes": returns("b'\\x00\\xff'"),
    "bytes in": returns("type(event).__name__", Event(b"\x00\xff", {"Content-Type": "application/octet-stream"})),
    "empty content type": returns("type(event).__name__", Event(headers={"Content-Type": ""}), under_rie=False),
    "object": returns("object()"),
    "coroutine": Case("async def handler(event, context): return 1"),
    "generator": Case("def handler(event, context): yield b'a'"),
    "set": returns("{1}"),
    "circular": does("a = []; a.append(a); return a"),
    "enum": returns("E.A", before="import enum\nclass E(enum.Enum): A = 1"),
    "string enum": returns("E.A", before="import enum\nclass E(str, enum.Enum): A = 'a'"),
    "_asdict": returns("[J()]", before="class J:\n    def _asdict(self): return {'a': 1}", under_rie=False),
    "bytes key": returns("{b'k': 1}", under_rie=False),
    "for_json": returns("J()", before="class J:\n    def for_json(self): return 1"),
    "malformed event": returns("1", Event(b'{"a": nope}')),
    "empty event": returns("1", Event(b"")),
    "event with BOM": returns("event", Event(b"\xef\xbb\xbf1")),
    "event not UTF-8": returns("event", Event(b'"\xff"')),
    "malformed identity": returns("1", with_header("Cognito-Identity", "nope"), under_rie=False),
    "malformed client context": returns("1", with_header("Client-Context", "{"), under_rie=False),
    "context": returns(
        "[repr(context), context.memory_limit_in_mb]",
        Event(headers={
            "Lambda-Runtime-Client-Context": '{"custom": {"a": 1}, "env": {}, "client": {"app_title": "t"}}',
            "Lambda-Runtime-Cognito-Identity": '{"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}',
            "Lambda-Runtime-Aws-Tenant-Id": "tenant",
        }),
        environment={"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_FUNCTION_NAME": "f"},
        under_rie=False,
    ),
    "remaining time": returns("0 < context.get_remaining_time_in_millis()"),
    "trace id": returns(
        "os.environ.get('_X_AMZN_TRACE_ID')",
        with_header("Trace-Id", "Root=1"),
        Event(),
        before="import os",
        under_rie=False,
    ),
    "invocation id": returns("1", with_header("Invocation-Id", "inv-1"), under_rie=False),
    "error with invocation id": does("1 / 0", with_header("Invocation-Id", "inv-1"), under_rie=False),
    "raises": does("raise ValueError('b\\u00e4d')", Event(), Event()),
    "raises in depth": does("return f(3)", before="def f(n): return f(n - 1) if n else 1 / n"),
    "raises KeyError": does("return {}['k']"),
    "raises without message": does("raise OSError"),
    "raises several lines": does("raise ValueError('a\\n  b')"),
    "raises from a cause": does("raise KeyError('b') from ValueError('a')"),
    "raises its own class": does("raise E('x')", before="class E(Exception): pass"),
    "raises huge": does("raise ValueError('x' * (1 << 20))", under_rie=False),
    "raises unprintable": does(
        "raise E", before="class E(Exception):\n    def __str__(self): raise ValueError", ends=True, under_rie=False
    ),
    "raises BaseException": does("raise E('x')", before="class E(BaseException): pass", ends=True),
    "prints": does("print('line'); print('rest', end=''); context.log('logged')"),
    "logs": does(LOGS, before=LOG + "\nlogging.error('cold')"),
    "logs at level": does(LOGS, before=LOG, environment={"AWS_LAMBDA_LOG_LEVEL": "ERROR"}),
    "logs JSON": does(LOGS, before=LOG + "\nlogging.error('cold')", environment=JSON),
    "logs at TRACE": does(LOGS, before=LOG, environment={"AWS_LAMBDA_LOG_LEVEL": "TRACE"}),
    "logs at WARN as JSON": does(LOGS, before=LOG, environment={**JSON, "AWS_LAMBDA_LOG_LEVEL": "warn"}),
    "logs at FATAL as JSON": does(LOGS, before=LOG, environment={**JSON, "AWS_LAMBDA_LOG_LEVEL": "FATAL"}),
    "logs at no known level": does(LOGS, before=LOG, environment={**JSON, "AWS_LAMBDA_LOG_LEVEL": "LOUD"}),
    "logs at a level of its own": does(LOGS, before=LOG + "\nlogging.getLogger().setLevel(50)", environment=JSON),
    "logs by dictConfig": does(LOGS, before=LOG + DICT_CONFIG, environment=JSON),
    "logs for a tenant as JSON": does(LOGS, with_header("Aws-Tenant-Id", "t"), before=LOG, environment=JSON),
    "logs odd values as JSON": does("logging.error({'a': {1}}, extra={'b': object})", before=LOG, environment=JSON),
    "logs several lines": does("logging.error('a\\n  b')", before=LOG),
    "logs with a format of its own": does(
        LOGS, before=LOG + "\nlogging.root.handlers[0].setFormatter(logging.Formatter('%(aws_request_id)s %(msg)s'))"
    ),
    "logs a dict as JSON": does("logging.error({'a': '\\u00e9'})", before=LOG, environment=JSON),
    "logs an exception as JSON": does("f()", before=LOG + CATCH, environment=JSON),
    "logs no exception as JSON": does("logging.exception('x')", before=LOG, environment=JSON),
    "raises, logs JSON": does("raise ValueError('x')", environment=JSON),
    "import error": Case("import nope", ends=True),
    "import error, logs JSON": Case("import nope", environment=JSON, ends=True),
    "syntax error": Case("x = 1\ndef handler(:", ends=True),
    "handler missing": Case("x = 1", ends=True),
    "handler without dot": Case("x = 1", handler="app", ends=True),
    "built-in module": Case("x = 1", handler="sys.handler", ends=True),
    "exception at import": Case("raise KeyError('boo')", ends=True),
    "sys.exit at import": Case("import sys; sys.exit(5)", ends=True),
    "sys.exit": does("sys.exit(3)", before="import sys", ends=True),
    "os._exit": does("os._exit(7)", before="import os", ends=True),
    "response too large": returns("1", answers={"response": render(413, b"{}")}, ends=True, under_rie=False),
    "SnapStart": returns(
        "1",
        before=REGISTER
        + "for n in 'ab': register_before_snapshot(print, 'b', n); register_after_restore(print, 'a', n)",
        environment=SNAP,
        under_rie=False,
    ),
    "SnapStart, failure before": returns(
        "1", before=REGISTER + "@register_before_snapshot\ndef f(): 1 / 0", environment=SNAP, ends=True, under_rie=False
    ),
    "SnapStart, failure after": returns(
        "1", before=REGISTER + "@register_after_restore\ndef f(): 1 / 0", environment=SNAP, ends=True, under_rie=False
    ),
}  # fmt: skip


def documented(name: str) -> set[str]:
    """The facets in which the page lets this case differ."""
    return {row["facet"] for row in ROW.finditer(PAGE.read_text()) if row["case"] == name}


def test_the_page_names_only_cases_that_are_run() -> None:
    """A row about a case that nobody runs would be a claim without a witness."""
    assert {row["case"] for row in ROW.finditer(PAGE.read_text())} <= set(CASES)


def facets(outcome: Outcome, *, ends: bool) -> dict[str, object]:
    """What can be compared of a run, with times left out."""
    posts = outcome.answers
    named = ("content-type", "lambda-runtime-function-error-type", "lambda-runtime-invocation-id")
    causes = [post.headers.get("lambda-runtime-function-xray-error-cause") for post in posts]
    return {
        "calls": [(request.method, request.path) for request in outcome.requests],
        "headers": [{name: post.headers.get(name) for name in named} for post in posts],
        "cause": [cause and json.loads(cause) for cause in causes],
        "body": [post.body for post in posts],
        "log": WARNING.sub(r"\1", TIME.sub("TIME", FAREWELL.sub("", outcome.stdout))),
        "exit code": outcome.exit_code if ends else outcome.exit_code in OUTLIVES,
    }


def commands(python: str, handler: str) -> tuple[list[str], list[str]]:
    """Theirs and ours, on one interpreter with one set of packages."""
    return [python, "-m", "awslambdaric", handler], [python, str(SCRIPT), handler]


def differing(theirs: dict[str, object], ours: dict[str, object]) -> set[str]:
    """The facets in which the two differ; headers of ours that they do not send have a test of their own."""
    found = {name for name in theirs if name not in ("headers", "cause") and theirs[name] != ours[name]}
    sent = [
        {name: value if them[name] is not None else None for name, value in us.items()}
        for them, us in zip(theirs["headers"], ours["headers"], strict=False)
    ]
    if theirs["headers"] != sent and "calls" not in found:
        found.add("headers")
    if any(them is not None and them != us for them, us in zip(theirs["cause"], ours["cause"], strict=False)):
        found.add("cause")
    return found


@pytest.mark.parametrize("name", CASES)
def test_calls_and_logs_differ_only_as_documented(name: str, tmp_path: Path, awslambdaric_python: str) -> None:
    """Under one server: calls, headers, bodies, X-Ray causes, log lines and exit codes."""
    case = CASES[name]
    (tmp_path / "app.py").write_text(case.source)
    seen = []
    for command in commands(awslambdaric_python, case.handler):
        server = RecordingServer(list(case.events), answers=case.answers)
        outcome = run_runtime(tmp_path, server=server, command=command, environment=case.environment)
        seen.append(facets(outcome, ends=case.ends))
    theirs, ours = seen
    assert differing(theirs, ours) == documented(name) - {"answer"}, json.dumps([theirs, ours], indent=1, default=repr)


def test_failures_say_more_in_their_headers(tmp_path: Path, awslambdaric_python: str) -> None:
    """The error type with every failure, the content type and the X-Ray cause also with those of init."""
    (tmp_path / "app.py").write_text("def handler(event, context): 1 / 0")
    names = ("content-type", "lambda-runtime-function-error-type", "lambda-runtime-function-xray-error-cause")
    seen = []
    for handler in ("app.handler", "app.nope"):
        for command in commands(awslambdaric_python, handler):
            (error,) = run_runtime(tmp_path, command=command).answers
            seen.append([name in error.headers for name in names])
    assert seen == [[True, False, True], [True, True, True], [False, True, False], [True, True, True]]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.under_rie and not case.environment])
def test_answers_under_awss_emulator_differ_only_as_documented(
    name: str, tmp_path: Path, awslambdaric_python: str, rie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under AWS's emulator: the status and the body that the invoker gets."""
    case = CASES[name]
    (tmp_path / "app.py").write_text(case.source)
    events = [event.body for event in case.events]
    theirs, ours = (ask_awss(tmp_path, rie, each, events) for each in commands(awslambdaric_python, case.handler))
    assert ("answer" in documented(name)) == (theirs != ours), (theirs, ours)
