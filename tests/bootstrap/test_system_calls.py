"""What one invocation costs the kernel: counted, because each call is paid for in every invocation."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.bootstrap.recording_server import Event
from tests.bootstrap.runtime_process import SCRIPT, VERSIONS, require_python, run_runtime, write_function
from tests.conftest import unavailable

# One write and one read for the event, the same for the answer.
EXPECTED = {"sendto": 2, "recvfrom": 2}
LINE = re.compile(r"^(?:\d+ +)?(?P<name>\w+)\(", re.MULTILINE)


@pytest.fixture(params=VERSIONS)
def python(request):
    return require_python(request.param)


def calls_of(tmp_path, python: str, count: int) -> dict[str, int]:
    """System calls of a whole run with `count` invocations, by name."""
    record = tmp_path / "calls"
    events = [Event(b'{"a": 1}', {"Lambda-Runtime-Trace-Id": f"Root={n}"}) for n in range(count)]
    run_runtime(
        tmp_path,
        events=events,
        command=["strace", "-f", "-o", str(record), python, "-S", str(SCRIPT), "app.handler"],
    )
    names = LINE.findall(record.read_text(errors="replace"))
    return {name: names.count(name) for name in set(names)}


def test_an_invocation_makes_four_system_calls(tmp_path, python) -> None:
    """Nothing but the two messages and the two answers: no clock, no timeout, no memory, no file."""
    if shutil.which("strace") is None:
        unavailable("strace is not installed: scripts/engines installs it")
    write_function(tmp_path, app="def handler(event, context): return event")
    few, many = calls_of(tmp_path, python, 20), calls_of(tmp_path, python, 120)
    per_invocation = {name: (many[name] - few.get(name, 0)) / 100 for name in many}
    # A call that comes once in a hundred invocations is the allocator's.
    assert {name: round(count, 1) for name, count in per_invocation.items() if count >= 0.05} == EXPECTED
