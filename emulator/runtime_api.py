"""The Runtime API 2018-06-01 as a translation.

A runtime's HTTP request to an event of the life cycle, an event to HTTP headers.

Paths and headers are those of AWS's runtime API guide. It keeps no state, so it cannot tell whether a call is
allowed: that is `lifecycle`'s; and it never touches a socket.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, NamedTuple, Union

from . import answers
from .environment import InitError, Post
from .values import Answer

if TYPE_CHECKING:
    from .http1 import Request
    from .values import Invocation

PREFIX = "/2018-06-01"

_POST_PATH = re.compile(rf"{PREFIX}/runtime/invocation/([^/?]+)/(response|error)")
_NEXT_PATH = f"{PREFIX}/runtime/invocation/next"
_INIT_ERROR_PATH = f"{PREFIX}/runtime/init/error"

_ERROR_TYPE_HEADER = "lambda-runtime-function-error-type"
_ERROR_BODY_TRAILER = "lambda-runtime-function-error-body"
_MODE_HEADER = "lambda-runtime-function-response-mode"
_KNOWN_ERROR_TYPE = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")

_NOT_FOUND = answers.Reply(404, b"404 page not found\n")
_NOT_ALLOWED = answers.Reply(405, b"")


class Next(NamedTuple):
    """The runtime polls for an event."""


_NEXT = Next()
Call = Union[Next, Post, InitError, answers.Reply]


def parse_call(request: Request, call: int) -> Call:
    """What a runtime's request means; a `Reply` if it means nothing here.

    `call` is the shell's number for the exchange.
    """
    path = request.target.partition("?")[0]
    if path == _NEXT_PATH:
        return _NEXT if request.method == "GET" else _NOT_ALLOWED
    match = _POST_PATH.fullmatch(path)
    if match is not None:
        return _parse_post(request, call, match[1], match[2]) if request.method == "POST" else _NOT_ALLOWED
    if path == _INIT_ERROR_PATH:
        return InitError(call, _parse_error(request)) if request.method == "POST" else _NOT_ALLOWED
    return _NOT_FOUND


def parse_stream(request: Request) -> str | None:
    """The request id of an answer that comes in pieces, going by its head; None for everything else."""
    if request.method != "POST" or request.headers.get(_MODE_HEADER) != "streaming":
        return None
    match = _POST_PATH.fullmatch(request.target.partition("?")[0])
    return match[1] if match is not None and match[2] == "response" else None


def _parse_post(request: Request, call: int, request_id: str, kind: str) -> Post:
    if kind == "error":
        return Post(call, request_id, _parse_error(request), request.body_size)
    mode = request.headers.get(_MODE_HEADER, "")
    # A stream that breaks off says so in its trailers, after a body that looks like a success.
    broken_off = request.trailers.get(_ERROR_TYPE_HEADER)
    body = request.body
    if broken_off is not None and not body:  # what there was of it went to the caller already
        body = _parse_error_body(request.trailers.get(_ERROR_BODY_TRAILER, ""))
    answer = Answer(
        body,
        request.headers.get("content-type") or "application/json",
        None if broken_off is None else parse_error_type(broken_off),
    )
    return Post(call, request_id, answer, request.body_size, mode_known=mode in {"", "streaming"})


def _parse_error_body(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _parse_error(request: Request) -> Answer:
    error_type = parse_error_type(request.headers.get(_ERROR_TYPE_HEADER, ""))
    return Answer(request.body, request.headers.get("content-type") or "application/json", error_type)


def parse_error_type(text: str) -> str:
    """The type the platform keeps: `Runtime.` or `Function.` and a name; anything else is unknown."""
    if _KNOWN_ERROR_TYPE.search(text):
        return text
    return "Function.Unknown" if text.startswith("Function.") else "Runtime.Unknown"


def render_event_headers(invocation: Invocation, deadline_ms: int) -> list[tuple[str, str]]:
    """The headers of an event. `deadline_ms` is milliseconds since the epoch. Absent values are not sent."""
    headers = [
        ("Content-Type", invocation.content_type),
        ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
        ("Lambda-Runtime-Deadline-Ms", str(deadline_ms)),
        ("Lambda-Runtime-Invoked-Function-Arn", invocation.function_arn),
    ]
    if invocation.trace_id is not None:
        headers.append(("Lambda-Runtime-Trace-Id", invocation.trace_id))
    if invocation.client_context is not None:
        headers.append(("Lambda-Runtime-Client-Context", invocation.client_context))
    if invocation.tenant_id is not None:
        headers.append(("Lambda-Runtime-Aws-Tenant-Id", invocation.tenant_id))
    return headers
