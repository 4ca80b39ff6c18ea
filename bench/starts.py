"""Starts of one function's images, in turns: `safe` and `reachable` in many pairs, the others for a median.

Nothing else may run meanwhile. Which of a pair comes first alternates.
"""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.corpus import Image, inside
from bench.paired import MIN_PAIRS
from bench.platform import running

PAIR = ("safe", "reachable")
COUNT = 3  # of the other images, and of the responses, after which the peak of memory is read
UNTRIMMED_COUNT = 1  # of `none`, which compiles all that it imports: several times as long, and told at once
PAIRS, PAIRS_LIMIT_S = 15, 8.0  # fewer for functions that take long to start, but MIN_PAIRS
RUN_AS_CONTAINER = ("dockerfile", "reachable")
RUNS = 2  # of `docker run`
RUNS_ASKED = 5  # of those for which a figure was asked


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


def time_starts(images: Mapping[str, Image], event: bytes) -> None:
    """Note the starts of all images, and their peaks of memory; the first of each reads files into memory."""
    others = [kind for kind in images if kind not in {*PAIR, "none"}]
    pair = [kind for kind in PAIR if kind in images]
    for kind in (*pair, *others):
        start(images[kind], event, counts=False)
    for _ in range(UNTRIMMED_COUNT if "none" in images else 0):
        start(images["none"], event)
    begun = time.monotonic()
    for turn in range(PAIRS):
        if turn >= MIN_PAIRS and time.monotonic() - begun > PAIRS_LIMIT_S:
            break
        for kind in reversed(pair) if turn % 2 else pair:
            start(images[kind], event if turn < COUNT else b"")
    for _ in range(COUNT):
        for kind in others:
            start(images[kind], event)


def start(image: Image, event: bytes, *, counts: bool = True) -> None:
    """Start the unpacked image, and note the time to the first `/next`; with an event serve it, and note the peak."""
    # As where the file system is read-only: bytecode that is not in the image is made anew at every start.
    with running(inside(image), Path("/"), PYTHONDONTWRITEBYTECODE="1", **image.variables) as runtime:
        next_ms = (runtime.wait_for_next() - runtime.started) * 1e3
        if event:
            runtime.invoke(event)
        if counts:
            image.next_ms.append(next_ms)
            if event:
                image.peak_mb.append(runtime.peak_bytes() / 1e6)


def run_containers(images: Mapping[str, Image], event: bytes, count: int) -> None:
    """`docker run` of both sides in turns, to the first response."""
    if all(kind in images for kind in RUN_AS_CONTAINER):
        for _ in range(count):
            for kind in RUN_AS_CONTAINER:
                run_container(images[kind], event)


def run_container(image: Image, event: bytes) -> None:
    """`docker run` to the first response."""
    name = f"{image.tag}-run"
    command = ["docker", "run", "--rm", "--network", "host", "--name", name, "--env", "AWS_LAMBDA_RUNTIME_API",
               image.tag, *filter(None, [image.handler])]  # fmt: skip
    try:
        with running(command, Path("/")) as runtime:
            image.run_ms.append((runtime.invoke(event)[1] - runtime.started) * 1e3)
            subprocess.run(["docker", "kill", name], capture_output=True, check=False)
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
