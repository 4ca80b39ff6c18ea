"""One streamed answer on the invoke port: what the runtime sends as event-stream messages to the caller.

The Lambda API's InvokeWithResponseStream. An answer that the runtime does not stream is sent as one that it did.
Whatever fails after the first message is told in the last one, `InvokeComplete`: the status has gone out by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bandwidth import Valve
from .errors import TooManyRequestsError
from .event_stream import CONTENT_TYPE, render_complete, render_payload_chunks
from .http1_response import Response
from .invoke_api import render_log, render_throttled

if TYPE_CHECKING:
    from .http_server import HttpServer
    from .streams import Flow
    from .values import Answer, Outcome


class EventStreamReply:
    """A `streams.Sink` for one call, and the `done` of its submission."""

    def __init__(
        self, server: HttpServer, call: int, request_id: str, *, version: str, wants_log: bool, limited: bool
    ) -> None:
        self._server = server
        self._call = call
        self._request_id = request_id
        self._version = version
        self._wants_log = wants_log
        self._limited = limited
        self._valve: Valve | None = None  # of a stream that has begun

    def begin(self, content_type: str, flow: Flow) -> None:
        """The runtime has begun its answer, whose type is only told where a message has room for it: nowhere."""
        del content_type
        self._valve = Valve(flow, limited=self._limited)
        self._begin_reply()

    def piece(self, data: bytes) -> None:
        """The next bytes of it."""
        for message in render_payload_chunks(data):
            self._server.send(self._call, message)
        if self._valve is not None:
            self._valve.passed(len(data))

    def set_behind(self, *, behind: bool) -> None:
        """The caller reads more slowly than the runtime writes, or has caught up."""
        if self._valve is not None:
            self._valve.set_behind(behind=behind)

    def lost(self) -> None:
        """The caller hung up: the function goes on, as on the platform, and what it sends is dropped."""
        if self._valve is not None:
            self._valve.open()

    def answered(self, answer: Answer) -> None:
        """The runtime has answered, or its stream is whole; only for callers who do not want the log."""
        error_code = None if answer.error_type is None else "Unhandled"
        self._conclude(answer.body, error_code=error_code, log=None)

    def done(self, outcome: Outcome) -> None:
        """The invocation is over."""
        if outcome.status == TooManyRequestsError.status:
            self._server.reply(self._call, render_throttled())
            return
        log = render_log(outcome) if self._wants_log else None
        self._conclude(outcome.payload, error_code=outcome.function_error, log=log)

    def _conclude(self, payload: bytes, *, error_code: str | None, log: str | None) -> None:
        if self._valve is None:
            self._begin_reply()
            for message in render_payload_chunks(payload if error_code is None else b""):
                self._server.send(self._call, message)
        details = None if error_code is None else payload.decode("utf-8", "replace")
        self._server.send(self._call, render_complete(error_code=error_code, error_details=details, log_result=log))
        self._server.end_reply(self._call)

    def _begin_reply(self) -> None:
        headers = (
            ("Content-Type", CONTENT_TYPE),
            ("X-Amzn-RequestId", self._request_id),
            ("X-Amz-Executed-Version", self._version),
        )
        self._server.begin_reply(self._call, Response(200, headers))
