"""Trimming: the corpus as plain Dockerfile images and as ours at each level: size, files, start, response, memory.

Both sides ship the same Python and answer the same platform (`bench.platform`). Starts are measured in the unpacked
image, without an engine, and once more as `docker run`. The lower bound holds what the kernel saw opened in one call.
What was measured of a function may be kept in a folder, so that a run that was stopped goes on where it was.
"""

import io
import json
import math
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.base import make_base
from bench.build import BIN, environment
from bench.dockerfile import docker, make_context
from bench.platform import render_event, running

TOP = Path(__file__).parents[1]
CORPUS = TOP / "tests" / "conformance" / "corpus"
LEVELS = ("none", "safe", "reachable", "traced")
STARTED = ("dockerfile", "safe", "reachable", "traced")
UNTRIMMED = "safe"  # by what is reached; `none` has no bytecode, and any start looks quick beside it
RUN_AS_CONTAINER = ("dockerfile", "reachable")
# Applications that AWS's runtime client cannot call without an adapter: there, its side only starts.
WEB = ("fastapi", "flask")
COUNT = 3  # runs of each, in turns: the corpus is large, and the figures that matter are ratios

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
_OPENED = re.compile(r'openat\(AT_FDCWD, "(?P<path>[^"]+)"[^=]*\) += \d+|execve\("(?P<program>[^"]+)"')


@dataclass
class Image:
    """One way to make one function's image: `root` is where it is unpacked, `command` and `variables` start it."""

    size: int = 0
    files: int = 0
    root: Path = Path()
    command: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    tag: str = ""
    answers: bool = True
    next_ms: list[float] = field(default_factory=list)
    run_ms: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)


def dockerfile_image(name: str, scratch: Path, sizes: dict[str, int]) -> Image:
    """The function as a careful person's Dockerfile makes it."""
    context = scratch / "context"
    make_context(CORPUS / name, context)
    tag = f"firkin-bench-{name}"
    docker("build", "--quiet", "--build-arg", f"BASE={make_base(scratch)}", "--tag", tag, str(context))
    root = scratch / "dockerfile"
    root.mkdir()
    container = docker("create", tag)
    docker("export", "--output", str(scratch / "export.tar"), container)
    docker("rm", container)
    subprocess.run(["tar", "-C", str(root), "-xf", str(scratch / "export.tar")], check=True)
    size = saved_size(tag, scratch / "export.tar", sizes)
    variables = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    command = ("python3", "-m", "awslambdaric", "app.handler")
    return Image(size, count_files(root), root, command, variables, tag, answers=name not in WEB)


def saved_size(tag: str, file: Path, sizes: dict[str, int]) -> int:
    """Bytes of an engine's image with each layer compressed by gzip at level 6, as a push does."""
    docker("save", "--output", str(file), tag)
    total = 0
    with tarfile.open(file) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        diff_ids = json.load(archive.extractfile(manifest["Config"]))["rootfs"]["diff_ids"]
        for layer, diff_id in zip(manifest["Layers"], diff_ids, strict=True):
            if diff_id not in sizes:
                sizes[diff_id] = compressed(archive.extractfile(layer))
            total += sizes[diff_id]
    file.unlink()
    return total


def compressed(stream: io.BufferedReader) -> int:
    """Bytes of a stream after gzip at level 6."""
    press, total = zlib.compressobj(6, wbits=31), 0
    while piece := stream.read(1 << 20):
        total += len(press.compress(piece))
    return total + len(press.flush())


def count_files(root: Path) -> int:
    """Regular files and links below a folder."""
    return sum(1 for path in root.rglob("*") if path.is_symlink() or path.is_file())


def our_image(name: str, level: str, scratch: Path, cache: Path) -> tuple[Image, dict]:
    """The function as `build-image` makes it at one level, and what it told."""
    source = scratch / "function"
    if not source.exists():
        folder = CORPUS / name if (CORPUS / name).exists() else TOP / "examples" / name
        shutil.copytree(folder, source, ignore=shutil.ignore_patterns("unseen.json"))
    root, tag = scratch / level, f"firkin-bench-{name}-{level}"
    command = [
        str(BIN / "build-image"),
        str(source),
        "--trim",
        level,
        "-t",
        tag,
        "--json",
        "-q",
        "-o",
        f"rootfs:{root}",
    ]
    command += ["-o", "docker"] if level in RUN_AS_CONTAINER else []
    done = subprocess.run(command, env=environment(cache), cwd=scratch, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} at {level}: {done.stderr[-2000:]}")
    told = json.loads(done.stdout)
    (python,) = (path for path in (root / "var/lang/bin").iterdir() if path.name.startswith("python3."))
    start = (f"/var/lang/bin/{python.name}", "-S", "/var/runtime/bootstrap/__main__.py", "app.handler")
    variables = {"PATH": "/var/lang/bin:/usr/bin:/bin", "LAMBDA_TASK_ROOT": "/var/task"}
    return Image(told["size"], count_files(root), root, start, variables, tag), told


@contextmanager
def furnished(roots: Sequence[Path]) -> Iterator[None]:
    """With /proc and /dev in each root, as a container has them."""
    places = []
    try:
        for root in roots:
            for name in ("proc", "dev"):
                (root / name).mkdir(exist_ok=True)
                subprocess.run(["mount", "--bind", f"/{name}", str(root / name)], check=True)
                places.append(root / name)
        yield
    finally:
        for place in reversed(places):
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def start(image: Image, event: bytes) -> None:
    """Start the unpacked image, serve one event, and note the time to the first `/next` and the peak of memory."""
    command = ["unshare", "--root", str(image.root), "--wd", "/var/task", *image.command]
    # As where the file system is read-only: bytecode that is not in the image is made anew at every start.
    with running(command, Path("/"), PYTHONDONTWRITEBYTECODE="1", **image.variables) as runtime:
        image.next_ms.append((runtime.wait_for_next() - runtime.started) * 1e3)
        if image.answers:
            runtime.invoke(event)
        image.peak_mb.append(runtime.peak_bytes() / 1e6)


def run_container(image: Image, event: bytes) -> None:
    """`docker run` to the first response, of an image that gives one."""
    if not image.answers:
        return
    name = f"{image.tag}-run"
    command = [
        "docker",
        "run",
        "--rm",
        "--network",
        "host",
        "--name",
        name,
        "--env",
        "AWS_LAMBDA_RUNTIME_API",
        image.tag,
    ]
    try:
        with running(command, Path("/")) as runtime:
            image.run_ms.append((runtime.invoke(event)[1] - runtime.started) * 1e3)
            subprocess.run(["/usr/bin/docker", "kill", name], capture_output=True, check=False)
    finally:
        subprocess.run(["/usr/bin/docker", "rm", "--force", name], capture_output=True, check=False)


def floor(image: Image, event: bytes, scratch: Path) -> tuple[int, int]:
    """Gzip bytes and number of the files that the kernel saw opened, from the start to the first response."""
    record = scratch / "opened"
    command = ["strace", "-f", "-qq", "-e", "trace=openat,execve", "-o", str(record), "unshare", "--root",
               str(image.root), "--wd", "/var/task", *image.command]  # fmt: skip
    with running(command, Path("/"), **image.variables) as runtime:
        runtime.invoke(event)
    names = {found["path"] or found["program"] for found in _OPENED.finditer(record.read_text(errors="replace"))}
    files = sorted(
        {file for name in names if (file := image.root / name.lstrip("/")).is_file() and not outside(file, image)}
    )
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=6, dereference=True) as archive:
        for file in files:
            archive.add(file, str(file.relative_to(image.root)))
    return len(stream.getvalue()), len(files)


def outside(file: Path, image: Image) -> bool:
    """Whether a path is of the machine's /proc or /dev, or leads out of the image."""
    return file.relative_to(image.root).parts[0] in {"proc", "dev"} or not file.resolve().is_relative_to(image.root)


@dataclass
class Measured:
    """All that was measured of one function."""

    name: str
    images: dict[str, Image]
    floor: tuple[int, int]
    problem: str = ""

    def ratio(self, figure: str, one: str, other: str) -> float:
        """The median of the paired ratios of a figure of two images; not a number where one has none."""
        firsts, seconds = getattr(self.images[one], figure), getattr(self.images[other], figure)
        if not (firsts and seconds):
            return math.nan
        return statistics.median(first / second for first, second in zip(firsts, seconds, strict=True))


def measure(name: str, scratch: Path, cache: Path, sizes: dict[str, int]) -> Measured:
    """Build and measure one function; its images are removed again."""
    event = render_event(min((CORPUS / name / "events").glob("*.json")).read_bytes())
    images = {"dockerfile": dockerfile_image(name, scratch, sizes)}
    try:
        for level in LEVELS:
            images[level], _ = our_image(name, level, scratch, cache)
        with furnished([image.root for image in images.values()]):
            for turn in range(COUNT + 1):
                for kind in STARTED:
                    start(images[kind], event)
                    if not turn:  # the first reads files into memory
                        images[kind].next_ms.clear()
                        images[kind].peak_mb.clear()
            lowest = floor(images["safe"], event, scratch)
        for _ in range(COUNT):
            for kind in RUN_AS_CONTAINER:
                run_container(images[kind], event)
    finally:
        for kind in RUN_AS_CONTAINER:
            if kind in images:
                with suppress(RuntimeError):
                    docker("rmi", "--force", images[kind].tag)
    return Measured(name, images, lowest)


def measured(scratch: Path, functions: Sequence[str], kept: Path | None) -> Iterator[Measured]:
    """Each function of the corpus, or those that are named; what cannot be measured is said."""
    sizes: dict[str, int] = {}
    names = sorted(file.parent.name for file in CORPUS.glob("*/app.py"))
    if unknown := set(functions) - set(names):
        raise SystemExit(f"no functions of the corpus: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    names = [name for name in names if not functions or name in functions]
    for number, name in enumerate(names, 1):
        begun = time.monotonic()
        record = kept / f"{name}.json" if kept else None
        if record and record.exists():
            yield read_measured(json.loads(record.read_text()))
            continue
        found = tried(name, scratch, sizes)
        if record and not found.problem:
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text(json.dumps(asdict(found), default=str))
        spent = f"{time.monotonic() - begun:.0f} s"
        print(f"{number} of {len(names)}: {name}, {spent} {found.problem}".rstrip(), file=sys.stderr, flush=True)
        yield found


def tried(name: str, scratch: Path, sizes: dict[str, int]) -> Measured:
    """What was measured of a function, or why that was not possible; nothing of it is left."""
    own = scratch / name
    own.mkdir()
    try:
        return measure(name, own, scratch / "cache", sizes)
    except (RuntimeError, SystemExit, OSError, subprocess.SubprocessError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return Measured(name, {}, (0, 0), str(error).partition("\n")[0][:200] or type(error).__name__)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def read_measured(value: dict) -> Measured:
    """What was kept of a function, without its images."""
    images = {
        kind: Image(**{**one, "root": Path(one["root"]), "command": tuple(one["command"])})
        for kind, one in value["images"].items()
    }
    return Measured(value["name"], images, tuple(value["floor"]))


def mb(size: float) -> str:
    """Megabytes with two decimals."""
    return f"{size / 1e6:.2f}"


def row_of(*cells: object) -> str:
    """A line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def size_table(rows: Sequence[Measured]) -> Iterator[str]:
    """Sizes and files."""
    head = (
        "function",
        "Dockerfile",
        *(f"`{level}`" for level in LEVELS),
        "opened in one call",
        "Dockerfile ÷ `reachable`",
    )
    yield "gzip MB, and files:"
    yield ""
    yield row_of(*head)
    yield "|---" * len(head) + "|"
    for row in rows:
        cells = [f"{mb(row.images[kind].size)}, {row.images[kind].files}" for kind in ("dockerfile", *LEVELS)]
        cells[3] = f"**{cells[3]}**"
        ratio = row.images["dockerfile"].size / row.images["reachable"].size
        yield row_of(row.name, *cells, f"{mb(row.floor[0])}, {row.floor[1]}", f"{ratio:.1f}")


def medians(images: Sequence[Image], figure: str) -> str:
    """The medians of a figure of some images."""
    found = (getattr(image, figure) for image in images)
    return ", ".join(f"{statistics.median(values):.0f}" if values else "none" for values in found)


def time_table(rows: Sequence[Measured]) -> Iterator[str]:
    """Starts and memory."""
    head = (
        "function", f"exec → first `/next`, ms: Dockerfile, {', '.join(f'`{level}`' for level in STARTED[1:])}",
        f"`reachable` ÷ `{UNTRIMMED}`", "`docker run` → first response, ms: both", "ratio",
        f"peak MB: Dockerfile, `{UNTRIMMED}`, `reachable`",
    )  # fmt: skip
    yield row_of(*head)
    yield "|---" * len(head) + "|"
    for row in rows:
        starts = medians([row.images[kind] for kind in STARTED], "next_ms")
        runs = medians([row.images[kind] for kind in RUN_AS_CONTAINER], "run_ms")
        peaks = medians([row.images[kind] for kind in ("dockerfile", UNTRIMMED, "reachable")], "peak_mb")
        started, ran = row.ratio("next_ms", "reachable", UNTRIMMED), row.ratio("run_ms", "reachable", "dockerfile")
        yield row_of(row.name, starts, f"{started:.2f}", runs, f"{ran:.2f}", peaks)


def plain_sizes(name: str, scratch: Path) -> dict[str, int]:
    """Gzip bytes of a function of examples/ at the levels that were asked for."""
    own = scratch / name
    own.mkdir()
    sizes = {level: our_image(name, level, own, scratch / "cache")[0].size for level in ("reachable", "traced")}
    docker("rmi", "--force", f"firkin-bench-{name}-reachable")
    shutil.rmtree(own)
    return sizes


def asked_table(rows: Sequence[Measured], scratch: Path) -> Iterator[str]:
    """What was asked for, and what came of it."""
    by_name = {row.name: row for row in rows}
    yield "| asked for | found |"
    yield "|---|---|"
    for name, (reachable, traced) in ASKED.items():
        if name in by_name:
            plain = PLAIN.get(name)
            images = by_name[name].images
            sizes = plain_sizes(plain, scratch) if plain else {level: image.size for level, image in images.items()}
            which = f"{name} (examples/{plain})" if plain else name
            asked = f"{which}: gzip MB at `reachable` at most {reachable}, at `traced` at most {traced}"
            yield row_of(asked, f"{mb(sizes['reachable'])}, {mb(sizes['traced'])}")
    reductions = [row.images["dockerfile"].size / row.images["reachable"].size for row in rows]
    asked = f"median of the Dockerfile image's size ÷ that at `reachable`: at least {ASKED_REDUCTION:g}"
    yield row_of(asked, f"{statistics.median(reductions):.2f}")
    for name in ("echo", "pandas"):
        if name in by_name:
            ratio = by_name[name].ratio("run_ms", "reachable", "dockerfile")
            asked = f"{name}: `docker run` → first response ÷ the Dockerfile image's: at most {ASKED_RUN_RATIO}"
            yield row_of(asked, f"{ratio:.2f}")
    slower = {row.name: row.ratio("next_ms", "reachable", UNTRIMMED) for row in rows}
    worst = max(slower, key=lambda name: slower[name])
    found = f"median {statistics.median(slower.values()):.2f}, worst {slower[worst]:.2f} ({worst})"
    yield row_of(f"start-up never slower than untrimmed (`reachable` ÷ `{UNTRIMMED}`)", found)


def papers_table(rows: Sequence[Measured]) -> Iterator[str]:
    """λ-trim's published figures beside ours, as ratios after ÷ before: machines and functions are not the same."""
    head = ("application", "λ-trim: import time", "ours: exec → first `/next`", "λ-trim: memory", "ours: peak memory")
    yield row_of(*head)
    yield "|---" * len(head) + "|"
    for row in rows:
        if row.name in LAMBDA_TRIM:
            before, after, memory, less = LAMBDA_TRIM[row.name]
            ours = tuple(row.ratio(figure, "reachable", UNTRIMMED) for figure in ("next_ms", "peak_mb"))
            yield row_of(
                row.name, f"{after / before:.2f}", f"{ours[0]:.2f}", f"{less / memory:.2f}", f"{ours[1]:.2f}"
            )  # fmt: skip


def trimming_time(scratch: Path) -> str:
    """Seconds of the step `trim` for pandas when the function imports another module: all files were read before."""
    scratch.mkdir()
    _, told = our_image("pandas", "reachable", scratch, scratch.parent / "cache")
    with (scratch / "function" / "app.py").open("a") as file:
        file.write("import sched\n")
    shutil.rmtree(scratch / "reachable")
    _, told = our_image("pandas", "reachable", scratch, scratch.parent / "cache")
    docker("rmi", "--force", "firkin-bench-pandas-reachable")
    spent = {step["name"]: step["seconds"] for step in told["steps"]}
    asked = f"trimming the pandas function again, which imports one more module, seconds: at most {ASKED_TRIM_S:g}"
    return row_of(asked, f"{spent.get('trim', 0):.2f}")


def report(scratch: Path, *, runs: int, functions: Sequence[str] = (), kept: Path | None = None) -> Iterator[str]:
    """The section of docs/benchmarks.md; `runs` does not count here, see COUNT.

    `functions` are those of the corpus, all unless named; in `kept` is what was measured of some before.
    """
    del runs
    make_base(scratch)
    found = list(measured(scratch, functions, kept))
    rows = [row for row in found if not row.problem]
    if not rows:
        raise SystemExit("nothing was measured")
    yield from asked_table(rows, scratch)
    if not functions or "pandas" in functions:
        yield trimming_time(scratch / "again")
    yield ""
    yield from size_table(rows)
    yield ""
    yield from time_table(rows)
    yield ""
    yield from papers_table(rows)
    yield ""
    yield f"{' and '.join(WEB)}: AWS's runtime client calls no web application without an adapter; it is started only."
    yield f"Medians of {COUNT} runs in turns; ratios are medians of pairs."
    yield "Sizes are those of layers compressed by gzip, of ours as they are stored."
    for row in found:
        if row.problem:
            yield f"Not measured: {row.name} ({row.problem})."
