"""An exception → what the platform, X-Ray and the log are told about it; never sends or prints.

Loaded with the first failure. Tracebacks are formatted here and not by `traceback`: that module costs 10 ms
of the invocation that fails, and it imports `token`, `types` and others by name, which a function's own
`token.py` would break at the worst moment. The lines are those of `traceback.format_list`.
"""

from .errors import EventError, FunctionError
from .payload import render_json

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType

_OWN_FOLDER = __file__.rpartition("/")[0] + "/"
# awslambdaric's exception name towards X-Ray for failures that are no exception of the handler.
_VALIDATION_ERROR = "LambdaValidationError"
_EXIT_ERROR = "Runtime.ExitError"  # what the platform itself says when it finds the process gone
_NO_BREAK_SPACE = "\u00a0"  # CloudWatch strips plain spaces at the start of a line
_RECORD_LINE_END = "\r"  # CloudWatch keeps such lines in one record
_SHORT_CHARACTERS = 1000
_SOURCE_LIMIT_BYTES = 4 * 1024 * 1024  # a larger file is data; its frames show no source line
_REPEATS_SHOWN = 3  # as in `traceback`: a recursion shows its frame this often


class StackFrame:
    """One line of a traceback: file, line number, function, and the stripped source line ("" if unknown)."""

    __slots__ = ("function", "line", "path", "source")

    def __init__(self, path: str, line: int, function: str, source: str) -> None:
        self.path = path
        self.line = line
        self.function = function
        self.source = source

    def __str__(self) -> str:
        code = f"    {self.source}\n" if self.source else ""
        return f'  File "{self.path}", line {self.line}, in {self.function}\n{code}'


class Failure:
    """Why there is no result: `error_type` and `message`, `stack_trace` as lines, `frames` as values.

    `working_directory` and `xray_type` are what X-Ray is told besides.
    """

    __slots__ = ("error_type", "frames", "message", "stack_trace", "working_directory", "xray_type")

    def __init__(
        self,
        error: BaseException,
        *,
        frames: "tuple[StackFrame, ...]",
        stack_trace: "tuple[str, ...]",
        working_directory: str,
    ) -> None:
        ours = isinstance(error, (FunctionError, EventError))
        self.error_type = _error_type(error)
        self.xray_type = _VALIDATION_ERROR if ours else self.error_type
        self.message = _message(error)
        self.frames = frames
        self.stack_trace = stack_trace
        self.working_directory = working_directory

    def body(self, request_id: str, *, raw_utf8: bool, short: bool = False) -> bytes:
        """Return the JSON body of an error call; `request_id` is "" before the first event.

        A short one has the first 1,000 characters of texts and no trace: for where the whole is too large.
        """
        return render_json(self._fields(request_id, short=short), raw_utf8=raw_utf8)

    def _fields(self, request_id: str, *, short: bool = False) -> "dict[str, object]":
        limit = _SHORT_CHARACTERS if short else None
        return {
            "errorMessage": self.message[:limit],
            "errorType": self.error_type[:limit],
            "requestId": request_id,
            "stackTrace": () if short else self.stack_trace,
        }

    def xray_cause(self) -> str:
        """Return the X-Ray cause document: one line of ASCII JSON, fit for a header."""
        stack = [{"label": f.function, "path": f.path, "line": f.line} for f in self.frames]
        cause = {
            "working_directory": self.working_directory,
            "exceptions": [{"message": self.message, "type": self.xray_type, "stack": stack}],
            "paths": list(dict.fromkeys(frame.path for frame in self.frames)),
        }
        return render_json(cause, raw_utf8=False).decode("ascii")

    def json_record(self, timestamp: str, *, request_id: str, raw_utf8: bool) -> str:
        """Return the record for JSON logs, without a line end."""
        fields = {"timestamp": timestamp, "level": "ERROR", **self._fields(request_id)}
        return render_json(fields, raw_utf8=raw_utf8).decode()

    def text_record(self, line_end: str = _RECORD_LINE_END) -> str:
        """Return the record for text logs, without a line end: lines joined so that CloudWatch keeps them together."""
        message = f": {self.message}" if self.message else ""
        lines = [f"[ERROR] {self.error_type}{message}", "Traceback (most recent call last):"]
        for entry in self.stack_trace:
            lines += [_indent_visibly(line) for line in entry.splitlines()]
        return line_end.join(lines)


def describe_failure(error: BaseException, *, working_directory: str) -> Failure:
    """Return what to say about `error`: ours by its wire type, any other by its class and its traceback."""
    frames: tuple[StackFrame, ...] = ()
    if isinstance(error, (FunctionError, EventError)):
        stack_trace = error.stack_trace
    else:
        frames = tuple(_read_frames(error.__traceback__))
        stack_trace = tuple(_format_frames(frames))
    return Failure(error, frames=frames, stack_trace=stack_trace, working_directory=working_directory)


def _error_type(error: BaseException) -> str:
    if isinstance(error, (FunctionError, EventError)):
        return error.wire_type
    return _EXIT_ERROR if isinstance(error, SystemExit) else type(error).__name__


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return (
            f"The function ended its process: found SystemExit({error.code!r}), from sys.exit or exit. "
            "Return a result, or raise another exception."
        )
    try:
        return str(error) + _trimmed(error)
    except Exception:  # noqa: BLE001  the exception's own __str__ is the user's code
        return f"<unprintable {type(error).__name__} object>"


def _trimmed(error: BaseException) -> str:
    """Say what an error that may be about a missing file or codec owes to the trimming of the image; mostly ""."""
    if not isinstance(error, (OSError, LookupError)) and not (error.__cause__ or error.__context__):
        return ""
    from .trimmed import note  # noqa: PLC0415  few failures can be about it

    return note(error)


def _read_frames(traceback: "TracebackType | None") -> "Iterator[StackFrame]":
    """Yield the frames from the outermost one that is not the runtime's own."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        traceback = traceback.tb_next
    sources: dict[str, list[bytes]] = {}
    while traceback is not None:
        code = traceback.tb_frame.f_code
        path, number = code.co_filename, traceback.tb_lineno
        if path not in sources:
            sources[path] = _read_source(path, traceback.tb_frame)
        lines = sources[path]
        source = lines[number - 1] if 0 < number <= len(lines) else b""
        yield StackFrame(path, number, code.co_name, source.decode("utf-8", "replace").strip())
        traceback = traceback.tb_next


def _read_source(path: str, frame: "FrameType") -> "list[bytes]":
    try:
        with open(path, "rb") as file:  # noqa: PTH123  pathlib is not loaded at start
            data = file.read(_SOURCE_LIMIT_BYTES + 1)
    except Exception:  # noqa: BLE001  also where the function has replaced `open`
        # A module out of a zip file: its loader has the text.
        get_source = getattr(frame.f_globals.get("__loader__"), "get_source", None)
        try:
            text = get_source(frame.f_globals.get("__name__")) if get_source else None
        except Exception:  # noqa: BLE001  a foreign loader; a traceback without source lines will do
            text = None
        data = (text or "").encode("utf-8", "replace")
    return data.splitlines() if len(data) <= _SOURCE_LIMIT_BYTES else []


def _format_frames(frames: "tuple[StackFrame, ...]") -> "Iterator[str]":
    previous, count = "", 0
    for frame in frames:
        text = str(frame)
        if text != previous:
            yield from _repetitions(count)
            previous, count = text, 0
        count += 1
        if count <= _REPEATS_SHOWN:
            yield text
    yield from _repetitions(count)


def _repetitions(count: int) -> "Iterator[str]":
    more = count - _REPEATS_SHOWN
    if more > 0:
        yield f"  [Previous line repeated {more} more time{'s' if more > 1 else ''}]\n"


def _indent_visibly(line: str) -> str:
    text = line.lstrip(" ")
    return _NO_BREAK_SPACE * (len(line) - len(text)) + text
