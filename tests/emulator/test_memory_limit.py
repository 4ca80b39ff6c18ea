"""The memory limit: found where it may be made, applied, and told of when it kills."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import Emulator, Outcome, memory_limit
from emulator.memory_limit import MemoryLimit, find_hierarchies

if TYPE_CHECKING:
    from collections.abc import Callable

V1 = "9:name=systemd:/\n4:memory:/job/7\n1:cpu:/\n"
V2 = "0::/user.slice/session.scope\n"
V1_MOUNT = "cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n"
V2_MOUNT = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"


def test_where_groups_may_be_made() -> None:
    """Below our own group or beside it, and in version 2 before version 1."""
    mounts = f"proc /proc proc rw 0 0\n{V1_MOUNT}cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n{V2_MOUNT}"
    found = find_hierarchies(V1 + V2, mounts)
    assert [(hierarchy.kind, hierarchy.parents) for hierarchy in found] == [
        ("cgroup v2", ("/sys/fs/cgroup/user.slice/session.scope", "/sys/fs/cgroup/user.slice")),
        ("cgroup v1", ("/sys/fs/cgroup/memory/job/7", "/sys/fs/cgroup/memory/job")),
    ]
    assert find_hierarchies("0::/\n", V2_MOUNT)[0].parents == ("/sys/fs/cgroup",)


@pytest.mark.parametrize(("groups", "mounts"), [("", ""), (V1, ""), ("", V1_MOUNT), (V2, V1_MOUNT), (V1, V2_MOUNT)])
def test_where_there_is_none(groups: str, mounts: str) -> None:
    """Then a resource limit has to do."""
    assert find_hierarchies(groups, mounts) == []


@given(st.text(), st.text())
def test_any_text_of_the_kernel_is_survived(groups: str, mounts: str) -> None:
    """Whatever a strange kernel says."""
    assert isinstance(find_hierarchies(groups, mounts), list)


def story(settings: Callable, *events: bytes, **changes: object) -> tuple[list[Outcome], bytes]:
    async def tell() -> tuple[list[Outcome], bytes]:
        log = bytearray()
        async with Emulator(
            settings("memory_hog", memory_mb=64, limits_memory=True, **changes), log=log.extend
        ) as emulator:
            return [await emulator.invoke(event) for event in events], bytes(log)

    return asyncio.run(tell())


def check(outcomes: list[Outcome], log: bytes) -> None:
    small, large, after = outcomes
    assert (small.payload, after.payload) == (b"null", b"null")
    assert (large.status, large.function_error) == (502, "Unhandled")
    assert json.loads(large.payload) == {
        "errorType": "Runtime.OutOfMemory",
        "errorMessage": f"RequestId: {large.request_id} Error: Runtime exited with error: signal: killed",
    }
    assert large.max_memory_mb >= 64
    assert b"\tStatus: error\tError Type: Runtime.OutOfMemory\n" in log
    assert small.max_memory_mb < 64
    assert after.max_memory_mb < 64


def test_more_than_there_is(settings: Callable) -> None:
    """However this machine limits it: the platform's error, and the next event has a new process."""
    outcomes, log = story(settings, b"0", b"90", b"0")
    check(outcomes, log)
    assert b"emulator: the runtime's memory is limited to 64 MB by " in log
    groups, mounts = (Path(f"/proc/self/{name}").read_text() for name in ("cgroup", "mounts"))
    parents = [parent for hierarchy in find_hierarchies(groups, mounts) for parent in hierarchy.parents]
    assert not [left for parent in parents for left in Path(parent).glob(f"firkin-{os.getpid()}-*")]


def test_more_than_there_is_without_control_groups(settings: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a plain container."""
    monkeypatch.setattr(memory_limit, "find_hierarchies", lambda *_: [])
    outcomes, log = story(settings, b"0", b"90", b"0")
    check(outcomes, log)
    assert b"is limited to 64 MB by rlimit\n" in log


def test_the_files_of_version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of its own with the limit, no swap, killed as a whole; the kernel's count tells. Plain files stand in."""
    v2 = find_hierarchies(V2, f"cgroup2 {tmp_path} cgroup2 rw 0 0\n")
    (tmp_path / "user.slice/session.scope").mkdir(parents=True)
    monkeypatch.setattr(memory_limit, "find_hierarchies", lambda *_: v2)
    limit = MemoryLimit(4711, 64)
    group = tmp_path / f"user.slice/session.scope/firkin-{os.getpid()}-4711"
    written = {file.name: file.read_text() for file in group.iterdir()}
    assert written == {
        "memory.max": str(64 << 20), "memory.swap.max": "0", "memory.oom.group": "1", "cgroup.procs": "4711"
    }  # fmt: skip
    assert limit.kind == "cgroup v2"
    for count, killed in ((0, False), (1, True)):
        (group / "memory.events").write_text(f"low 0\nhigh 0\nmax 9\noom 1\noom_kill {count}\noom_group_kill 0\n")
        assert limit.killed() is killed


def test_a_reported_size_limits_nothing(settings: Callable) -> None:
    """Unless it was asked for."""

    async def tell() -> Outcome:
        async with Emulator(settings("memory_hog", memory_mb=64)) as emulator:
            return await emulator.invoke(b"90")

    outcome = asyncio.run(tell())
    assert (outcome.payload, outcome.max_memory_mb > 90) == (b"null", True)
