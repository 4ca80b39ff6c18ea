"""The Invoke operation of the Lambda API as a translation.

A caller's HTTP request to what is to be run, an outcome to HTTP.

Statuses and bodies are those of AWS's emulator; added is what the API has and that emulator lacks: the function
error, version, request id and log headers that AWS's SDKs read, and errors in the form they parse. It decides nothing
about running and never touches a socket.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, NamedTuple

from . import limits
from .answers import render_json
from .asynchronous import is_json
from .errors import TooManyRequestsError
from .http1_response import Response
from .values import Submission

if TYPE_CHECKING:
    from .http1 import Request
    from .values import Answer, Outcome

_SERVER_ERROR = 500  # from here on it is our fault; RFC 9110 15.6

_PATH = re.compile(
    r"/(2015-03-31/functions/[^/?]+/invocations|2021-11-15/functions/[^/?]+/response-streaming-invocations)(?:\?.*)?"
)
_STREAM_VERSION = "/2021-11-15/"
_MEANT = frozenset(
    {"x-amz-invocation-type", "x-amz-client-context", "x-amzn-trace-id", "x-amz-tenant-id", "x-amz-log-type"}
)
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class InvokeRequest(NamedTuple):
    """What a caller wants run and how, whether the end of the log is wanted with the outcome, and the answer in pieces.

    `kind` is "RequestResponse", "Event" or "DryRun".
    """

    submission: Submission
    kind: str
    wants_log: bool
    streams: bool = False


def parse_invoke(request: Request) -> InvokeRequest | Response:
    """What a caller's request means, or why it is refused.

    The function's name is not looked at: there is one function.
    """
    refused = _refuse(request)
    if refused is not None:
        return refused
    streams = request.target.startswith(_STREAM_VERSION)
    if _MEANT.isdisjoint(request.headers):
        return InvokeRequest(Submission(request.body), "RequestResponse", wants_log=False, streams=streams)
    kind = request.headers.get("x-amz-invocation-type") or "RequestResponse"
    if kind != "RequestResponse":
        refusal = _refuse_kind(kind, request.body, streams=streams)
        if refusal is not None:
            return refusal
    try:
        client_context = parse_client_context(request.headers.get("x-amz-client-context", ""))
    except ValueError:
        return render_refusal(
            400,
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        )
    submission = Submission(
        request.body,
        client_context,
        request.headers.get("x-amzn-trace-id") or None,
        request.headers.get("x-amz-tenant-id") or None,
    )
    return InvokeRequest(
        submission,
        kind,
        request.headers.get("x-amz-log-type") == "Tail",
        streams,
    )


def _refuse(request: Request) -> Response | None:
    """What is wrong with a request before it is looked at closely."""
    if _PATH.fullmatch(request.target) is None:
        return render_refusal(
            404,
            "ResourceNotFoundException",
            f"Found {request.target[:200]!r}; POST to /2015-03-31/functions/function/invocations",
        )
    if request.method != "POST":
        return render_refusal(405, "MethodNotAllowedException", f"Found method {request.method!r}; use POST")
    if request.oversize:
        return render_too_large(request.body_size)
    return None


def _refuse_kind(kind: str, event: bytes, *, streams: bool) -> Response | None:
    """What is wrong with an invocation that is not answered by the function. Nobody would see its error later."""
    known = ("RequestResponse", "DryRun") if streams else ("RequestResponse", "Event", "DryRun")
    if kind not in known:
        return render_refusal(
            400,
            "InvalidParameterValueException",
            f"Found invocation type {kind[:80]!r}; give {', '.join(known[:-1])} or {known[-1]}",
        )
    if kind == "Event" and len(event) > limits.EVENT_LIMIT_BYTES:
        return render_too_large(len(event), limit=limits.EVENT_LIMIT_BYTES)
    if event and not is_json(event):
        return render_refusal(
            400, "InvalidRequestContentException", "Could not parse request body into json: send one JSON value"
        )
    return None


def parse_client_context(text: str) -> str | None:
    """The caller's context from base64 to JSON that fits a header, None if there is none. Raises `ValueError`."""
    if not text:
        return None
    try:
        value = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, found {type(value).__name__}")  # noqa: TRY004 - bad input, no bad call
    return json.dumps(value)


def render_answer(answer: Answer, request_id: str, *, version: str) -> Response:
    """The response to a caller who does not want the log: the runtime has answered, whatever it does next."""
    headers = [
        ("Content-Type", answer.content_type),
        ("X-Amzn-RequestId", request_id),
        ("X-Amz-Executed-Version", version),
    ]
    if answer.error_type is not None:
        headers.append(("X-Amz-Function-Error", "Unhandled"))
    return Response(200, headers, answer.body)


def render_outcome(outcome: Outcome, *, version: str, wants_log: bool) -> Response:
    """The response to the caller of an invocation of the function's `version`."""
    if outcome.status == TooManyRequestsError.status:
        return render_throttled()
    headers = [
        ("Content-Type", outcome.content_type),
        ("X-Amzn-RequestId", outcome.request_id),
        ("X-Amz-Executed-Version", version),
    ]
    if outcome.function_error is not None:
        headers.append(("X-Amz-Function-Error", outcome.function_error))
    if wants_log:
        headers.append(("X-Amz-Log-Result", render_log(outcome)))
    return Response(outcome.status, tuple(headers), outcome.payload)


def render_log(outcome: Outcome) -> str:
    """The end of an invocation's log as base64."""
    start, end = outcome.report
    return base64.b64encode((start + outcome.log + end)[-limits.LOG_RESULT_BYTES :]).decode("ascii")


def render_refusal(status: int, error_type: str, message: str) -> Response:
    """An error of the API itself, in the form AWS's SDKs parse: the type in a header, the message in the body."""
    return Response(
        status,
        (("Content-Type", "application/json"), ("X-Amzn-ErrorType", error_type)),
        render_json({"Type": "User" if status < _SERVER_ERROR else "Service", "message": message}),
    )


def render_throttled() -> Response:
    """No environment was free: the platform's answer to more callers than the reserved concurrency."""
    return Response(
        TooManyRequestsError.status,
        (("Content-Type", "application/json"), ("X-Amzn-ErrorType", TooManyRequestsError.error_type)),
        render_json(
            {
                "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
                "Type": "User",
                "message": "Rate Exceeded.",
            }
        ),
    )


def render_accepted(request_id: str) -> Response:
    """An event was queued."""
    return Response(202, (("X-Amzn-RequestId", request_id),))


def render_dry_run(request_id: str) -> Response:
    """The function could have been run."""
    return Response(204, (("X-Amzn-RequestId", request_id),))


def render_too_large(size: int, *, limit: int = limits.PAYLOAD_LIMIT_BYTES) -> Response:
    """The event exceeds the limit."""
    return render_refusal(
        413,
        "RequestTooLargeException",
        f"Request of {size} bytes must be smaller than {limit + 1} bytes for the InvokeFunction operation",
    )


def is_header_value(text: str) -> bool:
    """Whether a text fits into a header line: no line ends, no control characters, Latin-1."""
    return _HEADER_VALUE.fullmatch(text) is not None
