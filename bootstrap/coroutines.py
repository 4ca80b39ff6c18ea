"""The one event loop of the process, kept across invocations so that connections survive; knows no events.

Loaded for asynchronous handlers only, and then during init: asyncio takes longer to load than the rest of the
runtime. Decided here:

- The loop runs while an invocation runs, and stands still between two, as the process does on Lambda. A task
  that a handler leaves behind goes on with the next invocation; none is ever cancelled by the runtime.
- A task's failure that nobody has asked for by the end of an invocation is logged like a handler's.
- A handler is not cancelled before its deadline: the platform ends it, as it ends any other. If it is cancelled
  by itself or its libraries, that is the failure of this invocation and not the end of the process.
"""

import asyncio
import threading
import warnings

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
    from types import TracebackType
    from typing import NoReturn, Protocol

    from .logs import LogState

    class Runner(Protocol):
        """What runs the awaitables of one thread: an EventLoop, or its share of another thread's."""

        def run(self, awaitable: object) -> object:
            """Return the result, or raise."""

        async def call_outside(self, function: "Callable[[object], bool]", argument: object) -> bool:
            """Call what may block."""

    Work = Generator[object, None, object] | Coroutine[object, object, object]


_HIDDEN_FOLDERS = tuple(f"{path.rpartition('/')[0]}/" for path in (asyncio.__file__, __file__))


class CancelledError(Exception):
    """The handler was cancelled, and not by the platform. asyncio's own, of the same name, is a BaseException."""


class EventLoop:
    """An asyncio loop that is run piece by piece, and that reports what goes wrong on it."""

    __slots__ = ("_failed", "_log_state", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, log_state: "LogState") -> None:
        self._loop = loop
        self._log_state = log_state
        self._failed: list[asyncio.Future[object]] = []
        loop.set_exception_handler(self._handle)
        if loop.get_task_factory() is None:  # else the function has its own, and the handler above has to do
            loop.set_task_factory(self._make_task)  # type: ignore[arg-type]  # typeshed's is newer than 3.9's

    def run(self, awaitable: object) -> object:
        """Run until `awaitable` is done; return its result or raise its exception, a cancellation as ours."""
        work: Awaitable[object] = awaitable  # type: ignore[assignment]  # asyncio says what is wrong with others
        try:
            return self._loop.run_until_complete(work)
        except BaseException as error:  # noqa: BLE001  it goes on, shortened
            raise_shortened(error)
        finally:
            self._report_failed()

    async def call_outside(self, function: "Callable[[object], bool]", argument: object) -> bool:
        """Call what waits for the platform. Nothing else is on this loop that would have to go on meanwhile."""
        return function(argument)

    def _make_task(self, loop: asyncio.AbstractEventLoop, work: "Work", **options: object) -> "asyncio.Future[object]":
        task = asyncio.Task(work, loop=loop, **options)  # type: ignore[arg-type]  # whatever this Python passes
        task.add_done_callback(self._note)
        return task

    def _note(self, task: "asyncio.Future[object]") -> None:
        if not task.cancelled() and is_unretrieved(task):
            self.keep_failed(task)

    def keep_failed(self, task: "asyncio.Future[object]") -> None:
        """Remember a failed task until the invocation ends."""
        self._failed.append(task)

    def _report_failed(self) -> None:
        failed, self._failed = self._failed, []
        for task in failed:
            self.report_unretrieved(task)

    def report_unretrieved(self, task: "asyncio.Future[object]") -> None:
        """Log the failure of a task, unless somebody has asked for it."""
        if is_unretrieved(task):
            self._report(task.exception())

    def _handle(self, loop: asyncio.AbstractEventLoop, context: "Mapping[str, object]") -> None:
        """Log what asyncio itself finds: a callback that raised, a failed future that was thrown away."""
        error = context.get("exception")
        if isinstance(error, Exception):
            self._report(error)
        else:
            loop.default_exception_handler(dict(context))

    def _report(self, error: "BaseException | None") -> None:
        from .loop import report_failure  # noqa: PLC0415  `loop` loads this module, by way of `live`

        if isinstance(error, Exception):
            report_failure(error, self._log_state)


def raise_shortened(error: BaseException) -> "NoReturn":
    """Raise the exception of a coroutine as its caller is to see it, a cancellation as ours."""
    if isinstance(error, asyncio.CancelledError):
        raise CancelledError(
            "Running the handler: found it cancelled, by itself or by a library. "
            "Catch asyncio.CancelledError where that is expected."
        ) from error
    # Without asyncio's own frames, as `failure` hides ours: the trace begins in the user's code.
    raise error.with_traceback(_without_leading_frames(error.__traceback__)) from error.__cause__


# One per thread, because a loop belongs to the thread that runs it.
_local = threading.local()


def event_loop(log_state: "LogState") -> "Runner":
    """Return this thread's loop, made on first use; `log_state` is where its failures are logged."""
    found: Runner | None = getattr(_local, "loop", None)
    if found is None:
        found = _local.loop = _class_of_loop(log_state)(_usable_loop(), log_state)
    return found


def _class_of_loop(log_state: "LogState") -> "type[EventLoop]":
    if log_state.serves_many and threading.current_thread() is threading.main_thread():
        from .shared_loop import SharedEventLoop  # noqa: PLC0415  it needs this module

        return SharedEventLoop
    return EventLoop


def use_loop(loop: "Runner") -> None:
    """Have `event_loop` return this one in this thread."""
    _local.loop = loop


def _usable_loop() -> asyncio.AbstractEventLoop:
    """Return the loop that the function's module has made current, or a new one in its place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions warn when there is none, and make one
        try:
            loop = asyncio.get_event_loop()
        except RuntimeError:  # others raise
            loop = None
        if loop is None or loop.is_closed():
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
    return loop


def _without_leading_frames(traceback: "TracebackType | None") -> "TracebackType | None":
    found = traceback
    while found is not None and found.tb_frame.f_code.co_filename.startswith(_HIDDEN_FOLDERS):
        found = found.tb_next
    return found or traceback


def is_unretrieved(task: "asyncio.Future[object]") -> bool:
    """Whether the task has failed, and nobody has asked for its exception."""
    # There is no public way to ask: `exception()` counts as having asked for it.
    return bool(getattr(task, "_log_traceback", False))
