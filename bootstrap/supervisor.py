"""Keeps worker processes alive, within limits; never imports the function, never answers for a living worker.

A worker that ends is replaced at once the first time, then after a pause that doubles, and not at all when it has
ended again and again: a function that cannot run should not look as if it did. Signals are not handled but waited for,
with the deaths of children among them, so that nothing can come between a check and a wait.
"""

import posix
import time

from .errors import ProtocolError, RefusedError, UnreachableError, WorkersError
from .records import LOADED, STARTING

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    import signal as _signal  # typeshed knows the public module only
    from collections.abc import Callable, Iterator, Sequence
    from typing import Protocol

    from .records import Record

    class Herald(Protocol):
        """Tells the platform what a dead worker cannot tell any more."""

        def tell_init(self, worker: "Worker", code: int) -> None:
            """The worker ended before its handler was there, without a word."""

        def tell_invocations(self, worker: "Worker", code: int) -> None:
            """The worker ended, perhaps with invocations in progress."""
else:
    import _signal

# How often in a row a worker is replaced; one that has lived for STEADY_S begins a new row.
RESTARTS_MAX = 5
STEADY_S = 60
_FIRST_DELAY_S = 0.1
_SIGNALS = (_signal.SIGCHLD, _signal.SIGTERM, _signal.SIGINT)
_SIGNAL_CODE = 128  # what a shell adds to a signal's number
_LONGEST_WAIT_S = 3600
# No event takes longer on Lambda; the platform itself is less patient.
_DRAIN_LIMIT_S = 900
_PLATFORM_CODES = frozenset((UnreachableError.exit_code, ProtocolError.exit_code, RefusedError.exit_code))


class Worker:
    """One process, or the pause before its next life. `records` are those of the events it can serve."""

    __slots__ = ("due_s", "ends", "lives", "number", "pid", "records", "started_s")

    def __init__(self, number: int, records: "Sequence[Record]") -> None:
        self.number = number
        self.records = records
        self.pid = 0
        self.lives = 0
        self.ends = 0
        self.started_s = 0.0
        self.due_s = 0.0


def count_end(ends: int, lived_s: float) -> "tuple[int, float | None]":
    """Return how many ends in a row this makes, and the pause before the next life in seconds, None for no more."""
    ends = 1 if lived_s >= STEADY_S else ends + 1
    if ends > RESTARTS_MAX:
        return ends, None
    return ends, 0.0 if ends == 1 else _FIRST_DELAY_S * 2 ** (ends - 2)


def describe_end(code: int) -> str:
    """Return how a process ended; `code` is its exit status, or the negative number of a signal."""
    return f"signal {-code}" if code < 0 else f"exit status {code}"


class Supervisor:
    """Starts workers with `run_worker`, replaces them, and has `herald` tell who ended how."""

    __slots__ = ("_herald", "_run_worker", "_workers")

    def __init__(
        self,
        workers: "Sequence[Worker]",
        *,
        run_worker: "Callable[[Worker], int]",
        herald: "Herald",
    ) -> None:
        self._workers = workers
        self._run_worker = run_worker
        self._herald = herald

    def run(self) -> int:
        """Return the process's exit code: a worker's, in a worker, or the environment's.

        Raises WorkersError when a worker cannot be kept alive.
        """
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _SIGNALS)
        while True:
            for worker in self._due():
                if not self._fork(worker):
                    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _SIGNALS)
                    return self._run_worker(worker)
            number = _wait_for_signal(self._next_wait_s())
            if number in (_signal.SIGTERM, _signal.SIGINT):
                self._end_all()
                return _SIGNAL_CODE + number
            for worker, code in self._reap():
                final = self._bury(worker, code)
                if final is not None:
                    self._end_all()
                    return final

    def _due(self) -> "list[Worker]":
        now = time.monotonic()
        return [worker for worker in self._workers if not worker.pid and worker.due_s <= now]

    def _next_wait_s(self) -> float:
        pauses = [worker.due_s - time.monotonic() for worker in self._workers if not worker.pid]
        return max(0.0, min([*pauses, _LONGEST_WAIT_S]))

    def _fork(self, worker: Worker) -> bool:
        """Start a worker; return False in its process, True in this one, also if there can be no process now."""
        worker.lives += 1
        worker.started_s = time.monotonic()
        try:
            worker.pid = posix.fork()
        except OSError as error:
            self._plan(worker, f"{error} instead of a new process")
            return True
        return worker.pid != 0

    def _reap(self) -> "Iterator[tuple[Worker, int]]":
        """Yield the workers that have ended; as process 1 also others' orphans are taken, without a word."""
        while True:
            try:
                pid, status = posix.waitpid(-1, posix.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for worker in self._workers:
                if worker.pid == pid:
                    worker.pid = 0
                    yield worker, posix.waitstatus_to_exitcode(status)

    def _bury(self, worker: Worker, code: int) -> "int | None":
        """Tell of an end and plan the next life; return the environment's exit code if it has to end too."""
        stage = worker.records[0].stage
        status = code if code >= 0 else _SIGNAL_CODE - code
        if worker.lives == 1 and stage != LOADED:  # init has failed, and would for the others
            if stage == STARTING:
                self._herald.tell_init(worker, code)
            return status
        self._herald.tell_invocations(worker, code)
        if status in _PLATFORM_CODES and not any(other.pid for other in self._workers):
            return status  # nobody can talk to the platform any more
        self._plan(worker, describe_end(code))
        return None

    def _plan(self, worker: Worker, how: str) -> None:
        """Set when the worker lives again. Raises WorkersError, all others ended, when it has died too often."""
        worker.ends, pause_s = count_end(worker.ends, time.monotonic() - worker.started_s)
        if pause_s is None:
            self._end_all()
            raise WorkersError(
                f"Keeping {len(self._workers)} workers alive: found worker {worker.number} ended {worker.ends} times "
                f"in a row within {STEADY_S} s of its start, the last time with {how}. "
                "The log of its invocations says more; the environment ends."
            )
        worker.due_s = time.monotonic() + pause_s

    def _end_all(self) -> None:
        """Ask all workers to end after their invocations; wait for them."""
        for worker in self._workers:
            worker.due_s = float("inf")
        deadline_s = time.monotonic() + _DRAIN_LIMIT_S
        self._send(_signal.SIGTERM)
        while any(worker.pid for worker in self._workers):
            for worker, code in self._reap():
                self._herald.tell_invocations(worker, code)
            if not any(worker.pid for worker in self._workers):
                break
            remaining_s = deadline_s - time.monotonic()
            if remaining_s <= 0:
                self._send(_signal.SIGKILL)
                remaining_s = _LONGEST_WAIT_S
            _wait_for_signal(remaining_s)

    def _send(self, number: int) -> None:
        for worker in self._workers:
            if worker.pid:
                posix.kill(worker.pid, number)


def _wait_for_signal(limit_s: float) -> "int | None":
    found = _signal.sigtimedwait(_SIGNALS, limit_s)
    return None if found is None else found.si_signo
