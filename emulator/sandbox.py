"""One execution environment alive: a runtime's process, its own Runtime API, and the life cycle between the two.

It turns what happens (a call of the runtime, an exit, a timer, an invocation) into events of `lifecycle` (or of
`multiconcurrency`, for a runtime that works on several invocations at a time) and has the effects carried out, in
order; an event that arises meanwhile waits until those are done. It decides nothing that the life cycle decides, and
knows neither callers' HTTP nor other environments: `engine` gives it invocations.

Its Runtime API listens on a loopback port of its own. That is what keeps one environment from answering for another:
a request id is looked up only among the invocations that are here.

What the platform has to tell is made here, as `platform_events`: worded for the log, and given to `listeners`.
"""

from __future__ import annotations

import asyncio
import collections
import time
from typing import TYPE_CHECKING, Callable

from . import environment as life
from . import lifecycle, limits, multiconcurrency, report, runtime_api
from .answers import EXIT_ERROR, TRUNCATED
from .connection import Handler, HttpServer, ServerOptions
from .effects import Effects, Events
from .http1 import Limits, Response
from .log import Log
from .platform_events import Fault, InitReport, InitRuntimeDone, InitStart, Report, RuntimeDone, Start
from .shutdown import shutdown_phase
from .values import Answer, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .environment import Exited, Step
    from .errors import CommandNotStartedError, ProtocolError
    from .extension_host import ExtensionHost
    from .http1 import Request
    from .log import Sink as LogSink
    from .platform_events import PlatformEvent
    from .rules import Rules
    from .shutdown import ShutdownPhase
    from .streams import Sink
    from .values import Invocation, Result, Settings

Done = Callable[[Outcome], None]
Answered = Callable[[str, Answer], None]

_ENDED = (
    b"emulator: the command ended before it asked for an event, and is started again for the next one; it has to speak "
    b"the Runtime API, as python -m awslambdaric app.handler does\n"
)
_EXTENSION_PREFIXES = ("/2020-01-01/extension/", "/2022-07-01/telemetry", "/2020-08-15/logs")


class Job:
    """An invocation with whom to tell what came of it, and where its answer goes if it comes in pieces.

    `answered` is told the request id and the answer once the runtime has posted it, before `done`, unless the
    invocation fails otherwise. To the sink the job is the stream's `Flow`.
    """

    __slots__ = ("answered", "call", "done", "invocation", "server", "sink", "start", "streamed")

    def __init__(
        self, invocation: Invocation, done: Done, *, answered: Answered | None = None, sink: Sink | None = None
    ) -> None:
        self.invocation = invocation
        self.done = done
        self.answered = answered
        self.sink = sink
        self.start = b""  # the line of its start
        self.server: HttpServer | None = None
        self.call = 0  # whose body is the answer
        self.streamed = False

    def pause(self) -> None:
        """Read no more of the answer for now."""
        if self.server is not None:
            self.server.pause_request(self.call)

    def resume(self) -> None:
        """Read on."""
        if self.server is not None:
            self.server.resume_request(self.call)


class Sandbox:
    """`listen`, `start`, then `assign` jobs while it has room; `close` ends it.

    `on_free` is called after a job's `done`: the next one may be assigned. `on_answered` is called when that is about
    to come. `listeners` get every platform event, with
    the time of it in seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        log: LogSink | None,
        log_error: LogSink | None,
        on_answered: Callable[[Sandbox], None],
        on_free: Callable[[Sandbox], None],
    ) -> None:
        self._settings = settings
        self._log = Log(log, log_error, settings.log_limit_bytes)
        self._on_answered = on_answered
        self._on_free = on_free
        self._rules: Rules = lifecycle if settings.max_concurrency is None else multiconcurrency
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
                Limits(head_bytes=limits.CAUSE_HEAD_LIMIT_BYTES),
                limits.RUNTIME_CONNECTIONS + (settings.max_concurrency or 0),
                half_open=False,
            ),
        )
        self._render = report.render_json if settings.logs_json else report.render_text
        self._jobs: dict[str, Job] = {}  # by request id
        self._arriving: dict[int, Job] = {}  # by the call whose body is their answer
        self._pending: collections.deque[Callable[[], Step]] = collections.deque()
        self._stepping = False
        self._effects: Effects | None = None
        self._now = time.monotonic
        self._host: ExtensionHost | None = None  # if there are extensions
        self._variables: Mapping[str, str] = {}
        self._init_started: tuple[PlatformEvent, float] | None = None
        self._told_done = ""  # the invocation whose end the runtime's part was told of
        self.listeners: list[Callable[[PlatformEvent, float], None]] = []
        self.not_started: CommandNotStartedError | None = None  # the last start, if it failed
        self.init_error = b""  # what the runtime last reported of a failed init
        self.ended: Exited | None = None  # how its process last ended

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
        self._variables = variables
        if self._settings.extensions is not None:
            self._make_host(self._effects)
        self._now = asyncio.get_running_loop().time
        await self._server.start()
        self._step(lambda: self._rules.on_start(self._environment, self._now()))

    @property
    def memory_limit(self) -> str:
        """How the running process's memory is limited: "none", "cgroup v2", "cgroup v1" or "rlimit"."""
        return "none" if self._effects is None else self._effects.memory_limit

    @property
    def is_idle(self) -> bool:
        """Whether it has no invocation."""
        return not self._jobs

    def take_log(self) -> bytes:
        """The end of what the runtime wrote since this was last asked."""
        if self._effects is not None:
            self._effects.drain()
        return self._log.take()

    def assign(self, job: Job) -> None:
        """Run an invocation; there must be room."""
        self._jobs[job.invocation.request_id] = job
        self._step(lambda: self._rules.on_invoke(self._environment, job.invocation, self._now()))

    async def close(self) -> None:
        """End the runtime, as `shutdown` says; invocations under way end with status 503."""
        effects = self._effects
        if effects is not None and self._environment.state is not life.State.CLOSED:
            self._step(lambda: self._rules.on_close(self._environment, self._now()))
            await effects.wait_gone(self._shutdown_phase().runtime_s)
            if self._host is not None:
                await self._host.wait_gone()
        await self._server.close()

    def _shutdown_phase(self) -> ShutdownPhase:
        if self._host is not None:
            return self._host.shutdown_phase()
        return shutdown_phase(self._settings.shutdown_s, external=False, internal=False)

    def _step(self, event: Callable[[], Step]) -> None:
        self._pending.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._pending:
                self._environment, effects = self._pending.popleft()()
                for effect in effects:
                    self._perform(effect)
        finally:
            self._stepping = False

    def _perform(self, effect: life.Effect) -> None:
        effects = self._effects
        if effects is None:
            return
        if isinstance(effect, life.Terminate) and self._host is None and not self._shutdown_phase().runtime_s:
            effects.perform(life.Kill())
        elif isinstance(effect, (life.Reply, life.SetTimer, life.Deliver, life.Kill, life.Terminate)):
            (self._host or effects).perform(effect)
        elif isinstance(effect, life.Finish):
            self._finish(effect.result, effects)
        elif isinstance(effect, life.Respond):
            job = self._jobs[effect.invocation.request_id]
            if job.answered is not None and self._host is None:  # an extension may fail it yet, as under AWS's emulator
                job.answered(effect.invocation.request_id, effect.answer)
            self._on_answered(self)
        elif isinstance(effect, life.Announce):
            job = self._jobs[effect.invocation.request_id]
            job.start = self._tell(Start(effect.invocation.request_id, self._settings.version))
        elif isinstance(effect, life.Spawn):
            phase = lifecycle.phase_of(self._environment)
            started = InitStart(phase, self._settings.name, self._settings.version)
            self._init_started = (started, time.time())
            self._tell(started)
            (self._host or effects).perform(effect)
        elif isinstance(effect, life.ReportInit):
            effects.drain()
            self._tell_init(effect)
        else:
            effects.drain()
            self._tell(Fault(effect.text))

    @property
    def _quiet(self) -> bool:
        """Whether nobody wants to know more than the platform's text says."""
        return not self.listeners and not self._settings.logs_json

    def _tell(self, event: PlatformEvent) -> bytes:
        """Log an event and give it to the listeners; its words, for the caller's tail of the log."""
        now = time.time()
        line = self._render(event, now)
        if line:
            self._log.platform(line)
        for listener in self.listeners:
            listener(event, now)
        return line

    def _finish(self, result: Result, effects: Effects) -> None:
        job = self._jobs.pop(result.invocation.request_id, None)
        if job is None:
            return
        self._arriving.pop(job.call, None)
        effects.drain()
        max_memory_mb = effects.max_memory_mb()
        end = self._tell_end(result, max_memory_mb)
        job.done(
            Outcome(
                payload=result.answer.body,
                status=result.status,
                function_error=result.function_error,
                log=self._log.take(),
                duration_ms=result.duration_s * 1000,
                init_ms=None if result.init_s is None else result.init_s * 1000,
                max_memory_mb=max_memory_mb,
                request_id=result.invocation.request_id,
                content_type=result.answer.content_type,
                streamed=job.streamed,
                report=(job.start, end),
            )
        )
        self._on_free(self)

    def _tell_init(self, init: life.ReportInit) -> None:
        self._tell(InitRuntimeDone(init.phase, init.status, init.error_type))
        self._tell(InitReport(init.duration_s, init.phase, init.status, init.error_type))
        if init.phase == "init" and init.error_type == EXIT_ERROR and not self._settings.logs_json:
            self._log.platform(_ENDED)

    def _tell_end(self, result: Result, max_memory_mb: int) -> bytes:
        request_id, error_type = result.invocation.request_id, result.answer.error_type
        if result.report_status == "timeout":
            status = "timeout"
        elif result.report_status is not None:
            status = "failure"
        else:
            status = "success" if error_type is None else "error"
        done = b""
        if self._told_done != request_id and not self._quiet:
            done = self._tell(RuntimeDone(request_id, status, error_type, result.duration_s, len(result.answer.body)))
        return done + self._tell(
            Report(
                request_id,
                result.report_status,
                error_type,
                result.duration_s,
                result.init_s,
                self._settings.memory_mb,
                max_memory_mb,
                self._settings.timeout_s,
            )
        )

    # what happened

    def _streams(self, request: Request) -> bool:
        request_id = runtime_api.parse_stream(request)
        return request_id is not None and self._rules.may_stream(self._environment, request_id)

    def _on_begin(self, call: int, request: Request) -> None:
        request_id = runtime_api.parse_stream(request) or ""
        self._step(lambda: self._rules.on_stream(self._environment, call, request_id))
        job = self._jobs.get(request_id)
        if job is not None and job.sink is not None:
            job.server, job.call, job.streamed = self._server, call, True
            self._arriving[call] = job
            job.sink.begin(request.headers.get("content-type") or "application/octet-stream", job)

    def _on_piece(self, call: int, data: bytes) -> None:
        job = self._arriving.get(call)
        if job is not None and job.sink is not None:
            job.sink.piece(data)

    def _on_call(self, call: int, request: Request) -> None:
        parsed = runtime_api.parse_call(request, call)
        if isinstance(parsed, runtime_api.Next):
            if self._host is not None and self._host.holds(call):
                self._tell_done_early()
            else:
                self._on_poll(call)
        elif isinstance(parsed, life.Post):
            post = parsed
            if self._uses_too_much():
                self._step(lambda: self._rules.on_out_of_memory(self._environment, self._now()))
            self._step(lambda: self._rules.on_post(self._environment, post, self._now()))
        elif isinstance(parsed, life.InitError):
            init_error = parsed
            self.init_error = parsed.answer.body
            self._step(lambda: self._rules.on_init_error(self._environment, init_error))
        elif request.target.startswith(_EXTENSION_PREFIXES) and self._effects is not None:
            (self._host or self._adopt(self._effects)).on_call(call, request)
        else:
            self._server.reply(call, Response(parsed.status, (("Content-Type", "text/plain"),), parsed.body))

    def _on_poll(self, call: int) -> None:
        self._step(lambda: self._rules.on_next(self._environment, call, self._now()))

    # extensions

    def _make_host(self, effects: Effects) -> ExtensionHost:
        from .extension_host import ExtensionHost, HostEvents  # noqa: PLC0415 - only where there are extensions

        host = ExtensionHost(
            self._settings,
            variables=self._variables,
            server=self._server,
            effects=effects,
            log=self._log,
            events=HostEvents(self._on_poll, self._on_over, self._tell),
        )
        self._host = host
        self.listeners.append(host.on_platform_event)
        return host

    def _adopt(self, effects: Effects) -> ExtensionHost:
        """The first call of an internal extension, while the runtime initialises or too late."""
        host = self._make_host(effects)
        if self._init_started is not None:
            host.on_platform_event(*self._init_started)
        host.adopt(initialising=self._environment.state is life.State.STARTING)
        return host

    def _tell_done_early(self) -> None:
        """The runtime is done with its invocation, and extensions are not: some wait for just this to be told."""
        invocation, answer = self._environment.invocation, self._environment.answer
        if invocation is None or answer is None or self._environment.clock_s is None:
            return
        self._told_done = invocation.request_id
        status = "success" if answer.error_type is None else "error"
        duration_s = self._now() - self._environment.clock_s
        self._tell(RuntimeDone(invocation.request_id, status, answer.error_type, duration_s, len(answer.body)))

    def _uses_too_much(self) -> bool:
        """Whether the memory limit is exceeded, where the kernel does not mind it for us."""
        effects = self._effects
        return (
            effects is not None
            and effects.memory_limit == "rlimit"
            and effects.max_memory_mb() > self._settings.memory_mb
        )

    def _on_lost_call(self, call: int) -> None:
        if self._host is not None:
            self._host.on_call_lost(call)
        self._step(lambda: self._rules.on_call_lost(self._environment, call, self._now()))

    def _on_timer(self) -> None:
        if self._host is not None:
            self._host.timed_out()
        self._step(lambda: self._rules.on_timer(self._environment, self._now()))

    def _on_exit(self, event: Exited) -> None:
        if self._host is not None:
            self._host.on_runtime_exit(event)
            return
        self._server.drop_connections()  # calls of a dead runtime must not count for the next one
        self._on_over(event)

    def _on_over(self, event: Exited) -> None:
        """Nothing of the environment runs any more."""
        self.ended = event
        self._step(lambda: self._rules.on_exited(self._environment, event, self._now()))

    def _on_not_started(self, error: CommandNotStartedError) -> None:
        self.not_started = error
        if self._host is not None:
            self._host.on_not_started()
        self._step(lambda: self._rules.on_not_started(self._environment, str(error), self._now()))


def _render_refusal(error: ProtocolError) -> Response:
    """A runtime that sent no request gets the Runtime API's word for it."""
    return Response(error.status, (("Content-Type", "application/json"),), TRUNCATED.body)
