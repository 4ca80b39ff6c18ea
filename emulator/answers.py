"""The words both APIs use.

What a runtime is told about its calls, and what a caller gets when the function did not answer.

Texts are those of AWS's emulator, where it has one. Pure values and functions; nothing here decides when they are
used.
"""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, NamedTuple

from . import limits
from .values import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .environment import Failure


class Reply(NamedTuple):
    """An answer of the Runtime API: status and JSON body."""

    status: int
    body: bytes


EXIT_ERROR = "Runtime.ExitError"
KILLED = "Runtime exited with error: signal: killed"

ACCEPTED = Reply(202, b'{"status":"OK"}\n')


def render_json(value: dict[str, str]) -> bytes:
    """An object as compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _refusal(status: int, error_type: str, message: str) -> Reply:
    return Reply(status, render_json({"errorMessage": message, "errorType": error_type}) + b"\n")


INVALID_REQUEST_ID = _refusal(400, "InvalidRequestID", "Invalid request ID")
INVALID_FUNCTION_RESPONSE_MODE = _refusal(400, "InvalidFunctionResponseMode", "Invalid function response mode")
TRUNCATED = _refusal(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")


def _entity_too_large(limit_bytes: int) -> Reply:
    return _refusal(413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({limit_bytes} bytes).")


ENTITY_TOO_LARGE = _entity_too_large(limits.PAYLOAD_LIMIT_BYTES)
STREAM_ENTITY_TOO_LARGE = _entity_too_large(limits.STREAM_LIMIT_BYTES)


def invalid_transition(state: str, wanted: str) -> Reply:
    """The runtime called what its state does not allow."""
    return _refusal(
        403,
        "InvalidStateTransition",
        f"Transition from {state} to {wanted} is not allowed; the order is /next, then /response or /error, then /next",
    )


# What callers get


def _error(error_type: str, message: str) -> Answer:
    return Answer(render_json({"errorType": error_type, "errorMessage": message}), error_type=error_type)


def _response_too_large(limit_bytes: int) -> Answer:
    return _error(
        "Function.ResponseSizeTooLarge",
        f"Response payload size exceeded maximum allowed payload size ({limit_bytes} bytes).",
    )


RESPONSE_TOO_LARGE = _response_too_large(limits.PAYLOAD_LIMIT_BYTES)
STREAM_TOO_LARGE = _response_too_large(limits.STREAM_LIMIT_BYTES)
TRUNCATED_RESPONSE = _error(
    "Runtime.TruncatedResponse",
    "The streamed response is not complete: the runtime closed its connection before its end.",
)
INVALID_RESPONSE_MODE = Answer(b"", error_type="Runtime.InvalidResponseModeHeader")
CLOSING = _error("ServiceException", "The emulator was shut down before the invocation ended.")


def exit_error(request_id: str, message: str) -> Answer:
    """The runtime ended during an invocation."""
    return _error(EXIT_ERROR, f"RequestId: {request_id} Error: {message}")


def out_of_memory(request_id: str) -> Answer:
    """The runtime was killed because it used more memory than it has."""
    return _error("Runtime.OutOfMemory", f"RequestId: {request_id} Error: {KILLED}")


def extension_error(request_id: str, failure: Failure) -> Answer:
    """An extension failed, and the invocation with it."""
    return _error(failure.error_type, f"RequestId: {request_id} Error: {failure.message}")


def init_exit(*, out_of_memory: bool, failure: Failure | None = None) -> Answer:
    """Init ended without a report, or by an extension's failure: the body is empty, as from AWS's emulator."""
    if failure is not None:
        return Answer(b"", error_type=failure.error_type)
    return Answer(b"", error_type="Runtime.OutOfMemory" if out_of_memory else EXIT_ERROR)


def invalid_entrypoint(request_id: str, message: str) -> Answer:
    """The runtime could not be started."""
    return _error("Runtime.InvalidEntrypoint", f"RequestId: {request_id} Error: {message}")


def timed_out(timeout_s: float) -> Answer:
    """The function's time is over; a sentence and no JSON, as from AWS's emulator."""
    body = f"Task timed out after {timeout_s:.2f} seconds".encode("ascii")
    return Answer(body, content_type="text/plain; charset=utf-8", error_type="Sandbox.Timedout")


# How a process ended


_SIGNAL_NAMES: Mapping[int, str] = {
    signal.SIGABRT: "aborted", signal.SIGBUS: "bus error", signal.SIGFPE: "floating point exception",
    signal.SIGHUP: "hangup", signal.SIGILL: "illegal instruction", signal.SIGINT: "interrupt", signal.SIGKILL:
    "killed", signal.SIGPIPE: "broken pipe", signal.SIGQUIT: "quit", signal.SIGSEGV: "segmentation fault",
    signal.SIGTERM: "terminated",
}  # fmt: skip
"""Go's names, which the platform prints; `syscall/zerrors_linux_amd64.go`."""


def describe_exit(returncode: int) -> str | None:
    """How a process ended, in the platform's words: None for success; `returncode` is negative for a signal."""
    if returncode == 0:
        return None
    if returncode > 0:
        return f"exit status {returncode}"
    return f"signal: {_SIGNAL_NAMES.get(-returncode) or f'signal {-returncode}'}"


def exit_message(how: str | None) -> str:
    """The platform's sentence about an exit that `describe_exit` described."""
    return "Runtime exited without providing a reason" if how is None else f"Runtime exited with error: {how}"
