"""The builder's figures: sizes of the examples, and builds in turns with `docker build` of the equivalent Dockerfile.

What is compared: both sides have all wheels on this disk, and neither asks a network for anything. Ours are in uv's
cache as a first build of the function left it: unpacked, so that installing them is making links. Docker's are in the
build's context, packed, as pip's cache holds them, and pip installs them without an index, which with its cache it
would still ask. Docker's base is in the engine, as if it had been pulled, with the interpreter in it; what is cold is
the cache of its layers (`--no-cache`). Ours has an empty cache, a new folder each time and deleted at the end (ext4
makes files slowly for minutes after many were deleted), in which the interpreter's layer is made as well, and
once one that another function left. Only ours runs what was built, trims it, and compiles its bytecode.

Progress goes to stderr, rows to stdout as they are measured: what ends early leaves what it had.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.base import make_base
from bench.dockerfile import docker, make_context
from bench.large import MEGABYTE, peak_bytes, write_large_function
from bench.measure import Timing, run, timings

TOP = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
EXAMPLES = ("hello", "api", "thumbnail", "csv-report")
CORPUS = TOP / "tests" / "conformance" / "corpus"
COMPARED = {
    "hello": TOP / "examples" / "hello",
    "boto3": CORPUS / "boto3-s3",
    "pandas": TOP / "examples" / "csv-report",
    "FastAPI": TOP / "examples" / "api",
}
# What AWS's runtime client needs besides to call the application, which ours calls as it is.
ADAPTERS = {"FastAPI": TOP / "bench" / "peers" / "adapters" / "fastapi"}
OTHER = "other"  # a function that is measured nowhere: what a cache holds that was used before

ASKED_NOTHING_S = 0.25
ASKED_LINE_S = {"--no-prove": 0.4, "--prove": 0.8}
ASKED_LINE_RATIO = 1.0
ASKED_COLD_RATIO = 0.35
LARGE_MB = 500
ASKED_LARGE_MB = 200
ASKED_PUSH_REQUESTS = 5
MOST_COLD_RUNS = 3  # of cold builds, half a minute each with pandas: the whole section takes some ten minutes

_numbers = count()


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
    yield "| example | layers (gzip MB) | image as built by default, gzip MB | unpacked MB | `--trim none`, gzip MB |"
    yield "|---|---|---|---|---|"
    for example in EXAMPLES:
        progress(f"size of {example}")
        shutil.copytree(TOP / "examples" / example, scratch / example)
        plain = built(example, scratch, "--trim", "none")
        usual = built(example, scratch)
        layers = ", ".join(f"{layer['name']} {layer['size'] / 1e6:.2f}" for layer in usual["layers"])
        unpacked = sum(layer["size_uncompressed"] for layer in usual["layers"]) / 1e6
        yield f"| {example} | {layers} | **{usual['size'] / 1e6:.2f}** | {unpacked:.1f} | {plain['size'] / 1e6:.2f} |"


@dataclass(frozen=True, slots=True)
class Pair:
    """One function, built by both: `folder` holds it as `function` for us and as `context` for Docker."""

    name: str
    folder: Path
    base: str

    @classmethod
    def make(cls, name: str, source: Path, scratch: Path, base: str) -> "Pair":
        """The folders of a function; both sides' wheels are fetched, and both have been built once."""
        folder = scratch / f"pair-{name}"
        ignored = shutil.ignore_patterns("unseen.json")
        shutil.copytree(source, folder / "function", ignore=ignored)
        make_context(source, folder / "context", adapter=ADAPTERS.get(name))
        pair = cls(name, folder, base)
        pair.ours(pair.cache)
        pair.docker()
        return pair

    @property
    def cache(self) -> Path:
        """Our cache, warm."""
        return self.folder / "cache"

    @property
    def tag(self) -> str:
        """The engine's name of the image."""
        return f"firkin-bench-build-{self.name.lower()}"

    def ours(self, cache: Path, *options: str) -> float:
        """Seconds of our build."""
        command = [str(BIN / "build-image"), "function", "-o", "oci:out", *options]
        return run(command, environment=environment(cache), folder=self.folder)

    def docker(self, *options: str) -> float:
        """Seconds of the engine's build."""
        arguments = ["docker", "build", "--quiet", *options, "--build-arg", f"BASE={self.base}", "--tag", self.tag]
        variables = {**environment(self.cache), "DOCKER_BUILDKIT": "0"}
        return run([*arguments, "context"], environment=variables, folder=self.folder)

    def change(self) -> None:
        """Change one line of the function, on both sides."""
        line = f"# {next(_numbers)}\n"
        for place in ("function", "context/function"):
            with (self.folder / place / "app.py").open("a") as file:
                file.write(line)

    def cold(self, before: Path | None = None, *options: str) -> float:
        """Seconds of our build with a cache that is empty, or as `before` is."""
        cache = self.folder / f"cold-{next(_numbers)}"
        if before:
            shutil.copytree(before, cache, symlinks=True)
        return self.ours(cache, *options)


def ratio(one: Timing, other: Timing) -> float:
    """The median of the ratios of runs that were neighbours."""
    return statistics.median(first / second for first, second in zip(one.runs, other.runs, strict=True))


def row(what: str, ours: Timing, dockers: Timing | None, asked: str, found: str) -> str:
    """A line of the table."""
    return f"| {what} | {ours} | {dockers or ''} | **{found}** | {asked} |"


def times(pairs: dict[str, Pair], scratch: Path, *, runs: int) -> Iterator[str]:
    """A row per function and kind of build."""
    yield "| whole process, median (spread) | `build-image` | `docker build` | found | at most |"
    yield "|---|---|---|---|---|"
    for name, pair in pairs.items():
        progress(f"{name}: nothing changed")
        ours, dockers = timings([lambda pair=pair: pair.ours(pair.cache), pair.docker], count=runs)
        yield row(f"{name}: nothing changed", ours, dockers, f"{ASKED_NOTHING_S} s", f"{ours.median:.2f} s")
    for name, option in ((name, option) for name in ("hello", "pandas") for option in ASKED_LINE_S):
        yield one_line(pairs[name], option, runs)
    before = scratch / "before"
    (scratch / OTHER).mkdir()
    (scratch / OTHER / "app.py").write_text("def handler(event, context):\n    return 1\n")
    run([str(BIN / "build-image"), OTHER, "-o", "oci:out/other"], environment=environment(before), folder=scratch)
    for pair in pairs.values():
        yield from cold(pair, before, min(runs, MOST_COLD_RUNS))


def cold(pair: Pair, before: Path, runs: int) -> Iterator[str]:
    """Rows of builds whose caches hold nothing of the function. All ran once before, so that every run counts."""
    cases = {
        "cold, proven": pair.cold,
        "cold, not proven": lambda: pair.cold(None, "--no-prove"),
        "cold, proven, another function was built before": lambda: pair.cold(before),
        "docker": lambda: pair.docker("--no-cache"),
    }
    progress(f"{pair.name}: cold")
    *found, dockers = timings(list(cases.values()), count=runs, warmup=0)
    for what, ours in zip(cases, found, strict=False):
        yield row(
            f"{pair.name}: {what}", ours, dockers, f"{ASKED_COLD_RATIO} times", f"{ratio(ours, dockers):.2f} times"
        )


def one_line(pair: Pair, option: str, runs: int) -> str:
    """One line of the function is changed before each pair of builds."""

    def ours() -> float:
        pair.change()
        return pair.ours(pair.cache, *(option for option in [option] if option != "--prove"))

    what = f"{pair.name}: one line changed, {'proven' if option == '--prove' else 'not proven'}"
    progress(what)
    mine, dockers = timings([ours, pair.docker], count=runs)
    if pair.name == "hello":
        return row(what, mine, dockers, f"{ASKED_LINE_S[option]} s", f"{mine.median:.2f} s")
    return row(what, mine, dockers, f"{ASKED_LINE_RATIO:.1f} times", f"{ratio(mine, dockers):.2f} times")


def memory(scratch: Path) -> str:
    """The most memory of a cold build with large dependencies."""
    progress(f"{LARGE_MB} MB of dependencies")
    write_large_function(scratch, LARGE_MB)
    command = [str(BIN / "build-image"), "large", "-o", "oci:out/large"]
    variables = {**environment(scratch / "cache-large"), "UV_CACHE_DIR": str(scratch / "uv")}
    peak = peak_bytes(command, environment=variables, folder=scratch) / MEGABYTE
    return (
        f"{LARGE_MB} MB of dependencies, cold and proven: **{peak:.0f} MB** resident at the most, in all processes "
        f"together (at most {ASKED_LARGE_MB})."
    )


def second_push(pair: Pair) -> str:
    """What a registry is asked when an image that it has is pushed again."""
    if not shutil.which("docker-registry"):
        return "The second push was not measured: docker-registry is missing (scripts/engines installs it)."
    from tests.registries import registry  # noqa: PLC0415 - the one part of the tests that is needed, and only here

    progress("second push")
    with registry(pair.folder / "registry") as running:
        name = f"{running.host}/pushed:1"
        push = ["--push", "--insecure-registry", running.host, "-t", name]
        pair.ours(pair.cache, *push)
        with running.counted() as requests:
            pair.ours(pair.cache, *push)
    sent = sum(method in {"PUT", "POST", "PATCH"} for method, _, _ in requests)
    return (
        f"Second push of an unchanged image: **{len(requests)}** requests (at most {ASKED_PUSH_REQUESTS}), "
        f"{sent} of them with content."
    )


def progress(text: str) -> None:
    """Say what is measured now, and when that began."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def help_time(scratch: Path, *, runs: int) -> Timing:
    """`build-image --help`."""
    return timings(
        [lambda: run([str(BIN / "build-image"), "--help"], environment=environment(scratch), folder=scratch)],
        count=runs,
    )[0]


def report(scratch: Path, *, runs: int) -> Iterator[str]:
    """The section of docs/benchmarks.md."""
    progress("the base image")
    base = make_base(scratch)
    yield from sizes(scratch)
    yield ""
    pairs: dict[str, Pair] = {}
    try:
        for name, source in COMPARED.items():
            progress(f"{name}: wheels, and a first build of each")
            pairs[name] = Pair.make(name, source, scratch, base)
        yield from times(pairs, scratch, runs=runs)
    finally:
        for pair in pairs.values():
            with suppress(RuntimeError):
                docker("rmi", "--force", pair.tag)
    yield ""
    yield (
        f"{runs} runs of each in turns, {min(runs, MOST_COLD_RUNS)} of the cold; ratios are medians of pairs. Ours "
        "writes an image layout of the smallest image that answers like the whole function, at the default level "
        "of trimming, with bytecode; the wheels are in uv's cache, unpacked as a build before left them. "
        "`docker build` is the engine's own builder, with its base (the interpreter) in the engine and all wheels in "
        "the context, packed, from which pip installs without an index, for the cold rows with `--no-cache`: it "
        "neither trims nor compiles nor runs anything. The function built before leaves what two "
        "functions share: the interpreter's layer, if both need the same of it."
    )
    yield ""
    yield second_push(pairs["hello"])
    yield ""
    yield memory(scratch)
    yield ""
    yield f"`build-image --help`: {help_time(scratch, runs=runs)}."
