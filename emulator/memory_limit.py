"""The memory limit of a runtime: a control group where we may make one, else a resource limit.

With a control group (version 2, or 1) the kernel counts what the runtime and all it started use, and kills them when
they use more, as on the platform; `killed` then tells. Making one takes a writable cgroup file system, which a
machine's root, a user's systemd session or a privileged container has.

Else (a plain container) `RLIMIT_DATA` bounds each process at `RLIMIT_FACTOR` times the limit, where allocations fail
with the language's own error (Python's MemoryError), and the emulator compares the measured high-water mark with the
limit whenever an answer is posted (`Sandbox`). That sees every excess, if not at once.

It writes only below the control group it made, and removes that at the end.
"""

from __future__ import annotations

import contextlib
import os
import resource
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

RLIMIT_FACTOR = 2  # address space that is asked for and never used counts, too: threads' stacks, allocators' arenas
_MIB = 1024 * 1024
_V1 = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.oom_control")
_V2 = ("memory.max", "memory.swap.max", "memory.events")


class _Hierarchy(NamedTuple):
    """Where groups of a version may be made, and the names of its files: limit, limit with swap, events."""

    kind: str
    parents: tuple[str, ...]
    files: tuple[str, str, str]


class MemoryLimit:
    """Applied to one process and its descendants. `kind` is "cgroup v2", "cgroup v1" or "rlimit"."""

    def __init__(self, pid: int, memory_mb: int) -> None:
        self._folder = ""
        self._events = ""
        self.kind = "rlimit"
        size = memory_mb * _MIB
        for hierarchy in find_hierarchies(_read("/proc/self/cgroup"), _read("/proc/self/mounts")):
            for parent in hierarchy.parents:
                if self._enter(hierarchy, f"{parent}/firkin-{os.getpid()}-{pid}", pid, size):
                    return
        with contextlib.suppress(OSError, ValueError):  # it has ended already, or has a lower limit
            resource.prlimit(pid, resource.RLIMIT_DATA, (size * RLIMIT_FACTOR, size * RLIMIT_FACTOR))

    def killed(self) -> bool:
        """Whether the kernel has killed a process for its memory."""
        words = _read(self._events).split() if self._events else []
        return "oom_kill" in words and words[words.index("oom_kill") + 1] != "0"

    def close(self) -> None:
        """Remove the group; its processes have ended."""
        if self._folder:
            with contextlib.suppress(OSError):
                os.rmdir(self._folder)  # noqa: PTH106 - see _read
            self._folder = self._events = ""

    def _enter(self, hierarchy: _Hierarchy, folder: str, pid: int, size: int) -> bool:
        """Make a group with the limit and move the process there; whether that worked."""
        limit, with_swap, events = hierarchy.files
        try:
            os.mkdir(folder)  # noqa: PTH102 - see _read
        except OSError:
            return False
        try:
            _write(f"{folder}/{limit}", size)
            with contextlib.suppress(OSError):  # kernels without swap accounting lack it
                _write(f"{folder}/{with_swap}", 0 if hierarchy.kind == "cgroup v2" else size)
            if hierarchy.kind == "cgroup v2":
                with contextlib.suppress(OSError):
                    _write(f"{folder}/memory.oom.group", 1)
            _write(f"{folder}/cgroup.procs", pid)
        except OSError:
            with contextlib.suppress(OSError):
                os.rmdir(folder)  # noqa: PTH106 - see _read
            return False
        self.kind, self._folder, self._events = hierarchy.kind, folder, f"{folder}/{events}"
        return True


def find_hierarchies(cgroups: str, mounts: str) -> list[_Hierarchy]:
    """Where a group may be made, from `/proc/self/cgroup` and `/proc/self/mounts`, best first.

    Below the group we are in, or beside it: in version 2 a group that holds processes hands no controllers down.
    """
    found = []
    for line in mounts.splitlines():
        _, where, kind, options, *_ = [*line.split(), "", "", "", ""]
        if kind == "cgroup2":
            own = _own_path(cgroups, lambda number, _: number == "0")
            if own is not None:
                found.append(_Hierarchy("cgroup v2", _parents(where, own), _V2))
        elif kind == "cgroup" and "memory" in options.split(","):
            own = _own_path(cgroups, lambda _, controllers: "memory" in controllers)
            if own is not None:
                found.append(_Hierarchy("cgroup v1", _parents(where, own), _V1))
    return sorted(found, key=lambda hierarchy: hierarchy.kind, reverse=True)


def _own_path(cgroups: str, wanted: Callable[[str, list[str]], bool]) -> str | None:
    for line in cgroups.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if wanted(number, controllers.split(",")):
            return path
    return None


def _parents(mount: str, own: str) -> tuple[str, ...]:
    inner = own.rstrip("/")
    outer = inner.rpartition("/")[0]
    return tuple(dict.fromkeys(f"{mount}{path}" for path in (inner, outer)))


def _read(path: str) -> str:
    try:
        # pathlib is not worth its import at a container's start.
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - see above
            return file.read()
    except OSError:
        return ""


def _write(path: str, value: int) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123 - see _read
        file.write(str(value))
