"""The queue of asynchronous invocations: it runs events when their time has come, by the rules of `asynchronous`.

In memory: what is queued when the emulator ends is lost, and said to be. An attempt is an invocation like any other,
with the request id that the caller was given.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Callable

from . import limits, variables
from .asynchronous import GiveUp, QueuedEvent, Retry, decide, render_record
from .destination import deliver
from .errors import ClosedError, TooManyRequestsError
from .job import render_unrun

if TYPE_CHECKING:
    from .asynchronous import EventOptions
    from .engine import Emulator
    from .values import Outcome, Submission


class EventQueue:
    """`accept` events while the emulator runs; `close` gives up what is left. `say` is given lines about trouble."""

    def __init__(self, emulator: Emulator, options: EventOptions, *, say: Callable[[str], None]) -> None:
        self._emulator = emulator
        self._options = options
        self._say = say
        self.count = 0  # accepted and neither done nor given up
        self._timers: set[asyncio.TimerHandle] = set()
        self._deliveries: set[asyncio.Task[None]] = set()

    def accept(self, submission: Submission) -> str:
        """Queue an event and return its request id. Raises an `InvokeError`."""
        if self.count >= limits.EVENT_QUEUE_LIMIT:
            raise TooManyRequestsError(f"queueing an event: {self.count} are queued already; try again later")
        request_id = self._emulator.new_request_id()
        self.count += 1
        self._attempt(QueuedEvent(request_id, submission, asyncio.get_running_loop().time()))
        return request_id

    async def close(self) -> None:
        """Drop what is still queued; records that are on their way are waited for."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self.count:
            self._say(f"{self.count} queued events were dropped")
        await asyncio.gather(*self._deliveries)

    def _attempt(self, event: QueuedEvent) -> None:
        submission = event.submission._replace(request_id=event.request_id)
        try:
            self._emulator.submit(submission, lambda outcome: self._on_outcome(event, outcome))
        except ClosedError:
            return
        except TooManyRequestsError:
            self._on_outcome(event, render_unrun(event.request_id, TooManyRequestsError.status))

    def _on_outcome(self, event: QueuedEvent, outcome: Outcome) -> None:
        if outcome.status == ClosedError.status:
            return
        loop = asyncio.get_running_loop()
        decision = decide(event, outcome, self._options, loop.time())
        if isinstance(decision, Retry):
            self._later(decision)
            return
        self.count -= 1
        if isinstance(decision, GiveUp) and self._options.on_failure is not None:
            settings = self._emulator.settings
            record = render_record(
                decision,
                outcome,
                function_arn=variables.function_arn(settings.environment),
                version=settings.version,
                epoch_s=time.time(),
            )
            task = asyncio.ensure_future(self._deliver(self._options.on_failure, record))
            self._deliveries.add(task)
            task.add_done_callback(self._deliveries.discard)

    def _later(self, retry: Retry) -> None:
        def again() -> None:
            self._timers.discard(timer)
            self._attempt(retry.event)

        timer = asyncio.get_running_loop().call_later(retry.delay_s, again)
        self._timers.add(timer)

    async def _deliver(self, target: str, record: bytes) -> None:
        try:
            await deliver(target, record)
        except OSError as error:
            self._say(f"delivering the record of a failed event to {target!r}: {error}; the record is lost")
