"""Two processes that pull into one store, killed at random points: `python killing.py NAME STORE ROUNDS SEED`.

A program of its own, because it forks: the children have all modules loaded and are at work at once. After each round
every blob must be what its name says; after the last a pull must succeed, with what the killed have left and with
some of it damaged. The suite runs a few rounds, `scripts/soak-cache` two hundred.
"""

import hashlib
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from builder.oci import BlobStore, OCIError, Platform, Reference
from builder.oci.distribution import Access, Limits, Pulling, pull

PULLERS = 2
LONGEST_S = 0.15  # about two pulls of the image that the tests use
LIMITS = Limits(first_delay_s=0.01, max_delay_s=0.05, lock_s=30)


class Forgetful:
    """Remembers no tag."""

    def recall(self, name: str) -> None:
        return None

    def remember(self, name: str, digest: str) -> None:
        """Forget it."""


def pull_once(name: str, folder: Path):
    reference = Reference.parse(name)
    access = Access({}, frozenset({reference.domain}), LIMITS)
    return pull(reference, Platform("linux", "amd64"), Pulling(BlobStore(folder), Forgetful(), access))


def pull_until_killed(name: str, folder: Path, chance: random.Random) -> None:
    """Pull, lose some blobs, pull again: the store is always at work."""
    while True:
        with suppress(OCIError):  # the other process has just removed what this one was about to read
            pull_once(name, folder)
        for blob in blobs(folder):
            if chance.random() < 0.5:
                blob.unlink(missing_ok=True)


def blobs(folder: Path) -> list[Path]:
    return [path for path in folder.glob("blobs/sha256/*") if not path.name.startswith(".")]


def check(folder: Path) -> None:
    """Every blob is what its name says."""
    for blob in blobs(folder):
        found = hashlib.sha256(blob.read_bytes()).hexdigest()
        assert found == blob.name, f"{blob} holds {found}"


def one_round(name: str, folder: Path, chance: random.Random) -> None:
    children = []
    for seed in [chance.random() for _ in range(PULLERS)]:
        child = os.fork()
        if child == 0:
            try:
                pull_until_killed(name, folder, random.Random(seed))
            finally:
                os._exit(1)  # an error that is not the library's: the parent sees that nobody killed it
        children.append(child)
    for child in children:
        time.sleep(chance.uniform(0, LONGEST_S))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, "a puller failed with an error of its own"


def damage(folder: Path, chance: random.Random) -> None:
    """Cut or change some of what is there, as a power failure or a hand might."""
    for file in (*blobs(folder), *folder.glob("partial/sha256/*")):
        if chance.random() < 0.3:
            content = bytearray(file.read_bytes())
            if content and chance.random() < 0.5:
                content[chance.randrange(len(content))] ^= 1
            else:
                content = content[: len(content) // 2]
            file.write_bytes(content)


def main(name: str, store: str, rounds: str, seed: str) -> None:
    folder, chance = Path(store), random.Random(int(seed))
    pull_once(name, folder)
    for _ in range(int(rounds)):
        one_round(name, folder, chance)
        check(folder)
    damage(folder, chance)
    expected = pull_once(name, folder).image
    for layer in expected.layers:
        expected.blobs.verify(layer.descriptor)
    check(folder)
    sys.stdout.write(f"{rounds} rounds, {expected.digest}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
