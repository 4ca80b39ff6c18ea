"""A long life of the runtime: very many invocations, each with ids of its own, and its memory on the way.

Every thousandth invocation raises and every ten-thousandth is large, so that no path is left out. Memory is looked at
between two events, when the runtime waits. Sizes and counts only; time is for `bench.runtime`.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from bench.platform import Runtime, render_event, running

TOP = Path(__file__).parents[1]
COMMAND = (sys.executable, "-S", str(TOP / "bootstrap/__main__.py"), "app.handler")
SOURCE = """
import os
def handler(event, context):
    if event["number"] % 1000 == 999:
        raise ValueError(event["number"])
    return {"event": event, "id": context.aws_request_id, "trace": os.environ["_X_AMZN_TRACE_ID"]}
"""
SAMPLES = 10
SETTLED = 12_000  # at 10,000 the trace id moves, and `ctypes` is loaded for it: a megabyte, once
# What the allocators of Python and libc may still settle to, over any number of invocations.
ALLOWANCE_BYTES = 1_000_000


def event(number: int) -> bytes:
    """The `/next` response of invocation `number`."""
    filler = "x" * (200_000 if number % 10_000 == 5_000 else 20)
    return render_event(
        f'{{"number": {number}, "text": "{filler}"}}'.encode(),
        request_id=f"{number:08x}-e9f4-11e8-9739-2dfe598c3fcd",
        trace_id=f"Root=1-{number:08x}-bd862e3fe1be46a994272793;Parent={number:016x};Sampled=1",
    )


def serve(runtime: Runtime, begin: int, end: int) -> int:
    """Serve the invocations from `begin` up to `end`; return the resident bytes when the runtime waits again."""
    for number in range(begin, end):
        runtime.invoke(event(number), failing=number % 1000 == 999)
    runtime.wait_for_next()
    return runtime.resident_bytes()


def resident(counts: Sequence[int], folder: Path) -> Iterator[int]:
    """Yield the resident bytes after each of the `counts`, of one process."""
    (folder / "app.py").write_text(SOURCE)
    with running(COMMAND, folder) as runtime:
        for begin, end in pairwise([0, *counts]):
            yield serve(runtime, begin, end)


def main(total: int) -> None:
    """Print the memory at every tenth of the way; exit with 1 if it grew after the first that is settled."""
    counts = [total * part // SAMPLES for part in range(1, SAMPLES + 1)]
    with tempfile.TemporaryDirectory(prefix="firkin-soak-") as scratch:
        figures = []
        for count, figure in zip(counts, resident(counts, Path(scratch)), strict=True):
            figures.append(figure)
            print(f"{count:>9,} invocations: {figure / 1e6:.2f} MB", flush=True)
    first = next((index for index, count in enumerate(counts) if count >= SETTLED), 0)
    grown = figures[-1] - figures[first]
    if grown > ALLOWANCE_BYTES:
        sys.exit(f"memory grew by {grown} bytes between {counts[first]} and {total} invocations")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
