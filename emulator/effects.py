"""The effects of the life cycle, carried out: on the process, the timer and the runtime's connections.

The hands to `lifecycle`'s head. What the world does in return (an exit, a timer, a failed start) is reported to
`Events` and never acted on here. The effects that tell somebody something are not here: they are the sandbox's.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Callable, NamedTuple, Union

from . import answers, runtime_api
from .alarm import Alarm
from .environment import Deliver, Exited, Kill, Reply, SetTimer, Spawn, Terminate
from .errors import CommandNotStartedError
from .http1_response import Response
from .memory_limit import MemoryLimit
from .process import Process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .http_server import HttpServer
    from .log import Log
    from .values import Settings

WorldEffect = Union[Spawn, Kill, Terminate, SetTimer, Reply, Deliver]

_JSON_HEADERS = (("Content-Type", "application/json"),)
_RESPONSES = {answers.ACCEPTED: Response(answers.ACCEPTED.status, _JSON_HEADERS, answers.ACCEPTED.body)}


class Events(NamedTuple):
    """Who wants to know what the world did: the timer fired; the process ended; the process could not be started."""

    on_timer: Callable[[], None]
    on_exit: Callable[[Exited], None]
    on_not_started: Callable[[CommandNotStartedError], None]


class Effects:
    """Carries out effects for one environment, on the running event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        variables: Mapping[str, str],
        cwd: str,
        server: HttpServer,
        log: Log,
        events: Events,
    ) -> None:
        self._settings = settings
        self._variables = variables
        self._cwd = cwd
        self._server = server
        self._log = log
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop, events.on_timer)
        self._process: Process | None = None
        self._gone = asyncio.Event()
        self._gone.set()
        self._last_peak_kb = 0
        self._limit: MemoryLimit | None = None

    @property
    def memory_limit(self) -> str:
        """How the memory of the running process is limited: "none", or the kind of a `MemoryLimit`."""
        return "none" if self._limit is None else self._limit.kind

    def perform(self, effect: WorldEffect) -> None:
        """Carry out one effect, now."""
        if isinstance(effect, Reply):
            self.reply(effect)
        elif isinstance(effect, Deliver):
            self.deliver(effect)
        elif isinstance(effect, SetTimer):
            self.set_timer(effect)
        elif isinstance(effect, Spawn):
            self._spawn()
        elif self._process is None:
            return
        elif isinstance(effect, Kill):
            self.max_memory_mb()  # afterwards there is nothing left to measure
            self._process.kill()
        else:
            self._process.terminate()

    def reply(self, effect: Reply) -> None:
        """Answer a runtime's call."""
        response = _RESPONSES.get(effect.reply) or Response(effect.reply.status, _JSON_HEADERS, effect.reply.body)
        self._server.reply(effect.call, response)

    def set_timer(self, effect: SetTimer) -> None:
        """Set the one timer there is, or clear it."""
        self._alarm.set(None if effect.delay_s is None else self._loop.time() + effect.delay_s)

    def deliver(self, effect: Deliver) -> None:
        """Answer a runtime's poll with the event."""
        deadline_ms = int((time.time() + effect.deadline_s - self._loop.time()) * 1000)
        headers = runtime_api.render_event_headers(effect.invocation, deadline_ms)
        self._server.reply(effect.call, Response(200, headers, effect.invocation.event))
        if not self._last_peak_kb:
            self.max_memory_mb()  # should it die of its first event, there is this to report

    def drain(self) -> None:
        """Pass on the runtime's output that is there already."""
        if self._process is not None:
            self._process.drain()

    def max_memory_mb(self) -> int:
        """The high-water mark of the environment's process tree, rounded up; of the last one, if it is gone."""
        if self._process is not None:
            self._last_peak_kb = self._process.sample_memory_kb()
        return (self._last_peak_kb + 1023) // 1024

    async def wait_gone(self, limit_s: float) -> None:
        """No timer any more, and wait until the process has ended, with SIGKILL after the limit."""
        self._alarm.close()
        try:
            await asyncio.wait_for(self._gone.wait(), limit_s)
        except asyncio.TimeoutError:
            if self._process is not None:
                self._process.kill()
            await self._gone.wait()

    def _spawn(self) -> None:
        try:
            self._process = Process(
                self._settings.command,
                environment=self._variables,
                cwd=self._cwd,
                loop=self._loop,
                stdout=self._log.stdout,
                stderr=self._log.stderr,
                on_exit=self._on_exit,
            )
        except CommandNotStartedError as error:
            self._events.on_not_started(error)
            return
        self._last_peak_kb = 0
        self._gone.clear()
        if self._settings.limits_memory:
            self._limit = MemoryLimit(self._process.pid, self._settings.memory_mb)

    def _on_exit(self, returncode: int) -> None:
        self.max_memory_mb()
        self._process = None
        self._gone.set()
        out_of_memory = False
        if self._limit is not None:
            out_of_memory = self._limit.killed()
            self._limit.close()
            self._limit = None
        if out_of_memory:
            self._last_peak_kb = self._settings.memory_mb * 1024  # as the platform reports it
        self._events.on_exit(Exited(answers.describe_exit(returncode), out_of_memory))
