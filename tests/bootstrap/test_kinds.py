"""Which kind of handler something is: by what its code says, never by calling it."""

from __future__ import annotations

import functools
import json

import pytest

from bootstrap.handler import is_plain_function
from bootstrap.kinds import recognise
from tests.bootstrap.runtime_process import VERSIONS, require_python, run_runtime, write_function


def plain(event, context): ...
def short(event): ...
def local(event):
    start_response = event
    start_response()


def generator(event, context):
    yield


def wsgi(environ, start_response): ...
async def coroutine(event, context): ...
async def defaulted(event, context, more=None): ...
async def asynchronous_generator(event, context):
    yield


async def asgi(scope, receive, send): ...


class Plain:
    def __call__(self, event, context): ...
    def method(self, event, context): ...
    async def asynchronous(self, event, context): ...
    async def asgi(self, scope, receive, send): ...
    @classmethod
    async def of_class(cls, event, context): ...


class Wsgi:
    def __call__(self, env, start_response): ...


class Asgi:
    async def __call__(self, scope, receive, send): ...


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (generator, "live"), (Plain(), "other"), (Plain().method, "other"), (Plain, "other"), (Asgi, "other"),
        (print, "other"), (3, "other"), (functools.partial(asgi), "other"),
        (coroutine, "async"), (defaulted, "async"), (asynchronous_generator, "async"), (Plain().asynchronous, "async"),
        (Plain.of_class, "async"),
        (wsgi, "wsgi"), (Wsgi(), "wsgi"), (Wsgi().__call__, "wsgi"),
        (asgi, "asgi"), (Asgi(), "asgi"), (Asgi().__call__, "asgi"), (Plain().asgi, "asgi"),
    ],
)  # fmt: skip
def test_kinds_are_recognised_by_their_code(handler, kind) -> None:
    """A handler has two parameters; three are ASGI's, and `start_response` is WSGI's."""
    assert recognise(handler) == kind
    assert not is_plain_function(handler)


@pytest.mark.parametrize("handler", [plain, short, local, lambda e, c: None])
def test_an_ordinary_function_is_recognised_without_any_of_this(handler) -> None:
    """So that it loads nothing more."""
    assert is_plain_function(handler)


OURS = "_lambda_runtime."
LIVE = {"live", "streaming"}
WEB = {"kinds", "web_request", "web_response"}
KINDS = {
    "app.plain": set(),
    "app.generator": {"kinds", *LIVE},
    "app.coroutine": {"kinds", *LIVE, "coroutines"},
    "app.wsgi": {*WEB, "wsgi"},
    "app.asgi": {*WEB, *LIVE, "asgi", "coroutines"},
}
SOURCE = """
import atexit, sys
def own(): return sorted(name for name in sys.modules if name.startswith("_lambda_runtime."))
atexit.register(lambda: print("LOADED", own()))
def plain(event, context): return own()
def generator(event, context): yield str(own()).replace("'", '"')
async def coroutine(event, context): return own()
def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [str(own()).encode()]
async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": str(own()).encode()})
"""
ALL = {"kinds", "live", "streaming", "coroutines", "wsgi", "asgi", "web_request", "web_response", "command"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("handler", KINDS)
def test_each_kind_loads_its_own_modules_in_init_and_no_others(handler, version, tmp_path) -> None:
    """A plain function none; the others theirs before the first event."""
    write_function(tmp_path, app=SOURCE)
    nobody = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}  # so the process ends where it would ask for an event
    outcome = run_runtime(tmp_path, handler, python=require_python(version), environment=nobody)
    loaded = {name for name in ALL if f"'{OURS}{name}'" in outcome.stdout}
    assert loaded == KINDS[handler]


@pytest.mark.parametrize("handler", ["app.plain", "app.generator"])
def test_an_invocation_loads_no_more_than_its_kind_needs(handler, tmp_path) -> None:
    """Nothing of the special kinds for a plain function; no asyncio for a generator."""
    (answer,) = run_runtime(write_function(tmp_path, app=SOURCE), handler).answers
    names = {name.removeprefix(OURS) for name in json.loads(answer.body)}
    assert names & ALL == KINDS[handler]
