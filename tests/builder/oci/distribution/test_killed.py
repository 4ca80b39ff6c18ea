"""Processes that share a store may be killed at any point: nobody finds wrong bytes, what is left is gone on with."""

import asyncio
import fcntl
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from builder.oci import BlobStore, Descriptor, Entry, UnavailableError
from builder.oci.distribution import partial
from tests.builder.oci.distribution.conftest import QUICK

TOP = Path(__file__).parents[4]
ROUNDS = os.environ.get("FIRKIN_SOAK_ROUNDS", "10")


def test_two_pullers_killed_at_random_points(make_image, pusher, registry, tmp_path):
    """Some rounds here, two hundred in scripts/soak-cache; the seed is told when it fails."""
    image = make_image(
        [Entry.file("data", random.Random(1).randbytes(3_000_000))],
        [Entry.file("more", random.Random(2).randbytes(1_000_000))],
    )
    name = f"{registry.host}/killed/{os.getpid()}:1"
    pusher(image, name)
    seed = random.randrange(2**32)
    program = Path(__file__).with_name("killing.py")
    done = subprocess.run(
        [sys.executable, program, name, tmp_path / "shared", ROUNDS, str(seed)],
        env={**os.environ, "PYTHONPATH": str(TOP)}, capture_output=True, text=True, timeout=3600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    assert str(image.digest) in done.stdout


def test_a_lock_that_is_never_let_go_is_given_up(fake, image, puller, tmp_path):
    """Another process that hangs with a blob in its hands is named after a while."""
    fake.hold(image, "1")
    target = BlobStore(tmp_path / "target")
    held = target.folder / "partial" / "sha256" / image.layers[0].descriptor.digest.encoded
    held.parent.mkdir(parents=True)
    with held.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(
            UnavailableError, match=r"another process has held it for 0.2 s; wait for that one, or end it"
        ):
            puller(f"{fake.host}/a:1", store=target, limits=replace(QUICK, lock_s=0.2))


def test_who_waited_finds_the_blob(fake, image, puller, tmp_path):
    """The second of two pullers does not fetch what the first has fetched meanwhile."""
    fake.hold(image, "1")
    target = BlobStore(tmp_path / "target")
    blob = image.layers[0].descriptor

    async def both():
        first = partial.partial_blob(target, blob, lock_s=5)
        mine = await first.__aenter__()
        waiting = asyncio.create_task(partial.partial_blob(target, blob, lock_s=5).__aenter__())
        await asyncio.sleep(0.12)
        mine.write(fake.blobs[str(blob.digest)])
        mine.keep(blob)
        await first.__aexit__(None, None, None)
        return await waiting

    assert asyncio.run(both()) is None
    target.verify(blob)


def test_without_locks_each_has_a_file_of_its_own(fake, image, puller, tmp_path, monkeypatch):
    """Some network file systems have no locks: blobs are then fetched twice rather than mixed up."""

    def no_locks(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    fake.hold(image, "1")
    target = BlobStore(tmp_path / "target")
    assert puller(f"{fake.host}/a:1", store=target).image.digest == image.digest
    assert [path.name for path in (target.folder / "partial" / "sha256").iterdir() if path.suffix] == []


def test_a_blob_without_bytes_is_one(tmp_path):
    """The shortest blob there is needs no request."""
    target = BlobStore(tmp_path / "target")
    empty = Descriptor.of(b"", "x")

    async def take():
        async with partial.partial_blob(target, empty, lock_s=1) as mine:
            assert mine.is_complete(empty)
            mine.keep(empty)

    asyncio.run(take())
    target.verify(empty)
