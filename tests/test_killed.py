"""Two builds that share a cache may be killed at any point: the cache heals, the next build is what it should be."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
import uuid

from tests.conftest import clean_environment

ROUNDS = int(os.environ.get("FIRKIN_SOAK_ROUNDS", "1"))
LONGER = 1.2  # than a cold build alone takes: two at once, and some that are let to end


def test_two_builds_killed_at_random_points(build_image, function, commands, registry, tmp_path):
    """Each killed build leaves no wrong blob; a build that is let to end pushes the image that was always right."""
    source = function()
    name = f"{registry.host}/killed/{uuid.uuid4().hex[:12]}"
    command = [commands / "build-image", source, "-q", "--push", "--insecure-registry", registry.host, "-t"]
    cold_cache = tmp_path / "cache"
    started = time.monotonic()
    expected = build_image(*command[1:], f"{name}:0", cache=cold_cache)
    longest = LONGER * (time.monotonic() - started)
    assert expected.code == 0, expected.err
    environment = clean_environment(BUILD_IMAGE_CACHE_DIR=str(cold_cache))
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for number in range(ROUNDS):
        gone = chance.choice((0.5, 1))  # so that there is something to make; in half of the rounds all of it
        for entry in (*cold_cache.glob("records/*/*"), *cold_cache.glob("trees/*/*")):
            if chance.random() < gone:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        builds = [
            subprocess.Popen([*command, f"{name}:{number}"], env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
            for _ in range(2)
        ]
        begun = time.monotonic()
        for build, end in zip(builds, sorted(chance.uniform(0, longest) for _ in builds), strict=True):
            time.sleep(max(0, begun + end - time.monotonic()))
            build.send_signal(signal.SIGKILL)
            build.wait(60)
        for blob in cold_cache.glob("blobs/blobs/sha256/*"):
            if not blob.name.startswith("."):
                assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name, f"seed {seed}"
    done = build_image(*command[1:], f"{name}:end", cache=cold_cache)
    assert (done.code, done.out) == (0, expected.out), f"seed {seed}: {done.err}"
