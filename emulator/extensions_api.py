"""The Extensions API 2020-01-01 as a translation: an extension's HTTP request to what it asks for, answers to HTTP.

Paths and headers are those of AWS's "Lambda Extensions API"; statuses, error types and messages those of AWS's
emulator. It keeps no state, so it cannot tell whether a call is allowed: that is `extensions`'. Loaded with the first
such call.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, NamedTuple, Union

from .answers import render_json
from .http1_response import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .http1 import Request

PREFIX = "/2020-01-01/extension/"
IDENTIFIER_HEADER = "lambda-extension-identifier"

_NAME_HEADER = "lambda-extension-name"
_FEATURE_HEADER = "lambda-extension-accept-feature"
_ERROR_TYPE_HEADER = "lambda-extension-function-error-type"
_ACCOUNT_FEATURE = "accountId"
_JSON_HEADERS = (("Content-Type", "application/json"),)

ACCEPTED = Response(202, _JSON_HEADERS, b'{"status":"OK"}\n')
_NOT_FOUND = Response(404, (("Content-Type", "text/plain"),), b"404 page not found\n")
_NOT_ALLOWED = Response(405)


class Register(NamedTuple):
    """An extension registers for events; which are known is not checked yet."""

    call: int
    name: str
    events: tuple[str, ...]
    wants_account: bool


class NextEvent(NamedTuple):
    """A registered extension polls for its next event."""

    call: int
    identifier: str


class ReportError(NamedTuple):
    """A registered extension reports that its init failed, or that it is about to exit because of an error."""

    call: int
    identifier: str
    in_init: bool
    error_type: str


ExtensionCall = Union[Register, NextEvent, ReportError, Response]


def refuse(error_type: str, message: str) -> Response:
    """A refusal: the status is 403 whatever the reason."""
    return Response(403, _JSON_HEADERS, render_json({"errorMessage": message, "errorType": error_type}) + b"\n")


def parse_call(request: Request, call: int) -> ExtensionCall:
    """What an extension's request means; a `Response` if it is refused. `call` is the shell's number for it."""
    parsers = {
        "register": ("POST", _parse_register),
        "event/next": ("GET", _parse_next),
        "init/error": ("POST", _parse_init_error),
        "exit/error": ("POST", _parse_exit_error),
    }
    method, parse = parsers.get(request.target.partition("?")[0][len(PREFIX) :], ("", None))
    if parse is None:
        return _NOT_FOUND
    return parse(request, call) if request.method == method else _NOT_ALLOWED


def _parse_register(request: Request, call: int) -> ExtensionCall:
    name = request.headers.get(_NAME_HEADER, "")
    if not name:
        return refuse("Extension.InvalidExtensionName", "Empty extension name")
    try:
        events = _parse_events(request.body)
    except (ValueError, RecursionError) as error:
        return refuse("InvalidRequestFormat", str(error))
    features = request.headers.get(_FEATURE_HEADER, "").split(",")
    return Register(call, name, events, any(feature.strip() == _ACCOUNT_FEATURE for feature in features))


def _parse_events(body: bytes) -> tuple[str, ...]:
    value = json.loads(body)
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, found {type(value).__name__}")  # noqa: TRY004 - bad input, no bad call
    if value.get("configurationKeys"):
        raise ValueError("configurationKeys are deprecated; use environment variables instead")
    events = value.get("events") or []
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise ValueError(f"expected a list of texts in events, found {events!r}"[:200])
    return tuple(dict.fromkeys(events))


def _parse_next(request: Request, call: int) -> ExtensionCall:
    identifier = parse_identifier(request.headers)
    return identifier if isinstance(identifier, Response) else NextEvent(call, identifier)


def _parse_init_error(request: Request, call: int) -> ExtensionCall:
    return _parse_error(request, call, in_init=True)


def _parse_exit_error(request: Request, call: int) -> ExtensionCall:
    return _parse_error(request, call, in_init=False)


def _parse_error(request: Request, call: int, *, in_init: bool) -> ExtensionCall:
    identifier = parse_identifier(request.headers)
    if isinstance(identifier, Response):
        return identifier
    error_type = request.headers.get(_ERROR_TYPE_HEADER, "")
    if not error_type:
        return refuse("Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found")
    return ReportError(call, identifier, in_init, error_type)


def parse_identifier(headers: Mapping[str, str]) -> str | Response:
    """The identifier that an extension was given when it registered, or the refusal."""
    text = headers.get(IDENTIFIER_HEADER, "")
    if not text:
        return refuse("Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return refuse("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")


class Function(NamedTuple):
    """What an extension learns about the function when it registers."""

    name: str
    version: str
    handler: str
    account: str


def render_registered(identifier: str, function: Function, *, with_account: bool) -> Response:
    """The answer to a registration."""
    told = {"accountId": function.account} if with_account else {}
    told.update(functionName=function.name, functionVersion=function.version, handler=function.handler)
    headers = (*_JSON_HEADERS, ("Lambda-Extension-Identifier", identifier))
    return Response(200, headers, render_json(told) + b"\n")


def render_invoke(
    event_id: str, *, request_id: str, function_arn: str, deadline_ms: int, trace_id: str | None
) -> Response:
    """The INVOKE event. `deadline_ms` is milliseconds since the epoch."""
    event: dict[str, object] = {
        "eventType": "INVOKE",
        "deadlineMs": deadline_ms,
        "requestId": request_id,
        "invokedFunctionArn": function_arn,
    }
    if trace_id is not None:
        event["tracing"] = {"type": "X-Amzn-Trace-Id", "value": trace_id}
    return _render_event(event_id, event)


def render_shutdown(event_id: str, *, reason: str, deadline_ms: int) -> Response:
    """The SHUTDOWN event; `reason` is spindown, timeout or failure."""
    return _render_event(event_id, {"eventType": "SHUTDOWN", "deadlineMs": deadline_ms, "shutdownReason": reason})


def _render_event(event_id: str, event: dict[str, object]) -> Response:
    headers = (*_JSON_HEADERS, ("Lambda-Extension-Event-Identifier", event_id))
    return Response(200, headers, json.dumps(event, separators=(",", ":")).encode("ascii"))
