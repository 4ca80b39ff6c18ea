"""The memory limit with control groups of version 2, by a kernel that kills.

The machine that runs the tests may have version 1 only, so the kernel is one of our own: User Mode Linux, a program
like any other, which sees this machine's files read-only.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import elsewhere, unavailable

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 100

INIT = """\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 none /sys/fs/cgroup
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
{python} -S {program}
echo o > /proc/sysrq-trigger
sleep 60
"""

# It runs as process 1's child in that kernel: three events, of which the second takes more than there is.
PROGRAM = """\
import asyncio, fcntl, glob, json, socket, struct, sys
sys.path.insert(0, {root!r})
from emulator import Emulator, Settings

with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14s", b"lo", 1, b""))  # SIOCSIFFLAGS, IFF_UP

async def story():
    log = bytearray()
    settings = Settings(
        [sys.executable, "-S", {runtime!r}], {{"PATH": "/usr/bin", "PYTHONDONTWRITEBYTECODE": "1"}}, cwd="/",
        memory_mb=64, limits_memory=True, timeout_s=60, init_limit_s=60,
    )
    async with Emulator(settings, log=log.extend) as emulator:
        outcomes = [await emulator.invoke(event) for event in (b"0", b"90", b"0")]
    left = glob.glob("/sys/fs/cgroup/firkin-*")
    told = [[one.status, one.payload.decode(), one.max_memory_mb] for one in outcomes]
    print("\\nRESULT " + json.dumps([told, log.decode(), left]) + "\\n", flush=True)

asyncio.run(story())
"""


@pytest.fixture
def kernel() -> str:
    """The path of User Mode Linux."""
    if platform.machine() != "x86_64":
        elsewhere("User Mode Linux is for x86-64")
    return shutil.which("linux.uml") or unavailable("user-mode-linux is not installed: scripts/engines installs it")


def test_the_kernel_kills_what_takes_too_much(kernel: str, tmp_path: Path) -> None:
    """As a whole, told as the platform tells it; the next event has a new process, and no group is left."""
    program, init = tmp_path / "program.py", tmp_path / "init"
    runtime = ROOT / "tests/emulator/runtimes/memory_hog.py"
    program.write_text(PROGRAM.format(root=str(ROOT), runtime=str(runtime)))
    init.write_text(INIT.format(python=sys.executable, program=program))
    init.chmod(0o755)
    with tempfile.TemporaryDirectory() as short:  # the kernel's own socket lies there, and its path has a limit
        command = [
            kernel, "mem=400M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}", "con=null",
            "con0=null,fd:1", "ssl=null", "quiet", "umid=firkin", f"uml_dir={short}",
        ]  # fmt: skip
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False)
    said = done.stdout.decode("utf-8", "replace")
    (result,) = [line for line in said.splitlines() if line.startswith("RESULT ")] or [pytest.fail(said)]
    (small, large, after), log, left = json.loads(result.removeprefix("RESULT "))
    assert (small[:2], after[:2]) == ([200, "null"], [200, "null"])
    assert small[2] < 64
    assert (large[0], json.loads(large[1])["errorType"], large[2]) == (502, "Runtime.OutOfMemory", 64)
    assert "emulator: the runtime's memory is limited to 64 MB by cgroup v2\n" in log
    assert left == []
