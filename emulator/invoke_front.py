"""The invoke port: callers' requests to submissions, outcomes back to responses.

The model of a front: it owns a `connection.HttpServer`, translates with a pure module (`invoke_api`), hands invocations
to `Emulator.submit`, and keeps nothing but the number of the call until the outcome is there. `serving` opens and
closes it. It runs nothing and decides nothing about running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import invoke_api, limits
from .connection import Handler, HttpServer, ServerOptions
from .errors import InvokeError, TooManyRequestsError, UsageError
from .http1 import Limits, Response

if TYPE_CHECKING:
    from .engine import Emulator
    from .errors import ProtocolError
    from .http1 import Request
    from .values import Outcome


class InvokeFront:
    """`server` is the port; it is opened and closed by whoever serves."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.server = HttpServer(
            Handler(self._on_request, self._on_lost, _render_refusal),
            ServerOptions(Limits(), limits.INVOKE_CONNECTIONS, half_open=True),
        )

    def _on_request(self, call: int, request: Request) -> None:
        parsed = invoke_api.parse_invoke(request)
        if isinstance(parsed, Response):
            self.server.reply(call, parsed)
            return
        wants_log, version = parsed.wants_log, self._emulator.settings.version

        def done(outcome: Outcome) -> None:
            self.server.reply(call, invoke_api.render_outcome(outcome, version=version, wants_log=wants_log))

        try:
            self._emulator.submit(parsed.submission, done)
        except TooManyRequestsError:
            self.server.reply(call, invoke_api.render_throttled())
        except InvokeError as error:
            self.server.reply(call, invoke_api.render_refusal(error.status, error.error_type, str(error)))
        except UsageError as error:
            self.server.reply(call, invoke_api.render_refusal(400, "InvalidRequestContentException", str(error)))

    def _on_lost(self, call: int) -> None:
        """A caller that hung up does not stop its invocation, as on the platform."""


def _render_refusal(error: ProtocolError) -> Response:
    return invoke_api.render_refusal(error.status, "InvalidRequestContentException", str(error))
