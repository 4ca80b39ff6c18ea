"""One execution environment alive: a runtime's process, its own Runtime API, and the life cycle between the two.

It turns what happens (a call of the runtime, an exit, a timer, an invocation) into events of `lifecycle` and has the
effects carried out, in order; an event that arises meanwhile waits until those are done. It decides nothing that the
life cycle decides, and knows neither callers' HTTP nor other environments: `engine` gives it invocations.

Its Runtime API listens on a loopback port of its own. That is what keeps one environment from answering for another:
a request id is looked up only among the invocations that are here.
"""

from __future__ import annotations

import asyncio
import collections
import time
from typing import TYPE_CHECKING, Callable, NamedTuple

from . import environment as life
from . import invoke_api, lifecycle, limits, report, runtime_api
from .answers import TRUNCATED
from .connection import Handler, HttpServer, ServerOptions
from .effects import Effects, Events
from .http1 import Limits, Response
from .log import Log
from .values import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .environment import Step
    from .errors import CommandNotStartedError, ProtocolError
    from .http1 import Request
    from .log import Sink as LogSink
    from .streams import Sink
    from .values import Invocation, Result, Settings

Done = Callable[[Outcome], None]


class Job(NamedTuple):
    """An invocation with whom to tell what came of it, and where its answer goes if it comes in pieces."""

    invocation: Invocation
    done: Done
    sink: Sink | None = None


class Sandbox:
    """`listen`, `start`, then `assign` jobs while it is free; `close` ends it.

    `on_free` is called after a job's `done`: the next one may be assigned.
    """

    def __init__(
        self, settings: Settings, *, log: LogSink | None, log_error: LogSink | None, on_free: Callable[[Sandbox], None]
    ) -> None:
        self._settings = settings
        self._log = Log(log, log_error, settings.log_limit_bytes)
        self._on_free = on_free
        self._environment = life.Environment(settings.timeout_s, settings.init_limit_s)
        self._server = HttpServer(
            Handler(
                self._on_call,
                self._on_lost_call,
                _render_refusal,
                streams=self._streams,
                on_begin=self._on_begin,
                on_piece=self._on_piece,
            ),
            ServerOptions(
                Limits(head_bytes=limits.CAUSE_HEAD_LIMIT_BYTES), limits.RUNTIME_CONNECTIONS, half_open=False
            ),
        )
        self._job: Job | None = None
        self._streamed = False
        self._pending: collections.deque[Callable[[], Step]] = collections.deque()
        self._stepping = False
        self._effects: Effects | None = None
        self._now = time.monotonic
        self.not_started: CommandNotStartedError | None = None  # the last start, if it failed

    async def listen(self, host: str, port: int) -> str:
        """Take the address of the Runtime API and return it, `host:port`. Raises `ListenError`."""
        host, port = await self._server.listen(host, port)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def start(self, variables: Mapping[str, str], cwd: str) -> None:
        """Start the runtime, and do not wait for its init; `not_started` says if there is no process."""
        self._effects = Effects(
            self._settings,
            variables=variables,
            cwd=cwd,
            server=self._server,
            log=self._log,
            events=Events(self._on_timer, self._on_exit, self._on_not_started),
        )
        self._now = asyncio.get_running_loop().time
        await self._server.start()
        self._step(lambda: lifecycle.on_start(self._environment, self._now()))

    def assign(self, job: Job) -> None:
        """Run an invocation; there must be none."""
        self._job = job
        self._streamed = False
        self._step(lambda: lifecycle.on_invoke(self._environment, job.invocation, self._now()))

    async def close(self) -> None:
        """End the runtime: SIGTERM, then SIGKILL; an invocation under way ends with status 503."""
        effects = self._effects
        if effects is not None and self._environment.state is not life.State.CLOSED:
            self._step(lambda: lifecycle.on_close(self._environment, self._now()))
            await effects.wait_gone()
        await self._server.close()

    # a stream's flow, for its sink

    def pause(self) -> None:
        """Read no more of the answer that comes in pieces."""
        if self._environment.stream is not None:
            self._server.pause_request(self._environment.stream)

    def resume(self) -> None:
        """Read on."""
        if self._environment.stream is not None:
            self._server.resume_request(self._environment.stream)

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
        effects, job = self._effects, self._job
        self._job = None
        if effects is None or job is None:
            return
        effects.drain()
        outcome = render_outcome(
            result,
            settings=self._settings,
            log=self._log.take(),
            max_memory_mb=effects.max_memory_mb(),
            streamed=self._streamed,
        )
        self._log.platform(outcome.report[1])
        job.done(outcome)
        self._on_free(self)

    # what happened

    def _streams(self, request: Request) -> bool:
        request_id = runtime_api.parse_stream(request)
        return request_id is not None and lifecycle.may_stream(self._environment, request_id)

    def _on_begin(self, call: int, request: Request) -> None:
        self._step(lambda: lifecycle.on_stream(self._environment, call))
        if self._job is not None and self._job.sink is not None:
            self._streamed = True
            self._job.sink.begin(request.headers.get("content-type") or "application/octet-stream", self)

    def _on_piece(self, call: int, data: bytes) -> None:
        if self._environment.stream == call and self._job is not None and self._job.sink is not None:
            self._job.sink.piece(data)

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
        self._step(lambda: lifecycle.on_call_lost(self._environment, call))

    def _on_timer(self) -> None:
        self._step(lambda: lifecycle.on_timer(self._environment, self._now()))

    def _on_exit(self, how: str | None) -> None:
        self._step(lambda: lifecycle.on_exited(self._environment, life.Exited(how), self._now()))

    def _on_not_started(self, error: CommandNotStartedError) -> None:
        self.not_started = error
        self._step(lambda: lifecycle.on_not_started(self._environment, str(error), self._now()))


def render_outcome(result: Result, *, settings: Settings, log: bytes, max_memory_mb: int, streamed: bool) -> Outcome:
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
        streamed=streamed,
        report=(report.render_start(request_id, invoke_api.VERSION), end),
    )


def _render_refusal(error: ProtocolError) -> Response:
    """A runtime that sent no request gets the Runtime API's word for it."""
    return Response(error.status, (("Content-Type", "application/json"),), TRUNCATED.body)
