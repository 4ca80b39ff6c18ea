"""One process that serves many events at once: a thread for each, and for asynchronous handlers one event loop.

A thread per event talks to the platform in any case; what differs is where the handler runs. A plain function is
called in that thread. An asynchronous one is called, and runs, on the one loop, in the main thread, where it also was
imported; the thread waits for it. So no two parts of an asynchronous function run at the same time.

The process ends when one of its threads has to: no new events are taken, those in progress are answered, then the
main thread raises what the first of them ended with.
"""

import _thread
import queue
import threading
import time

from . import live  # noqa: F401  in init, and not in the first invocation of each thread
from .errors import INIT_ERROR_EXIT_CODE, UnsuitableHandlerError
from .handler import load_handler
from .isolation import ContextLogState, isolate, isolate_environment, set_trace_id
from .kinds import is_asynchronous
from .logs import watch_logging
from .polling import Slot
from .records import LOADED
from .start import connect
from .termination import EXIT_CODE, Termination, leave_fork
from .worker import report_init_failure

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from .handler import Handler
    from .records import Record
    from .runtime_api import RuntimeApi
    from .settings import Settings
    from .shared_loop import SharedEventLoop

_INTERRUPT_PAUSE_S = 0.02  # between two rounds: a thread may have been on its way into its wait


def work_shared(settings: "Settings", records: "Sequence[Record]") -> int:
    """Load the handler once and serve as many events at once as there are records. See `worker.work`."""
    log_state = ContextLogState(settings.log_level, json=settings.json_logs, raw_utf8=settings.raw_utf8)
    watch_logging(log_state)
    isolate_environment()
    first = connect(settings)
    try:
        handler, loop = _load(settings, log_state)
    except BaseException as error:  # the user's module; an exit has to be reported first
        report_init_failure(first, error, record=records[0], log_state=log_state)
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise
        return INIT_ERROR_EXIT_CODE
    records[0].stage = LOADED
    crew = _Crew(loop)
    crew.listen()
    for number, record in enumerate(records):
        api = first if not number else connect(settings)
        turn = _Turn(crew, api)
        slot = Slot(
            handler,
            settings,
            api=api,
            log_state=log_state,
            record=record,
            turn=turn,
            set_trace_id=set_trace_id,
            isolate=isolate,
        )
        crew.add(turn, slot)
    crew.work()
    return 0


def _load(settings: "Settings", log_state: ContextLogState) -> "tuple[Handler, SharedEventLoop | None]":
    handler = load_handler(settings, log_state)
    if is_asynchronous(handler):
        from .coroutines import event_loop  # noqa: PLC0415  it loads asyncio

        loop: SharedEventLoop = event_loop(log_state)  # type: ignore[assignment]  # what it is in this thread
        return loop.bind(handler), loop
    if settings.concurrency_mode == "loop" and not hasattr(handler, "answer_invocation"):
        raise UnsuitableHandlerError(
            f"Serving events on one event loop, as FIRKIN_CONCURRENCY=loop says: found that {settings.handler!r} is "
            "not asynchronous, and would hold up all others. Write it as `async def`, or set threads or processes."
        )
    return handler, None


class _Turn:
    """Whether one thread waits for an event, and may be called away from it."""

    __slots__ = ("_crew", "api", "waiting")

    def __init__(self, crew: "_Crew", api: "RuntimeApi") -> None:
        self.api = api
        self.waiting = False
        self._crew = crew

    def begin_waiting(self) -> None:
        """Raise SystemExit if the process has to end."""
        self.waiting = True  # first: whoever asks for the end between the two lines interrupts what follows
        if self._crew.ending:
            raise SystemExit(EXIT_CODE)


class _Crew(Termination):
    """The threads, and the main thread that waits for them or runs the loop."""

    __slots__ = ("_ended", "_errors", "_loop", "_news", "_threads", "_turns", "ending")

    def __init__(self, loop: "SharedEventLoop | None") -> None:
        super().__init__()
        self.ending = False
        self._loop = loop
        self._turns: list[_Turn] = []
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []
        self._ended: list[Slot] = []
        self._news: queue.SimpleQueue[Slot] = queue.SimpleQueue()

    def add(self, turn: _Turn, slot: Slot) -> None:
        """Add a thread for one event at a time."""
        name = f"event-{len(self._threads) + 1}"
        self._turns.append(turn)
        self._threads.append(threading.Thread(target=self._serve, args=(slot, turn.api), name=name, daemon=True))

    def work(self) -> None:
        """Run until the process has to end; raise what it ends with."""
        for thread in self._threads:
            thread.start()
        while self._at_work():
            try:
                self._wait()
            except (SystemExit, KeyboardInterrupt) as error:  # noqa: PERF203  a signal handler's, or a task's
                self._errors.append(error)
                self.end()
        raise self._errors[0]

    def _at_work(self) -> bool:
        # Not by `is_alive`: until 3.12 a join that a signal handler breaks off leaves it saying no.
        return len(self._ended) < len(self._threads)

    def _wait(self) -> None:
        if self._loop is not None:
            self._loop.run_until_stopped()
        else:
            self._news.get()

    def _serve(self, slot: Slot, api: "RuntimeApi") -> None:
        if self._loop is not None:
            self._loop.use_in_this_thread()
        try:
            slot.serve()
        except BaseException as error:  # noqa: BLE001  it goes to the main thread
            if api.abandoned:
                leave_fork(error)
            self._errors.append(error)
            self.end()
        self._ended.append(slot)
        self._news.put(slot)
        if self._loop is not None and not self._at_work():
            self._loop.stop()

    def end(self) -> None:
        """Take no new events; safe in a signal handler, and as often as anybody likes."""
        if not self.ending:
            self.ending = True
            _thread.start_new_thread(self._interrupt, ())  # `threading` takes locks, which a signal must not

    def _interrupt(self) -> None:
        while self._at_work():
            for turn in self._turns:
                if turn.waiting:
                    turn.api.interrupt()
            time.sleep(_INTERRUPT_PAUSE_S)

    def _handle(self, number: int, frame: "FrameType | None") -> None:
        super()._handle(number, frame)
        self.end()
