"""The HTTP port: each request becomes an event of a function URL, the answer its response (`--http`).

A front like `invoke_front`: it owns an `http_server.HttpServer`, translates with pure modules (`function_url_event`,
`function_url_answer`, `cors`) and hands invocations to `Emulator.submit`. A response that the runtime streams goes out
as it comes; one that cannot be a response becomes Lambda's 502, and the log says why. It runs nothing.

Two things it answers itself: a preflight, where CORS is configured, and the health check, a GET of one exact path
without a query. Everything else is the function's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable

from . import cors, limits
from .answers import render_json
from .bandwidth import Valve
from .errors import ClosedError, InvalidAnswerError, InvokeError, TooManyRequestsError, UsageError
from .function_url_answer import STREAM_TYPE, Head, Prelude, parse_result, render_failure
from .function_url_event import Caller, render_event
from .http1 import Limits
from .http1_response import Response
from .http_server import Handler, HttpServer, ServerOptions
from .values import Submission

if TYPE_CHECKING:
    from .engine import Emulator
    from .errors import ProtocolError
    from .http1 import Request
    from .http_options import HttpOptions
    from .streams import Flow
    from .values import Answer, Outcome

_OK = 200
_HEALTHY = Response(_OK, (("Content-Type", "text/plain"),), b"ok\n")
_REFUSED_METHODS = frozenset({"CONNECT", "TRACE"})  # a function URL knows neither


class FunctionUrlFront:
    """`server` is the port; it is opened and closed by whoever serves.

    `note` writes a line into the log; `bandwidth_limited` slows streams down to what Lambda allows.
    """

    def __init__(
        self, emulator: Emulator, options: HttpOptions, *, note: Callable[[str], None], bandwidth_limited: bool
    ) -> None:
        self._emulator = emulator
        self._options = options
        self._note = note
        self.bandwidth_limited = bandwidth_limited
        self._replies: dict[int, _Reply] = {}
        self.server = HttpServer(
            Handler(self._on_request, self._on_lost, _render_refusal, on_flow=self._on_flow),
            ServerOptions(Limits(), limits.INVOKE_CONNECTIONS, half_open=True),
        )

    def _on_request(self, call: int, request: Request) -> None:
        answer = self._answer_here(request)
        if answer is not None:
            self.server.reply(call, answer)
            return
        address, port = self.server.peer(call)
        request_id = self._emulator.new_request_id()
        trace_id = request.headers.get("x-amzn-trace-id") or self._emulator.new_trace_id()
        caller = Caller(address, port, time.time())
        event = render_event(request, caller, request_id=request_id, trace_id=trace_id, proxies=self._options.proxies)
        reply = _Reply(self, call, request.headers.get("origin"))
        self._replies[call] = reply
        try:
            submission = Submission(event, trace_id=trace_id, request_id=request_id)
            self._emulator.submit(submission, reply.done, answered=reply.answered, sink=reply)
        except TooManyRequestsError:
            reply.answer(_render_throttled())
        except InvokeError as error:
            reply.answer(_render_message(error.status, _MESSAGES.get(error.status, "Service Unavailable")))
        except UsageError as error:
            reply.answer(_render_message(400, str(error)))

    def _answer_here(self, request: Request) -> Response | None:
        options = self._options
        if request.target == options.health_path and request.method in {"GET", "HEAD"}:
            return _HEALTHY
        if request.method in _REFUSED_METHODS:
            return _render_message(405, "Method Not Allowed")
        if options.cors is not None:
            preflight = cors.answer_preflight(options.cors, request.method, request.headers)
            if preflight is not None:
                return preflight
        return _render_message(413, _MESSAGES[413]) if request.oversize else None

    def _on_lost(self, call: int) -> None:
        """A caller that hung up does not stop its invocation, as on the platform."""
        reply = self._replies.pop(call, None)
        if reply is not None:
            reply.lost()

    def _on_flow(self, call: int, going: bool) -> None:  # noqa: FBT001 - the server's callback
        reply = self._replies.get(call)
        if reply is not None:
            reply.set_behind(behind=not going)

    # for replies

    def over(self, call: int) -> None:
        """A reply is complete, or given up."""
        self._replies.pop(call, None)

    def with_cors(self, response: Response, origin: str | None) -> Response:
        """The response with the headers that its origin needs."""
        if self._options.cors is None:
            return response
        return response._replace(headers=cors.add_headers(self._options.cors, origin, response.headers))

    def note_invalid(self, request_id: str, reason: str) -> None:
        """Tell in the log why a caller got a 502."""
        self._note(f"RequestId: {request_id} Error: the answer is no HTTP response: {reason}\n")

    def note_cut(self, request_id: str, error: bytes) -> None:
        """Tell in the log why a caller did not get the whole of a stream, in the runtime's words or ours."""
        text = error[:_SHOWN_BYTES].decode("utf-8", "replace").strip()
        self._note(f"RequestId: {request_id} Error: the answer was cut off: {text}\n")


class _Reply:
    """The answer to one call: a `streams.Sink`, and the `done` of its submission."""

    def __init__(self, front: FunctionUrlFront, call: int, origin: str | None) -> None:
        self._front = front
        self._call = call
        self._origin = origin
        self._valve: Valve | None = None
        self._prelude: Prelude | None = None
        self._begun = False
        self._invalid: str | None = None

    def begin(self, content_type: str, flow: Flow) -> None:
        """The runtime has begun its answer; its head may be in the stream."""
        self._valve = Valve(flow, limited=self._front.bandwidth_limited)
        if content_type.partition(";")[0].strip().lower() == STREAM_TYPE:
            self._prelude = Prelude()
        else:
            self._begin(Head(_OK, (("Content-Type", content_type),)), b"")

    def piece(self, data: bytes) -> None:
        """The next bytes of it."""
        if self._invalid is not None:
            return
        if self._prelude is None:
            self._send(data)
            return
        try:
            told = self._prelude.feed(data)
        except InvalidAnswerError as error:
            self._invalid = str(error)
            return
        if told is not None:
            self._prelude = None
            self._begin(*told)

    def answered(self, request_id: str, answer: Answer) -> None:
        """The runtime has answered, or its stream is whole: the caller need not wait for the invocation's end."""
        error = None if answer.error_type is None else answer.error_type.encode() + b" " + answer.body
        self._conclude(request_id, answer.body, error)

    def done(self, outcome: Outcome) -> None:
        """The invocation is over."""
        if outcome.status == TooManyRequestsError.status:
            self.answer(_render_throttled())
        elif outcome.status == ClosedError.status:
            self.answer(_render_message(outcome.status, _MESSAGES[outcome.status]))
        else:
            self._conclude(
                outcome.request_id, outcome.payload, None if outcome.function_error is None else outcome.payload
            )

    def _conclude(self, request_id: str, payload: bytes, error: bytes | None) -> None:
        if self._begun:
            if error is not None:  # the caller must not take what it has for the whole
                self._front.note_cut(request_id, error)
                self._front.server.cut(self._call)
            else:
                self._front.server.end_reply(self._call)
            self._front.over(self._call)
        elif error is not None:
            self.answer(render_failure())
        elif self._valve is not None:
            self._answer_invalid(request_id, self._invalid or "the stream ended before its eight NUL bytes")
        else:
            try:
                self.answer(parse_result(payload))
            except InvalidAnswerError as reason:
                self._answer_invalid(request_id, str(reason))

    def answer(self, response: Response) -> None:
        """Answer in one piece."""
        self._front.server.reply(self._call, self._front.with_cors(response, self._origin))
        self._front.over(self._call)

    def set_behind(self, *, behind: bool) -> None:
        """The caller reads more slowly than the runtime writes, or has caught up."""
        if self._valve is not None:
            self._valve.set_behind(behind=behind)

    def lost(self) -> None:
        """The caller hung up: the function goes on, and what it sends is dropped."""
        if self._valve is not None:
            self._valve.open()

    def _begin(self, head: Head, data: bytes) -> None:
        self._begun = True
        response = self._front.with_cors(Response(head.status, head.headers), self._origin)
        self._front.server.begin_reply(self._call, response)
        self._send(data)

    def _send(self, data: bytes) -> None:
        self._front.server.send(self._call, data)
        if self._valve is not None:
            self._valve.passed(len(data))

    def _answer_invalid(self, request_id: str, reason: str) -> None:
        self._front.note_invalid(request_id, reason)
        self.answer(render_failure())


_SHOWN_BYTES = 1000
_MESSAGES = {413: "Request Entity Too Large", 503: "Service Unavailable"}


def _render_message(status: int, message: str) -> Response:
    """A refusal that is not the function's, in the shape of a function URL's 403."""
    return Response(status, (("Content-Type", "application/json"),), render_json({"Message": message}))


def _render_throttled() -> Response:
    return _render_message(TooManyRequestsError.status, "Too Many Requests")


def _render_refusal(error: ProtocolError) -> Response:
    return _render_message(error.status, str(error))
