"""The builder's figures: sizes of the examples, and times of builds: cold, with nothing changed, with one line."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from bench.measure import Timing, run, timings

TOP = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
EXAMPLES = ("hello", "api", "thumbnail", "csv-report")


def environment(cache: Path) -> dict[str, str]:
    """The environment of a user: bytecode of the tool is kept, and the cache is the one given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BUILD_IMAGE_"))}
    return kept | {"BUILD_IMAGE_CACHE_DIR": str(cache)}


def built(example: str, scratch: Path, *options: str) -> dict:
    """The result of one build, as --json tells it."""
    command = [str(BIN / "build-image"), example, "-o", f"oci:out/{example}", "--json", "-q", *options]
    done = subprocess.run(
        command, env=environment(scratch / "cache"), cwd=scratch, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def sizes(scratch: Path) -> Iterator[str]:
    """A row per example and trim level."""
    yield "| example | layers (gzip MB) | image `--trim safe`, gzip MB | unpacked MB | `--trim none`, gzip MB |"
    yield "|---|---|---|---|---|"
    for example in EXAMPLES:
        plain = built(example, scratch, "--trim", "none")
        safe = built(example, scratch)
        layers = ", ".join(f"{layer['name']} {layer['size'] / 1e6:.2f}" for layer in safe["layers"])
        unpacked = sum(layer["size_uncompressed"] for layer in safe["layers"]) / 1e6
        yield f"| {example} | {layers} | **{safe['size'] / 1e6:.2f}** | {unpacked:.1f} | {plain['size'] / 1e6:.2f} |"


def times(scratch: Path, *, runs: int) -> Iterator[str]:
    """A row per example and kind of build."""
    yield "| whole process, median (spread) | " + " | ".join(EXAMPLES) + " |"
    yield "|---|" + "---|" * len(EXAMPLES)
    rows = {
        "cold cache, wheels in uv's": [cold(example, scratch) for example in EXAMPLES],
        "nothing changed": [nothing(example, scratch, runs) for example in EXAMPLES],
        "one line changed, proven": [one_line(example, scratch, runs) for example in EXAMPLES],
        "one line changed, `--no-prove`": [one_line(example, scratch, runs, "--no-prove") for example in EXAMPLES],
    }
    for name, cells in rows.items():
        yield f"| {name} | " + " | ".join(str(cell) for cell in cells) + " |"


def command(example: str, *options: str) -> list[str]:
    """Build one example into a layout."""
    return [str(BIN / "build-image"), example, "-o", f"oci:out/{example}", *options]


def cold(example: str, scratch: Path) -> Timing:
    """Time builds with an empty cache of ours."""
    cache = scratch / "cold"

    def once() -> float:
        shutil.rmtree(cache, ignore_errors=True)
        return run(command(example), environment=environment(cache), folder=scratch)

    return timings([once], count=3, warmup=0)[0]


def nothing(example: str, scratch: Path, runs: int) -> Timing:
    """Time builds with nothing changed."""
    return timings(
        [lambda: run(command(example), environment=environment(scratch / "cache"), folder=scratch)], count=runs
    )[0]


_lines = count()


def one_line(example: str, scratch: Path, runs: int, *options: str) -> Timing:
    """Time builds with one line of the function changed before each."""

    def once() -> float:
        with (scratch / example / "app.py").open("a") as file:
            file.write(f"# {next(_lines)}\n")
        return run(command(example, *options), environment=environment(scratch / "cache"), folder=scratch)

    return timings([once], count=runs)[0]


def help_time(scratch: Path, *, runs: int) -> Timing:
    """`build-image --help`."""
    return timings(
        [lambda: run([str(BIN / "build-image"), "--help"], environment=environment(scratch), folder=scratch)],
        count=runs,
    )[0]


def report(scratch: Path, *, runs: int) -> Iterator[str]:
    """The section of docs/benchmarks.md."""
    for example in EXAMPLES:
        shutil.copytree(TOP / "examples" / example, scratch / example)
        (scratch / "out").mkdir(exist_ok=True)
        built(example, scratch)  # fills uv's cache
    yield from sizes(scratch)
    yield ""
    yield from times(scratch, runs=runs)
    yield ""
    yield f"`build-image --help`: {help_time(scratch, runs=runs)}."
