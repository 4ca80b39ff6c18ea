"""How much memory a process and its descendants used at most, read from `/proc`. It reads only; where there
is no `/proc`, it says 0.

Why not `getrusage`: `ru_maxrss` of a child begins with the size of the process that started it, which is us.
`VmHWM` belongs to the program that was executed.
"""

from __future__ import annotations

import os

_TREE_LIMIT = 64  # processes looked at for one measurement; a tree larger than this is measured in part
_READ_BYTES = 4096  # /proc/PID/status is about 1.5 kB


def max_memory_kb(pid: int) -> int:
    """Sum of the high-water marks of a process and its descendants, in KiB; 0 if it is gone."""
    total = 0
    pending = [pid]
    for _ in range(_TREE_LIMIT):
        if not pending:
            break
        current = pending.pop()
        status = _read(f"/proc/{current}/status")
        total += parse_high_water_kb(status)
        for thread in _threads(current, status):
            pending.extend(int(child) for child in _read(f"/proc/{current}/task/{thread}/children").split())
    return total


def parse_high_water_kb(status: bytes) -> int:
    """`VmHWM` of a `/proc/PID/status`, in KiB; 0 if there is none, as for a process that has ended."""
    _, found, rest = status.partition(b"\nVmHWM:")
    words = rest[:40].split()
    return int(words[0]) if found and words and words[0].isdigit() else 0


def _threads(pid: int, status: bytes) -> list[str]:
    if b"\nThreads:\t1\n" in status:
        return [str(pid)]
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(fd, _READ_BYTES)
    except OSError:
        return b""
    finally:
        os.close(fd)
