"""What was measured of trimming as tables, beside what was asked for and what papers say. Pure: never measures."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence

from bench.corpus import Image
from bench.starts import COUNT, MIN_PAIRS, PAIRS, RUN_AS_CONTAINER, RUNS, RUNS_ASKED, UNTRIMMED_COUNT
from bench.trim_measure import LEVELS, Measured

KINDS = ("dockerfile", *LEVELS)
UNTRIMMED = "safe"  # by what is reached; `none` has no bytecode, and any start looks quick beside it

# gzip MB at `reachable` and at `traced` that were asked for.
ASKED = {"echo": (6.5, 5.0), "boto3-s3": (13.0, 10.5), "pandas": (38.0, 34.0), "fastapi": (15.0, 12.5)}
# Where the corpus's function does many things at once, so that its unseen events have paths to take, these figures are
# of the plain one in examples/: reading a table and summing it up, and an API of four routes.
PLAIN = {"pandas": "csv-report", "fastapi": "api"}
# λ-trim's published figures for applications of the same kind: import seconds before and after, MB before and after.
# Source: xutingl/lambda-trim-artifact, experiments/debloat/tables, the data of figure 8 of the paper (ASPLOS 2025).
LAMBDA_TRIM = {
    "dna-visualization": (0.18, 0.10, 57.01, 44.44),
    "ffmpeg": (0.06, 0.06, 297.0, 297.0),
    "igraph": (0.09, 0.05, 40.0, 36.83),
    "image-resize": (0.38, 0.40, 95.23, 95.83),
    "jsym": (0.56, 0.50, 83.58, 81.49),
    "lightgbm": (0.57, 0.26, 120.22, 74.0),
    "lxml": (0.25, 0.23, 58.01, 57.89),
    "markdown": (0.04, 0.04, 32.25, 32.64),
    "pandas": (0.67, 0.55, 106.03, 95.35),
    "scikit": (0.30, 0.24, 177.01, 159.66),
    "shapely-numpy": (0.20, 0.19, 58.42, 51.85),
    "skimage": (0.97, 0.57, 173.0, 100.25),
    "spacy": (2.07, 1.39, 202.0, 161.23),
    "wine": (1.98, 1.70, 271.01, 240.04),
}
ASKED_RUN_RATIO = 0.6
ASKED_REDUCTION = 4.0
ASKED_TRIM_S = 3.0
RULE = (
    "Slower is a function whose `reachable` ÷ `safe` lies above 1.00 with its whole interval, the sign test's over "
    f"{PAIRS} pairs of starts (at least {MIN_PAIRS} where they take long). It is that wide, 99.8 %, because every "
    "function of the corpus is asked. `none`, untrimmed in the strict sense, has no bytecode: it compiles what it "
    "imports at every start."
)


def mb(size: float) -> str:
    """Megabytes with two decimals."""
    return f"{size / 1e6:.2f}"


def row_of(*cells: object) -> str:
    """A line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def head_of(*cells: str) -> Iterator[str]:
    """The first lines of a table."""
    yield row_of(*cells)
    yield "|---" * len(cells) + "|"


def reduction(row: Measured) -> float:
    """The Dockerfile image's size by that at `reachable`; not a number where one of them was not made."""
    sizes = [row.images[kind].size for kind in ("dockerfile", "reachable") if kind in row.images]
    return sizes[0] / sizes[1] if len(sizes) == 2 else math.nan


def shown(value: float, form: str) -> str:
    """A figure, or that there is none."""
    return "none" if math.isnan(value) else format(value, form)


def size_table(rows: Sequence[Measured]) -> Iterator[str]:
    """Sizes and files."""
    levels = (f"`{level}`" for level in LEVELS)
    yield "gzip MB, and files:"
    yield ""
    yield from head_of("function", "Dockerfile", *levels, "opened in one call", "Dockerfile ÷ `reachable`")
    for row in rows:
        made = [(row.images[kind].size, row.images[kind].files) if kind in row.images else None for kind in KINDS]
        cells = [f"{mb(one[0])}, {one[1]}" if one else "failed" for one in (*made, row.floor)]
        cells[3] = f"**{cells[3]}**"
        yield row_of(row.name, *cells, shown(reduction(row), ".1f"))


def medians(row: Measured, kinds: Sequence[str], figure: str, form: str) -> str:
    """The medians of a figure of some images."""
    found = (getattr(row.images.get(kind), figure, []) for kind in kinds)
    return ", ".join(format(statistics.median(values), form) if values else "none" for values in found)


def time_table(rows: Sequence[Measured]) -> Iterator[str]:
    """Starts and memory."""
    yield from head_of(
        "function", f"exec → first `/next`, ms: Dockerfile, {', '.join(f'`{level}`' for level in LEVELS)}",
        f"`reachable` ÷ `{UNTRIMMED}`", "`docker run` → first response, ms: both", "ratio",
        f"peak MB: Dockerfile, `{UNTRIMMED}`, `reachable`",
    )  # fmt: skip
    for row in rows:
        yield row_of(
            row.name,
            medians(row, KINDS, "next_ms", ".0f"),
            row.ratio("next_ms", "reachable", UNTRIMMED),
            medians(row, RUN_AS_CONTAINER, "run_ms", ".0f"),
            shown(row.ratio("run_ms", "reachable", "dockerfile").median, ".2f"),
            medians(row, ("dockerfile", UNTRIMMED, "reachable"), "peak_mb", ".1f"),
        )


def asked_table(rows: Sequence[Measured], plain: Mapping[str, Mapping[str, Image]], trim_s: float) -> Iterator[str]:
    """What was asked for, and what came of it; `plain` are images of examples, `trim_s` is NaN if not measured."""
    by_name = {row.name: row for row in rows}
    yield from head_of("asked for", "found")
    for name, (reachable, traced) in ASKED.items():
        if name in by_name:
            images = plain[PLAIN[name]] if name in PLAIN else by_name[name].images
            which = f"{name} (examples/{PLAIN[name]})" if name in PLAIN else name
            sizes = [mb(images[level].size) if level in images else "failed" for level in ("reachable", "traced")]
            asked = f"{which}: gzip MB at `reachable` at most {reachable}, at `traced` at most {traced}"
            yield row_of(asked, ", ".join(sizes))
    reductions = [reduction(row) for row in rows if not math.isnan(reduction(row))]
    if reductions:
        asked = f"median of the Dockerfile image's size ÷ that at `reachable`: at least {ASKED_REDUCTION:g}"
        yield row_of(asked, f"{statistics.median(reductions):.2f}")
    for name in ("echo", "pandas"):
        if name in by_name:
            asked = f"{name}: `docker run` → first response ÷ the Dockerfile image's: at most {ASKED_RUN_RATIO}"
            yield row_of(asked, shown(by_name[name].ratio("run_ms", "reachable", "dockerfile").median, ".2f"))
    yield row_of(f"start-up never slower than untrimmed (`reachable` ÷ `{UNTRIMMED}`)", slower(rows))
    if not math.isnan(trim_s):
        asked = f"trimming the pandas function again, which imports one more module, seconds: at most {ASKED_TRIM_S:g}"
        yield row_of(asked, f"{trim_s:.2f}")


def slower(rows: Sequence[Measured]) -> str:
    """Which functions start slower beyond noise, and the worst of all."""
    ratios = {row.name: row.ratio("next_ms", "reachable", UNTRIMMED) for row in rows}
    ratios = {name: ratio for name, ratio in ratios.items() if not math.isnan(ratio.median)}
    if not ratios:
        return "not measured"
    names = [name for name, ratio in ratios.items() if ratio.is_slower]
    worst = max(ratios, key=lambda name: ratios[name].median)
    median = statistics.median(ratio.median for ratio in ratios.values())
    told = f"{len(names)} of {len(ratios)}: {', '.join(names)}" if names else f"none of {len(ratios)}"
    return f"slower beyond noise: {told}; median {median:.2f}, worst {ratios[worst]} ({worst})"


def papers_table(rows: Sequence[Measured]) -> Iterator[str]:
    """λ-trim's published figures beside ours, as ratios after ÷ before: machines and functions are not the same."""
    yield from head_of(
        "application", "λ-trim: import time", "ours: exec → first `/next`", "λ-trim: memory", "ours: peak memory"
    )
    for row in rows:
        if row.name in LAMBDA_TRIM:
            before, after, memory, less = LAMBDA_TRIM[row.name]
            ours = [shown(row.ratio(figure, "reachable", UNTRIMMED).median, ".2f") for figure in ("next_ms", "peak_mb")]
            yield row_of(row.name, f"{after / before:.2f}", ours[0], f"{less / memory:.2f}", ours[1])


def notes(rows: Sequence[Measured]) -> Iterator[str]:
    """How the figures came about, and what is missing."""
    yield (
        f"{RULE} Medians of {COUNT} runs of the Dockerfile image and of `traced`, {UNTRIMMED_COUNT} of `none`, and of "
        f"the pairs; `docker run` {RUNS} times in turns, {RUNS_ASKED} times where a figure is asked for; ratios are "
        "medians of pairs."
    )
    yield (
        "On the Dockerfile side fastapi has Mangum and flask apig-wsgi, for AWS's runtime client calls no web "
        "application, and lightgbm Debian's libgomp1. `none` and `safe` are built without proof. Sizes are those of "
        "layers compressed by gzip, of ours as they are stored."
    )
    for row in rows:
        for problem in row.problems:
            yield f"Not measured: {row.name}, {problem}."
