"""Serving an emulator on a port until a signal comes: what the command line does, callable.

Shell code: it listens, writes to our stdout and stderr, and minds SIGTERM and SIGINT. What requests mean is
`invoke_api`'s, what happens to them the engine's.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
from typing import TYPE_CHECKING, Callable

from . import invoke_api, limits
from .connection import Handler, HttpServer, ServerOptions
from .engine import Emulator
from .errors import InvokeError, UsageError
from .http1 import Limits, Response

if TYPE_CHECKING:
    from .errors import ProtocolError
    from .http1 import Request
    from .values import Outcome, Settings

_STDOUT = 1
_STDERR = 2


async def serve(settings: Settings, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve the Invoke API on `host`:`port` (0: a free one) until SIGTERM or SIGINT.

    The port is taken before the runtime is started, and callers are accepted after. `ready` is given the URL to POST
    to. The log goes to our stdout, and what the runtime writes to stderr to ours. Raises `ListenError` and
    `CommandNotStartedError`.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    emulator = Emulator(settings, log=_writer(_STDOUT), log_error=_writer(_STDERR))
    front = _Front(emulator)
    try:
        host, port = await front.server.listen(host, port)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with emulator:
            await front.server.start()
            shown = f"[{host}]" if ":" in host else host
            ready(f"http://{shown}:{port}/2015-03-31/functions/function/invocations")
            await stop.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        await front.server.close()


class _Front:
    """The invoke port: requests in, submissions to the emulator, outcomes back."""

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
        wants_log = parsed.wants_log

        def done(outcome: Outcome) -> None:
            self.server.reply(call, invoke_api.render_outcome(outcome, wants_log=wants_log))

        try:
            self._emulator.submit(parsed.event, done, client_context=parsed.client_context, trace_id=parsed.trace_id)
        except InvokeError as error:
            self.server.reply(call, invoke_api.render_refusal(error.status, error.error_type, str(error)))
        except UsageError as error:
            self.server.reply(call, invoke_api.render_refusal(400, "InvalidRequestContentException", str(error)))

    def _on_lost(self, call: int) -> None:
        """A caller that hung up does not stop its invocation, as on the platform."""


def _render_refusal(error: ProtocolError) -> Response:
    return invoke_api.render_refusal(error.status, "InvalidRequestContentException", str(error))


def _writer(fd: int) -> Callable[[bytes], None]:
    """Write all of it to a descriptor that may be non-blocking; once nobody reads it any more, drop the rest."""
    lost = False

    def write(data: bytes) -> None:
        nonlocal lost
        view = memoryview(data)
        while view and not lost:
            try:
                view = view[os.write(fd, view) :]
            except BlockingIOError:  # noqa: PERF203 - each write may be cut short
                select.select([], [fd], [])
            except OSError:
                lost = True

    return write
