"""The two halves of this repository together: our runtime under our emulator, as an image runs them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

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
