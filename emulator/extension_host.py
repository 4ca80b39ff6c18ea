"""The extensions of one environment alive: their processes, their API, and their part in the environment's life.

It stands between a sandbox's life cycle and the hands that carry out its effects, and adds what the platform does for
extensions, so that the life cycle knows nothing of them:

    Spawn       the external extensions are started; the runtime when all of them have registered
    a poll      the runtime's poll that would end an init or an invocation is held until every extension polls too
    Deliver     INVOKE to those registered for it, then the event to the runtime
    an exit     of the runtime: SHUTDOWN to the extensions, and told to the life cycle when they are gone;
                of an extension: the runtime is killed, and the environment with it
    Terminate   the runtime first, then the extensions, within the platform's time for it

What a call means in which state is `extensions`', what it looks like `extensions_api`'s. Loaded for environments with a
folder of extensions, and with the first call of an internal one. Long, because all of it is about one phase and one
roster.
"""

from __future__ import annotations

import asyncio
import enum
import time
import uuid
from typing import TYPE_CHECKING, Callable, NamedTuple

from . import answers, extensions, extensions_api, telemetry_api
from .environment import Deliver, Exited, Failure, Kill, Spawn, Terminate
from .errors import CommandNotStartedError
from .extension_processes import ExtensionProcesses, list_extensions
from .extensions import INVOKE, SHUTDOWN, Refused, Roster
from .http1_response import Response
from .platform_events import ExtensionInit, InitStart
from .shutdown import shutdown_phase
from .telemetry import Telemetry
from .variables import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .effects import Effects, WorldEffect
    from .http1 import Request
    from .http_server import HttpServer
    from .log import Log
    from .platform_events import PlatformEvent
    from .shutdown import ShutdownPhase
    from .values import Settings


class _Phase(enum.Enum):
    IDLE = "idle"  # nothing runs
    STARTING = "starting"  # the external extensions run, the runtime does not
    INIT = "init"  # the runtime runs, and init is not over
    READY = "ready"
    STOPPING = "stopping"  # the extensions have been told


class HostEvents(NamedTuple):
    """Whom to tell: that the runtime's poll counts now; that the runtime ended and all extensions are gone.

    And what there is to say as an event of the platform.
    """

    on_poll: Callable[[int], None]
    on_exit: Callable[[Exited], None]
    tell: Callable[[PlatformEvent], object]


class ExtensionHost:
    """`perform` carries out the life cycle's effects on runtime and extensions."""

    def __init__(
        self,
        settings: Settings,
        *,
        variables: Mapping[str, str],
        server: HttpServer,
        effects: Effects,
        log: Log,
        events: HostEvents,
    ) -> None:
        self._settings = settings
        self._variables = variables
        self._server = server
        self._effects = effects
        self._log = log
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._phase = _Phase.IDLE
        self._roster = Roster()
        self._processes = ExtensionProcesses(
            variables, self._loop, on_output=self._on_extension_output, on_exit=self._on_extension_exit
        )
        self._has_runtime = False
        self._held: list[int] = []  # polls of the runtime that wait for extensions
        self._told = ""  # the invocation that the extensions know of
        self._failure: Failure | None = None
        self._reason = "failure"  # of the shutdown
        self._shutdown_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._exit: Exited | None = None  # to be told when the extensions are gone
        self._spawn_waits = False
        self._gone = asyncio.Event()
        self._gone.set()
        self._init_start: tuple[PlatformEvent, float] | None = None
        self._telemetry = Telemetry(json_logs=settings.logs_json)
        log.tap = self._on_output

    def adopt(self, *, initialising: bool) -> None:
        """The runtime runs already: the host came with the first call of an internal extension."""
        self._has_runtime = True
        self._gone.clear()
        self._phase = _Phase.INIT if initialising else _Phase.READY
        self._roster = Roster(closed=not initialising)
        self._begin_telemetry()

    def on_platform_event(self, event: PlatformEvent, epoch_s: float) -> None:
        """The sandbox has something to tell: to subscribers; the start of an init belongs to those who come with it."""
        if isinstance(event, InitStart):
            self._init_start = (event, epoch_s)
        else:
            self._telemetry.platform(event, epoch_s)

    def _begin_telemetry(self) -> None:
        self._telemetry = Telemetry(json_logs=self._settings.logs_json)
        if self._init_start is not None:
            self._telemetry.platform(*self._init_start)

    # the life cycle's side

    def perform(self, effect: WorldEffect) -> None:
        """Carry out one effect, with what it means for the extensions."""
        if isinstance(effect, Spawn):
            self._spawn()
        elif isinstance(effect, Kill):
            self._kill()
        elif isinstance(effect, Terminate):
            self._terminate()
        else:
            if isinstance(effect, Deliver):
                self._tell_invoke(effect)
            self._effects.perform(effect)

    def timed_out(self) -> None:
        """The kill that comes is because time is over."""
        self._reason = "timeout"

    def shutdown_phase(self) -> ShutdownPhase:
        """How long the end may take, with the extensions that there are."""
        internal = any(not each.external for each in self._roster.extensions.values())
        return shutdown_phase(self._settings.shutdown_s, external=bool(self._processes), internal=internal)

    def holds(self, call: int) -> bool:
        """Whether this poll of the runtime waits for extensions; then `on_poll` tells when it counts."""
        if self._phase is _Phase.INIT:
            self._roster = self._roster._replace(closed=True)
        if extensions.all_ready(self._roster):
            self._end_init()
            return False
        self._held.append(call)
        return True

    def on_runtime_exit(self, event: Exited) -> None:
        """The runtime ended; the extensions follow."""
        self._has_runtime = False
        self._held.clear()
        self._exit = event._replace(failure=self._failure)
        if self._phase is _Phase.STOPPING:
            self._end_if_gone()
        else:
            self._stop()

    def on_not_started(self) -> None:
        """There is no runtime; the life cycle knows."""
        self._has_runtime = False
        self._stop()

    def on_call_lost(self, call: int) -> None:
        """The connection of a call was closed."""
        if call in self._held:
            self._held.remove(call)
        self._roster = extensions.on_call_lost(self._roster, call)

    async def wait_gone(self) -> None:
        """Until the extensions have ended."""
        await self._gone.wait()

    def _spawn(self) -> None:
        if self._phase is not _Phase.IDLE:
            self._spawn_waits = True
            return
        self._phase = _Phase.STARTING
        self._roster, self._failure, self._reason, self._exit = Roster(), None, "failure", None
        self._shutdown_at = 0.0
        self._gone.clear()
        self._begin_telemetry()
        for name, command in list_extensions(self._settings.extensions):
            if not self._start(name, command):
                return
        self._start_runtime_if_registered()

    def _start(self, name: str, command: Sequence[str]) -> bool:
        identifier = str(uuid.uuid4())
        self._roster = extensions.on_started(self._roster, name, identifier)
        if len(self._roster.extensions) > extensions.LIMIT:
            return self._not_launched(identifier, f"Extension limit ({extensions.LIMIT}) reached")
        try:
            self._processes.start(identifier, command)
        except CommandNotStartedError as error:
            return self._not_launched(identifier, str(error))
        return True

    def _not_launched(self, identifier: str, message: str) -> bool:
        self._roster = extensions.on_exited(self._roster, identifier)
        self._fail(Failure("Extension.LaunchError", message))
        return False

    def _start_runtime_if_registered(self) -> None:
        if self._phase is _Phase.STARTING and extensions.all_registered(self._roster):
            self._phase = _Phase.INIT
            self._has_runtime = True
            self._effects.perform(Spawn())

    def _kill(self) -> None:
        if self._has_runtime:
            self._effects.perform(Kill())
        elif self._phase is not _Phase.STOPPING:
            self._exit = Exited("signal: killed")
            self._stop()

    def _terminate(self) -> None:
        if self._reason != "timeout":  # which it is ended for already
            self._reason = "spindown"
        self._spawn_waits = False
        if not self._has_runtime:
            if self._phase is not _Phase.STOPPING:
                self._stop()
            return
        phase = self.shutdown_phase()
        self._shutdown_at = self._loop.time() + phase.whole_s
        # Who closes the environment kills what is left of the runtime after its part of that.
        self._effects.perform(Terminate() if phase.runtime_s else Kill())

    def _tell_invoke(self, effect: Deliver) -> None:
        invocation = effect.invocation
        if self._told == invocation.request_id or self._settings.max_concurrency is not None:
            return  # delivered again; or a managed instance, whose extensions are not told
        self._told = invocation.request_id
        self._roster, polls = extensions.on_event(self._roster, INVOKE)
        for poll in polls:
            response = extensions_api.render_invoke(
                str(uuid.uuid4()),
                request_id=invocation.request_id,
                function_arn=invocation.function_arn,
                deadline_ms=self._epoch_ms(effect.deadline_s),
                trace_id=invocation.trace_id,
            )
            self._server.reply(poll, response)

    def _end_init(self) -> None:
        if self._phase is not _Phase.INIT:
            return
        self._phase = _Phase.READY
        self._telemetry.close_subscriptions()
        self._tell_extensions()

    def _tell_extensions(self) -> None:
        for each in self._roster.extensions.values():
            self._events.tell(ExtensionInit(each.name, each.state.value, each.events, each.error_type))

    # the extensions' side

    def on_call(self, call: int, request: Request) -> None:
        """A call of the Extensions API or the Telemetry API."""
        if request.target.startswith(telemetry_api.PREFIXES):
            self._server.reply(call, self._subscribe(request))
            return
        parsed = extensions_api.parse_call(request, call)
        if isinstance(parsed, Response):
            self._server.reply(call, parsed)
        elif isinstance(parsed, extensions_api.Register):
            self._register(parsed)
        elif isinstance(parsed, extensions_api.NextEvent):
            self._next(parsed)
        else:
            after = extensions.on_error(self._roster, parsed)
            if isinstance(after, Refused):
                self._server.reply(call, after.response)
            else:
                self._roster = after
                self._server.reply(call, extensions_api.ACCEPTED)

    def _register(self, call: extensions_api.Register) -> None:
        registered = extensions.on_register(self._roster, call, str(uuid.uuid4()))
        if isinstance(registered, Refused):
            self._server.reply(call.call, registered.response)
            return
        self._roster, identifier = registered
        function = extensions_api.Function(
            self._settings.name, self._settings.version, self._variables.get("_HANDLER", ""), ACCOUNT
        )
        response = extensions_api.render_registered(identifier, function, with_account=call.wants_account)
        self._server.reply(call.call, response)
        self._start_runtime_if_registered()

    def _next(self, call: extensions_api.NextEvent) -> None:
        after = extensions.on_next(self._roster, call)
        if isinstance(after, Refused):
            self._server.reply(call.call, after.response)
            return
        self._roster = after
        if self._phase is _Phase.STOPPING:
            self._tell_shutdown()
        elif self._held and extensions.all_ready(self._roster):
            self._end_init()
            held, self._held = self._held, []
            for poll in held:
                self._events.on_poll(poll)

    def _subscribe(self, request: Request) -> Response:
        identifier = extensions_api.parse_identifier(request.headers)
        if isinstance(identifier, Response):
            return identifier
        extension = self._roster.extensions.get(identifier)
        if extension is None:
            return extensions_api.refuse("Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}")
        if request.target.startswith(telemetry_api.LOGS_PREFIX):
            return telemetry_api.LOGS_NOT_SUPPORTED
        wanted = telemetry_api.parse_subscription(request)
        if isinstance(wanted, Response):
            return wanted
        if not self._telemetry.subscribe(extension.name, wanted):
            return extensions_api.refuse("Telemetry.SubscriptionClosed", "Telemetry API subscription is closed already")
        return telemetry_api.SUBSCRIBED

    def _on_output(self, data: bytes) -> None:
        self._telemetry.function(data)

    def _on_extension_output(self, data: bytes) -> None:
        self._log.extension(data)
        self._telemetry.extension(data)

    # the end

    def _on_extension_exit(self, identifier: str, returncode: int) -> None:
        if self._phase is _Phase.STOPPING:
            self._roster = extensions.on_exited(self._roster, identifier)
            self._end_if_gone()
            return
        how = answers.describe_exit(returncode) or "exit code 0"
        self._fail(Failure(extensions.failure_of(self._roster.extensions[identifier]), how))

    def _fail(self, failure: Failure) -> None:
        """An extension failed: the whole environment ends."""
        if self._failure is None:
            self._failure = failure
        if self._phase in {_Phase.STARTING, _Phase.INIT}:
            self._tell_extensions()
        if self._has_runtime:
            self._effects.perform(Kill())
        else:
            self._exit = Exited(None, failure=self._failure)
            self._stop()

    def _stop(self) -> None:
        """Tell the extensions, and give them time; those that did not ask to be told have none."""
        self._phase = _Phase.STOPPING
        self._telemetry.flush()
        now = self._loop.time()
        if self._shutdown_at <= now:
            self._shutdown_at = now + self.shutdown_phase().whole_s
        self._set_timer(self._shutdown_at - now, self._processes.kill)
        self._tell_shutdown()
        self._processes.kill(lambda identifier: SHUTDOWN not in self._roster.extensions[identifier].events)
        self._end_if_gone()

    def _tell_shutdown(self) -> None:
        self._roster, polls = extensions.on_event(self._roster, SHUTDOWN)
        deadline_ms = self._epoch_ms(self._shutdown_at)
        for poll in polls:
            response = extensions_api.render_shutdown(str(uuid.uuid4()), reason=self._reason, deadline_ms=deadline_ms)
            self._server.reply(poll, response)

    def _end_if_gone(self) -> None:
        if self._processes or self._has_runtime or self._phase is not _Phase.STOPPING:
            return
        self._set_timer(None, self._processes.kill)
        self._phase = _Phase.IDLE
        self._roster = Roster()
        self._telemetry.stop()
        self._server.drop_connections()  # calls of the dead must not count for the next ones
        self._gone.set()
        over, self._exit = self._exit, None
        if over is not None:
            self._events.on_exit(over)
        if self._spawn_waits:
            self._spawn_waits = False
            self._spawn()

    def _set_timer(self, delay_s: float | None, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if delay_s is None else self._loop.call_later(delay_s, then)

    def _epoch_ms(self, moment_s: float) -> int:
        """A moment of the loop's clock as milliseconds since the epoch."""
        return int((time.time() + moment_s - self._loop.time()) * 1000)
