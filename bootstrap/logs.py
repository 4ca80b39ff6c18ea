"""Where log records go, and the watch that notices when the user's code imports `logging`.

awslambdaric puts its handler on the root logger before the function is imported, so that `logging.warning`
has the platform's format from the first line and `logging.basicConfig` changes nothing. That is interface.
Loading `logging` for it takes as long as loading everything else here, so the handler goes in when, and only
when, somebody imports `logging`: see `log_bridge`. Never formats a failure (see `failure`).
"""

import posix
import sys
import time

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_STDOUT, _STDERR = 1, 2
DEBUG, WARNING, ERROR = 10, 30, 40  # the numbers of `logging`
# Frame types by AWS: the format in the last bit, the level above it (awslambdaric, lambda_runtime_log_utils.py).
_FRAME_TYPE = 0xA55A0000
_TEXT_BIT = 1
# From which level on a record of ours is shown; for other names it is the root logger's own, WARNING.
_THRESHOLDS = {"TRACE": 10, "DEBUG": 10, "INFO": 20, "ERROR": 40, "CRITICAL": 50, "FATAL": 50}
_NAMES = {DEBUG: "DEBUG", WARNING: "WARNING"}


class LogState:
    """How records are written, and what they say about the current invocation: the one mutable value that is shared.

    `level` is a level name or "". `json` and `raw_utf8` say how records are encoded. `frames_fd` is the
    descriptor on which the platform takes framed records, or None: then they go to standard output.
    """

    __slots__ = ("frames_fd", "json", "level", "raw_utf8", "request_id", "tenant_id")

    serves_many = False  # whether several invocations are current at once

    def __init__(
        self, level: str = "", *, json: bool = False, raw_utf8: bool = False, frames_fd: "int | None" = None
    ) -> None:
        self.level = level
        self.json = json
        self.raw_utf8 = raw_utf8
        self.frames_fd = frames_fd
        self.request_id = ""
        self.tenant_id: str | None = None


def render_line(level: str, message: str, *, epoch_s: float, request_id: str) -> str:
    """Return a record as `log_bridge` formats it, for records written without `logging`."""
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch_s))
    return f"[{level}]\t{second}.{int(epoch_s * 1000) % 1000:03d}Z\t{request_id}\t{message}\n"


def render_timestamp(epoch_s: float) -> str:
    """Return the time of a JSON record: UTC, to the millisecond, where awslambdaric gives seconds."""
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch_s))
    return f"{second}.{int(epoch_s * 1000) % 1000:03d}Z"


def render_frame(text: str, *, level: int, json: bool, epoch_s: float) -> bytes:
    """Return a record in AWS's framing: type, length (4 bytes each), microseconds (8 bytes), text; big-endian.

    `level` is a number of `logging`, or 0 for a record without one.
    """
    data = text.encode("utf-8", "backslashreplace")
    step = min(max(level, 0), 50) // 10
    kind = _FRAME_TYPE | (4 * step + 6 if step else 2) | (0 if json else _TEXT_BIT)
    return kind.to_bytes(4, "big") + len(data).to_bytes(4, "big") + int(epoch_s * 1e6).to_bytes(8, "big") + data


def write_notice(state: LogState, level: int, message: object) -> None:
    """Write a record of the runtime's own, at DEBUG or WARNING, in the format that the function's have."""
    if level < _THRESHOLDS.get(state.level, WARNING):
        return
    now, name = time.time(), _NAMES[level]
    if state.json:
        from .payload import render_json  # noqa: PLC0415  only failures come here

        fields = {"timestamp": render_timestamp(now), "level": name, "message": message, "logger": "root"}
        text = render_json({**fields, "requestId": state.request_id}, raw_utf8=True).decode() + "\n"
    else:
        text = render_line(name, str(message), epoch_s=now, request_id=state.request_id)
    # Framed with its level only where levels are in use, as awslambdaric does it.
    write_record(state, text, level=level if state.json or state.level else 0)


def write_record(state: LogState, text: str, *, level: int) -> None:
    """Write a record as a frame, or to standard output after what the function has printed.

    To the descriptor: the function may have replaced or closed `sys.stdout`, and its failure must still show.
    """
    if state.frames_fd is not None:
        frame = render_frame(text, level=level, json=state.json, epoch_s=time.time())
        _write_all(state.frames_fd, frame)
        return
    flush_output()
    _write_all(_STDOUT, text.encode("utf-8", "backslashreplace"))


def write_last_words(error: object) -> None:
    """Write why the process ends to standard error: the descriptor, for the reason in `write_record`."""
    _write_all(_STDERR, f"firkin bootstrap: {error}\n".encode("utf-8", "backslashreplace"))


def _write_all(descriptor: int, data: bytes) -> None:
    try:
        while data:
            data = data[posix.write(descriptor, data) :]
    except OSError:
        return  # nobody reads the log; the platform still gets the error itself


def flush_output() -> None:
    """Write out what the function has printed so far; its file objects are its own: failures are ignored."""
    try:
        sys.stdout.flush()
    except Exception:  # noqa: BLE001  None, closed, or an object of the function's with any behaviour
        return


def watch_logging(state: LogState) -> None:
    """Arrange for the platform's handler on the root logger, now or at the first import of `logging`."""
    if "logging" in sys.modules:
        _install(sys.modules["logging"], state)
    else:
        sys.meta_path.insert(0, _LoggingWatch(state))


class _LoggingWatch:
    """A finder that finds nothing but, once, `logging`: where the others find it, plus our handler."""

    __slots__ = ("_state",)

    def __init__(self, state: LogState) -> None:
        self._state = state

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    # A loader by what it does: deriving from importlib.abc.Loader would load `importlib`.
                    spec.loader = _FollowedLoader(spec.loader, self._state)  # type: ignore[assignment]
                return spec
        return None


class _FollowedLoader:
    """The loader of `logging`, which becomes the module's only loader again as soon as it runs."""

    __slots__ = ("_loader", "_state")

    def __init__(self, loader: "Loader", state: LogState) -> None:
        self._loader = loader
        self._state = state

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        return self._loader.create_module(spec)

    def exec_module(self, module: "ModuleType") -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _install(module, self._state)


def _install(logging: "ModuleType", state: LogState) -> None:
    # A function may have a `logging.py` of its own, which is none of our business.
    if hasattr(logging, "Handler") and hasattr(logging, "getLogger"):
        from .log_bridge import install_handler  # noqa: PLC0415  it needs `logging`

        install_handler(state)
