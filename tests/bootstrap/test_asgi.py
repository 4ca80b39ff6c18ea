"""ASGI applications as handlers, as the recording server sees them; witnessed by real frameworks in conformance."""

from __future__ import annotations

import base64
import json

import pytest

from bootstrap.asgi import render_scope
from bootstrap.web_request import parse_request
from tests.bootstrap.recording_server import Event, RecordingServer
from tests.bootstrap.runtime_process import EDGES, VERSIONS, require_python, run_runtime, write_function
from tests.bootstrap.web_events import alb, v1, v2

STREAMS = {"AWS_LWA_INVOKE_MODE": "response_stream"}
CASES = """
import asyncio, json, os, time
def respond(status=200, headers=()): return {"type": "http.response.start", "status": status, "headers": list(headers)}
def part(body, more=False): return {"type": "http.response.body", "body": body, "more_body": more}
log = []
class App:
    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                log.append(message["type"])
                scope["state"]["opened"] = id(asyncio.get_running_loop())
                if message["type"] == "lifespan.shutdown": print(log)
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown": return
        log.append(scope["path"])
        request = await receive()
        same = scope["state"].get("opened") == id(asyncio.get_running_loop())
        await send(respond(201, [(b"Content-Type", b"text/plain"), (b"set-cookie", b"a=1")]))
        await send(part(request["body"], True))
        await send(part(b"|%s|%s" % (str(same).encode(), scope["aws.context"].aws_request_id[:4].encode())))
        assert (await receive())["type"] == "http.disconnect"
        print("after the response")
app = App()
bound = app.__call__
def wrapped(*arguments): return app(*arguments)
class Wrapped:
    def __init__(self, inner): self.inner = inner
    def __call__(self, scope, receive, send): return self.inner(scope, receive, send)
hidden = Wrapped(app)

async def no_lifespan(scope, receive, send):
    assert scope["type"] == "http"
    await send(respond()); await send(part(b"fine"))
async def quiet(scope, receive, send):
    if scope["type"] == "lifespan": return
    await send(respond(204)); await send(part(b""))
async def refuses(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
async def breaks(scope, receive, send):
    await receive()
    try: raise LookupError("no database")
    except LookupError:
        await send({"type": "lifespan.startup.failed", "message": "traceback"})
        raise
async def boom(scope, receive, send):
    await receive()
    raise ValueError("before")
async def late(scope, receive, send):
    await send(respond()); await send(part(b"begun", True))
    raise ValueError("in between")
async def after(scope, receive, send):
    await send(respond(500)); await send(part(b"own page"))
    raise ValueError("after")
async def silent(scope, receive, send): pass
async def twice(scope, receive, send): await send(respond()); await send(respond())
async def step(scope, receive, send):
    await send(respond()); await send(part(b"first", True))
    for _ in range(1000):
        if os.path.exists("sign"): break
        time.sleep(0.01)  # blocks the loop: only a chunk that is out already can have made the sign
    else: raise TimeoutError
    await send(part(b"second"))
"""


@pytest.fixture
def cases(tmp_path):
    return write_function(tmp_path, cases=CASES)


def run(folder, handler, *events, **more):
    encoded = [Event(json.dumps(event).encode()) for event in events or (v2(),)]
    outcome = run_runtime(folder, handler, events=encoded, **more)
    return [json.loads(answer.body) for answer in outcome.answers], outcome


@pytest.mark.parametrize("version", EDGES)
@pytest.mark.parametrize("handler", ["cases.app", "cases.bound", "asgi:cases.hidden", "asgi:cases.wrapped"])
def test_applications_answer_http_events(cases, handler, version) -> None:
    """Recognised or declared; the lifespan is run once for all events, on the loop of all events."""
    found, outcome = run(cases, handler, v2("/1", body="in"), v2("/2"), python=require_python(version))
    answer = {
        "statusCode": 201, "headers": {"content-type": "text/plain"}, "cookies": ["a=1"], "body": "in|True|8476",
        "isBase64Encoded": False,
    }  # fmt: skip
    assert found == [answer, {**answer, "body": "|True|8476"}]
    told = "['lifespan.startup', '/1', '/2', 'lifespan.shutdown']"
    assert outcome.stdout == f"after the response\nafter the response\n{told}\n"


@pytest.mark.parametrize(("event", "key"), [(v1(), "multiValueHeaders"), (v2(), "cookies"), (alb(), "headers")])
def test_the_answer_has_the_shape_of_its_event(cases, event, key) -> None:
    """Each sender gets its own, from one application."""
    (found,), _ = run(cases, "cases.app", event)
    assert key in found
    assert "a=1" in json.dumps(found)


@pytest.mark.parametrize(("handler", "body"), [("no_lifespan", "fine"), ("quiet", "")])
def test_applications_without_a_lifespan_are_taken_as_they_are(cases, handler, body) -> None:
    """By an exception or by returning they say that they have none: neither is an error or a log record."""
    (found,), outcome = run(cases, f"cases.{handler}")
    assert (found["body"], outcome.stdout) == (body, "")


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [("refuses", "AsgiError", "found its lifespan failed: 'no database'."), ("breaks", "LookupError", "no database")],
)
def test_an_application_that_cannot_start_is_an_init_error(cases, handler, error_type, message) -> None:
    """Before the first event, with its own exception where there is one."""
    (found,), outcome = run(cases, f"cases.{handler}")
    assert outcome.answers[0].path.endswith("/init/error")
    assert (found["errorType"], outcome.exit_code) == (error_type, 1)
    assert message in found["errorMessage"]


FAILED = {"statusCode": 500, "body": "Internal Server Error"}


@pytest.mark.parametrize(
    ("handler", "expected", "record"),
    [
        ("boom", FAILED, "[ERROR] ValueError: before\r"),
        ("late", FAILED, "[ERROR] ValueError: in between\r"),
        ("after", {"statusCode": 500, "body": "own page"}, "[ERROR] ValueError: after\r"),
        ("silent", FAILED, "[ERROR] AsgiError: Answering a request: found that the application returned before"),
        ("twice", FAILED, "[ERROR] AsgiError: Answering a request: found the message 'http.response.start' out of"),
    ],
)
def test_a_failing_application_is_logged_and_a_500(cases, handler, expected, record) -> None:
    """The caller gets a response, the log an error; a response that is complete stands."""
    found, outcome = run(cases, f"cases.{handler}", v2(), v2())
    assert [{key: answer[key] for key in expected} for answer in found] == [expected] * 2
    assert outcome.stdout.count(record) == 2


def test_an_event_that_is_no_request_is_an_error_of_the_invocation(cases) -> None:
    """The application is not called, and the next event is served."""
    found, _ = run(cases, "cases.no_lifespan", {"Records": []}, v2())
    assert found[0]["errorType"] == "Runtime.UnmarshalError"
    assert found[1]["body"] == "fine"


@pytest.mark.parametrize(("event", "streamed"), [(v2(body="in"), True), (v1(body="in"), True), (alb(body="in"), False)])
def test_responses_stream_where_it_is_declared_and_taken(cases, event, streamed) -> None:
    """A prelude, and a chunk for each message; a load balancer always gets its answer whole."""
    outcome = run_runtime(cases, "cases.app", events=[Event(json.dumps(event).encode())], environment=STREAMS)
    (answer,) = outcome.answers
    assert ("lambda-runtime-function-response-mode" in answer.headers) == streamed
    if streamed:
        head = {"statusCode": 201, "headers": {"content-type": "text/plain"}, "cookies": ["a=1"]}
        assert json.loads(answer.chunks[0].removesuffix(bytes(8))) == head
        assert answer.chunks[1:] == (b"in", b"|True|8476")
    assert "after the response" in outcome.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_a_streamed_part_is_out_before_the_application_goes_on(cases, version) -> None:
    """`send` returns when the platform has the part, so that an application can be held back by its reader."""
    seen = []

    def note(chunk: bytes) -> None:
        seen.append(chunk)
        if chunk == b"first":
            (cases / "sign").touch()

    server = RecordingServer([Event(json.dumps(v2()).encode())], on_chunk=note)
    python = require_python(version)
    outcome = run_runtime(cases, "cases.step", server=server, environment=STREAMS, python=python)
    assert seen[1:] == [b"first", b"second"]
    assert outcome.answers[0].trailers == {}


@pytest.mark.parametrize(
    ("handler", "body", "trailer"),
    [("late", b"begun", "ValueError"), ("boom", b"Internal Server Error", None), ("after", b"own page", None)],
)
def test_a_failure_in_a_stream_shows_as_far_as_it_still_can(cases, handler, body, trailer) -> None:
    """A 500 before the head, trailers in mid-body, the log after the end."""
    events = [Event(json.dumps(v2()).encode())]
    outcome = run_runtime(cases, f"cases.{handler}", events=events, environment=STREAMS)
    (answer,) = outcome.answers
    assert answer.chunks[-1] == body
    assert answer.trailers.get("lambda-runtime-function-error-type") == trailer
    assert outcome.stdout.count("[ERROR] ValueError: ") == 1
    if trailer:
        error = json.loads(base64.b64decode(answer.trailers["lambda-runtime-function-error-body"]))
        assert error["errorMessage"] == "in between"


def test_the_scope_is_that_of_the_specification() -> None:
    """Every required key of an HTTP connection scope, with its type."""
    event = v2("/prod/a%20b", stage="prod", rawQueryString="q=1", headers={"X": "y", "host": "h"})
    assert render_scope(parse_request(event)) == {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "https", "path": "/prod/a b", "raw_path": b"/prod/a%20b", "query_string": b"q=1",
        "root_path": "/prod", "headers": [(b"x", b"y"), (b"host", b"h")], "client": ("203.0.113.9", 0),
        "server": ("h", 443), "extensions": {},
    }  # fmt: skip
