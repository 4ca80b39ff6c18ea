"""One runtime that tries calls in many orders, under ours and under AWS's emulator: both must say the same."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

import emulator
from tests.conformance.awss_emulator import aws_emulator, environment, invoke, running
from tests.ready import ready_port

pytestmark = pytest.mark.network

MAIN = Path(emulator.__file__).parent / "__main__.py"

# Each story is a list of calls; the answers to all but the last are told in the last, which is the response.
STORIES = {
    "another's id": ["response other", "error other"],
    "init error in an event": ["init-error"],
    "event twice": ["next"],
    "unknown paths": ["GET /runtime/nowhere", "GET /runtime/restore/next", "PUT /runtime/invocation/next"],
    "second answer": ["response", "response", "error"],
    "error, then response": ["error", "response"],
    "unknown mode": ["response sideways", "response", "next"],
    "too large": ["response large"],
}

RUNTIME = """
import http.client, json, os, sys
ROOT = "/2018-06-01"
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def call(method, path, body=None, headers={}):
    connection.request(method, ROOT + path, body, headers)
    response = connection.getresponse()
    body = response.read()
    try: kind = json.loads(body).get("errorType") or json.loads(body).get("status")
    except ValueError: kind = None
    return response, [response.status, kind]

response, _ = call("GET", "/runtime/invocation/next")
mine = response.getheader("Lambda-Runtime-Aws-Request-Id")
told = []
for step in json.loads(sys.argv[1]):
    word, _, rest = step.partition(" ")
    if word in ("response", "error"):
        headers = {"Lambda-Runtime-Function-Response-Mode": "sideways"} if rest == "sideways" else {}
        body = b"x" * (6 * 1024 * 1024 + 101) if rest == "large" else b"{}"
        path = "/runtime/invocation/%s/%s" % ("0" if rest == "other" else mine, word)
        told.append(call("POST", path, body, headers)[1])
    elif word == "init-error": told.append(call("POST", "/runtime/init/error", b"{}")[1])
    elif word == "next": told.append(call("GET", "/runtime/invocation/next")[1][:1])
    else: told.append(call(word, rest)[1][:1])
open("told", "w").write(json.dumps(told))
os.rename("told", "told.json")
call("POST", "/runtime/invocation/%s/response" % mine, b"{}")
call("GET", "/runtime/invocation/next")
"""


def invoke_and_read(port: int, folder: Path) -> list[list[object]]:
    invoke(port, b"{}")
    deadline = time.monotonic() + 20
    while not (folder / "told.json").exists() and time.monotonic() < deadline:
        time.sleep(0.01)  # it may have answered in the middle of its story
    told = json.loads((folder / "told.json").read_text())
    (folder / "told.json").unlink()
    return told


@pytest.mark.parametrize("steps", STORIES.values(), ids=STORIES)
def test_the_runtime_api_says_what_awss_emulator_says(steps: list[str], tmp_path: Path, rie: str) -> None:
    """Status and error type of every call are the same."""
    (tmp_path / "runtime.py").write_text(RUNTIME)
    runtime = [sys.executable, "-S", str(tmp_path / "runtime.py"), json.dumps(steps)]

    with running([sys.executable, str(MAIN), "--port", "0", "--", *runtime], tmp_path, environment()) as process:
        port = ready_port(process)
        ours = invoke_and_read(port, tmp_path)

    with aws_emulator(tmp_path, rie, runtime) as (port, _):
        theirs = invoke_and_read(port, tmp_path)

    assert ours == theirs
