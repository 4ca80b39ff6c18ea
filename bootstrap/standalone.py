"""`docker run` with no Runtime API: puts the emulator in front of the runtime; never runs a handler.

Loaded only then, so an image costs nothing for it on Lambda. The emulator starts the command it is given with
`AWS_LAMBDA_RUNTIME_API` set, and reads timeout and memory from the environment itself.
"""

import posix
import sys

from .errors import NoEmulatorError

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Sequence

# The port is the emulator's to choose: $PORT, as Knative and Cloud Run set it, else 8080, as in AWS's base images.
_LISTEN = ("--host", "0.0.0.0")  # noqa: S104  a container's only way in is its own interface
_HOST_VARIABLE = b"EMULATOR_HOST"  # the emulator's own, which an option would outdo


def exec_emulator(script: str) -> None:
    """Replace this process by the emulator; `script` is the absolute path of our `__main__.py`.

    Returns never. Raises NoEmulatorError when the image carries no emulator.
    """
    emulator = f"{script.rpartition('/')[0].rpartition('/')[0]}/emulator/__main__.py"
    if not posix.access(emulator, posix.R_OK):
        raise NoEmulatorError(
            "Starting without a platform: AWS_LAMBDA_RUNTIME_API is not set, and there is no emulator at "
            f"{emulator!r}. Set AWS_LAMBDA_RUNTIME_API to host:port, or build the image with its emulator."
        )
    front = (emulator,) if posix.environ.get(_HOST_VARIABLE) else (emulator, *_LISTEN)
    command = emulator_command(_original_command_line(), len(sys.argv) - 1, script=script, front=front)
    posix.execv(command[0], command)


def emulator_command(
    original: "Sequence[str]", argument_count: int, *, script: str, front: "Sequence[str]"
) -> "list[str]":
    """Return the emulator's command line: `front`, its script and options; then `original`, startable from anywhere.

    `original` is the interpreter's whole command line, of which the last `argument_count` items are the
    program's arguments. Interpreter flags stay; `-m bootstrap` becomes the script's path.
    """
    interpreter = sys.executable or original[0]
    end = len(original) - argument_count
    flags = _interpreter_flags(original[1:end])
    runtime = [interpreter, *flags, script, *original[end:]]
    return [interpreter, "-S", *front, "--", *runtime]


def _interpreter_flags(head: "Sequence[str]") -> "list[str]":
    """Drop what names the program from the end of `head`: a path, or `-m bootstrap` in any spelling."""
    *flags, program = head
    if program.startswith("-"):  # `-mbootstrap`, or `-Smbootstrap`
        cluster = program.partition("m")[0]
    elif flags and flags[-1].startswith("-") and not flags[-1].startswith("--") and flags[-1].endswith("m"):
        cluster = flags.pop()[:-1]  # `-m bootstrap`, or `-Sm bootstrap`
    else:
        cluster = "-"
    return flags if cluster == "-" else [*flags, cluster]


def _original_command_line() -> "list[str]":
    if sys.version_info >= (3, 10):
        return sys.orig_argv
    # Python 3.9 forgets its own flags; the kernel does not.
    with open("/proc/self/cmdline", "rb") as file:  # noqa: PTH123  pathlib is not loaded at start
        line = file.read()
    return [item.decode(sys.getfilesystemencoding(), "surrogateescape") for item in line.split(b"\0")[:-1]]
