"""How much memory a process and its descendants used at most, read from `/proc`.

Why not `getrusage`: `ru_maxrss` of a child begins with the size of the process that started it, which is us. `VmHWM`
belongs to the program that was executed. This module reads only; where there is no `/proc`, it says 0.
"""

from __future__ import annotations

import contextlib
import os
import time

_TREE_LIMIT = 64  # processes looked at for one measurement; a larger tree is measured in part
_LOOK_S = 0.02  # between two looks for descendants
_REST_S = 0.001  # between two readings: a process gains some megabytes in that time at most, and the next one sees them
_READ_BYTES = 4096  # /proc/PID/status is about 1.5 kB


class MemoryGauge:
    """Measures one process tree, for each invocation: the files of its root are kept open for that."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._status = _open(f"/proc/{pid}/status")
        self._children = _open(f"/proc/{pid}/task/{pid}/children")
        self._read_s = self._looked_s = float("-inf")
        self._root_kb = self._descendants_kb = 0

    def close(self) -> None:
        """Let go of the files; what is measured afterwards is 0."""
        for fd in (self._status, self._children):
            if fd is not None:
                os.close(fd)
        self._status = self._children = None
        self._read_s = float("-inf")

    def max_memory_kb(self) -> int:
        """Sum of the high-water marks of the process and its descendants, in KiB; 0 if it is gone.

        The process is measured every `_REST_S` at most, its descendants, which most do not have, every `_LOOK_S`.
        """
        now = time.monotonic()
        if now - self._read_s >= _REST_S:
            self._read_s = now
            status = _read(self._status)
            self._root_kb = parse_high_water_kb(status)
            if now - self._looked_s >= _LOOK_S:
                self._looked_s = now
                self._descendants_kb = self._measure_descendants(status)
        return self._root_kb + (self._descendants_kb if self._root_kb else 0)

    def _measure_descendants(self, status: bytes) -> int:
        total = 0
        pending = _read(self._children).split() if _single_threaded(status) else _children_of(self._pid)
        for _ in range(_TREE_LIMIT):
            if not pending:
                break
            child = int(pending.pop())
            total += parse_high_water_kb(_read_once(f"/proc/{child}/status"))
            pending.extend(_children_of(child))
        return total


def parse_high_water_kb(status: bytes) -> int:
    """`VmHWM` of a `/proc/PID/status`, in KiB; 0 if there is none, as for a process that has ended."""
    _, found, rest = status.partition(b"\nVmHWM:")
    words = rest[:40].split()
    return int(words[0]) if found and words and words[0].isdigit() else 0


def _single_threaded(status: bytes) -> bool:
    return b"\nThreads:\t1\n" in status


def _children_of(pid: int) -> list[bytes]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - pathlib is not worth its import here
    except OSError:
        return []
    return [child for thread in threads for child in _read_once(f"/proc/{pid}/task/{thread}/children").split()]


def _open(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


def _read(fd: int | None) -> bytes:
    if fd is not None:
        with contextlib.suppress(OSError):  # it has ended
            return os.pread(fd, _READ_BYTES, 0)
    return b""


def _read_once(path: str) -> bytes:
    fd = _open(path)
    try:
        return _read(fd)
    finally:
        if fd is not None:
            os.close(fd)
