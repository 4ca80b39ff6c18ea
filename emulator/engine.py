"""The emulator itself: a function's environments, and the invocations that wait for one.

Where the parts meet. The seams, for whoever adds to it:

- *Callers* come in through `Emulator.submit` (or `invoke`): a `Submission` in, an `Outcome` out, the answer in pieces
  if the caller brings a `streams.Sink`. A front that serves callers over HTTP (`invoke_front` for the Invoke API) is a
  `http_server.Handler` which does nothing but translate; `serving` gives each its port.
- *Environments* are `sandbox.Sandbox`es: each has its own process, Runtime API and life cycle. `pool` says which takes
  the next invocation, and when one is started or stopped.
- *What is logged* goes through `log.Log`, one for each sandbox.

It decides neither what the pool nor what the life cycle decides. Everything runs on one event loop.
"""

from __future__ import annotations

import asyncio
import collections
import time
from typing import TYPE_CHECKING, NamedTuple

from . import invoke_api, limits, variables
from .alarm import Alarm
from .answers import CLOSING
from .errors import (
    ClosedError,
    EmulatorError,
    RequestTooLargeError,
    TooManyRequestsError,
    UsageError,
)
from .identifiers import Identifiers
from .job import Job, render_unrun
from .pool import Pool
from .process import absolute_path
from .sandbox import Sandbox
from .values import Invocation, Outcome, Submission

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

    from .job import Answered, Done
    from .log import Sink as LogSink
    from .streams import Sink
    from .values import Settings

_SOON_S = 0.02  # how long one that has answered is waited for, before another is started

_JSON = "application/json"
_TEXTS = ("client_context", "trace_id", "tenant_id", "request_id", "content_type")

_RUNTIME_API_HOST = "127.0.0.1"


class _Waiting(NamedTuple):
    job: Job
    since: float


class Emulator:
    """One function and its execution environments.

        settings = Settings(["python", "-m", "awslambdaric", "app.handler"], os.environ)
        async with Emulator(settings, log=sys.stdout.buffer.write) as emulator:
            outcome = await emulator.invoke(b'{"name": "Ada"}')

    Entering it starts the first environment and does not wait for its init; up to `settings.concurrency` are started as
    invocations wait, and stopped when they have idled for `settings.keep_alive_s`. Each runs one invocation at a time;
    the others wait in the order they came. Leaving it ends the runtimes, as `shutdown` says. It is entered once.

    `log` is given the platform's lines and what the runtimes write to stdout, in pieces as they come; `log_error`
    what they write to stderr, by default the same. Entering raises `CommandNotStartedError`, and `ListenError` if the
    loopback has no free port.
    """

    def __init__(self, settings: Settings, *, log: LogSink | None = None, log_error: LogSink | None = None) -> None:
        self.settings = settings
        self._logs = (log, log_error)
        self._identifiers = Identifiers()
        self._pool: Pool[Sandbox] = Pool(
            settings.concurrency, capacity=settings.max_concurrency or 1, keep_alive_s=settings.keep_alive_s
        )
        self._queue: collections.deque[_Waiting] = collections.deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._retired: set[Sandbox] = set()  # those that end with their invocations
        self._open = False
        self._said_limit = False
        self._cwd = absolute_path(settings.cwd)
        self._arn = ""
        self._alarm: Alarm | None = None
        self._soon_free: set[Sandbox] = set()  # they have answered and will take another invocation in a moment
        self._now = time.monotonic

    async def __aenter__(self) -> Emulator:  # noqa: PYI034 - Self is Python 3.11's
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._alarm = Alarm(loop, self._on_alarm)
        self._open = True
        self._pool.grant_start(1)
        try:
            sandbox = await self._new_sandbox(*self.settings.runtime_api)
        except BaseException:
            self._open = False
            raise
        if sandbox.not_started is not None:
            await self.close()
            raise sandbox.not_started
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the runtimes and give up the invocations that are under way or wait: they end with status 503."""
        self._open = False
        if self._alarm is not None:
            self._alarm.close()
        waiting = list(self._queue)
        self._queue.clear()
        sandboxes = [*self._pool.members(), *self._retired]
        self._retired.clear()
        for sandbox in sandboxes:
            self._pool.remove(sandbox)
        closing = [asyncio.ensure_future(sandbox.close()) for sandbox in sandboxes]
        for entry in waiting:
            entry.job.done(render_unrun(entry.job.invocation.request_id, ClosedError.status, CLOSING.body))
        await asyncio.gather(*closing, *self._tasks)

    def reload(self) -> None:
        """Begin anew: idle environments are ended, busy ones end with their invocations; the next one finds new ones.

        One is started at once, so that its init's failure, if the function's files are not right yet, is seen.
        """
        for sandbox in self._pool.members():
            idle = self._pool.is_idle(sandbox)
            self._pool.remove(sandbox)
            if idle:
                self._run(sandbox.close())
            else:
                self._retired.add(sandbox)
        if self._open and self._pool.grant_start(1):
            self._run(self._add_sandbox(_RUNTIME_API_HOST, 0))

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

        self.submit(Submission(event, client_context, trace_id), done)
        outcome = await future
        if outcome.status == TooManyRequestsError.status:
            raise TooManyRequestsError(
                f"invoking: no environment was free within {self.settings.queue_timeout_s:g} s; try again later"
            )
        return outcome

    def submit(
        self, submission: Submission, done: Done, *, answered: Answered | None = None, sink: Sink | None = None
    ) -> str:
        """Like `invoke`, but return the request id now and call `done` with the outcome later, on the loop.

        The outcome waits for the runtime's next poll, which ends the invocation. Who does not want to wait for that
        gives `answered`: it is called, instead of `done`, with the request id and the answer as soon as the runtime has
        posted one. With a `sink`, an answer that the runtime streams goes there as it comes.
        """
        if not self._open:
            raise ClosedError("invoking: the emulator is not running; enter it with `async with` first")
        _check(submission)
        request_id = submission.request_id or self._identifiers.request_id()
        invocation = Invocation(
            request_id,
            submission.event,
            self._arn,
            submission.content_type,
            submission.trace_id or self._identifiers.trace_id(),
            submission.client_context,
            submission.tenant_id,
            sink is not None,
        )
        job = Job(invocation, done, answered=answered, sink=sink)
        if not self._queue:
            sandbox = self._pool.take()
            if sandbox is not None:
                sandbox.assign(job)
                return request_id
        self._enqueue(job)
        return request_id

    def new_request_id(self) -> str:
        """A random UUID (RFC 9562 5.4), in the form the platform gives its requests."""
        return self._identifiers.request_id()

    def new_trace_id(self) -> str:
        """An X-Ray trace header that is not sampled."""
        return self._identifiers.trace_id()

    # the queue

    def _enqueue(self, job: Job) -> None:
        if len(self._queue) >= self.settings.queue_limit:
            raise TooManyRequestsError(f"invoking: {len(self._queue)} invocations wait already; try again later")
        now = self._now()
        self._queue.append(_Waiting(job, now))
        if self._alarm is not None:
            self._alarm.set_by(now + self.settings.queue_timeout_s)
        self._grow(now)

    def _on_free(self, sandbox: Sandbox) -> None:
        """A sandbox has room: for the one that waits longest, if any does."""
        now = self._now()
        self._soon_free.discard(sandbox)
        if sandbox in self._retired:
            if sandbox.is_idle:
                self._retired.discard(sandbox)
                self._run(sandbox.close())
            return
        self._pool.give_back(sandbox, now)
        if self._queue:
            self._dispatch()
        elif self._alarm is not None:
            self._alarm.set_by(now + self.settings.keep_alive_s)

    def _dispatch(self) -> None:
        while self._queue:
            sandbox = self._pool.take()
            if sandbox is None:
                return
            sandbox.assign(self._queue.popleft().job)

    # environments come and go

    def _grow(self, now: float) -> None:
        """Start environments for those that wait, as far as it is allowed.

        An environment that will be free in a moment is waited for: a caller that comes again at once finds it there.
        """
        soon = sum(now - entry.since < _SOON_S for entry in self._queue) if self._soon_free else 0
        patient = min(soon, len(self._soon_free))
        while self._open and self._pool.grant_start(len(self._queue) - patient):
            # With none left, the address that was asked for is free again.
            address = (_RUNTIME_API_HOST, 0) if len(self._pool) or self._pool.coming > 1 else self.settings.runtime_api
            self._run(self._add_sandbox(*address))
        if patient and self._pool.may_start and self._alarm is not None:
            self._alarm.set_by(now + _SOON_S)

    async def _add_sandbox(self, host: str, port: int) -> None:
        """Start one besides, of which nobody is told by an error if its program is gone."""
        sandbox = await self._new_sandbox(host, port)
        if sandbox.not_started is not None:
            self._say(str(sandbox.not_started))

    async def _new_sandbox(self, host: str, port: int) -> Sandbox:
        """Start one that was granted, and let it work."""
        log, log_error = self._logs
        sandbox = Sandbox(
            self.settings, log=log, log_error=log_error, on_answered=self._soon_free.add, on_free=self._on_free
        )
        try:
            address = await sandbox.listen(host, port)
            environment = variables.runtime_environment(self.settings, runtime_api=address, cwd=self._cwd)
            self._arn = variables.function_arn(environment)
            await sandbox.start(environment, self._cwd)
        except BaseException:
            self._pool.give_up()
            raise
        if not self._said_limit and sandbox.memory_limit != "none":
            self._said_limit = True
            self._say(f"the runtime's memory is limited to {self.settings.memory_mb} MB by {sandbox.memory_limit}")
        now = self._now()
        self._pool.add(sandbox, now)
        if self._alarm is not None:
            self._alarm.set_by(now + self.settings.keep_alive_s)
        if self._open:
            self._dispatch()
        else:
            self._pool.remove(sandbox)
            await sandbox.close()
        return sandbox

    def _on_alarm(self) -> None:
        """Something may have waited or idled for too long."""
        now = self._now()
        while self._queue and now - self._queue[0].since >= self.settings.queue_timeout_s:
            entry = self._queue.popleft()
            entry.job.done(render_unrun(entry.job.invocation.request_id, TooManyRequestsError.status))
        for sandbox in self._pool.remove_expired(now):
            self._run(sandbox.close())
        self._grow(now)
        expiry = self._pool.next_expiry()
        if self._alarm is not None:
            if self._queue:
                self._alarm.set_by(self._queue[0].since + self.settings.queue_timeout_s)
            if expiry is not None and expiry < float("inf"):
                self._alarm.set_by(expiry)

    def _say(self, text: str) -> None:
        """A line of our own, beside what the runtimes write to stderr."""
        log = self._logs[1] or self._logs[0]
        if log is not None:
            log(f"emulator: {text}\n".encode())

    def _run(self, work: Coroutine[object, object, object]) -> None:
        """Do it beside everything else; `close` waits for it."""

        async def guarded() -> None:
            try:
                await work
            except EmulatorError as error:
                self._say(str(error))

        task = asyncio.ensure_future(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _check(submission: Submission) -> None:
    if len(submission.event) > limits.PAYLOAD_LIMIT_BYTES:
        raise RequestTooLargeError(
            f"invoking: an event of {len(submission.event)} bytes; send {limits.PAYLOAD_LIMIT_BYTES} bytes at most"
        )
    texts = (submission.client_context, submission.trace_id, submission.tenant_id, submission.request_id)
    if texts == (None, None, None, None) and submission.content_type == _JSON:
        return  # as most are
    for name, text in zip(_TEXTS, (*texts, submission.content_type)):
        if text is not None and not invoke_api.is_header_value(text):
            raise UsageError(f"invoking: {name} {text[:80]!r} fits no header; give one line of Latin-1 text")
