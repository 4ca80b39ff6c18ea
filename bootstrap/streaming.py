"""A response in chunks: what a handler yields → the bytes of one chunked POST; never runs the handler.

Loaded by the first handler that streams. The shapes are those of AWS's "Response streaming" for custom runtimes
and of its Node and Go clients: a body of plain bytes, or for HTTP a prelude (JSON with `statusCode`, `headers`,
`cookies`, then eight NUL bytes) before it. A failure after the first byte ends the body with trailers, in which
the error travels as base64 of the usual error body.

Nothing is collected: every item leaves as it comes, so that memory is one item, and a slow reader slows the
handler down through the socket.
"""

import binascii

from .errors import MarshalError
from .payload import render_json
from .wire import header_text

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .connection import Connection
    from .failure import Failure
    from .invocation import Invocation
    from .runtime_api import RuntimeApi

_BYTES = "application/octet-stream"  # what Node's and Rust's clients send without a content type
_HTTP = "application/vnd.awslambda.http-integration-response"
_PRELUDE_END = bytes(8)
_PRELUDE_KEYS = ("statusCode", "headers", "cookies")
_STATUSES = range(100, 600)
_ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
_ERROR_BODY = "Lambda-Runtime-Function-Error-Body"
# A larger item is cut: the copy that frames a chunk stays small.
_CHUNK_BYTES = 256 * 1024
# Go's HTTP server, which RIE and other platforms use, refuses heads and trailers from 1 MiB on.
_ERROR_BODY_LIMIT_BYTES = 512 * 1024
_SHORT_MESSAGE_CHARACTERS = 1000


class ResponseStream:
    """One streamed response. Nothing is sent before the first `put` or `finish`.

    Every method raises PlatformError when the conversation breaks.
    """

    __slots__ = ("_api", "_connection", "_invocation", "_sent_bytes")

    def __init__(self, api: "RuntimeApi", invocation: "Invocation") -> None:
        self._api = api
        self._invocation = invocation
        self._connection: Connection | None = None
        self._sent_bytes = 0

    @property
    def started(self) -> bool:
        """Whether anything has been sent, so that a failure has to go into the trailers."""
        return self._connection is not None

    def put(self, item: object) -> bool:
        """Send one item: the prelude if it is a dict and the first, else a part of the body.

        Returns False when the platform takes no more. Raises MarshalError for what is neither.
        """
        if self._connection is None:
            if isinstance(item, dict):
                prelude = render_prelude(item)
                return self._write_chunk(self._start(_HTTP), prelude)
            data = body_bytes(item)
            return self._write_chunk(self._start(_BYTES), data)
        return self._write_chunk(self._connection, body_bytes(item))

    def finish(self) -> None:
        """End the body and wait for the platform's verdict. Raises ResponseTooLargeError after a 413."""
        connection = self._connection or self._start(_BYTES)
        connection.send_more(b"0\r\n\r\n")
        self._api.finish_stream(self._sent_bytes)

    def fail(self, failure: "Failure") -> None:
        """End the body with the failure in its trailers, and wait for the platform's verdict."""
        connection = self._connection or self._start(_BYTES)
        connection.send_more(render_trailers(failure, self._invocation.request_id))
        self._api.finish_stream(self._sent_bytes)

    def _start(self, content_type: str) -> "Connection":
        headers = {
            "Content-Type": content_type,
            "Lambda-Runtime-Function-Response-Mode": "streaming",
            "Transfer-Encoding": "chunked",
            "Trailer": f"{_ERROR_TYPE}, {_ERROR_BODY}",
        }
        self._connection = self._api.start_stream(self._invocation, headers)
        return self._connection

    def _write_chunk(self, connection: "Connection", data: bytes) -> bool:
        for start in range(0, len(data), _CHUNK_BYTES):  # none for no bytes: an empty chunk would end the body
            piece = data[start : start + _CHUNK_BYTES]
            if not connection.send_more(b"%x\r\n%b\r\n" % (len(piece), piece)):
                return False
            self._sent_bytes += len(piece)
        return True


def render_prelude(head: "Mapping[object, object]") -> bytes:
    """Return the bytes before the body of an HTTP response; `statusCode` is 200 when it is absent.

    Raises MarshalError for anything that a caller could not make sense of.
    """
    unknown = [key for key in head if key not in _PRELUDE_KEYS]
    status, headers, cookies = head.get("statusCode", 200), head.get("headers", {}), head.get("cookies", [])
    problem = None
    if unknown:
        problem = f"the keys {unknown!r}"
    elif type(status) is not int or status not in _STATUSES:
        problem = f"statusCode {status!r}"
    elif not isinstance(headers, dict) or not all(type(x) is str for pair in headers.items() for x in pair):
        problem = f"headers {headers!r}"
    elif not isinstance(cookies, list) or not all(type(cookie) is str for cookie in cookies):
        problem = f"cookies {cookies!r}"
    if problem:
        raise MarshalError(
            f"Streaming an HTTP response: found {problem:.200} in the dict that begins it. Give statusCode (an "
            "int), headers (a dict of str) and cookies (a list of str), and yield the body after it."
        )
    prelude = {"statusCode": status, "headers": headers, "cookies": cookies}
    return render_json(prelude, raw_utf8=False) + _PRELUDE_END


def body_bytes(item: object) -> bytes:
    """Return a part of a body as bytes; text is UTF-8. Raises MarshalError for anything else."""
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        return item.encode("utf-8", "surrogatepass")
    if isinstance(item, (bytearray, memoryview)):
        return bytes(item)
    raise MarshalError(
        f"Streaming a response: found an item of type {type(item).__name__}. "
        "Yield bytes or str; a dict may only come first, as the head of an HTTP response."
    )


def render_trailers(failure: "Failure", request_id: str) -> bytes:
    """Return the end of a body that failed: the last chunk and the two trailers."""
    body = binascii.b2a_base64(failure.body(request_id, raw_utf8=False), newline=False)
    if len(body) > _ERROR_BODY_LIMIT_BYTES:
        body = binascii.b2a_base64(failure.body(request_id, raw_utf8=False, short=True), newline=False)
    error_type = header_text(failure.error_type[:_SHORT_MESSAGE_CHARACTERS]).encode("ascii")
    return b"0\r\n%b: %b\r\n%b: %b\r\n\r\n" % (_ERROR_TYPE.encode(), error_type, _ERROR_BODY.encode(), body)
