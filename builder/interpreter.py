"""What is known of the Python that will be shipped: asked of that Python itself, once, in one short process.

`probe` is also the program: its source is handed to the interpreter with `-c`, so it uses the standard library only and
runs on 3.9 and newer. Never decides what is shipped.
"""

import contextlib
import inspect
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.elf import Tree
from builder.errors import InterpreterError

OLDEST = (3, 9)  # what bootstrap and emulator are written for
MAX_DETAIL_CHARS = 4000  # of what a failing interpreter wrote
PROBE_TIMEOUT_S = 30  # a start takes 20 ms; a first one from a cold network disk may take seconds

_VERSION = re.compile(r"(?P<minor>\d+\.\d+)(?:\.\d+)?(?:a|b|rc)?\d*")

# uname's machine → the architecture's name in OCI (GOARCH), for what Lambda runs.
ARCHITECTURES: Mapping[str, str] = {"x86_64": "amd64", "aarch64": "arm64"}


def this_platform() -> str:
    """What runs here, and is meant where an image is for several platforms and none was asked for."""
    return f"linux/{ARCHITECTURES.get(platform.machine(), 'amd64')}"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython on this machine, or in a base unpacked here. `version` is (major, minor).

    Paths are absolute below `root`, which is this machine's own root or the folder that a base's files take for it.
    `glibc` is empty on musl, `musl` elsewhere. `library_path` is the LD_LIBRARY_PATH it will run with.
    """

    executable: str
    version: tuple[int, int]
    full_version: str
    stdlib: str
    machine: str
    glibc: str
    magic: str
    implementation: str
    gil: bool
    musl: str = ""
    root: str = "/"
    library_path: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The versioned command name, `python3.11`."""
        return f"python{self.version[0]}.{self.version[1]}"

    @property
    def of_base(self) -> bool:
        """Whether it is a base's and not this machine's."""
        return self.root != "/"

    @property
    def place(self) -> str:
        """Where its program is on this machine."""
        return self.root.rstrip("/") + self.executable

    def tree(self, mounts: Mapping[str, Path] | None = None) -> Tree:
        """The root it runs in, with folders of this machine at other places of it."""
        return Tree(Path(self.root), mounts or {})

    @property
    def library_folder(self) -> str:
        """The folder that holds the standard library's, as compiled in: `lib`, on Fedora and its family `lib64`."""
        return Path(self.stdlib).parent.name

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

    def is_stdlib(self, source: str) -> bool:
        """Whether a file is of its standard library, on this machine."""
        within = source.startswith(f"{self.stdlib}/") and "/site-packages/" not in source
        return within and not self.of_base

    def bytecode_file(self, source: str) -> str:
        """Where it keeps the bytecode of a module, if it does."""
        folder, _, file = source.rpartition("/")
        return f"{folder}/__pycache__/{file.removesuffix('.py')}.cpython-{self.version[0]}{self.version[1]}.pyc"

    @property
    def described(self) -> str:
        """For messages: what a wheel must match."""
        known = (f"{name} {version}" for name, version in (("glibc", self.glibc), ("musl", self.musl)) if version)
        libc = next(known, "unknown libc")
        return f"CPython {self.version[0]}.{self.version[1]} on linux {self.machine} ({libc})"


def probe() -> str:
    """The facts of the interpreter this runs in, as JSON: the fields of Interpreter."""
    import contextlib
    import importlib.util
    import json
    import os
    import platform
    import sys
    import sysconfig

    libc = ""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        libc = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")[2]
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
    if executable is None:
        return parse_interpreter(probe(), sys.executable)
    return parse_interpreter(_ask(executable), executable)


def parse_interpreter(text: str, executable: str) -> Interpreter:
    """What `probe` printed, as a value. Raises InterpreterError for other text and a Python that cannot be shipped.

    Only the last line counts: a start-up hook of that Python may print as well.
    """
    try:
        facts = json.loads(text.strip().rpartition("\n")[2])
        found = Interpreter(**{**facts, "version": tuple(facts["version"])})
    except (ValueError, TypeError, KeyError):
        raise InterpreterError(
            f"asking {executable} what it is: it answered {text[:200]!r}",
            hint="Name a CPython with --python.",
        ) from None
    problem, hint = _unfit(found)
    if problem:
        raise InterpreterError(f"reading the interpreter: {found.executable} is {problem}", hint=hint)
    return found


def _unfit(found: Interpreter) -> tuple[str, str]:
    """Why an interpreter cannot be shipped and what to do; empty when it can."""
    if found.implementation != "cpython":
        return found.implementation, "Only CPython can be shipped: name one with --python."
    if found.version < OLDEST:
        return f"Python {found.full_version}", "The runtime needs Python 3.9 or newer: name one with --python."
    if not found.gil:
        return f"the free-threaded build of Python {found.full_version}", "Name the ordinary build with --python."
    return "", ""


def find_executable(asked: str | None) -> str | None:
    """The path of the interpreter asked for by version (3.13, 3.13.1) or path; None for the one that runs this.

    Looked for on PATH, among the versions of a version manager whose stand-in is on PATH, and among uv's own. Nothing
    is downloaded. Raises InterpreterError when there is none.
    """
    running = platform.python_version()
    if asked is None or asked in (running.rpartition(".")[0], running):
        return None
    if os.sep in asked:
        if os.access(asked, os.X_OK) and not Path(asked).is_dir():
            return asked
        raise InterpreterError(
            f"looking for Python: {asked!r} is no program",
            hint="Name an interpreter's file or a version such as 3.13.",
        )
    version = _VERSION.fullmatch(asked)
    if version is None:
        raise InterpreterError(
            f"looking for Python: {asked!r} is neither a version nor a path",
            hint="Name a version such as 3.13, or an interpreter's file with a '/' in it.",
        )
    found = next((program for program in _candidates(asked, version["minor"]) if _is_version(program, asked)), None)
    if found is None:
        raise InterpreterError(
            f"looking for Python {asked}: this machine has none",
            hint=f"With --base host the interpreter of this machine is shipped: install Python {asked}, "
            f"or leave --python out to ship {running}.",
        )
    return found


def _candidates(asked: str, minor: str) -> Iterator[str]:
    """Programs that may be the Python asked for, the likeliest first."""
    folders = [Path(folder) for folder in os.get_exec_path() if folder]
    yield from (str(folder / f"python{minor}") for folder in folders)
    for folder in folders:
        if folder.name == "shims":  # pyenv's and asdf's stand-ins only print a message for a version that is not chosen
            kept = (folder.parent / "versions").glob(f"{asked}*/bin/python{minor}")
            yield from (str(program) for program in sorted(kept, reverse=True))
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        uv = [uv_program(), "python", "find", "--no-python-downloads", "--no-project", "--managed-python", asked]
        yield _run(uv).stdout.strip()


def _is_version(program: str, asked: str) -> bool:
    """Whether a program is a Python of that version."""
    if not os.access(program, os.X_OK):
        return False
    try:
        done = _run([program, "-I", "-c", "import platform; print(platform.python_version())"])
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = done.stdout.strip()
    return done.returncode == 0 and (version == asked or version.startswith(f"{asked}."))


def _run(command: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=given, capture_output=True, text=True, errors="replace", timeout=PROBE_TIMEOUT_S, check=False
    )


def _ask(executable: str) -> str:
    try:
        # On stdin: as an argument, another program's complaint would repeat it.
        done = _run([executable, "-I", "-"], inspect.getsource(probe) + "\nprint(probe())\n")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InterpreterError(
            f"asking {executable} what it is: {error}", hint="Name a working Python with --python."
        ) from None
    if done.returncode:
        raise InterpreterError(
            f"asking {executable} what it is: it ended with {done.returncode}",
            hint="Name a working Python with --python.",
            details=done.stderr[-MAX_DETAIL_CHARS:],
        )
    return done.stdout


def uv_program() -> str:
    """The path of uv's program, which comes with firkin."""
    import uv

    return str(Path(uv.find_uv_bin()))
