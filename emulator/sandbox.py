"""One execution environment alive: a runtime's process, its own Runtime API, and the life cycle between the two.

It turns what happens (a call of the runtime, an exit, a timer, an invocation) into events of `lifecycle` (or of
`multiconcurrency`, for a runtime that works on several invocations at a time) and has the effects carried out, in
order; an event that arises meanwhile waits until those are done. It decides nothing that the life cycle decides, and
knows neither callers' HTTP nor other environments: `engine` gives it invocations.

Its Runtime API listens on a loopback port of its own. That is what keeps one environment from answering for another:
a request id is looked up only among the invocations that are here.

What there is to tell goes to `reporter`. The module is long because it is the one place where everything meets an
environment: each of its functions is a line or two of another module's work.
"""

from __future__ import annotations

import asyncio
import collections
import time
from typing import TYPE_CHECKING, Callable, NoReturn

from . import lifecycle, limits, multiconcurrency, runtime_api
from .answers import EXIT_ERROR, TRUNCATED
from .effects import Effects, Events
from .environment import (
    Announce,
    Deliver,
    Environment,
    Finish,
    InitError,
    Kill,
    Note,
    Post,
    Reply,
    ReportInit,
    Respond,
    SetTimer,
    Spawn,
    State,
    Terminate,
)
from .http1 import Limits
from .http1_response import Response
from .http_server import Handler, HttpServer, ServerOptions
from .log import Log
from .platform_events import Fault, InitReport, InitRuntimeDone, InitStart
from .reporter import Reporter
from .shutdown import shutdown_phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .environment import Effect, Exited, Step
    from .errors import CommandNotStartedError, ProtocolError
    from .extension_host import ExtensionHost
    from .http1 import Request
    from .job import Job
    from .log import Sink as LogSink
    from .platform_events import PlatformEvent
    from .rules import Rules
    from .shutdown import ShutdownPhase
    from .values import Settings

_ENDED = (
    b"emulator: the command ended before it asked for an event, and is started again for the next one; it has to speak "
    b"the Runtime API, as python -m awslambdaric app.handler does\n"
)
_EXTENSION_PREFIXES = ("/2020-01-01/extension/", "/2022-07-01/telemetry", "/2020-08-15/logs")


class Sandbox:
    """`listen`, `start`, then `assign` jobs while it has room; `close` ends it.

    `on_free` is called when a job is over: the next one may be assigned. `on_answered` is called when that is about to
    come. `listeners` get every platform event, with the time of it in seconds since the epoch.
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
        self._environment = Environment(settings.timeout_s, settings.init_limit_s)
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
        self._reporter = Reporter(settings, self._log, measure_memory=self._measure_memory)
        self.listeners: list[Callable[[PlatformEvent, float], None]] = self._reporter.listeners
        self._jobs: dict[str, Job] = {}  # by request id
        self._arriving: dict[int, Job] = {}  # by the call whose body is their answer
        self._pending: collections.deque[Callable[[], Step]] = collections.deque()
        self._stepping = False
        self._effects: Effects | None = None
        self._now = time.monotonic
        self._host: ExtensionHost | None = None  # if there are extensions
        self._acts: Mapping[type[Effect], Callable[[NoReturn], None]] = {}
        self._variables: Mapping[str, str] = {}
        self._init_started: tuple[PlatformEvent, float] | None = None
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
        self._share_out(self._effects, None)
        if self._settings.extensions is not None:
            self._make_host(self._effects)
        self._now = asyncio.get_running_loop().time
        self._server.start()
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
        self._drain()
        return self._log.take()

    def assign(self, job: Job) -> None:
        """Run an invocation; there must be room."""
        self._jobs[job.invocation.request_id] = job
        self._step(lambda: self._rules.on_invoke(self._environment, job.invocation, self._now()))

    async def close(self) -> None:
        """End the runtime, as `shutdown` says; invocations under way end with status 503."""
        effects = self._effects
        if effects is not None and self._environment.state is not State.CLOSED:
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
        if self._stepping:
            self._pending.append(event)
            return
        self._stepping = True
        try:
            self._carry_out(event())
            while self._pending:
                self._carry_out(self._pending.popleft()())
        finally:
            self._stepping = False

    def _carry_out(self, step: Step) -> None:
        self._environment = step.environment
        acts = self._acts
        for effect in step.effects:
            acts[type(effect)](effect)  # type: ignore[arg-type]  # each is given its own kind

    def _share_out(self, effects: Effects, host: ExtensionHost | None) -> None:
        """Who carries out which effect; where there are extensions, they come between the life cycle and its hands."""
        self._host = host
        hands: dict[type[Effect], Callable[[NoReturn], None]] = {
            Reply: effects.reply, Deliver: effects.deliver, SetTimer: effects.set_timer
        }  # fmt: skip
        self._acts = {
            **(hands if host is None else dict.fromkeys(hands, host.perform)),
            Announce: self._announce,
            Respond: self._respond,
            Finish: self._finish,
            Note: self._note,
            ReportInit: self._report_init,
            Spawn: self._spawn,
            Kill: self._kill,
            Terminate: self._terminate,
        }

    def _announce(self, effect: Announce) -> None:
        self._reporter.start(self._jobs[effect.invocation.request_id])

    def _respond(self, effect: Respond) -> None:
        if self._host is None:  # an extension may fail it yet, as under AWS's emulator
            self._jobs[effect.invocation.request_id].tell(effect.answer)
        self._on_answered(self)

    def _finish(self, effect: Finish) -> None:
        job = self._jobs.pop(effect.result.invocation.request_id, None)
        if job is None:
            return
        self._arriving.pop(job.call, None)
        self._drain()
        self._reporter.end(job, effect.result)
        self._on_free(self)

    def _note(self, effect: Note) -> None:
        self._drain()
        self._reporter.tell(Fault(effect.text))

    def _report_init(self, effect: ReportInit) -> None:
        self._drain()
        self._reporter.tell(InitRuntimeDone(effect.phase, effect.status, effect.error_type))
        self._reporter.tell(InitReport(effect.duration_s, effect.phase, effect.status, effect.error_type))
        if effect.phase == "init" and effect.error_type == EXIT_ERROR and not self._settings.logs_json:
            self._log.platform(_ENDED)

    def _spawn(self, effect: Spawn) -> None:
        started = InitStart(lifecycle.phase_of(self._environment), self._settings.name, self._settings.version)
        self._init_started = (started, time.time())
        self._reporter.tell(started)
        self._perform(effect)

    def _kill(self, effect: Kill) -> None:
        self._reporter.settle()
        self._perform(effect)

    def _terminate(self, effect: Terminate) -> None:
        self._reporter.settle()
        at_once = self._host is None and not self._shutdown_phase().runtime_s
        self._perform(Kill() if at_once else effect)

    def _perform(self, effect: Spawn | Kill | Terminate) -> None:
        hands = self._host or self._effects
        if hands is not None:
            hands.perform(effect)

    def _drain(self) -> None:
        if self._effects is not None:
            self._effects.drain()

    def _measure_memory(self) -> int:
        return 0 if self._effects is None else self._effects.max_memory_mb()

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
        elif isinstance(parsed, Post):
            post = parsed
            if self._uses_too_much():
                self._step(lambda: self._rules.on_out_of_memory(self._environment, self._now()))
            self._step(lambda: self._rules.on_post(self._environment, post, self._now()))
        elif isinstance(parsed, InitError):
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
            events=HostEvents(self._on_poll, self._on_over, self._reporter.tell),
        )
        self._share_out(effects, host)
        self.listeners.append(host.on_platform_event)
        return host

    def _adopt(self, effects: Effects) -> ExtensionHost:
        """The first call of an internal extension, while the runtime initialises or too late."""
        host = self._make_host(effects)
        if self._init_started is not None:
            host.on_platform_event(*self._init_started)
        host.adopt(initialising=self._environment.state is State.STARTING)
        return host

    def _tell_done_early(self) -> None:
        """The runtime is done with its invocation, and extensions are not."""
        invocation, answer, clock_s = self._environment.invocation, self._environment.answer, self._environment.clock_s
        if invocation is not None and answer is not None and clock_s is not None:
            self._reporter.runtime_done(
                self._jobs[invocation.request_id],
                error_type=answer.error_type,
                duration_s=self._now() - clock_s,
                produced_bytes=len(answer.body),
            )

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
