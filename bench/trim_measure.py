"""Measures each function of the corpus: makes the images of some at the same time, then times one after the other.

What fails is noted and the rest goes on. What was measured of a function may be kept in a folder, so that a run that
was stopped goes on where it was.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.corpus import CORPUS, Image, Sizes, dockerfile_image, floor, our_image, share
from bench.dockerfile import docker
from bench.paired import Ratio, ratio_of
from bench.platform import render_event
from bench.starts import RUN_AS_CONTAINER, RUNS, RUNS_ASKED, furnished, run_containers, time_starts

LEVELS = ("none", "safe", "reachable", "traced")
TOGETHER = 1 + (os.cpu_count() or 1)  # sides that are made at once: the engine's and the disk's answers are waited for
BATCH = 6  # functions whose images are on the disk at once: up to 2 GB of each
ASKED_RUNS_OF = ("echo", "pandas")
FAILURES = (RuntimeError, SystemExit, OSError, ValueError, LookupError, subprocess.SubprocessError)


@dataclass
class Measured:
    """All that was measured of one function, and what could not be."""

    name: str
    images: dict[str, Image] = field(default_factory=dict)
    floor: tuple[int, int] | None = None
    problems: list[str] = field(default_factory=list)

    def ratio(self, figure: str, one: str, other: str) -> Ratio:
        """The paired ratios of a figure of two images; none where one of them has none."""
        firsts, seconds = (getattr(self.images.get(kind), figure, []) for kind in (one, other))
        return ratio_of(firsts, seconds)

    def fail(self, what: str, error: BaseException) -> None:
        """Note what went wrong, in one line."""
        self.problems.append(f"{what}: {' '.join(str(error).split())[:300] or type(error).__name__}")


def event_of(name: str) -> bytes:
    """A function's first event, as the platform writes it."""
    return render_event(min((CORPUS / name / "events").glob("*.json")).read_bytes())


def make_dockerfile_side(found: Measured, scratch: Path, sizes: Sizes) -> None:
    """The Dockerfile image of one function, unpacked below `scratch`; what fails is a problem."""
    try:
        found.images["dockerfile"] = dockerfile_image(found.name, scratch, sizes, scratch.parent / "shared")
    except FAILURES as error:
        found.fail("Dockerfile", error)


def make_our_side(found: Measured, scratch: Path) -> None:
    """Our images of one function, and the lower bound; what fails is a problem, and the rest goes on."""
    for level in LEVELS:
        tag = f"firkin-bench-{found.name}-{level}" if level in RUN_AS_CONTAINER else ""
        try:
            found.images[level], _ = our_image(found.name, level, scratch, scratch.parent / "cache", tag=tag)
        except FAILURES as error:
            found.fail("build", error)
    if "safe" in found.images:
        try:
            with furnished([found.images["safe"].root]):
                found.floor = floor(found.images["safe"], event_of(found.name), scratch)
        except FAILURES as error:
            found.fail("files that are opened", error)


def prepare(names: Sequence[str], scratch: Path, sizes: Sizes, pool: ThreadPoolExecutor) -> list[Measured]:
    """The images of some functions; both sides of all of them are made at once, as far as the pool allows."""
    ready = [Measured(name) for name in names]
    tasks = []
    for found in ready:
        own = scratch / found.name
        own.mkdir()
        tasks.append(pool.submit(make_our_side, found, own))
        tasks.append(pool.submit(make_dockerfile_side, found, own, sizes))
    for task in tasks:
        task.result()
    return ready


def time_all(found: Measured) -> None:
    """Time the starts of one function; what fails is a problem."""
    event, images = event_of(found.name), found.images
    try:
        with furnished([image.root for image in images.values()]):
            time_starts(images, event)
    except FAILURES as error:
        found.fail("start", error)
    try:
        run_containers(images, event, RUNS_ASKED if found.name in ASKED_RUNS_OF else RUNS)
    except FAILURES as error:
        found.fail("docker run", error)


def remove(name: str, scratch: Path) -> None:
    """Leave nothing of a function's images."""
    for tag in (f"firkin-bench-{name}", f"firkin-bench-{name}-reachable"):
        with suppress(RuntimeError):
            docker("rmi", "--force", tag)
    shutil.rmtree(scratch, ignore_errors=True)


def measured(scratch: Path, names: Sequence[str], kept: Path | None) -> Iterator[Measured]:
    """Each of the functions, those that were measured before first."""
    missing = []
    for name in names:
        found = read_measured(kept / f"{name}.json") if kept else None
        if found:
            yield found
        else:
            missing.append(name)
    if not missing:
        return
    sizes, number, begun = Sizes(), len(names) - len(missing), time.monotonic()
    share(scratch / "shared", sizes)
    with ThreadPoolExecutor(TOGETHER) as pool:
        for some in (missing[at : at + BATCH] for at in range(0, len(missing), BATCH)):
            try:
                for found in prepare(some, scratch, sizes, pool):
                    time_all(found)
                    number += 1
                    told = "; ".join((f"{time.monotonic() - begun:.0f} s in all", *found.problems))
                    print(f"{number} of {len(names)}: {found.name}, {told}", file=sys.stderr, flush=True)
                    if kept and not found.problems:
                        kept.mkdir(parents=True, exist_ok=True)
                        (kept / f"{found.name}.json").write_text(json.dumps(asdict(found), default=str))
                    yield found
            finally:
                list(pool.map(lambda name: remove(name, scratch / name), some))


def read_measured(record: Path) -> Measured | None:
    """What was kept of a function, without its images; None if nothing, or by a program that noted something else."""
    if not record.exists():
        return None
    value = json.loads(record.read_text())
    try:
        images = {
            kind: Image(**{**one, "root": Path(one["root"]), "command": tuple(one["command"])})
            for kind, one in value["images"].items()
        }
        return Measured(value["name"], images, tuple(value["floor"]), value["problems"])
    except (TypeError, KeyError):
        return None
