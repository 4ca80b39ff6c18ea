"""A long life: memory does not grow with the number of invocations. `scripts/soak-runtime` runs a million of them."""

from __future__ import annotations

from bench.soak_runtime import ALLOWANCE_BYTES, resident

FEW = 11_000  # more than the runtime needs to settle: the trace id moves to its own place at 10,000
MANY = 5 * FEW


def test_memory_after_many_invocations_is_memory_after_few(tmp_path) -> None:
    """Events with ids of their own, failures and large ones among them; a leak of 23 bytes each would show."""
    after_few, after_many = resident([FEW, MANY], tmp_path)
    assert after_many - after_few < ALLOWANCE_BYTES
