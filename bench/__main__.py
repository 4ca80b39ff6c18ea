"""`python -m bench [--runs N] [NAME…]`: run the measurements and write their sections into docs/benchmarks.md."""

import argparse
import datetime as dt
import functools
import re
import sys
import tempfile
from pathlib import Path

from bench import build, concurrency, emulator, long_streams, runtime, streams, trim
from bench.measure import machine

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
SECTIONS = {
    "build": build.report,
    "runtime": runtime.report,
    "concurrency": concurrency.report,
    "emulator": emulator.report,
    "streams": streams.report,
    "long-streams": long_streams.report,
    "trim": trim.report,
}
RUNS = 7


def main(arguments: list[str]) -> None:
    """Measure the named sections, or all, and put each between its markers."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure, and write docs/benchmarks.md.")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each case, in turns; {RUNS} unless told")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"sections: {', '.join(SECTIONS)}; all unless told")
    parser.add_argument("--functions", default="", help="of the corpus, for trim, joined by commas; writes no page")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="for trim: what was measured, and need not be again"
    )
    asked = parser.parse_args(arguments)
    functions = tuple(filter(None, asked.functions.split(",")))
    sections = SECTIONS | {"trim": functools.partial(trim.report, functions=functions, kept=asked.keep)}
    for name in asked.names or SECTIONS:
        with tempfile.TemporaryDirectory(prefix="firkin-bench-") as scratch:
            lines = [f"Measured {dt.datetime.now(tz=dt.UTC).date()} on {machine()}.", ""]
            print("\n".join(lines))
            for line in sections[name](Path(scratch), runs=asked.runs):
                print(line, flush=True)
                lines.append(line)
        if functions:  # a part, which is no section
            continue
        body = "\n".join(lines)
        page = PAGE.read_text(encoding="utf-8")
        place = re.search(rf"<!-- {name} -->\n(?P<old>.*?)<!-- /{name} -->", page, re.DOTALL)
        if not place:
            sys.exit(f"{PAGE} has no place for {name}: add <!-- {name} --> and <!-- /{name} -->")
        begin, end = place.span("old")
        PAGE.write_text(page[:begin] + body + "\n" + page[end:], encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
