"""Text log records without `logging`, and the watch that notices when the user's code imports `logging`.

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

_STDOUT = 1


class LogState:
    """What log records say about the current invocation: the one mutable value that the loop shares.

    `level` is a level name or "".
    """

    __slots__ = ("level", "request_id", "tenant_id")

    def __init__(self, level: str) -> None:
        self.level = level
        self.request_id = ""
        self.tenant_id: str | None = None


def render_line(level: str, message: str, *, epoch_s: float, request_id: str) -> str:
    """Return a record as `log_bridge` formats it, for records written without `logging`."""
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch_s))
    return f"[{level}]\t{second}.{int(epoch_s * 1000) % 1000:03d}Z\t{request_id}\t{message}\n"


def write_record(text: str) -> None:
    """Write a record to standard output, after what the function has printed.

    To the descriptor: the function may have replaced or closed `sys.stdout`, and its failure must still show.
    """
    flush_output()
    data = text.encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[posix.write(_STDOUT, data) :]
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
