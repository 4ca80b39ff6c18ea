"""What a Docker Engine that fails half-way is said to have done: faults that a real one does not show on demand.

The engine here is a server that answers as Docker's does (API 1.41) until the fault; real engines are in
tests/test_docker.py and tests/conformance.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from builder.daemon import build_context, load, save
from builder.errors import DockerError

FULL = "write /var/lib/docker/tmp/x: no space left on device"


class Engine(BaseHTTPRequestHandler):
    """Answers to the version, and with the fault to all else."""

    protocol_version = "HTTP/1.1"
    fault: Callable[["Engine"], None]

    def answer(self, body: bytes, status: int = 200, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path == "/version":
            self.answer(json.dumps({"ApiVersion": "1.41"}).encode())
        elif self.path.endswith("/json"):
            self.answer(json.dumps({"Id": "sha256:" + "1" * 64}).encode())
        else:
            type(self).fault(self)

    def do_POST(self) -> None:
        type(self).fault(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def dies(engine: Engine) -> None:
    """The process ends: what came is all that comes."""
    engine.close_connection = True


def breaks_off(engine: Engine) -> None:
    """The same in the middle of an answer."""
    engine.answer(b"half", length=1000)
    engine.close_connection = True


def is_full(engine: Engine) -> None:
    """As Docker tells of it: the request is taken, the answer's stream holds the error."""
    engine.rfile.read(int(engine.headers.get("Content-Length") or 0))
    engine.answer(json.dumps({"errorDetail": {"message": FULL}, "error": FULL}).encode() + b"\n")
    engine.close_connection = True


def refuses(engine: Engine) -> None:
    """As when it writes down a request at all: an answer of 500."""
    engine.answer(json.dumps({"message": FULL}).encode(), status=500)
    engine.close_connection = True


@pytest.fixture
def engine(monkeypatch):
    """Return `engine(fault)`, which starts one that DOCKER_HOST names."""
    started = []

    def start(fault) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Faulty", (Engine,), {"fault": fault}))
        server.daemon_threads, server.block_on_close = True, False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        started.append((server, thread))
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")

    yield start
    for server, thread in started:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def archive(tmp_path):
    file = tmp_path / "image.tar"
    file.write_bytes(bytes(1000))
    return file


@pytest.mark.parametrize(
    ("fault", "words", "hint"),
    [
        (dies, "loading hello:1 into the Docker Engine", "The engine went away"),
        (is_full, "no space left on device", "docker system prune"),
        (refuses, "no space left on device", "docker system prune"),
    ],
)
def test_a_load_that_fails_says_why_and_what_to_do(engine, archive, fault, words, hint):
    engine(fault)
    with pytest.raises(DockerError, match=words) as caught:
        load(archive, "hello:1", ids={"sha256:x"})
    assert hint in caught.value.hint


@pytest.mark.parametrize("fault", [dies, breaks_off])
def test_an_engine_that_goes_while_it_saves_is_told(engine, tmp_path, fault):
    """The disk here is not to blame."""
    engine(fault)
    with pytest.raises(DockerError, match="saving base:1 from the Docker Engine") as caught:
        save("base:1", tmp_path / "saved.tar")
    assert "The engine went away" in caught.value.hint


@pytest.mark.parametrize(("fault", "hint"), [(dies, "The engine went away"), (is_full, "docker system prune")])
def test_a_build_that_breaks_off_is_told(engine, archive, fault, hint):
    engine(fault)
    with archive.open("rb") as context, pytest.raises(DockerError, match="building hello:1") as caught:
        build_context(context, "hello:1", platform="linux/amd64", say=lambda _: None)
    assert hint in caught.value.hint
