"""One event loop for many invocations: it runs in the main thread, and the threads of the events wait for it.

Loaded for asynchronous handlers that serve many events at once, and only then. A stream's chunks are written by the
thread of their event, so that a slow reader holds up its own invocation and no other.
"""

import asyncio
import os
import queue
from contextvars import copy_context

from .coroutines import EventLoop, raise_shortened, use_loop
from .termination import leave_fork

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .context import LambdaContext
    from .handler import Handler
    from .logs import LogState

# How long the failed task of an invocation that is over may wait for another task to ask for its failure.
_PATIENCE_S = 1


class SharedEventLoop(EventLoop):
    """The process's loop; `use_in_this_thread` makes a thread wait for it wherever it would run one of its own.

    A failed task is reported when the invocation that began it ends, or soon after its failure if that is over.
    """

    __slots__ = ("_active", "_kept")

    def __init__(self, loop: asyncio.AbstractEventLoop, log_state: "LogState") -> None:
        super().__init__(loop, log_state)
        self._active: set[str] = set()
        self._kept: dict[str, list[asyncio.Future[object]]] = {}

    def bind(self, handler: "Handler") -> "Handler":
        """Return a handler whose every line runs on the loop, also what comes before its first `await`."""

        def call(event: object, context: "LambdaContext") -> object:
            return _call_and_await(handler, event, context)

        return call

    def run_until_stopped(self) -> None:
        """Run what the threads bring. Raises what a task raises to end the process."""
        self._loop.run_forever()

    def stop(self) -> None:
        """Have `run_until_stopped` return; from any thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def use_in_this_thread(self) -> None:
        """Let this thread's awaitables run on this loop."""
        use_loop(_Share(self, self._loop, self._log_state))

    def begin(self, request_id: str) -> None:
        """Note that an invocation is in progress."""
        self._active.add(request_id)

    def end(self, request_id: str) -> None:
        """Note that it is over; log what has failed for it."""
        self._active.discard(request_id)
        for task in self._kept.pop(request_id, ()):
            self.report_unretrieved(task)

    def keep_failed(self, task: "asyncio.Future[object]") -> None:
        """Remember a failed task. Called in its own context: the ids are of the invocation that began it."""
        request_id = self._log_state.request_id
        if request_id in self._active:
            self._kept.setdefault(request_id, []).append(task)
        else:
            self._loop.call_later(_PATIENCE_S, self.report_unretrieved, task)


class _Outcome:
    """What came of an awaitable."""

    __slots__ = ("error", "result")

    def __init__(self, result: object, error: "BaseException | None") -> None:
        self.result = result
        self.error = error


class _Call:
    """Something that a task wants done outside of the loop."""

    __slots__ = ("argument", "done", "function")

    def __init__(self, function: "Callable[[object], bool]", argument: object, done: "asyncio.Future[bool]") -> None:
        self.function = function
        self.argument = argument
        self.done = done


class _Share:
    """The loop as one thread sees it: `run` waits for the loop, and does meanwhile what the loop must not wait for."""

    __slots__ = ("_log_state", "_loop", "_process_id", "_requests", "_shared", "_task")

    def __init__(self, shared: SharedEventLoop, loop: asyncio.AbstractEventLoop, log_state: "LogState") -> None:
        self._shared = shared
        self._loop = loop
        self._log_state = log_state
        self._process_id = os.getpid()
        self._requests: queue.SimpleQueue[_Outcome | _Call] = queue.SimpleQueue()
        self._task: asyncio.Future[None] | None = None

    def run(self, awaitable: object) -> object:
        """Run `awaitable` on the loop, in a copy of this thread's context; return its result or raise."""
        request_id = self._log_state.request_id
        self._shared.begin(request_id)
        try:
            self._loop.call_soon_threadsafe(self._start, awaitable, context=copy_context())
            outcome = self._serve_task()
        finally:
            self._shared.end(request_id)
        if outcome.error is not None:
            raise_shortened(outcome.error)
        return outcome.result

    async def call_outside(self, function: "Callable[[object], bool]", argument: object) -> bool:
        """Have the thread that waits for this task call `function`; return what it returns."""
        done: asyncio.Future[bool] = self._loop.create_future()
        self._requests.put(_Call(function, argument, done))
        return await done

    def _start(self, awaitable: object) -> None:
        self._task = asyncio.ensure_future(self._finish(awaitable), loop=self._loop)  # type: ignore[arg-type]  # see there

    async def _finish(self, awaitable: "Awaitable[object]") -> None:
        try:
            outcome = _Outcome(await awaitable, None)
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001  an exit must not leave the loop: others are on it
            outcome = _Outcome(None, error)
        if os.getpid() != self._process_id:
            leave_fork(outcome.error)
        self._requests.put(outcome)

    def _serve_task(self) -> _Outcome:
        while True:
            request = self._requests.get()
            if isinstance(request, _Outcome):
                return request
            try:
                taken = request.function(request.argument)
            except BaseException as error:  # noqa: BLE001  it is raised in the task
                self._loop.call_soon_threadsafe(_fail, request.done, error)
            else:
                self._loop.call_soon_threadsafe(_settle, request.done, taken)


async def _call_and_await(handler: "Handler", event: object, context: "LambdaContext") -> object:
    result = handler(event, context)
    while hasattr(type(result), "__await__"):
        result = await result  # type: ignore[misc]  # it has __await__
    return result


def _settle(done: "asyncio.Future[bool]", taken: bool) -> None:  # noqa: FBT001  what a future holds
    if not done.done():
        done.set_result(taken)


def _fail(done: "asyncio.Future[bool]", error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
