"""`firkin trace`: from a container under traffic to the lines of keep that its image lacked."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run, run
from tests.test_docker import CONFINED, post

CODE = """\
def handler(event, context):
    try:
        import rlcompleter
    except ImportError:
        return "without"
    return "with"
"""
PYPROJECT = """\
[tool.build-image]  # ours
keep = ["data/**"]
"""
LEFT_OUT = "rlcompleter.py"  # at every level but none: line editing at a terminal


@pytest.mark.docker
def test_a_container_tells_what_its_image_lacks(
    build_image: Run, function: Callable[..., Path], docker: Callable[..., str], commands: Path, warm_cache: Path
):
    """A module that was passed over in a container of a Docker Engine is kept by the next build; comments stay."""
    source = function(CODE, files={"pyproject.toml": PYPROJECT}, name="traced")
    done = build_image(source, "--json", "--load", "-o", "oci:out")
    assert done.code == 0, done.err
    image = json.loads(done.out)["reference"]
    arguments = ("--detach", *CONFINED[1:], "--env", "FIRKIN_TRACE=1", "--publish", "127.0.0.1::8080")
    container = docker("run", *arguments, image).strip()
    try:
        port = docker("port", container, "8080").strip().rpartition(":")[2]
        assert post(f"http://127.0.0.1:{port}", b"{}").json() == "without"
        trace = [commands / "firkin", "trace", source, "--container", container]
        dry = run([*trace, "--dry-run"], cache=warm_cache)
        assert (dry.code, dry.out) == (0, f"{LEFT_OUT}\n"), dry.err
        assert (source / "pyproject.toml").read_text() == PYPROJECT
        done = run(trace, cache=warm_cache)
    finally:
        docker("rm", "--force", container)
        docker("rmi", "--force", image)
    assert (done.code, done.out) == (0, f"{LEFT_OUT}\n"), done.err
    assert "line editing at a terminal" in done.err
    assert (source / "pyproject.toml").read_text() == PYPROJECT.replace('"]', f'", "{LEFT_OUT}"]')
    plan = json.loads(build_image(source, "--plan").out)
    assert any(file["path"].endswith(LEFT_OUT) for layer in plan["layers"] for file in layer["files"])
    again = run([commands / "firkin", "trace", source, "--log", "-"], cache=warm_cache, stdin=_line("rlcompleter"))
    assert (again.code, again.out) == (0, "")
    assert "all that was asked for is in the image already" in again.err


def _line(module: str) -> str:
    return json.dumps({"firkinTrace": "module", "name": module}, separators=(",", ":"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "Give one of --log FILE and --container NAME."),
        (["--log", "a", "--container", "b"], 2, "Give one of --log FILE and --container NAME."),
        (["--log", "none"], 3, "reading the log: none"),
        (["--log", "app.py"], 3, "reading app.py: it holds no line of a trace"),
        (["--container", "none"], 9, "reaching the Docker Engine"),
    ],
)
def test_a_log_that_is_none_has_its_message(function, commands, warm_cache, arguments, code, words):
    """Nothing is changed, and the message says what was looked for and how to get it."""
    source = function()
    done = run(
        [commands / "firkin", "trace", source, *arguments],
        cache=warm_cache,
        cwd=source,
        DOCKER_HOST="tcp://127.0.0.1:1",
    )
    assert done.code == code
    assert words in done.err
    assert not (source / "pyproject.toml").exists()
