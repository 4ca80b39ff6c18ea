"""What is known of the Python that will be shipped: asked of that Python itself, once, in one short process.

`probe` is also the program: its source is handed to the interpreter with `-c`, so it uses the standard library only and
runs on 3.9 and newer. Never decides what is shipped.
"""

import inspect
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.errors import InterpreterError

OLDEST = (3, 9)
PROBE_TIMEOUT_S = 30

# uname's machine → the architecture's name in OCI (GOARCH), for what Lambda runs.
ARCHITECTURES: Mapping[str, str] = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython on this machine. Paths are absolute; `version` is (major, minor); `glibc` is empty on musl."""

    executable: str
    version: tuple[int, int]
    full_version: str
    stdlib: str
    machine: str
    glibc: str
    magic: str
    implementation: str
    gil: bool

    @property
    def name(self) -> str:
        """The versioned command name, `python3.11`."""
        return f"python{self.version[0]}.{self.version[1]}"

    @property
    def architecture(self) -> str:
        """The architecture as OCI names it. Raises InterpreterError for one that Lambda does not run."""
        try:
            return ARCHITECTURES[self.machine]
        except KeyError:
            raise InterpreterError(
                f"reading the interpreter: it is for {self.machine!r}",
                hint="Lambda runs x86_64 and aarch64 only.",
            ) from None

    @property
    def described(self) -> str:
        """For messages: what a wheel must match."""
        libc = f"glibc {self.glibc}" if self.glibc else "musl or unknown libc"
        return f"CPython {self.version[0]}.{self.version[1]} on linux {self.machine} ({libc})"


def probe() -> str:
    """The facts of the interpreter this runs in, as JSON: the fields of Interpreter."""
    import importlib.util
    import json
    import os
    import platform
    import sys
    import sysconfig

    libc = ""
    try:
        libc = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")[2]
    except (AttributeError, OSError, ValueError):
        pass
    base = {"base": sys.base_prefix, "installed_base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    return json.dumps(
        {
            "executable": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
            "version": list(sys.version_info[:2]),
            "full_version": platform.python_version(),
            "stdlib": os.path.realpath(sysconfig.get_path("stdlib", vars=base)),
            "machine": platform.machine(),
            "glibc": libc,
            "magic": importlib.util.MAGIC_NUMBER.hex(),
            "implementation": sys.implementation.name,
            "gil": not sysconfig.get_config_var("Py_GIL_DISABLED"),
        }
    )


def observe_interpreter(asked: str | None) -> Interpreter:
    """The interpreter to ship: this one, or the one `asked` for by version (3.13) or path. Raises InterpreterError."""
    executable = find_executable(asked)
    text = probe() if executable is None else _ask(executable)
    try:
        facts = json.loads(text)
        found = Interpreter(**{**facts, "version": tuple(facts["version"])})
    except (ValueError, TypeError, KeyError):
        raise InterpreterError(
            f"asking {executable} what it is: it answered {text[:200]!r}",
            hint="Name a CPython with --python.",
        ) from None
    if found.implementation != "cpython":
        raise InterpreterError(
            f"reading the interpreter: {found.executable} is {found.implementation}",
            hint="Only CPython can be shipped.",
        )
    if found.version < OLDEST:
        raise InterpreterError(
            f"reading the interpreter: {found.executable} is Python {found.full_version}",
            hint="The runtime needs Python 3.9 or newer.",
        )
    return found


def find_executable(asked: str | None) -> str | None:
    """The path of the interpreter asked for, None for the one that runs this. Raises InterpreterError when there is none."""
    if asked is None or asked == f"{sys.version_info[0]}.{sys.version_info[1]}" or asked == platform.python_version():
        return None
    if os.sep in asked:
        if os.access(asked, os.X_OK) and not os.path.isdir(asked):
            return asked
        raise InterpreterError(
            f"looking for Python: {asked!r} is no program",
            hint="Name an interpreter's file or a version such as 3.13.",
        )
    found = shutil.which(f"python{asked}")
    if found and _works(found):
        return found
    uv = subprocess.run(
        [uv_program(), "python", "find", "--no-python-downloads", "--no-project", "--system", asked],
        capture_output=True,
        text=True,
        check=False,
    )
    if uv.returncode == 0 and uv.stdout.strip():
        return uv.stdout.strip()
    raise InterpreterError(
        f"looking for Python {asked}: this machine has none",
        hint=f"With --base host the interpreter of this machine is shipped: install Python {asked}, or leave --python out to ship {platform.python_version()}.",
    )


def _works(program: str) -> bool:
    """Whether a program on PATH is a Python at all; version managers put stand-ins there that only print a message."""
    try:
        return (
            subprocess.run(
                [program, "-I", "-S", "-c", ""], capture_output=True, timeout=PROBE_TIMEOUT_S, check=False
            ).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def _ask(executable: str) -> str:
    program = inspect.getsource(probe) + "\nprint(probe())\n"
    try:
        done = subprocess.run(
            [executable, "-I", "-c", program],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InterpreterError(
            f"asking {executable} what it is: {error}", hint="Name a working Python with --python."
        ) from None
    if done.returncode:
        raise InterpreterError(
            f"asking {executable} what it is: it ended with {done.returncode}",
            hint="Name a working Python with --python.",
            details=done.stderr,
        )
    return done.stdout


def uv_program() -> str:
    """The path of uv's program, which comes with firkin."""
    import uv

    return str(Path(uv.find_uv_bin()))
