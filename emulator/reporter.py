"""What an environment has to tell: to its log, to those who listen, and the outcome to whoever waits for it.

The runtime comes first. An invocation whose caller has its answer is reported when there is nothing better to do: after
the next event was handed over, together with that one's START line, or in the loop's next idle turn. Nothing can tell:
all lines are in order, also with those of the runtime, and an outcome that somebody waits for is not put off. What may
be seen is that Max Memory Used is measured then, a moment later.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Callable, NamedTuple

from . import report
from .platform_events import Report, RuntimeDone, Start
from .prompt_loop import call_idle
from .values import Outcome

if TYPE_CHECKING:
    from .job import Job
    from .log import Log
    from .platform_events import PlatformEvent
    from .values import Result, Settings


class _Ended(NamedTuple):
    """An invocation that is over and not reported."""

    job: Job
    result: Result
    log: bytes


class Reporter:
    """`listeners` get every platform event, with the time of it in seconds since the epoch."""

    def __init__(self, settings: Settings, log: Log, *, measure_memory: Callable[[], int]) -> None:
        self._settings = settings
        self._log = log
        self._measure_memory = measure_memory
        self._render = report.render_json if settings.logs_json else report.render_text
        self._version = settings.version
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: _Ended | None = None
        self._told_done = ""  # the invocation whose end the runtime's part was told of
        self.listeners: list[Callable[[PlatformEvent, float], None]] = []
        log.before = self.settle

    def tell(self, event: PlatformEvent) -> bytes:
        """Log an event and give it to the listeners; its words, for the caller's tail of the log."""
        self.settle()
        words = self._word(event)
        self._write(words)
        return words

    def start(self, job: Job) -> None:
        """An invocation begins: its START line, after what is owed to the one before."""
        ended, self._ended = self._ended, None
        if ended is None:
            job.start = self._word(Start(job.invocation.request_id, self._version))
            self._write(job.start)
            return
        memory_mb, words = self._word_end(ended)
        job.start = self._word(Start(job.invocation.request_id, self._version))
        self._write(words + job.start)
        _hand_over(ended, memory_mb, words)

    def runtime_done(self, job: Job, *, error_type: str | None, duration_s: float, produced_bytes: int) -> None:
        """The runtime is done with its invocation, and extensions are not: some wait for just this to be told."""
        self._told_done = job.invocation.request_id
        status = "success" if error_type is None else "error"
        self.tell(RuntimeDone(self._told_done, status, error_type, duration_s, produced_bytes))

    def end(self, job: Job, result: Result) -> None:
        """An invocation is over. What the runtime wrote in it is in the log."""
        self.settle()
        self._ended = _Ended(job, result, self._log.take())
        if job.told and self._is_quiet:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            call_idle(self._loop, self.settle)
        else:
            self.settle()

    def settle(self) -> None:
        """Tell now what was put off."""
        ended, self._ended = self._ended, None
        if ended is not None:
            memory_mb, words = self._word_end(ended)
            self._write(words)
            _hand_over(ended, memory_mb, words)

    @property
    def _is_quiet(self) -> bool:
        """Whether nobody wants to know more than the platform's text says, which has no times in it."""
        return not self.listeners and not self._settings.logs_json

    def _word(self, event: PlatformEvent) -> bytes:
        now = time.time()
        for listener in self.listeners:
            listener(event, now)
        return self._render(event, now)

    def _write(self, words: bytes) -> None:
        if words:
            self._log.platform(words)

    def _word_end(self, ended: _Ended) -> tuple[int, bytes]:
        """The memory that was used, and the words."""
        result = ended.result
        request_id, error_type = result.invocation.request_id, result.answer.error_type
        memory_mb = self._measure_memory()
        done = b""
        if self._told_done != request_id and not self._is_quiet:
            status = _runtime_status(result.report_status, error_type)
            done = self._word(RuntimeDone(request_id, status, error_type, result.duration_s, len(result.answer.body)))
        end = Report(
            request_id,
            result.report_status,
            error_type,
            result.duration_s,
            result.init_s,
            self._settings.memory_mb,
            memory_mb,
            self._settings.timeout_s,
        )
        return memory_mb, done + self._word(end)


def _runtime_status(report_status: str | None, error_type: str | None) -> str:
    if report_status is not None:
        return "timeout" if report_status == "timeout" else "failure"
    return "success" if error_type is None else "error"


def _hand_over(ended: _Ended, memory_mb: int, words: bytes) -> None:
    job, result, log = ended
    if job.told:
        return
    job.done(
        Outcome(
            payload=result.answer.body,
            status=result.status,
            function_error=result.function_error,
            log=log,
            duration_ms=result.duration_s * 1000,
            init_ms=None if result.init_s is None else result.init_s * 1000,
            max_memory_mb=memory_mb,
            request_id=result.invocation.request_id,
            content_type=result.answer.content_type,
            streamed=job.streamed,
            report=(job.start, words),
        )
    )
