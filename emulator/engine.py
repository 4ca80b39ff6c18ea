"""The emulator itself: it turns what happens into events of the `lifecycle` and has the effects carried out, in order.

This is where the parts meet, and where the queue stands of invocations that wait for the one environment. It decides
nothing that the life cycle decides. Everything runs on one event loop; an event that arises while effects are carried
out waits until those are done.
"""

from __future__ import annotations

import asyncio
import collections
import os
import time
import uuid
from typing import TYPE_CHECKING, Callable, NamedTuple

from . import environment as life
from . import invoke_api, lifecycle, limits, report, runtime_api, variables
from .answers import CLOSING, TRUNCATED
from .connection import Handler, HttpServer, ServerOptions
from .effects import Effects, Events
from .errors import (
    ClosedError,
    CommandNotStartedError,
    ProtocolError,
    RequestTooLargeError,
    TooManyRequestsError,
    UsageError,
)
from .http1 import Limits, Response
from .log import Log, Sink
from .values import Invocation, Outcome, Result

if TYPE_CHECKING:
    from types import TracebackType

    from .environment import Step
    from .http1 import Request
    from .values import Settings

Done = Callable[[Outcome], None]

_RUNTIME_API_HOST = "127.0.0.1"


class _Waiting(NamedTuple):
    invocation: Invocation
    done: Done


class Emulator:
    """One function, one execution environment.

        settings = Settings(["python", "-m", "awslambdaric", "app.handler"], os.environ)
        async with Emulator(settings, log=sys.stdout.buffer.write) as emulator:
            outcome = await emulator.invoke(b'{"name": "Ada"}')

    Entering it starts the runtime and does not wait for its init. Invocations run one at a time, in the order they
    came. Leaving it ends the runtime: SIGTERM, then SIGKILL after `limits.TERMINATE_GRACE_S`. It is entered once.

    `log` is given the platform's lines and what the runtime writes to stdout, in pieces as they come; `log_error`
    what it writes to stderr, by default the same. Entering raises `CommandNotStartedError`, and `ListenError` if the
    loopback has no free port.
    """

    def __init__(self, settings: Settings, *, log: Sink | None = None, log_error: Sink | None = None) -> None:
        self._settings = settings
        self._log = Log(log, log_error, settings.log_limit_bytes)
        self._environment = life.Environment(settings.timeout_s, settings.init_limit_s)
        self._server = HttpServer(
            Handler(self._on_call, self._on_lost_call, _render_refusal),
            ServerOptions(
                Limits(head_bytes=limits.CAUSE_HEAD_LIMIT_BYTES), limits.RUNTIME_CONNECTIONS, half_open=False
            ),
        )
        self._queue: collections.deque[_Waiting] = collections.deque()
        self._current: Done | None = None
        self._pending: collections.deque[Callable[[], Step]] = collections.deque()
        self._stepping = False
        self._effects: Effects | None = None
        self._arn = ""
        self._now = time.monotonic
        self._not_started: CommandNotStartedError | None = None

    async def __aenter__(self) -> Emulator:  # noqa: PYI034 - Self is Python 3.11's
        host, port = await self._server.listen(_RUNTIME_API_HOST, 0)
        cwd = absolute_path(self._settings.cwd)
        environment = variables.runtime_environment(self._settings, runtime_api=f"{host}:{port}", cwd=cwd)
        self._arn = variables.function_arn(environment)
        self._effects = Effects(
            self._settings,
            variables=environment,
            cwd=cwd,
            server=self._server,
            log=self._log,
            events=Events(self._on_timer, self._on_exit, self._on_not_started),
        )
        self._now = asyncio.get_running_loop().time
        await self._server.start()
        self._step(lambda: lifecycle.on_start(self._environment, self._now()))
        if self._not_started is not None:
            await self.close()
            raise self._not_started
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the runtime and give up the invocations that are under way or wait: they end with status 503."""
        effects = self._effects
        if effects is None or self._environment.state is life.State.CLOSED:
            return
        waiting = list(self._queue)
        self._queue.clear()
        self._step(lambda: lifecycle.on_close(self._environment, self._now()))
        for entry in waiting:
            entry.done(_render_given_up(entry.invocation))
        await effects.wait_gone()
        await self._server.close()

    async def invoke(self, event: bytes, *, client_context: str | None = None, trace_id: str | None = None) -> Outcome:
        """Run one event and return what came of it, failures of the function included.

        `client_context` is JSON on one line, `trace_id` an X-Ray trace header, made up if None. Raises an
        `InvokeError` if the event is not accepted, `UsageError` for a text that fits no header. Cancelling the call
        does not stop the function.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        self.submit(event, done, client_context=client_context, trace_id=trace_id)
        return await future

    def submit(
        self,
        event: bytes,
        done: Done,
        *,
        client_context: str | None = None,
        trace_id: str | None = None,
    ) -> str:
        """Like `invoke`, but return the request id now and call `done` with the outcome later, on the loop."""
        if self._effects is None or self._environment.state is life.State.CLOSED:
            raise ClosedError("invoking: the emulator is not running; enter it with `async with` first")
        if len(event) > limits.PAYLOAD_LIMIT_BYTES:
            raise RequestTooLargeError(
                f"invoking: an event of {len(event)} bytes; send {limits.PAYLOAD_LIMIT_BYTES} bytes at most"
            )
        for name, text in (("client_context", client_context), ("trace_id", trace_id)):
            if text is not None and not invoke_api.is_header_value(text):
                raise UsageError(f"invoking: {name} {text[:80]!r} fits no header; give one line of Latin-1 text")
        if self._current is not None and len(self._queue) >= self._settings.queue_limit:
            raise TooManyRequestsError(f"invoking: {len(self._queue)} invocations wait already; try again later")
        request_id = str(uuid.uuid4())
        self._queue.append(
            _Waiting(
                Invocation(
                    request_id,
                    event,
                    self._arn,
                    trace_id=trace_id or _new_trace_id(),
                    client_context=client_context,
                ),
                done,
            )
        )
        self._assign()
        return request_id

    def _assign(self) -> None:
        """Give the environment the next invocation, if it has none."""
        if self._current is None and self._queue:
            invocation, self._current = self._queue.popleft()
            self._step(lambda: lifecycle.on_invoke(self._environment, invocation, self._now()))

    def _step(self, event: Callable[[], Step]) -> None:
        self._pending.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._pending:
                self._environment, effects = self._pending.popleft()()
                for effect in effects:
                    if isinstance(effect, life.Finish):
                        self._finish(effect.result)
                    elif self._effects is not None:
                        self._effects.perform(effect)
        finally:
            self._stepping = False

    def _finish(self, result: Result) -> None:
        effects, done = self._effects, self._current
        self._current = None
        if effects is None or done is None:
            return
        effects.drain()
        outcome = render_outcome(
            result, settings=self._settings, log=self._log.take(), max_memory_mb=effects.max_memory_mb()
        )
        self._log.platform(outcome.report[1])
        done(outcome)
        self._assign()

    # what happened

    def _on_call(self, call: int, request: Request) -> None:
        parsed = runtime_api.parse_call(request, call)
        if isinstance(parsed, runtime_api.Next):
            self._step(lambda: lifecycle.on_next(self._environment, call, self._now()))
        elif isinstance(parsed, life.Post):
            post = parsed
            self._step(lambda: lifecycle.on_post(self._environment, post))
        elif isinstance(parsed, life.InitError):
            init_error = parsed
            self._step(lambda: lifecycle.on_init_error(self._environment, init_error))
        else:
            self._server.reply(call, Response(parsed.status, (("Content-Type", "text/plain"),), parsed.body))

    def _on_lost_call(self, call: int) -> None:
        self._step(lambda: lifecycle.on_poll_lost(self._environment, call))

    def _on_timer(self) -> None:
        self._step(lambda: lifecycle.on_timer(self._environment, self._now()))

    def _on_exit(self, how: str | None) -> None:
        self._step(lambda: lifecycle.on_exited(self._environment, life.Exited(how), self._now()))

    def _on_not_started(self, error: CommandNotStartedError) -> None:
        self._not_started = error
        self._step(lambda: lifecycle.on_not_started(self._environment, str(error), self._now()))


def absolute_path(folder: str | None) -> str:
    """A folder from the root, ours for None. `os.path`: pathlib costs an import at the container's start."""
    return os.path.abspath(folder or os.getcwd())  # noqa: PTH100, PTH109 - see above


def render_outcome(result: Result, *, settings: Settings, log: bytes, max_memory_mb: int) -> Outcome:
    """A result of the life cycle with what was measured and logged beside it."""
    request_id = result.invocation.request_id
    end = report.render_end(
        request_id,
        duration_s=result.duration_s,
        init_s=result.init_s,
        memory_mb=settings.memory_mb,
        max_memory_mb=max_memory_mb,
        status=result.report_status,
        error_type=result.answer.error_type,
    )
    if result.report_status == "timeout":
        end = report.render_timed_out(request_id, timeout_s=settings.timeout_s, epoch_s=time.time()) + end
    return Outcome(
        payload=result.answer.body,
        status=result.status,
        function_error=result.function_error,
        log=log,
        duration_ms=result.duration_s * 1000,
        init_ms=None if result.init_s is None else result.init_s * 1000,
        max_memory_mb=max_memory_mb,
        request_id=request_id,
        content_type=result.answer.content_type,
        report=(report.render_start(request_id, invoke_api.VERSION), end),
    )


def _render_given_up(invocation: Invocation) -> Outcome:
    """The outcome of an invocation that was still waiting when the emulator was closed."""
    return Outcome(
        payload=CLOSING.body,
        status=503,
        function_error="Unhandled",
        log=b"",
        duration_ms=0.0,
        init_ms=None,
        max_memory_mb=0,
        request_id=invocation.request_id,
    )


def _render_refusal(error: ProtocolError) -> Response:
    """A runtime that sent no request gets the Runtime API's word for it."""
    return Response(error.status, (("Content-Type", "application/json"),), TRUNCATED.body)


def _new_trace_id() -> str:
    """An X-Ray trace header of the documented shape, not sampled: version, epoch seconds in hex, 96 random bits.

    The parent's 64.
    """
    random = uuid.uuid4().hex + uuid.uuid4().hex
    return f"Root=1-{int(time.time()):08x}-{random[:24]};Parent={random[32:48]};Sampled=0"
