"""What the function uses, one line of JSON on stderr for each module and file when it is first asked for.

Loaded where FIRKIN_TRACE is set, and nowhere else: `firkin trace` reads the lines out of a log and tells the builder to
keep what they name. Asked for, not found: what trimming left out is named too, which is what the lines are for. Each
line is one system call of its own, so nothing is lost however the process ends. Sees what Python sees: imports, opened
files, listed folders, libraries loaded by ctypes, programs started by their path; not what compiled code or another
program opens by itself.
"""

import posix
import sys

from .payload import render_json

_STDERR = 2
_MARK = "firkinTrace"
_PLACES = {  # audit events (docs.python.org/3/library/audit_events.html) and the position of what is asked for
    "import": 0,
    "open": 0,
    "os.listdir": 0,
    "os.scandir": 0,
    "ctypes.dlopen": 0,
    "sqlite3.connect": 0,
    "subprocess.Popen": 0,
    "os.exec": 0,
    "os.posix_spawn": 0,
}
_PROGRAMS = frozenset({"subprocess.Popen", "os.exec", "os.posix_spawn"})
# No part of the image's content.
_PASSED_OVER = ("/proc/", "/dev/", "/sys/", "/var/runtime/")
_BYTECODE = ".pyc"


def begin() -> None:
    """Write a line for each module and file from now on, of this process and those it forks."""
    seen: set[tuple[str, str]] = set()

    def hook(event: str, values: "tuple[object, ...]") -> None:
        place = _PLACES.get(event)
        if place is None or len(values) <= place:
            return
        kind, name = _named(event, values[place])
        if name and (kind, name) not in seen:
            seen.add((kind, name))
            posix.write(_STDERR, render_json({_MARK: kind, "name": name}, raw_utf8=False) + b"\n")

    sys.addaudithook(hook)


def _named(event: str, value: object) -> "tuple[str, str]":
    """The kind (`module`, `file` or `library`) and the name of what an event is about; no name for the rest."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    if not isinstance(value, str) or not value:
        return "", ""
    if event == "import":
        return "module", value
    if event == "ctypes.dlopen" and "/" not in value:
        return "library", value
    if event in _PROGRAMS and "/" not in value:  # which one that is, PATH decides
        return "", ""
    path = value if value.startswith("/") else f"{posix.getcwd()}/{value}"
    if path.startswith(_PASSED_OVER):
        return "", ""
    return "file", _source(path) if path.endswith(_BYTECODE) else path


def _source(path: str) -> str:
    """The module whose bytecode a file is: importlib.import_module gives no event of its own, but opens this."""
    folder, cached, name = path.rpartition("/__pycache__/")
    return f"{folder}/{name.partition('.')[0]}.py" if cached else path
