"""AWS's command line is the caller, as in the READMEs of the world: `aws lambda invoke --endpoint-url …`."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import emulator
from tests.ready import ready_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.network

RUNTIMES = Path(__file__).resolve().parents[1] / "emulator/runtimes"
MAIN = Path(emulator.__file__).parent / "__main__.py"


@pytest.fixture
def invoke(aws: str, tmp_path: Path) -> Iterator[Callable[..., tuple[dict[str, object], bytes]]]:
    """`aws lambda invoke` with options against an echo: what it prints, and the payload that it wrote."""
    with subprocess.Popen(
        [sys.executable, str(MAIN), "--port", "0", "--", sys.executable, str(RUNTIMES / "echo.py")],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        url = ready_url(process).partition("/2015-03-31")[0]

        def run(*options: str) -> tuple[dict[str, object], bytes]:
            out = tmp_path / "out"
            base = [aws, "lambda", "invoke", "--endpoint-url", url, "--function-name", "function"]
            credentials = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
            env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_MAX_ATTEMPTS": "1", **credentials}
            done = subprocess.run(
                [*base, *options, str(out)], env=env, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout), out.read_bytes()

        yield run
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)


def test_the_command_line_invokes(invoke: Callable[..., tuple[dict[str, object], bytes]]) -> None:
    """Sync with the log's tail, Event and DryRun."""
    told, payload = invoke("--payload", '{"a": 1}', "--log-type", "Tail")
    assert (told["StatusCode"], told["ExecutedVersion"], payload) == (200, "$LATEST", b'{"a": 1}')
    assert base64.b64decode(told["LogResult"]).startswith(b"START RequestId: ")
    assert invoke("--payload", "{}", "--invocation-type", "Event") == ({"StatusCode": 202}, b"")
    assert invoke("--payload", "{}", "--invocation-type", "DryRun") == ({"StatusCode": 204}, b"")
