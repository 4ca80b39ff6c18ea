"""Streamed responses as they are on the wire, against a recording server that keeps chunks and trailers apart."""

from __future__ import annotations

import base64
import json

import pytest

from bootstrap.errors import MarshalError
from bootstrap.failure import describe_failure
from bootstrap.streaming import body_bytes, render_prelude, render_trailers
from tests.bootstrap.recording_server import REQUEST_ID, Event, RecordingServer, render
from tests.bootstrap.runtime_process import UNREACHABLE, VERSIONS, require_python, run_runtime, write_function

CASES = '''
import asyncio, sys
def plain(event, context):
    yield "gr\\u00fc"; yield b""; yield bytearray(b"\\xff"); yield memoryview(b"!")
async def asynchronous(event, context):
    async with Timeout(): yield "a"; await asyncio.sleep(0); yield "b"
class Timeout:
    """Must be entered and left in one task, as asyncio.timeout() must."""
    async def __aenter__(self): self.task = asyncio.current_task()
    async def __aexit__(self, *_): assert self.task is asyncio.current_task()
def returned(event, context): return plain(event, context)
async def awaited(event, context): return asynchronous(event, context)
def iterator(event, context): return map(str, [1, 2])
HEAD = {"statusCode": 201, "headers": {"X": "\\u00e9"}, "cookies": ["a=1", "b=2"]}
def http(event, context):
    yield HEAD
    yield "body"
def http_returned(event, context): return {**HEAD, "body": iter(["bo", "dy"])}
async def http_awaited(event, context): return {**HEAD, "body": asynchronous(event, context)}
def http_empty(event, context): yield {"statusCode": 204}
def http_failing(event, context):
    yield {}
    raise LookupError("after the head")
def empty(event, context): yield from ()
def early(event, context):
    raise ValueError("before the first byte")
    yield
async def early_asynchronous(event, context):
    raise ValueError("before the first byte")
    yield
closed = []
def late(event, context):
    yield "so far"
    raise Nasty("mid\\r\\nstream")
class Nasty(Exception): pass
Nasty.__name__ = "Bad\\r\\nX-Injected: 1"
async def late_asynchronous(event, context):
    yield "so far"
    raise OSError("mid stream")
def wrong(event, context):
    try:
        yield "so far"; yield {"not": "first"}
    finally: print("closed")
def wrong_head(event, context): yield {"body": "x"}
def huge_error(event, context):
    yield "x"
    raise ValueError("x" * (1 << 20))
def leave(event, context):
    yield "x"
    sys.exit(3)
def cancelled(event, context): return boom()
async def boom():
    yield "x"
    raise asyncio.CancelledError
'''


@pytest.fixture
def cases(tmp_path):
    return write_function(tmp_path, cases=CASES)


def answer_of(folder, handler, **more):
    """The one answer, and that the runtime went on to ask for the next event."""
    outcome = run_runtime(folder, f"cases.{handler}", **more)
    (answer,) = outcome.answers
    assert outcome.requests[-1].path.endswith("/next"), outcome.stderr
    return answer


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("handler", "chunks"),
    [
        ("plain", ("gr\u00fc".encode(), b"\xff", b"!")),
        ("asynchronous", (b"a", b"b")),
        ("returned", ("gr\u00fc".encode(), b"\xff", b"!")),
        ("awaited", (b"a", b"b")),
        ("iterator", (b"1", b"2")),
        ("empty", ()),
    ],
)
def test_every_item_is_a_chunk(cases, version, handler, chunks) -> None:
    """Generators and iterators of both kinds, as the handler or returned by it; one chunk for each item."""
    answer = answer_of(cases, handler, python=require_python(version))
    assert answer.path == f"/2018-06-01/runtime/invocation/{REQUEST_ID}/response"
    assert answer.chunks == chunks
    assert answer.trailers == {}
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["lambda-runtime-function-response-mode"] == "streaming"
    assert answer.headers["trailer"] == "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"
    assert "content-length" not in answer.headers


HEAD = {"statusCode": 201, "headers": {"X": "\u00e9"}, "cookies": ["a=1", "b=2"]}


@pytest.mark.parametrize(
    ("handler", "head", "body"),
    [
        ("http", HEAD, b"body"),
        ("http_returned", HEAD, b"body"),
        ("http_awaited", HEAD, b"ab"),
        ("http_empty", {"statusCode": 204, "headers": {}, "cookies": []}, b""),
    ],
)
def test_an_http_response_begins_with_its_prelude(cases, handler, head, body) -> None:
    """Status, headers and cookies, eight NUL bytes, the body; also where the body is empty."""
    answer = answer_of(cases, handler)
    assert answer.headers["content-type"] == "application/vnd.awslambda.http-integration-response"
    prelude, separator, rest = answer.body.partition(bytes(8))
    assert (json.loads(prelude), separator, rest) == (head, bytes(8), body)
    assert answer.chunks[0] == prelude + separator


@pytest.mark.parametrize("handler", ["early", "early_asynchronous"])
def test_a_failure_before_the_first_byte_is_an_error_like_any_other(cases, handler) -> None:
    """Nothing has been sent, so the caller gets a real error."""
    answer = answer_of(cases, handler)
    assert answer.path.endswith("/error")
    assert json.loads(answer.body)["errorType"] == "ValueError"


@pytest.mark.parametrize(
    ("handler", "error_type", "header"),
    [
        ("late", "Bad\r\nX-Injected: 1", "Bad??X-Injected: 1"),
        ("late_asynchronous", "OSError", "OSError"),
        ("wrong", "Runtime.MarshalError", "Runtime.MarshalError"),
        ("cancelled", "CancelledError", "CancelledError"),
    ],
)
def test_a_failure_in_mid_stream_is_in_the_trailers(cases, handler, error_type, header) -> None:
    """Real trailers after the last chunk: the type, and base64 of the error body with its trace."""
    outcome = run_runtime(cases, f"cases.{handler}")
    (answer,) = outcome.answers
    assert answer.chunks in [(b"so far",), (b"x",)]
    assert answer.trailers["lambda-runtime-function-error-type"] == header
    assert set(answer.trailers) == {f"lambda-runtime-function-error-{name}" for name in ("type", "body")}
    body = json.loads(base64.b64decode(answer.trailers["lambda-runtime-function-error-body"]))
    assert (body["errorType"], body["requestId"]) == (error_type, REQUEST_ID)
    assert outcome.stdout.count("[ERROR] ") == 1
    assert ("closed" in outcome.stdout) == (handler == "wrong")


def test_a_failure_after_the_head_is_in_the_trailers_too(cases) -> None:
    """The status is sent by then; `{}` is a head with status 200."""
    answer = answer_of(cases, "http_failing")
    assert json.loads(answer.body.removesuffix(bytes(8))) == {"statusCode": 200, "headers": {}, "cookies": []}
    assert answer.trailers["lambda-runtime-function-error-type"] == "LookupError"


def test_a_head_that_makes_no_sense_is_an_error_and_not_sent(cases) -> None:
    """The first item is checked before the response begins."""
    answer = answer_of(cases, "wrong_head")
    assert answer.path.endswith("/error")
    assert "found the keys ['body'] in the dict that begins it" in json.loads(answer.body)["errorMessage"]


def test_leaving_in_mid_stream_is_told_in_the_trailers_and_ends_the_process(cases) -> None:
    """The platform never sees a response that looks complete, and the process ends with the function's code."""
    outcome = run_runtime(cases, "cases.leave")
    assert outcome.exit_code == 3
    (answer,) = outcome.answers
    assert answer.trailers["lambda-runtime-function-error-type"] == "Runtime.ExitError"


def test_a_stream_and_a_plain_answer_share_the_connection(cases) -> None:
    """A stream leaves the connection as it found it: the next poll goes over the same one."""
    outcome = run_runtime(cases, "cases.plain", events=[Event(), Event()])
    assert len(outcome.answers) == 2
    assert {request.connection for request in outcome.requests} == {0}


def test_a_platform_that_hangs_up_between_messages_gets_the_whole_stream_once(cases) -> None:
    """The hang-up is noticed before the first byte, when another connection still helps."""
    server = RecordingServer([Event(), Event()], hang_up_after_answers=True)
    outcome = run_runtime(cases, "cases.plain", server=server)
    assert [answer.chunks[1:] for answer in outcome.answers] == [(b"\xff", b"!")] * 2


def test_a_refused_stream_is_reported_and_survived(cases) -> None:
    """413 after a stream goes the way of a 413 after any response."""
    server = RecordingServer([Event(), Event()], answers={"response": render(413, b"{}")})
    outcome = run_runtime(cases, "cases.plain", server=server)
    assert [answer.path.rpartition("/")[2] for answer in outcome.answers] == ["response", "error"] * 2
    assert json.loads(outcome.answers[1].body)["errorType"] == "Function.ResponseSizeTooLarge"


def test_the_first_chunk_is_with_the_platform_before_the_second_is_made(tmp_path) -> None:
    """The handler waits for a sign that the server gives only when it has the first chunk."""
    sign = tmp_path / "first-has-arrived"
    source = f"""
import os, time
def handler(event, context):
    yield "first"
    for _ in range(1000):
        if os.path.exists({str(sign)!r}): break
        time.sleep(0.01)
    else: raise TimeoutError
    yield "second"
"""
    seen = []

    def note(chunk: bytes) -> None:
        seen.append(chunk)
        sign.touch()

    write_function(tmp_path, app=source)
    outcome = run_runtime(tmp_path, server=RecordingServer([Event()], on_chunk=note))
    assert seen == [b"first", b"second"]
    assert outcome.answers[0].trailers == {}


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_generator_is_closed_when_nobody_listens_any_more(kind, tmp_path) -> None:
    """A platform that hangs up in mid-stream ends an endless generator, `finally` included, and the process."""
    source = f"""
{kind} handler(event, context):
    try:
        while True: yield b"x" * 100_000
    finally: print("closed")
"""

    def hang_up(_chunk: bytes) -> None:
        raise ConnectionError

    server = RecordingServer([Event()], on_chunk=hang_up)
    outcome = run_runtime(write_function(tmp_path, app=source), server=server)
    assert (outcome.stdout, outcome.exit_code) == ("closed\n", UNREACHABLE)
    assert "in the middle of" in outcome.stderr or "closed before the answer" in outcome.stderr


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_memory_stays_flat(kind, tmp_path) -> None:
    """48 MB in chunks, and one item of 8 MB, pass a runtime that never holds more than one item."""
    source = f"""
def peak(): return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])  # not ru_maxrss: a parent's
{kind} handler(event, context):
    yield b"x" * 1_000_000
    before = peak()
    for _ in range(48): yield b"x" * 1_000_000
    grown = peak() - before
    yield b"x" * 8_000_000
    print("grown", grown, "KiB")
"""
    total = []
    server = RecordingServer([Event()], on_chunk=lambda chunk: total.append(len(chunk)))
    outcome = run_runtime(write_function(tmp_path, app=source), server=server)
    assert sum(total) == 57_000_000
    assert max(total) <= 256 * 1024
    assert int(outcome.stdout.split()[1]) < 4096


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ({"status": 1}, "the keys ['status']"),
        ({"statusCode": "200"}, "statusCode '200'"),
        ({"statusCode": True}, "statusCode True"),
        ({"statusCode": 99}, "statusCode 99"),
        ({"headers": [("a", "b")]}, "headers [('a', 'b')]"),
        ({"headers": {"a": 1}}, "headers {'a': 1}"),
        ({"cookies": "a=1"}, "cookies 'a=1'"),
        ({"cookies": [1]}, "cookies [1]"),
    ],
)
def test_a_head_says_what_is_wrong_with_it(head, found) -> None:
    """Each part is checked before the caller has to make sense of it."""
    with pytest.raises(MarshalError) as caught:
        render_prelude(head)
    assert f"found {found} in the dict that begins it. Give statusCode" in str(caught.value)


def test_a_body_is_bytes_or_text() -> None:
    """What cannot be a part of a body is named by its type."""
    assert body_bytes("\ud800") == b"\xed\xa0\x80"
    with pytest.raises(MarshalError, match=r"found an item of type int\. Yield bytes or str"):
        body_bytes(1)


def test_a_huge_failure_still_fits_into_trailers() -> None:
    """Beyond what HTTP servers take, the message is cut and the trace left out; the type stays."""
    failure = describe_failure(ValueError("x" * (1 << 20)), working_directory="/")
    trailers = render_trailers(failure, "id-1")
    assert len(trailers) < 4096
    body = json.loads(base64.b64decode(trailers.split(b"Error-Body: ")[1]))
    assert body == {"errorMessage": "x" * 1000, "errorType": "ValueError", "requestId": "id-1", "stackTrace": []}
