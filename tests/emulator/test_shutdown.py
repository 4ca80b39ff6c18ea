"""The end of an environment: how long it may take, and who is told."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import Emulator
from emulator.shutdown import shutdown_phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator import Settings

AGENT = Path(__file__).parent / "runtimes/agent.py"


@pytest.mark.parametrize(
    ("asked_s", "external", "internal", "phase"),
    [
        (None, False, False, (0, 0)),
        (None, False, True, (0.5, 0.5)),
        (None, True, False, (2, 0.3)),
        (None, True, True, (2, 0.5)),
        (4.0, False, False, (4, 4)),
        (4.0, False, True, (4, 4)),
        (4.0, True, False, (4, 0.6)),
        (4.0, True, True, (4, 1)),
        (0.0, True, True, (0, 0)),
    ],
)
def test_the_platforms_times(asked_s: float | None, *, external: bool, internal: bool, phase: tuple) -> None:
    """Lambda's own, and another length shared out as Lambda shares its."""
    assert shutdown_phase(asked_s, external=external, internal=internal) == pytest.approx(phase)


@given(asked_s=st.none() | st.floats(0, 1e6), external=st.booleans(), internal=st.booleans())
def test_the_runtime_never_has_more_than_all(asked_s: float | None, *, external: bool, internal: bool) -> None:
    """Whatever is asked for."""
    phase = shutdown_phase(asked_s, external=external, internal=internal)
    assert 0 <= phase.runtime_s <= phase.whole_s


def log_of(settings: Settings) -> str:
    """All that was written during a life with one event."""

    async def story() -> str:
        log = bytearray()
        async with Emulator(settings, log=log.extend) as emulator:
            await emulator.invoke(b"1")
        return log.decode()

    return asyncio.run(story())


def test_without_extensions_nobody_is_told(settings: Callable[..., Settings], tmp_path: Path) -> None:
    """As on Lambda, the runtime is killed at once, also where the folder of extensions is empty."""
    (tmp_path / "empty").mkdir()
    for folder in (None, str(tmp_path / "empty")):
        assert "goodbye" not in log_of(settings("minds_sigterm", extensions=folder))


def test_more_time_is_told_with_sigterm(settings: Callable[..., Settings]) -> None:
    """Asked for, or because an internal extension registered."""
    plain = settings("minds_sigterm", shutdown_s=60.0)
    assert log_of(plain).count("goodbye") == 1
    inner = replace(plain, shutdown_s=None, environment={**plain.environment, "INNER": "1"})
    assert log_of(inner).count("goodbye") == 1


def test_the_runtime_ends_before_the_extensions_are_told(settings: Callable[..., Settings], tmp_path: Path) -> None:
    """Both within the platform's phase; without time for it neither is told."""
    (tmp_path / "agent").write_text(f"#!{sys.executable} -S\n{AGENT.read_text()}")
    (tmp_path / "agent").chmod(0o755)
    plain = settings("minds_sigterm", extensions=str(tmp_path), shutdown_s=60.0)
    assert re.findall(r"^(?:goodbye|agent SHUTDOWN)", log_of(plain), re.MULTILINE) == ["goodbye", "agent SHUTDOWN"]
    assert "goodbye" not in log_of(replace(plain, shutdown_s=0.0))


@pytest.mark.parametrize(("flags", "told"), [([], False), (["--shutdown-timeout", "60"], True), (["--http"], True)])
def test_the_program(flags: list[str], *, told: bool, program: Callable) -> None:
    """Its option, and more time by default where HTTP is served."""
    own = program("minds_sigterm", *flags)
    url = f"http://127.0.0.1:{own.port}/2015-03-31/functions/function/invocations"
    with urllib.request.urlopen(url, b"1", timeout=30):
        pass  # now it is there
    os.kill(own.process.pid, signal.SIGTERM)
    out, _ = own.process.communicate(timeout=30)
    assert (own.process.returncode, b"goodbye" in out) == (0, told)
