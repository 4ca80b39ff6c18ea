"""What tests of the client share: quick limits, a memory, and pulling with few words."""

from pathlib import Path

import pytest

from builder.oci import BlobStore, Platform, Reference
from builder.oci.distribution import Access, Limits, pull, push
from tests.builder.oci.distribution.fake_registry import fake_registry

QUICK = Limits(
    connect_s=5,
    answer_s=5,
    stall_s=5,
    finish_s=5,
    overall_s=60,
    attempts=3,
    first_delay_s=0.01,
    max_delay_s=0.02,
    lock_s=20,
)
AMD64 = Platform("linux", "amd64")


class Memory:
    """Remembers tags for one test."""

    def __init__(self):
        self.known = {}

    def recall(self, name):
        return self.known.get(name)

    def remember(self, name, digest):
        self.known[name] = digest


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def puller(tmp_path: Path, memory):
    """Return `puller(name, platform=…, store=…, …)`, which pulls; the host counts as insecure unless told otherwise."""

    def call(name, platform=AMD64, *, store=None, environment=None, insecure=None, limits=QUICK, **also):
        reference = Reference.parse_source(name)
        access = Access(environment or {}, frozenset({reference.domain} if insecure is None else insecure), limits)
        store = store or BlobStore(tmp_path / "pulled")
        return pull(reference, platform, store=store, memory=memory, access=access, **also)

    return call


@pytest.fixture
def pusher():
    """Return `pusher(image, name, …)`, which pushes."""

    def call(image, name, *, limits=QUICK, **also):
        reference = Reference.parse(name)
        return push(image, reference, access=Access({}, frozenset({reference.domain}), limits), **also)

    return call


@pytest.fixture
def fake():
    """A registry that can be made to misbehave."""
    with fake_registry() as running:
        yield running
