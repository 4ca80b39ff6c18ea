"""One image on platforms that speak HTTP: a real container with nothing but variables set, as Cloud Run and Knative do.

And with an extension added to it, by the three lines of a Dockerfile that the how-to gives.
"""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.xdist_group("docker")]

EXAMPLES = Path(__file__).parents[1] / "examples"
CONFINED = ("--read-only", "--tmpfs", "/tmp", "--user", "12345", "--cap-drop", "ALL")
AGENT = Path(__file__).parent / "emulator/runtimes/agent.py"


def wait_for(client: httpx.Client, path: str) -> httpx.Response:
    """A response, once the container listens."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return client.get(path)
        except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@pytest.fixture
def image(build_image, docker) -> Callable[..., str]:
    """Build an example into the engine; its image is removed again."""
    built: list[str] = []

    def build(name: str, *options: str) -> str:
        done = build_image(
            EXAMPLES / name, *options, "-q", "--json", "-t", f"firkin-test-http/{name}:1", "-o", "docker"
        )
        assert done.code == 0, done.err
        built.append(json.loads(done.out)["reference"])
        return built[-1]

    yield build
    for reference in built:
        docker("rmi", "--force", reference)


@pytest.fixture
def start(docker) -> Callable[..., tuple[str, httpx.Client]]:
    """Start a container, and give its name and a client for one of its ports."""
    started: list[tuple[str, httpx.Client]] = []

    def run(reference: str, port: int, **variables: str) -> tuple[str, httpx.Client]:
        given = [part for name, value in variables.items() for part in ("--env", f"{name}={value}")]
        container = docker("run", "--detach", *CONFINED, *given, "--publish", f"127.0.0.1::{port}", reference).strip()
        address = docker("port", container, str(port)).strip()
        started.append((container, httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=30)))
        return started[-1]

    yield run
    for container, client in started:
        client.close()
        docker("rm", "--force", container)


def test_a_variable_makes_an_image_a_web_server(image, start, docker):
    """On the port of $PORT: its pages, its API, its errors, the platform's health check; and it ends in order."""
    container, client = start(image("api"), 9090, EMULATOR_HTTP="1", PORT="9090", EMULATOR_PROXIES="1")
    assert wait_for(client, "/ping").text == "ok\n"
    assert "<h1>Casks</h1>" in client.get("/").text
    assert [cask["name"] for cask in client.get("/casks", params={"min_pints": 200}).json()] == ["barrel", "hogshead"]
    placed = client.post("/orders", json={"cask": "firkin", "count": 3})
    assert (placed.status_code, placed.json()["pints"]) == (201, 216)
    assert client.get("/casks/thimble").status_code == 404
    docker("kill", "--signal", "TERM", container)
    assert docker("wait", container).strip() == "0"


def test_an_extension_in_an_image(image, start, docker, tmp_path):
    """It starts before the runtime, and hears of every event and of the end."""
    reference = image("hello", "--trim", "safe")  # with the standard library that the agent needs
    (tmp_path / "agent").write_text(f"#!/var/lang/bin/python3 -S\n{AGENT.read_text()}")
    (tmp_path / "agent").chmod(0o755)
    (tmp_path / "Dockerfile").write_text(f"FROM {reference}\nCOPY agent /opt/extensions/agent\n")
    docker("build", "--quiet", "--tag", f"{reference}-extended", str(tmp_path))
    container, client = start(f"{reference}-extended", 8080)
    wait_for(client, "/")
    event = next((EXAMPLES / "hello/events").glob("*.json")).read_bytes()
    assert client.post("/2015-03-31/functions/function/invocations", content=event).status_code == 200
    docker("kill", "--signal", "TERM", container)
    log = docker("logs", "--follow", container)
    docker("rmi", "--force", f"{reference}-extended")
    said = re.findall(r"^agent (registered|INVOKE|SHUTDOWN)", log, re.MULTILINE)
    assert said == ["registered", "INVOKE", "SHUTDOWN"]
