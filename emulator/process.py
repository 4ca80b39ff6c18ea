"""The runtime's process: started in a session of its own, so that whatever it forks dies with it; its output; its end.

The only module that starts, signals and reaps. It runs on the event loop's thread, except for one thread that waits
for the exit: a sandbox's kernel may lack pidfd, and SIGCHLD belongs to the main thread's program. It decides nothing:
when to start and whom to tell is the caller's.

Order at the end matters. The waiting thread leaves the process unreaped, so that its number cannot be taken by
another; then the group is killed, its output read to the last byte that is there, and only then is the process
reaped.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import select
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Callable

from .errors import CommandNotStartedError
from .memory import MemoryGauge

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

_READ_BYTES = 64 * 1024  # a pipe's default capacity on Linux
_OPEN_FILES = 1024  # Lambda's quota of file descriptors
_DRAIN_READS = 64  # reads of one drain: up to 4 MiB, then a flood has to wait its turn

Sink = Callable[[bytes], None]


class Process:
    """A started runtime. `on_exit(returncode)` is called once on the loop, after all its output went to the sinks."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        cwd: str,
        loop: asyncio.AbstractEventLoop,
        stdout: Sink,
        stderr: Sink,
        on_exit: Callable[[int], None],
        what: str = "runtime",
    ) -> None:
        self._loop = loop
        self._on_exit = on_exit
        try:
            self._popen = subprocess.Popen(
                list(command),
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise CommandNotStartedError(
                f"starting the {what} {command[0]!r} in {cwd!r}: {getattr(error, 'strerror', None) or error}; "
                f"{_advice(error, command[0], cwd)}"
            ) from error
        self.pid = self._popen.pid
        with contextlib.suppress(OSError, ValueError):  # it has ended already, or has less
            # What we may have raised for ourselves; the platform gives a runtime so many.
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
        self._ended = False
        self._peak_kb = 0
        self._gauge = MemoryGauge(self.pid)
        self._outputs = {}
        self._poll = select.poll()
        for pipe, sink in ((self._popen.stdout, stdout), (self._popen.stderr, stderr)):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._outputs[pipe.fileno()] = (pipe, sink)
                self._poll.register(pipe.fileno(), select.POLLIN)
                loop.add_reader(pipe.fileno(), self._read, pipe.fileno())
        threading.Thread(target=self._wait, name=f"wait for runtime {self.pid}", daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether `on_exit` has been called."""
        return self._ended

    def drain(self) -> None:
        """Pass on the output that is there already, so that a log is complete at the end of an invocation."""
        for fd, _ in self._poll.poll(0):
            for _ in range(_DRAIN_READS):
                if not self._read(fd):
                    break

    def sample_memory_kb(self) -> int:
        """The high-water mark of its process tree so far, in KiB; after its end the last one that was seen."""
        if not self._ended:
            self._peak_kb = max(self._peak_kb, self._gauge.max_memory_kb())
        return self._peak_kb

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM to the whole group."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        if not self._ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _read(self, fd: int) -> bool:
        """Pass on one piece of output; whether there may be more."""
        _, sink = self._outputs[fd]
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            sink(data)
            return True
        self._forget(fd)
        return False

    def _forget(self, fd: int) -> None:
        pipe, _ = self._outputs.pop(fd)
        self._loop.remove_reader(fd)
        self._poll.unregister(fd)
        pipe.close()

    def _wait(self) -> None:
        """Runs on its own thread: wait for the exit without reaping."""
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            # One round later: what the runtime sent before it ended shall be read before its end is told.
            self._loop.call_soon_threadsafe(self._loop.call_soon, self._finish)

    def _finish(self) -> None:
        self._signal(signal.SIGKILL)  # what it forked and left behind
        self._ended = True
        self._gauge.close()
        self.drain()
        for fd in list(self._outputs):
            # A descendant that left the session may hold the other end; nobody listens to it any more.
            self._forget(fd)
        returncode = self._popen.wait()
        self._reap_group()
        self._on_exit(returncode)

    def _reap_group(self) -> None:
        """As process 1 of a container we inherit the runtime's orphans: reap those that were in its group."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-self.pid, os.WNOHANG)[0]:
                pass


def _advice(error: OSError | ValueError, program: str, cwd: str) -> str:
    """What to do about a program that could not be started."""
    path = os.path.join(cwd, program)  # noqa: PTH118 - pathlib is not worth its import
    missing = isinstance(error, FileNotFoundError)
    reasons = {
        "make that folder, or start in another": not os.path.isdir(cwd),  # noqa: PTH112 - same
        "it is a folder; give a program": os.path.isdir(path),  # noqa: PTH112 - same
        f"make it executable: chmod +x {program}": isinstance(error, PermissionError),
        "the file is there, but not its program loader or the interpreter that its first line names": missing
        and os.path.isfile(path),  # noqa: PTH113 - same
        "give the program and each argument as words of their own, without quotes around all of them": missing
        and " " in program,
        "it is no program for this machine; a script's first line names its interpreter, like #!/bin/sh": getattr(
            error, "errno", None
        )
        == errno.ENOEXEC,
        "give a program that is there, by its path or by a name on PATH": True,
    }
    return next(advice for advice, applies in reasons.items() if applies)


def absolute_path(folder: str | None) -> str:
    """A folder from the root, ours for None. `os.path`: pathlib costs an import at the container's start."""
    return os.path.abspath(folder or os.getcwd())  # noqa: PTH100, PTH109 - see above
