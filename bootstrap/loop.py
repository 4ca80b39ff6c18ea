"""Next event, handler, answer, for ever; the order of these few lines is what a function is billed by.

An error of the platform's leaves the loop and ends the process. Anything else is an answer.
"""

import posix
import sys
import time

from .errors import AnsweredExit, MarshalError, PlatformError, ResponseTooLargeError
from .logs import ERROR, flush_output, render_timestamp, write_record
from .termination import Termination

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from .failure import Failure
    from .handler import Handler
    from .invocation import Invocation
    from .logs import LogState
    from .runtime_api import RuntimeApi
    from .settings import Settings

_CHANGES_BY_SETENV = 10_000  # 1.4 MB, about what the other way takes once
_TRACE_ID = b"_X_AMZN_TRACE_ID"  # where the X-Ray SDK and OpenTelemetry look
# The process of these is kept for later between init and the first event: init is where work is free of wait.
_OWN_FOLDER = __file__.rpartition("/")[0] + "/"
_own_modules: "dict[str, ModuleType]" = {}
_KEPT_FOR_LATER = ("provisioned-concurrency", "snap-start")


def serve(api: "RuntimeApi", handler: "Handler", settings: "Settings", log_state: "LogState") -> None:
    """Serve events for ever. Raises PlatformError when the platform can no longer be talked to."""
    if settings.initialization_type in _KEPT_FOR_LATER:
        load_invocation()
    termination = Termination()
    termination.listen()
    termination.begin_waiting()
    # Init ends here, for the platform's clock. On demand an event is waiting already, and what its invocation
    # needs loads while the platform fetches it.
    api.request_next()
    load_invocation()
    from .invocation import invoke, parse_invocation  # noqa: PLC0415  loaded by the line above

    while True:
        response = api.read_next()
        termination.waiting = False
        invocation = parse_invocation(response)
        log_state.request_id = invocation.request_id
        log_state.tenant_id = invocation.tenant_id
        set_trace_id(invocation.trace_id)
        answer(api, invocation, handler, settings=settings, log_state=log_state, invoke=invoke)
        # Not kept through an idle time, in which a finaliser of the function's would be nobody's.
        del response, invocation
        termination.begin_waiting()
        # Straight after the answer: the invocation is billed until the platform sees this request.
        api.request_next()


def load_invocation() -> None:
    """Load what every invocation needs, and remember it: a function may empty `sys.modules`."""
    from . import invocation, wire_reader  # noqa: F401, PLC0415  the first loads payload and context too

    prefix = f"{__package__}."
    _own_modules.update((name, module) for name, module in sys.modules.items() if f"{name}.".startswith(prefix))


def answer(
    api: "RuntimeApi",
    invocation: "Invocation",
    handler: "Handler",
    *,
    settings: "Settings",
    log_state: "LogState",
    invoke: "Callable[[Handler, Invocation, Settings], tuple[bytes, str]]",
) -> None:
    """Call the handler and post what comes of it, a response or an error; `invoke` is `invocation.invoke`."""
    try:
        try:
            body, content_type = invoke(handler, invocation, settings)
        except MarshalError as unrendered:
            sys.modules.update(_own_modules)
            from .live import finish  # noqa: PLC0415  results to run or to stream; no plain value comes here

            rendered = finish(api, invocation, unrendered, settings=settings, log_state=log_state)
            if rendered is None:
                return
            body, content_type = rendered
    except PlatformError:
        raise
    except AnsweredExit as answered:
        raise answered.reason from None
    except BaseException as error:  # the user's handler; an exit has to be answered first
        if api.abandoned:
            raise  # in a child process of the function's, which ends as it would anywhere
        api.post_error(invocation, report_failure(error, log_state))
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise
        return
    if __name__ not in sys.modules:  # the function has emptied it, and more of ours may be needed
        sys.modules.update(_own_modules)
    # Before the answer: the platform may freeze the process right after it, with the lines still inside.
    flush_output()
    try:
        api.post_response(invocation, body, content_type)
    except ResponseTooLargeError as error:
        api.post_error_after_413(invocation, report_failure(error, log_state))


def report_failure(error: BaseException, log_state: "LogState") -> "Failure":
    """Log `error` and return what the platform is to be told."""
    if isinstance(error, MemoryError):
        _release_frames(error)  # what filled the memory is mostly a local of the function's
    try:
        failure = _describe(error)
    except Exception:  # noqa: BLE001  no memory or no descriptor left: the function's locals hold them
        _release_frames(error)
        failure = _describe(error)
    framed = log_state.frames_fd is not None
    if log_state.json:
        now = render_timestamp(time.time())
        record = failure.json_record(now, request_id=log_state.request_id, raw_utf8=log_state.raw_utf8)
    else:
        record = failure.text_record("\n") if framed else failure.text_record()
    write_record(log_state, record if framed else record + "\n", level=ERROR)
    return failure


def _describe(error: BaseException) -> "Failure":
    sys.modules.update(_own_modules)
    from .failure import describe_failure  # noqa: PLC0415  only failures pay for it

    return describe_failure(error, working_directory=_working_directory())


def _release_frames(error: BaseException) -> None:
    """Let go of the local variables in the error's traceback; its lines stay known."""
    traceback = error.__traceback__
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):  # ours are still at work
            traceback.tb_frame.clear()
        traceback = traceback.tb_next


def _working_directory() -> str:
    try:
        return posix.getcwd()
    except OSError:  # the function has deleted it
        return ""


class _TraceVariable:
    """The trace id in the environment: for the function, for C libraries, and for child processes.

    glibc never frees a value that `setenv` was given, since somebody may still hold it: 144 bytes per invocation.
    So after some thousand values the variable moves to a place of its own, where each replaces the one before.
    `os` is not loaded for this (2 ms): the dict inside of `os.environ` is `posix.environ`, whoever imports it when.
    """

    __slots__ = ("_changes", "_put")

    def __init__(self) -> None:
        self._changes = 0
        self._put: Callable[[bytes, bytes], None] = posix.putenv

    def set(self, trace_id: "str | None") -> None:
        """Set or delete it."""
        environ = posix.environ
        if trace_id is None:
            if environ.pop(_TRACE_ID, None) is not None:
                posix.unsetenv(_TRACE_ID)
            return
        value = trace_id.encode("utf-8", "surrogateescape")
        if environ.get(_TRACE_ID) == value:
            return
        self._changes += 1
        if self._changes == _CHANGES_BY_SETENV:
            from .fixed_variable import maybe_fixed_putenv  # noqa: PLC0415  it loads ctypes: 10 ms and 1 MB

            self._put = maybe_fixed_putenv() or posix.putenv
        self._put(_TRACE_ID, value)
        environ[_TRACE_ID] = value


set_trace_id = _TraceVariable().set  # the process has one environment
