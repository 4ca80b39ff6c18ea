"""The invoke port: callers' requests to submissions, outcomes back to responses.

The model of a front: it owns an `http_server.HttpServer`, translates with a pure module (`invoke_api`), hands
invocations to `Emulator.submit`, and keeps nothing but the number of the call until the outcome is there. `serving`
opens and closes it. It runs nothing and decides nothing about running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import invoke_api, limits
from .errors import EmulatorError, InvokeError, RequestTooLargeError, TooManyRequestsError, UsageError
from .http1 import Limits
from .http1_response import Response
from .http_server import Handler, HttpServer, ServerOptions

if TYPE_CHECKING:
    from .engine import Emulator
    from .errors import ProtocolError
    from .event_queue import EventQueue
    from .http1 import Request
    from .invoke_stream import EventStreamReply
    from .values import Answer, Outcome


class InvokeFront:
    """`server` is the port; it is opened and closed by whoever serves."""

    def __init__(self, emulator: Emulator, events: EventQueue, *, bandwidth_limited: bool = False) -> None:
        self._emulator = emulator
        self._events = events
        self._bandwidth_limited = bandwidth_limited
        self._streams: dict[int, EventStreamReply] = {}  # calls whose answers go in pieces
        self.server = HttpServer(
            Handler(self._on_request, self._on_lost, _render_refusal, on_flow=self._on_flow),
            ServerOptions(Limits(), limits.INVOKE_CONNECTIONS, half_open=True),
        )

    def _on_request(self, call: int, request: Request) -> None:
        parsed = invoke_api.parse_invoke(request)
        if isinstance(parsed, Response):
            self.server.reply(call, parsed)
            return
        try:
            if parsed.kind == "Event":
                self.server.reply(call, invoke_api.render_accepted(self._events.accept(parsed.submission)))
            elif parsed.kind == "DryRun":
                self.server.reply(call, invoke_api.render_dry_run(self._emulator.new_request_id()))
            elif parsed.streams:
                self._submit_streamed(call, parsed)
            else:
                self._submit(call, parsed)
        except TooManyRequestsError:
            self.server.reply(call, invoke_api.render_throttled())
        except InvokeError as error:
            self.server.reply(call, invoke_api.render_refusal(error.status, error.error_type, str(error)))
        except UsageError as error:
            self.server.reply(call, invoke_api.render_refusal(400, "InvalidRequestContentException", str(error)))

    def _submit(self, call: int, asked: invoke_api.InvokeRequest) -> None:
        version = self._emulator.settings.version

        def answered(request_id: str, answer: Answer) -> None:
            self.server.reply(call, invoke_api.render_answer(answer, request_id, version=version))

        def done(outcome: Outcome) -> None:
            self.server.reply(call, invoke_api.render_outcome(outcome, version=version, wants_log=asked.wants_log))

        self._emulator.submit(asked.submission, done, answered=None if asked.wants_log else answered)

    def _submit_streamed(self, call: int, asked: invoke_api.InvokeRequest) -> None:
        from .invoke_stream import EventStreamReply  # noqa: PLC0415 - only for who asks for it

        request_id = self._emulator.new_request_id()
        reply = EventStreamReply(
            self.server,
            call,
            request_id,
            version=self._emulator.settings.version,
            wants_log=asked.wants_log,
            limited=self._bandwidth_limited,
        )

        def answered(_: str, answer: Answer) -> None:
            reply.answered(answer)
            self._streams.pop(call, None)

        def done(outcome: Outcome) -> None:
            reply.done(outcome)
            self._streams.pop(call, None)

        submission = asked.submission._replace(request_id=request_id)
        self._streams[call] = reply
        try:
            self._emulator.submit(submission, done, answered=None if asked.wants_log else answered, sink=reply)
        except EmulatorError:
            del self._streams[call]
            raise

    def _on_lost(self, call: int) -> None:
        """A caller that hung up does not stop its invocation, as on the platform."""
        reply = self._streams.pop(call, None)
        if reply is not None:
            reply.lost()

    def _on_flow(self, call: int, going: bool) -> None:  # noqa: FBT001 - the server's callback
        reply = self._streams.get(call)
        if reply is not None:
            reply.set_behind(behind=not going)


def _render_refusal(error: ProtocolError) -> Response:
    too_large = error.status == RequestTooLargeError.status
    error_type = RequestTooLargeError.error_type if too_large else "InvalidRequestContentException"
    return invoke_api.render_refusal(error.status, error_type, str(error))
