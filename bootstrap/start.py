"""The composition root: reads the process's state, puts the parts together, and ends with an exit code.

Nothing is imported here that an invocation does not need: each module counts in every cold start.
"""

import _weakref
import builtins
import posix
import sys

from .connection import SILENCE_LIMIT_S, Connection
from .errors import INIT_ERROR_EXIT_CODE, PlatformError, StartError, StrayForkError, WorkersError
from .handler import load_handler
from .logs import WARNING, LogState, watch_logging, write_last_words, write_notice
from .loop import report_failure, serve
from .runtime_api import RuntimeApi
from .settings import Settings, parse_settings, search_path
from .termination import leave_fork

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Sequence

_FRAMES_FD = "_LAMBDA_TELEMETRY_LOG_FD"
_SNAP_START = "snap-start"
_FOLDER_BIT = 0o040000  # S_IFDIR; `stat` is not loaded for it
_FILE_TYPE_MASK = 0o170000  # S_IFMT

# Starts as awslambdaric's does, which people filter for; the rest is about an image that brings its runtime.
INIT_WARNING = (
    "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code. "
    "The runtime is part of the image, so no runtime update can have caused it without a new image.\r"
)


def main(script: str) -> int:
    """Run the program whose `__main__.py` is the absolute path `script`; return its exit code."""
    try:
        settings = parse_settings(sys.argv[1:], _environment(), working_directory=posix.getcwd())
        if settings.runtime_api is None:
            from .standalone import exec_emulator  # noqa: PLC0415  never on Lambda

            exec_emulator(script)
        if settings.max_concurrency is not None:
            from .pool import serve_concurrently  # noqa: PLC0415  managed instances only

            return serve_concurrently(settings)
        return run(settings)
    except StrayForkError as error:
        leave_fork(error)
    except (StartError, PlatformError, WorkersError) as error:
        write_last_words(error)
        return error.exit_code


def run(settings: Settings) -> int:
    """Load the handler and serve. Returns the exit code of a failed init; otherwise raises in the end."""
    prepare_interpreter(settings)
    log_state = LogState(
        settings.log_level, json=settings.json_logs, raw_utf8=settings.raw_utf8, frames_fd=take_frames_fd()
    )
    watch_logging(log_state)
    api = connect(settings)
    try:
        # Before the first /next: the platform takes an init error only until then.
        handler = load_handler(settings, log_state)
    except BaseException as error:  # the user's module; an exit has to be reported first
        write_notice(log_state, WARNING, INIT_WARNING)
        api.post_init_error(report_failure(error, log_state))
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise
        return INIT_ERROR_EXIT_CODE
    if settings.initialization_type == _SNAP_START:
        from .snapshot import pass_snapshot  # noqa: PLC0415  for no other function

        failed = pass_snapshot(api, log_state)
        if failed:
            return failed
    serve(api, handler, settings, log_state)
    return 0


def take_frames_fd() -> "int | None":
    """Return the descriptor for framed log records, if the platform gives one, and hide it from the function.

    Its number is not the function's business, and a child process must not find it.
    """
    text = posix.environ.pop(_FRAMES_FD.encode(), None)
    if text is None:
        return None
    posix.unsetenv(_FRAMES_FD)
    if "os" in sys.modules:  # its copy was made before
        sys.modules["os"].environ.pop(_FRAMES_FD, None)
    return int(text) if text.isdigit() else None


def prepare_interpreter(settings: Settings) -> None:
    """Give the function the module path, the builtins and the output buffering that it knows from Lambda."""
    sys.path[:] = search_path(sys.path, settings.task_root, version=sys.version_info[:2], is_folder=_is_folder)
    # `-S` saves the import of `site`, which defines these two for every other Python program.
    for name in ("exit", "quit"):
        if not hasattr(builtins, name):
            setattr(builtins, name, _exit)
    if settings.traces:
        from .trace import begin  # noqa: PLC0415  on request only

        begin()
    sys.meta_path.append(_LastFinder)
    # A line is out when it is complete, even if the process is killed; `loop` flushes an unfinished one.
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(line_buffering=True)


class _LastFinder:
    """Asked for a module that nothing else has found; it may have been left out of the image, and then that is said.

    Many imports fail at every start, of what a package can do without: few of names that the list begins with.
    """

    names: "bytes | None" = None  # the first line of the list, once an import failed

    @classmethod
    def find_spec(cls, name: str, path: "Sequence[str] | None" = None, _: object = None) -> None:
        if cls.names is None:
            cls.names = _first_line(f"{__file__.rpartition('/')[0].rpartition('/')[0]}/trimmed.txt")
        if b" %b " % name.rpartition(".")[2].encode("utf-8", "replace") in cls.names:
            from .trimmed import explain_import  # noqa: PLC0415  only imports that fail pay for it

            explain_import(name, path, sys._getframe(1))  # noqa: SLF001  how others tell an import from a question


def _first_line(path: str) -> bytes:
    """The first line of a file, with a space for its end; nothing when there is none to read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  pathlib is not loaded at start
            return file.readline().replace(b"\n", b" ")
    except OSError:
        return b""


def connect(settings: Settings, *, silence_limit_s: int = SILENCE_LIMIT_S) -> RuntimeApi:
    """Return the Runtime API's calls, over a connection that no process forked by the function can use."""
    host, port = settings.runtime_api or ("", 0)
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    connection = Connection(host, port, silence_limit_s=silence_limit_s)
    reference = _weakref.ref(connection)  # what is registered outlives the interpreter, and 3.9 dies of a socket in it
    posix.register_at_fork(after_in_child=lambda: _abandon(reference()))
    return RuntimeApi(connection, authority=authority, raw_utf8=settings.raw_utf8)


def _abandon(connection: "Connection | None") -> None:
    if connection is not None:
        connection.abandon()


def _environment() -> "dict[str, str]":
    # `posix.environ` and not `os.environ`: see `loop.set_trace_id`.
    encoding = sys.getfilesystemencoding()
    return {
        name.decode(encoding, "surrogateescape"): value.decode(encoding, "surrogateescape")
        for name, value in posix.environ.items()
    }


def _is_folder(path: str) -> bool:
    try:
        return posix.stat(path).st_mode & _FILE_TYPE_MASK == _FOLDER_BIT
    except (OSError, ValueError):
        return False


def _exit(code: "str | int | None" = None) -> None:
    """End the program, as the builtin of that name does."""
    raise SystemExit(code)
