"""`exec:./tool` handlers: a command gets the event on standard input, and writes the response to standard output.

For people who bring any language. Loaded in init, and only for them. Decided here:

- The event is the bytes of the platform, the response is the bytes of the command; neither is parsed.
- What `/next` said besides is in the command's environment: `LAMBDA_RUNTIME_AWS_REQUEST_ID` and so on, named
  after the headers. Standard error is the log.
- An exit status other than 0 is an error of the invocation. If the command printed an object with `errorType`
  and `errorMessage`, these are the error; else the status is.
- A command still at work shortly before the deadline is killed with its children, so that the caller gets an
  error and the next event finds this process alive. The platform's own time-out would end it.

Never uses a shell.
"""

import contextlib
import os
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

from .errors import FunctionError, HandlerNotFoundError, MalformedHandlerNameError
from .interpreters import find_missing
from .payload import parse_json
from .wire import MAX_BODY_BYTES

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

    from .context import LambdaContext
    from .handler import Handler
    from .invocation import Invocation
    from .settings import Settings

_BYTES = "application/unknown"  # as for a bytes result of a function
# Enough to kill, to post the error and to be heard; the platform counts from the same deadline.
_RESERVE_MS = 100
_LONGEST_WAIT_MS = 15 * 60 * 1000  # Lambda's longest timeout; `poll` takes no number above 24 days
_READ_BYTES = 1024 * 1024
_SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"  # Lambda's own PATH ends so; for an environment without one


class CommandError(FunctionError):
    """The command ended with a status other than 0, was killed, or wrote too much; `wire_type` says which."""

    def __init__(self, message: str, wire_type: str) -> None:
        super().__init__(message)
        self.wire_type = wire_type


class Command:
    """A handler that `invocation.invoke` hands the whole invocation, instead of an event and a context."""

    __slots__ = ("_arguments", "_folder")

    def __init__(self, arguments: "Sequence[str]", folder: str) -> None:
        self._arguments = tuple(arguments)
        self._folder = folder

    def __call__(self, event: object, context: "LambdaContext") -> object:
        """Refuse: it is `answer_invocation` that is called, here only to be a handler for type checkers."""
        raise NotImplementedError

    def answer_invocation(self, invocation: "Invocation") -> "tuple[bytes, str]":
        """Run the command on one event; return what it wrote. Raises CommandError."""
        with tempfile.TemporaryFile() as event:
            # A file and no pipe: a command that reads late, or never, blocks nobody.
            event.write(invocation.body)
            event.seek(0)
            process = self._start(event, invocation)
            try:
                output = self._read(process, _deadline_s(invocation.deadline_ms))
            finally:
                _end(process)
        if process.returncode:
            raise _failure(self._arguments[0], process.returncode, output)
        return output, _BYTES

    def _start(self, event: "IO[bytes]", invocation: "Invocation") -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                self._arguments,
                stdin=event,
                stdout=subprocess.PIPE,
                cwd=self._folder,
                env={**os.environ, **describe_invocation(invocation)},
                start_new_session=True,  # so that its children can be ended with it
                bufsize=0,
            )
        except OSError as error:
            raise CommandError(
                f"Starting {self._arguments[0]!r}: found {error}. "
                "Check that it is executable, and built for this machine and its libraries.",
                "Function.CommandNotStarted",
            ) from error

    def _read(self, process: "subprocess.Popen[bytes]", deadline_s: float) -> bytes:
        """Return all that the command writes, until it closes its output and ends."""
        assert process.stdout is not None  # noqa: S101  for type checkers: it is a pipe
        output, descriptor = bytearray(), process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while True:
            remaining_ms = (deadline_s - time.monotonic()) * 1000
            if remaining_ms <= 0:
                raise self._timed_out()
            if not poll.poll(min(remaining_ms, _LONGEST_WAIT_MS)):
                continue
            data = os.read(descriptor, _READ_BYTES)
            if not data:
                break
            output += data
            if len(output) > MAX_BODY_BYTES:
                raise CommandError(
                    f"Running {self._arguments[0]!r}: found more than {MAX_BODY_BYTES} bytes on its standard "
                    "output. Lambda's limit is about 6 MiB; write less.",
                    "Function.ResponseSizeTooLarge",
                )
        try:
            process.wait(None if deadline_s == float("inf") else max(0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._timed_out() from None
        return bytes(output)

    def _timed_out(self) -> CommandError:
        return CommandError(
            f"Running {self._arguments[0]!r}: found it still at work {_RESERVE_MS} ms before the deadline, and "
            "ended it with its children. Make it faster, or raise the function's timeout.",
            "Function.CommandTimedOut",
        )


def load_command(line: str, settings: "Settings") -> "Handler":
    """Return the handler for what follows `exec:`, split like a shell does; found from the function's folder.

    Raises MalformedHandlerNameError and HandlerNotFoundError, at init: before any event has come.
    """
    try:
        arguments = shlex.split(line)
    except ValueError as error:
        raise MalformedHandlerNameError(f"Bad handler 'exec:{line}': {error}. Close every quote.") from error
    if not arguments:
        raise MalformedHandlerNameError("Bad handler 'exec:': found no command. Give one, such as exec:./tool.")
    program = arguments[0]
    search_path = os.environ.get("PATH", _SEARCH_PATH)
    if "/" in program:
        found = os.path.join(settings.task_root, program)  # noqa: PTH118  pathlib is not loaded for one path
        executable = os.path.isfile(found) and os.access(found, os.X_OK)  # noqa: PTH113  same
    else:
        found = shutil.which(program, path=search_path) or ""
        executable = bool(found)
    if not executable:
        raise HandlerNotFoundError(
            f"Handler '{program}' missing: found no executable file {found or 'on PATH'!r}. "
            "Check the path from the function's folder, and the mode of the file."
        )
    missing = find_missing(found, search_path)
    if missing:
        raise HandlerNotFoundError(
            f"Handler '{program}' cannot start: found no {missing!r}, by which {found!r} is run. "
            "Put it into the image, or build the program so that it needs none."
        )
    return Command([found, *arguments[1:]], settings.task_root)


def describe_invocation(invocation: "Invocation") -> "dict[str, str]":
    """Return what a command learns from its environment, for those headers that came with the event."""
    values = {
        "AWS_REQUEST_ID": invocation.request_id,
        "DEADLINE_MS": str(invocation.deadline_ms) if invocation.deadline_ms else None,
        "INVOKED_FUNCTION_ARN": invocation.invoked_function_arn,
        "TRACE_ID": invocation.trace_id,
        "AWS_TENANT_ID": invocation.tenant_id,
        "CLIENT_CONTEXT": invocation.client_context,
        "COGNITO_IDENTITY": invocation.cognito_identity,
    }
    # A NUL byte would keep the command from starting; no sane sender has one.
    return {f"LAMBDA_RUNTIME_{name}": value.replace("\0", "") for name, value in values.items() if value}


def _deadline_s(deadline_ms: int) -> float:
    """Return when to end the command, on the monotonic clock; infinity for an event without a deadline."""
    if not deadline_ms:
        return float("inf")
    return time.monotonic() + (deadline_ms - _RESERVE_MS) / 1000 - time.time()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Leave nothing behind: neither the command, nor a child of it that would run into the next event."""
    with contextlib.suppress(ProcessLookupError):  # all have ended
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    process.wait()


def _failure(program: str, status: int, output: bytes) -> CommandError:
    how = f"exit status {status}" if status > 0 else f"signal {-status}"
    try:
        told = parse_json(output)
    except Exception:  # noqa: BLE001  it need not be JSON, or anything
        told = None
    if isinstance(told, dict) and type(told.get("errorMessage")) is str and type(told.get("errorType")) is str:
        return CommandError(told["errorMessage"], told["errorType"])
    return CommandError(
        f"Running {program!r}: it ended with {how}. Its standard error is in the log.", "Function.CommandFailed"
    )
