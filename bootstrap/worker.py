"""The life of a worker process: its own way to the log, the function, then events; knows nothing of its siblings."""

import _socket
import posix

from .errors import INIT_ERROR_EXIT_CODE, PlatformError, RefusedError
from .handler import load_handler
from .logs import WARNING, LogState, watch_logging, write_last_words, write_notice
from .loop import load_invocation, report_failure, set_trace_id
from .polling import Slot
from .records import LOADED, REPORTED
from .start import INIT_WARNING, connect
from .termination import Termination

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .invocation import Invocation
    from .records import Record
    from .runtime_api import RuntimeApi
    from .settings import Settings

_STDOUT, _STDERR = 1, 2
_FORBIDDEN = 403


def work(settings: "Settings", records: "Sequence[Record]") -> int:
    """Load the handler and serve events, as many at once as there are records. Returns the code of a failed init.

    Raises PlatformError when no event can be had any more, and SystemExit when the process has to end.
    """
    if settings.log_socket:
        redirect_output(settings.log_socket)
    load_invocation()
    if settings.concurrency_mode == "processes":
        return _work_alone(settings, records[0])
    from .shared import work_shared  # noqa: PLC0415  it needs threads

    return work_shared(settings, records)


def _work_alone(settings: "Settings", record: "Record") -> int:
    log_state = LogState(settings.log_level, json=settings.json_logs, raw_utf8=settings.raw_utf8)
    watch_logging(log_state)
    api = connect(settings)
    try:
        handler = load_handler(settings, log_state)
    except BaseException as error:  # the user's module; an exit has to be reported first
        report_init_failure(api, error, record=record, log_state=log_state)
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise
        return INIT_ERROR_EXIT_CODE
    record.stage = LOADED
    termination = Termination()
    termination.listen()
    Slot(
        handler,
        settings,
        api=api,
        log_state=log_state,
        record=record,
        turn=termination,
        set_trace_id=set_trace_id,
        isolate=_call,
    ).serve()
    return 0


def report_init_failure(api: "RuntimeApi", error: BaseException, *, record: "Record", log_state: LogState) -> None:
    """Tell the log and the platform why there is no handler."""
    write_notice(log_state, WARNING, INIT_WARNING)
    failure = report_failure(error, log_state)
    record.stage = REPORTED
    try:
        api.post_init_error(failure)
    except PlatformError as refused:
        # 403: a sibling was first, with the same news.
        if not (isinstance(refused, RefusedError) and refused.status == _FORBIDDEN):
            write_notice(log_state, WARNING, str(refused))


def redirect_output(path: str) -> None:
    """Connect standard output and standard error to the socket at `path`, one connection each.

    Where that fails they stay what they are: a log in the wrong place is better than no function.
    """
    for descriptor in (_STDOUT, _STDERR):
        socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            socket.connect(path)
            posix.dup2(socket.fileno(), descriptor)
        except OSError as error:
            write_last_words(
                f"Connecting descriptor {descriptor} to the log socket {path!r}: found {error!r}. "
                "Its output stays where this process's goes."
            )
        finally:
            socket.close()


def _call(function: "Callable[[Invocation], None]", invocation: "Invocation") -> None:
    function(invocation)
