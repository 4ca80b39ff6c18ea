"""WSGI applications as handlers; `wsgiref.validate` is the witness that we keep our side of PEP 3333."""

from __future__ import annotations

import json

import pytest

from bootstrap.web_request import parse_request
from bootstrap.wsgi import render_environ
from tests.bootstrap.recording_server import Event
from tests.bootstrap.runtime_process import VERSIONS, require_python, run_runtime, write_function
from tests.bootstrap.web_events import alb, v1, v2

STREAMS = {"AWS_LWA_INVOKE_MODE": "response_stream"}
CASES = """
import sys
class Body:
    def __init__(self, *parts): self.parts = iter(parts)
    def __iter__(self): return self
    def __next__(self): return next(self.parts)
    def close(self): print("closed")
def app(environ, start_response):
    start_response("201 Created", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1")])
    size = int(environ["CONTENT_LENGTH"])
    return Body(environ["wsgi.input"].read(size), b"", b"|" + environ["PATH_INFO"].encode("latin-1"))
class App:
    def __call__(self, env, start_response): return app(env, start_response)
instance = App()
def hidden(*arguments): return app(*arguments)
from wsgiref.validate import validator
valid = validator(lambda environ, start_response: (app(environ, start_response), [b"valid"])[1])
def lazy(environ, start_response):
    start_response("200 OK", [])
    yield b"one"
    yield b"two"
def writes(environ, start_response):
    write = start_response("200 OK", [])
    write(b"written"); write(b"")
    return [b"returned"]
def replaces(environ, start_response):
    start_response("200 OK", [("X", "old")])
    try: 1 // 0
    except ZeroDivisionError: start_response("503 Busy", [("X", "new")], sys.exc_info())
    return []
def boom(environ, start_response): raise ValueError("before")
def late(environ, start_response):
    start_response("200 OK", [])
    yield b"begun"
    raise ValueError("in between")
def silent(environ, start_response): return [b"x"]
def twice(environ, start_response):
    start_response("200 OK", []); start_response("200 OK", [])
def text(environ, start_response):
    start_response("200 OK", [])
    return ["text"]
def bad_header(environ, start_response):
    start_response("200 OK", [(1, 2)])
    return []
def no_status(environ, start_response): start_response("OK", [])
"""


@pytest.fixture
def cases(tmp_path):
    return write_function(tmp_path, cases=CASES)


def run(folder, handler, *events, **more):
    encoded = [Event(json.dumps(event).encode()) for event in events or (v2(),)]
    outcome = run_runtime(folder, handler, events=encoded, **more)
    return [json.loads(answer.body) for answer in outcome.answers], outcome


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("handler", ["cases.app", "cases.instance", "wsgi:cases.hidden"])
def test_applications_answer_http_events(cases, handler, version) -> None:
    """Recognised by the name of their second parameter, or declared; the body is closed."""
    found, outcome = run(cases, handler, v2("/%C3%A9", body="in"), v1("/2"), python=require_python(version))
    assert found == [
        {
            "statusCode": 201, "headers": {"content-type": "text/plain"}, "cookies": ["a=1"], "body": "in|/\u00e9",
            "isBase64Encoded": False,
        },
        {
            "statusCode": 201, "headers": {"content-type": "text/plain", "set-cookie": "a=1"}, "multiValueHeaders": {},
            "body": "|/2", "isBase64Encoded": False,
        },
    ]  # fmt: skip
    assert outcome.stdout == "closed\nclosed\n"


@pytest.mark.parametrize("event", [v1("/a", body="x"), v2("/a", method="post"), alb("/a")])
def test_the_validator_finds_nothing(cases, event) -> None:
    """The standard library's checker of PEP 3333 stands between us and an application, for every sender."""
    (found,), outcome = run(cases, "wsgi:cases.valid", event)
    assert found["body"] == "valid", outcome.stdout


@pytest.mark.parametrize(
    ("handler", "status", "body"),
    [("lazy", 200, "onetwo"), ("writes", 200, "writtenreturned"), ("replaces", 503, "")],
)
def test_every_way_to_respond(cases, handler, status, body) -> None:
    """Generators that start late, `write`, and a status replaced before anything was sent."""
    (found,), _ = run(cases, f"cases.{handler}")
    assert (found["statusCode"], found["body"]) == (status, body)
    assert handler != "replaces" or found["headers"] == {"x": "new"}


@pytest.mark.parametrize(
    ("handler", "record"),
    [
        ("boom", "ValueError: before"),
        ("late", "ValueError: in between"),
        ("silent", "WsgiError: Reading a response: found none started."),
        ("twice", "WsgiError: Starting a response: found it already started."),
        ("text", "TypeError: "),
        ("bad_header", "AttributeError: "),
        ("no_status", "WsgiError: Starting a response: found status 'OK'."),
    ],
)
def test_a_failing_application_is_logged_and_a_500(cases, handler, record) -> None:
    """The caller gets a response, the log an error, and the next event is served."""
    found, outcome = run(cases, f"cases.{handler}", v2(), v2())
    assert [(answer["statusCode"], answer["body"]) for answer in found] == [(500, "Internal Server Error")] * 2
    assert outcome.stdout.count(f"[ERROR] {record}") == 2


@pytest.mark.parametrize(
    ("handler", "status", "chunks", "trailer"),
    [
        ("lazy", 200, (b"one", b"two"), None),
        ("writes", 200, (b"written", b"returned"), None),
        ("replaces", 503, (), None),
        ("late", 200, (b"begun",), "ValueError"),
        ("boom", 500, (b"Internal Server Error",), None),
    ],
)
def test_responses_stream_where_it_is_declared(cases, handler, status, chunks, trailer) -> None:
    """Part by part, as they are made; a failure in between is in the trailers."""
    events = [Event(json.dumps(v2()).encode())]
    (answer,) = run_runtime(cases, f"cases.{handler}", events=events, environment=STREAMS).answers
    assert json.loads(answer.chunks[0].removesuffix(bytes(8)))["statusCode"] == status
    assert answer.chunks[1:] == chunks
    assert answer.trailers.get("lambda-runtime-function-error-type") == trailer


def test_the_environ_is_that_of_the_specification() -> None:
    """CGI's names, text as latin-1, repeated headers joined, and no header that could pass for another."""
    event = v1(
        "/\u00e9", context_path="/prod/\u00e9", method="POST", body="b\u00e9", queryStringParameters={"q": "\u00e9"},
        multiValueHeaders={"Content-Type": ["t/x"], "Content-Length": ["99"], "X-A": ["1", "2"], "X_A": ["3"],
                           "Host": ["h:81"]},
    )  # fmt: skip
    environ = render_environ(parse_request(event))
    assert {key: value for key, value in environ.items() if not key.startswith("wsgi.")} == {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/prod", "PATH_INFO": "/\xc3\xa9", "QUERY_STRING": "q=%C3%A9",
        "REQUEST_URI": "/prod/%C3%A9?q=%C3%A9", "CONTENT_TYPE": "t/x", "CONTENT_LENGTH": "3", "SERVER_NAME": "h",
        "SERVER_PORT": "81", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "203.0.113.9", "HTTP_HOST": "h:81",
        "HTTP_X_A": "1,2",
    }  # fmt: skip
    assert environ["wsgi.input"].read() == "b\u00e9".encode()
