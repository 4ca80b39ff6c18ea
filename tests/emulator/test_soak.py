"""What the emulator's process holds does not grow: a short form of `scripts/soak`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.soak import soak

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_is_leaked(tmp_path: Path) -> None:
    """After thousands of invocations and dozens of restarts it has the descriptors, runtimes and threads it had.

    Memory may not grow by more than an allocator's slack, which a leak of 100 bytes each would exceed in the long form.
    """
    before, after = soak(tmp_path, invocations=3000, restarts=25)
    assert (after.descriptors, after.children, after.threads) == (before.descriptors, before.children, before.threads)
    assert after.memory_kb < before.memory_kb + 2048
