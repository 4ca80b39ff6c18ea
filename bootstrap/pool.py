"""Managed instances: many events at once, by worker processes, threads or one event loop; loaded only there.

The composition root of the concurrent modes. This process starts workers and watches over them; it never imports the
function. By processes there are as many workers as events, each with one; by threads or on a loop one worker serves
all.
"""

import posix

from .errors import PlatformError, WorkerExitError
from .logs import DEBUG, LogState, write_last_words, write_notice
from .loop import report_failure
from .records import make_records
from .start import connect, prepare_interpreter, take_frames_fd
from .supervisor import Supervisor, Worker, describe_end

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from .errors import FunctionError
    from .settings import Settings

# The platform's own words, to this process as to any other, are a line: it has no reason to take long.
_SILENCE_LIMIT_S = 5


def serve_concurrently(settings: "Settings") -> int:
    """Serve events until there are no more; return the exit code, in every process that comes of it.

    Raises what `main` reports, also in workers.
    """
    prepare_interpreter(settings)
    count = settings.max_concurrency or 1
    records = make_records(count)
    groups = [[record] for record in records] if settings.concurrency_mode == "processes" else [records]
    workers = [Worker(number, group) for number, group in enumerate(groups, 1)]
    # Framed records are this process's only: workers have their own way to the log.
    log_state = LogState(
        settings.log_level, json=settings.json_logs, raw_utf8=settings.raw_utf8, frames_fd=take_frames_fd()
    )
    event = "runtime_worker_pool_initializing"  # in awslambdaric's words
    described = {"event": event, "workerCount": len(workers), "executionEnvironmentMaxConcurrency": count}
    write_notice(log_state, DEBUG, described)

    def run_worker(worker: Worker) -> int:
        if log_state.frames_fd is not None:
            posix.close(log_state.frames_fd)
        from .worker import work  # noqa: PLC0415  not for this process

        return work(settings, worker.records)

    return Supervisor(workers, run_worker=run_worker, herald=_Herald(settings, log_state)).run()


class _Herald:
    """Reports the ends of workers: to the log, and to whoever waits for an answer."""

    __slots__ = ("_api", "_log_state")

    def __init__(self, settings: "Settings", log_state: LogState) -> None:
        self._api = connect(settings, silence_limit_s=_SILENCE_LIMIT_S)
        self._log_state = log_state

    def tell_init(self, worker: Worker, code: int) -> None:
        """Report that the function could not be loaded."""
        error = WorkerExitError(
            f"Loading the function: found worker {worker.number} ended with {describe_end(code)}, without a word. "
            "Look for what ends its process while it is imported: memory, a library, os._exit."
        )
        self._tell("", "", error)

    def tell_invocations(self, worker: Worker, code: int) -> None:
        """Report the invocations that were in progress, and make the records ready for the next worker."""
        for record in worker.records:
            ids = record.invocation()
            record.clear()
            if ids is not None:
                error = WorkerExitError(
                    f"Running the handler: found worker {worker.number} ended with {describe_end(code)}. "
                    "Look for what ends its process: memory, a library, os._exit."
                )
                self._tell(*ids, error)

    def _tell(self, request_id: str, invocation_id: str, error: "FunctionError") -> None:
        self._log_state.request_id = request_id
        failure = report_failure(error, self._log_state)
        try:
            if request_id:
                self._api.post_error_for(request_id, invocation_id, failure)
            else:
                self._api.post_init_error(failure)
        except PlatformError as refused:
            # Answered by the worker with its last breath, or the platform is gone.
            write_last_words(refused)
        finally:
            self._log_state.request_id = ""
