"""The two halves of this repository together: our runtime under our emulator, as an image runs them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

import emulator

BOOTSTRAP = Path(emulator.__file__).resolve().parents[1] / "bootstrap/__main__.py"

SOURCE = """
import sys
def handler(event, context):
    if event == "raise":
        raise ValueError("no")
    if event == "large":
        return "x" * (6 * 1024 * 1024 + 101)
    print("said", file=sys.stderr)
    return {"got": event, "id": context.aws_request_id}
"""


def test_our_runtime_under_our_emulator(tmp_path: Path) -> None:
    """Events are answered, errors marked, and an answer that is too large does not end the runtime."""
    (tmp_path / "app.py").write_text(SOURCE)
    settings = emulator.Settings(
        [sys.executable, "-S", str(BOOTSTRAP), "app.handler"], {"PATH": os.environ["PATH"]}, cwd=str(tmp_path)
    )

    async def story() -> list[emulator.Outcome]:
        async with emulator.Emulator(settings) as running:
            return [await running.invoke(event) for event in (b'"hello"', b'"raise"', b'"large"', b'"again"')]

    hello, raised, large, again = asyncio.run(story())
    assert json.loads(hello.payload) == {"got": "hello", "id": hello.request_id}
    assert b"said" in hello.log
    assert (raised.status, raised.function_error) == (200, "Unhandled")
    assert json.loads(raised.payload)["errorType"] == "ValueError"
    assert large.function_error == "Unhandled"
    assert json.loads(large.payload)["errorType"] == "Function.ResponseSizeTooLarge"
    assert json.loads(again.payload)["got"] == "again"
    assert again.init_ms is None


PARALLEL = """
import os, time
def handler(event, context):
    open(f"in-{context.aws_request_id}", "w").close()
    while len([name for name in os.listdir(".") if name.startswith("in-")]) < event:
        time.sleep(0.01)
    return os.getpid()
"""


@pytest.mark.network
@pytest.mark.parametrize("runtime", ["awslambdaric", "ours"])
def test_managed_instances(tmp_path: Path, runtime: str, awslambdaric_python: str) -> None:
    """Four invocations are at work at a time in one environment, whoever's workers they are with."""
    (tmp_path / "app.py").write_text(PARALLEL)
    commands = {
        "awslambdaric": [awslambdaric_python, "-m", "awslambdaric", "app.handler"],
        "ours": [sys.executable, "-S", str(BOOTSTRAP), "app.handler"],
    }
    settings = emulator.Settings(
        commands[runtime],
        {"PATH": os.environ["PATH"], "AWS_LAMBDA_MAX_CONCURRENCY": "4"},
        cwd=str(tmp_path),
        timeout_s=30.0,
        init_limit_s=30.0,
    )

    async def story() -> list[emulator.Outcome]:
        async with emulator.Emulator(settings) as running:
            together = await asyncio.gather(*(running.invoke(b"4") for _ in range(4)))
            return [*together, *await asyncio.gather(*(running.invoke(b"1") for _ in range(20)))]

    outcomes = asyncio.run(story())
    assert [outcome.function_error for outcome in outcomes] == [None] * 24
    assert sum(outcome.init_ms is not None for outcome in outcomes) == 1
    assert len({outcome.payload for outcome in outcomes[:4]}) == 4
