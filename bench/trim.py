"""Trimming: the corpus as plain Dockerfile images and as ours at each level: size, files, start, response, memory.

Both sides ship the same Python and answer the same platform (`bench.platform`). Starts are measured in the unpacked
image, without an engine, and once more as `docker run`. The lower bound holds what the kernel saw opened in one call.
"""

import math
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.base import make_base
from bench.corpus import CORPUS, Image, our_image
from bench.trim_measure import FAILURES, measured
from bench.trim_tables import PLAIN, asked_table, notes, papers_table, size_table, time_table


def plain_images(name: str, scratch: Path) -> dict[str, Image]:
    """A function of examples/ at the levels that were asked for, as far as it can be built."""
    own = scratch / f"plain-{name}"
    own.mkdir()
    images = {}
    for level in ("reachable", "traced"):
        try:
            images[level], _ = our_image(name, level, own, scratch / "cache")
        except FAILURES as error:
            print(f"{name}: {error}", file=sys.stderr)
    shutil.rmtree(own)
    return images


def trimming_s(scratch: Path) -> float:
    """Seconds of the step `trim` for pandas when the function imports another module: all files were read before."""
    own = scratch / "again"
    own.mkdir()
    our_image("pandas", "reachable", own, scratch / "cache")
    with (own / "function" / "app.py").open("a") as file:
        file.write("import sched\n")
    shutil.rmtree(own / "reachable")
    _, told = our_image("pandas", "reachable", own, scratch / "cache")
    spent = {step["name"]: step["seconds"] for step in told["steps"]}
    return spent.get("trim", math.nan)


def report(scratch: Path, *, runs: int, functions: Sequence[str] = (), kept: Path | None = None) -> Iterator[str]:
    """The section of docs/benchmarks.md; `runs` does not count here, see `starts`.

    `functions` are those of the corpus, all unless named; in `kept` is what was measured of some before.
    """
    del runs
    names = sorted(file.parent.name for file in CORPUS.glob("*/app.py"))
    if unknown := set(functions) - set(names):
        raise SystemExit(f"no functions of the corpus: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    names = [name for name in names if not functions or name in functions]
    make_base(scratch)
    rows = sorted(measured(scratch, names, kept), key=lambda row: row.name)
    plain = {PLAIN[name]: plain_images(PLAIN[name], scratch) for name in names if name in PLAIN}
    try:
        again = trimming_s(scratch) if "pandas" in names else math.nan
    except FAILURES as error:
        print(f"trimming pandas again: {error}", file=sys.stderr)
        again = math.nan
    yield from asked_table(rows, plain, again)
    for table in (size_table, time_table, papers_table, notes):
        yield ""
        yield from table(rows)
