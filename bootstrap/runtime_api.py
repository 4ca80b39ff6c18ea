"""The Runtime API's calls as methods: which bytes go where, what each status means; knows no handler.

Paths, headers and statuses: "Using the Lambda runtime API" (AWS), version 2018-06-01; what the page leaves
out was observed against AWS's runtime interface emulator.
"""

import sys

from .errors import RefusedError, ResponseTooLargeError
from .wire import header_text, render_request

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from .connection import Connection
    from .failure import Failure
    from .invocation import Invocation
    from .wire import Response

_BASE = "/2018-06-01/runtime"
# No package version: it says nothing that the image's digest does not.
_USER_AGENT = "firkin-bootstrap python/{}.{}.{}".format(*sys.version_info)
_JSON = "application/json"
_ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
_XRAY_CAUSE = "Lambda-Runtime-Function-XRay-Error-Cause"
_INVOCATION_ID = "Lambda-Runtime-Invocation-Id"
_OK, _ACCEPTED, _PAYLOAD_TOO_LARGE, _REDIRECTION = 200, 202, 413, 300
# awslambdaric drops the header from here on; a larger one makes the platform refuse the whole message.
_XRAY_CAUSE_LIMIT_BYTES = 1024 * 1024
_QUOTED_BYTES = 200  # how much of an unexpected answer goes into a message


class RuntimeApi:
    """The calls, over one connection, strictly one after the other.

    Every method raises UnreachableError or ProtocolError when the conversation breaks, and RefusedError for a
    status that it does not handle: all of them mean that the process must end.
    """

    __slots__ = ("_common", "_connection", "_next", "_raw_utf8", "_response_middle")

    def __init__(self, connection: "Connection", *, authority: str, raw_utf8: bool) -> None:
        self._connection = connection
        self._raw_utf8 = raw_utf8
        self._common = {"Host": authority, "User-Agent": _USER_AGENT}
        self._next = render_request("GET", f"{_BASE}/invocation/next", self._common)
        # What is the same in the head of every response, between the request id and the content type.
        self._response_middle = (
            f"/response HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {_USER_AGENT}\r\nContent-Type: "
        )

    @property
    def abandoned(self) -> bool:
        """Whether this is a process forked by the function, in which nothing may be said to the platform."""
        return self._connection.abandoned

    def interrupt(self) -> None:
        """End a `read_next` that waits in another thread: it raises UnreachableError, or asks once more."""
        self._connection.interrupt()

    def request_next(self) -> None:
        """Ask for the next event without waiting for it.

        This is the moment at which the platform ends the init phase, or the invocation before, and may freeze
        the process: what must be done by then comes before, what can be done for free comes after.
        """
        self._connection.send(self._next)

    def read_next(self) -> "Response":
        """Wait, without limit, for the event that `request_next` asked for."""
        response = self._connection.receive(patient=True)
        if response.status != _OK:
            raise _refused("asking for the next event", response)
        return response

    def post_response(self, invocation: "Invocation", body: bytes, content_type: str) -> None:
        """Post the handler's result. Raises ResponseTooLargeError when the platform answers 413."""
        echo = f"\r\n{_INVOCATION_ID}: {invocation.invocation_id}" if invocation.invocation_id else ""
        head = (
            f"POST {_BASE}/invocation/{invocation.request_id}{self._response_middle}{content_type}{echo}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._connection.send(head.encode("utf-8", "surrogateescape"), body)
        response = self._connection.receive()
        if response.status != _ACCEPTED:
            _require_taken(response, len(body))

    def start_stream(self, invocation: "Invocation", headers: "dict[str, str]") -> "Connection":
        """Send the head of a response whose body follows; return the connection that takes it in chunks."""
        path = f"{_BASE}/invocation/{invocation.request_id}/response"
        everything = {**self._common, **headers, **_echo(invocation.invocation_id)}
        self._connection.send(render_request("POST", path, everything))
        return self._connection

    def finish_stream(self, sent_bytes: int) -> None:
        """Wait for the verdict on a streamed response. Raises ResponseTooLargeError like `post_response`."""
        _require_taken(self._connection.receive(), sent_bytes)

    def post_error(self, invocation: "Invocation", failure: "Failure") -> None:
        """Post the failure of one invocation."""
        self.post_error_for(invocation.request_id, invocation.invocation_id, failure)

    def post_error_for(self, request_id: str, invocation_id: str, failure: "Failure") -> None:
        """Post the failure of an invocation of which only the ids are known."""
        _require_success("posting the error", self._post_error(request_id, invocation_id, failure))

    def post_error_after_413(self, invocation: "Invocation", failure: "Failure") -> None:
        """Post the failure of an invocation whose response was refused as too large; any answer will do.

        Some platforms still wait for an answer, others have made one up and refuse a second (RIE does, 403).
        """
        self._post_error(invocation.request_id, invocation.invocation_id, failure)

    def post_init_error(self, failure: "Failure", *, error_type: "str | None" = None) -> None:
        """Post why the function cannot be loaded; only valid before the first `request_next`.

        `error_type` is what the header says when it is not the failure's own type.
        """
        _require_success("posting the init error", self._post_start_error("init/error", failure, error_type))

    def wait_for_restore(self) -> None:
        """Say that a snapshot may be taken; return, in a restored process, when an event can be asked for."""
        self._connection.send(render_request("GET", f"{_BASE}/restore/next", self._common))
        response = self._connection.receive(patient=True)
        if response.status != _OK:
            raise _refused("waiting for the restore", response)
        # The other end of this connection may be of another life.
        self._connection.close()

    def post_restore_error(self, failure: "Failure") -> None:
        """Post why the process cannot go on after its restore."""
        response = self._post_start_error("restore/error", failure, "Runtime.AfterRestoreError")
        _require_success("posting the restore error", response)

    def _post_start_error(self, path: str, failure: "Failure", error_type: "str | None") -> "Response":
        return self._post_failure(path, failure, more={_ERROR_TYPE: error_type} if error_type is not None else {})

    def _post_error(self, request_id: str, invocation_id: str, failure: "Failure") -> "Response":
        path = f"invocation/{request_id}/error"
        return self._post_failure(path, failure, request_id=request_id, more=_echo(invocation_id))

    def _post_failure(
        self, path: str, failure: "Failure", *, more: "dict[str, str]", request_id: str = ""
    ) -> "Response":
        headers = {**self._common, **_error_headers(failure), **more}
        response = self._post(path, failure.body(request_id, raw_utf8=self._raw_utf8), headers)
        if response.status == _PAYLOAD_TOO_LARGE:  # the beginning of the reason is better than none
            headers.pop(_XRAY_CAUSE, None)
            response = self._post(path, failure.body(request_id, raw_utf8=self._raw_utf8, short=True), headers)
        return response

    def _post(self, path: str, body: bytes, headers: "dict[str, str]") -> "Response":
        self._connection.send(render_request("POST", f"{_BASE}/{path}", headers, body=body))
        return self._connection.receive()


def _echo(invocation_id: str) -> "dict[str, str]":
    # The platform checks it, so that an answer can never reach another invocation.
    return {_INVOCATION_ID: invocation_id} if invocation_id else {}


def _error_headers(failure: "Failure") -> "dict[str, str]":
    headers = {
        "Content-Type": _JSON,
        _ERROR_TYPE: header_text(failure.error_type),
    }
    cause = failure.xray_cause()
    if len(cause) < _XRAY_CAUSE_LIMIT_BYTES:
        headers[_XRAY_CAUSE] = cause
    return headers


def _require_taken(response: "Response", sent_bytes: int) -> None:
    if response.status == _PAYLOAD_TOO_LARGE:
        raise ResponseTooLargeError(
            f"Posting the response: the platform refuses its {sent_bytes} bytes as too large "
            f"({_excerpt(response)}). Return less, or a reference to where the data is."
        )
    _require_success("posting the response", response)


def _require_success(doing: str, response: "Response") -> None:
    if not _OK <= response.status < _REDIRECTION:
        raise _refused(doing, response)


def _refused(doing: str, response: "Response") -> RefusedError:
    return RefusedError(
        f"{doing.capitalize()}: found status {response.status} and {_excerpt(response)}. "
        "The runtime and the platform disagree about whose turn it is; look at the platform's log.",
        status=response.status,
    )


def _excerpt(response: "Response") -> str:
    return repr(response.body[:_QUOTED_BYTES].decode("utf-8", "replace"))
