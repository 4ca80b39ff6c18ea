"""Handlers of every kind under AWS's emulator, whose platform side we have not written, and under ours."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest

import emulator
from tests.bootstrap.runtime_process import SCRIPT
from tests.bootstrap.web_events import v2
from tests.conformance.awss_emulator import TIMEOUT_S, aws_emulator, invoke

pytestmark = pytest.mark.network

PATH = "/2015-03-31/functions/function/invocations"
SOURCE = """
import asyncio
def stream(event, context):
    yield "a"; yield "b" * 100_000
async def stream_asynchronously(event, context):
    yield "a"; await asyncio.sleep(0); yield "b"
def page(event, context):
    yield {"statusCode": 201, "headers": {"x": "y"}, "cookies": ["a=1"]}
    yield "body"
def empty(event, context): yield from ()
def early(event, context):
    raise ValueError("early")
    yield
async def coroutine(event, context): return {"got": event}
async def boom(event, context): raise ValueError("async")
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": scope["path"].encode()})
def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]
"""
PRELUDE = b'{"statusCode": 201, "headers": {"x": "y"}, "cookies": ["a=1"]}' + bytes(8)
CASES = {
    "app.stream": b"a" + b"b" * 100_000,
    "app.stream_asynchronously": b"ab",
    "app.page": PRELUDE + b"body",
    "app.empty": b"",
    "app.early": b'"errorType": "ValueError"',
    "app.coroutine": b'{"got": {',
    "app.boom": b'"errorMessage": "async"',
    "app.app": b'"body": "/p"',
    "app.wsgi": b'"body": "/p"',
    "exec:cat": b'"rawPath": "/p"',
    "exec:false": b"Function.CommandFailed",
    "exec:sleep 60": b"Function.CommandTimedOut",
}
EVENT = json.dumps(v2("/p")).encode()


@pytest.fixture(params=CASES)
def handler(request, tmp_path):
    (tmp_path / "app.py").write_text(SOURCE)
    return request.param


def limit_of(handler: str) -> int:
    """Seconds: only what is about the limit runs into it, also on a busy machine."""
    return 2 if "sleep" in handler else TIMEOUT_S


def test_under_awss_emulator(handler, tmp_path, rie) -> None:
    """Twice in one environment: the answer is whole, or the error, and the runtime lives on."""
    command = [sys.executable, "-S", str(SCRIPT), handler]
    with aws_emulator(tmp_path, rie, command, limit_of(handler)) as (port, _):
        answers = [invoke(port, EVENT), invoke(port, EVENT)]
    assert [status for status, _ in answers] == [200, 200]
    if handler in {"app.stream", "app.stream_asynchronously", "app.page", "app.empty"}:
        assert [body for _, body in answers] == [CASES[handler]] * 2
    assert all(CASES[handler] in body for _, body in answers)


def test_under_our_emulator(handler, tmp_path) -> None:
    """The same answers from ours, in one environment as well."""
    command = [sys.executable, "-S", str(SCRIPT), handler]
    settings = emulator.Settings(
        command, {"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_TIMEOUT": str(limit_of(handler))}, cwd=str(tmp_path)
    )

    async def story() -> list[emulator.Outcome]:
        async with emulator.Emulator(settings) as running:
            return [await running.invoke(EVENT) for _ in range(2)]

    first, second = asyncio.run(story())
    assert CASES[handler] in first.payload
    assert CASES[handler] in second.payload
    assert second.init_ms is None
