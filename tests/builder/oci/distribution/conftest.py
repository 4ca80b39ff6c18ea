"""What tests of the client share: quick limits, a memory, and pulling with few words."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from builder.oci import BlobStore, Platform, Reference
from builder.oci.distribution import Access, Limits, Pulling, pull, push
from tests.builder.oci.distribution.fake_registry import fake_registry
from tests.builder.oci.distribution.token_server import PASSWORD, USER, openssl, token_server
from tests.conftest import unavailable
from tests.registries import registry

QUICK = Limits(
    connect_s=20,
    answer_s=20,
    stall_s=20,
    finish_s=20,
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
        return pull(reference, platform, Pulling(store, memory, access, **also))

    return call


@pytest.fixture
def pusher():
    """Return `pusher(image, name, …)`, which pushes."""

    def call(image, name, *, environment=None, insecure=None, limits=QUICK, **also):
        reference = Reference.parse(name)
        access = Access(environment or {}, frozenset({reference.domain} if insecure is None else insecure), limits)
        return push(image, reference, access=access, **also)

    return call


@pytest.fixture
def fake():
    """A registry that can be made to misbehave."""
    with fake_registry() as running:
        yield running


@pytest.fixture(scope="session")
def secured(tmp_path_factory):
    """A registry with TLS under an authority of its own and with basic authentication; and the authority's file."""
    folder = tmp_path_factory.mktemp("secured")
    key, certificate, users = folder / "tls.key", folder / "tls.crt", folder / "htpasswd"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate)  # fmt: skip
    program = shutil.which("htpasswd") or unavailable("htpasswd is not installed: scripts/engines installs it")
    hashed = subprocess.run(
        [program, "-inBC", "4", USER], input=PASSWORD.encode(), check=True, capture_output=True, timeout=60
    )
    users.write_bytes(hashed.stdout)
    tls = {"tls": {"certificate": str(certificate), "key": str(key)}}
    basic = {"htpasswd": {"realm": "tests", "path": str(users)}}
    with registry(folder / "registry", http=tls, auth=basic) as running:
        yield running, certificate


@pytest.fixture(scope="session")
def with_tokens(tmp_path_factory):
    """A registry in plain HTTP that wants tokens, and the service that gives them."""
    folder = tmp_path_factory.mktemp("tokens")
    with (
        token_server(folder / "service") as service,
        registry(folder / "registry", auth=service.registry_auth()) as one,
    ):
        yield one, service


@pytest.fixture
def logged_in(tmp_path):
    """Return `logged_in(host, **entry)`, which writes credentials as Docker does, and gives the environment."""

    def call(host, **entry):
        folder = tmp_path / "docker"
        folder.mkdir(exist_ok=True)
        entry = entry or {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
        (folder / "config.json").write_text(json.dumps({"auths": {host: entry}}))
        return {"DOCKER_CONFIG": str(folder)}

    return call
