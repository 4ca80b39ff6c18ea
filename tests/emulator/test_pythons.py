"""The emulator in an image is run by whatever CPython is in there: the whole way on each supported one."""

from __future__ import annotations

import http.client
import json
import subprocess
from contextlib import closing

import pytest

from tests.bootstrap.runtime_process import ROOT, VERSIONS, clean_environment, require_python, write_function
from tests.ready import ready_port

SOURCE = """
import asyncio, sys, time
async def handler(event, context):
    if event == "stream":
        async def pieces():
            yield b"a"
            yield b"b"
        return pieces()
    if event == "hang":
        await asyncio.sleep(30)
    return [event, *sys.version_info[:2]]
"""
FUNCTIONS = "/2015-03-31/functions/function/invocations"
STREAM = "/2021-11-15/functions/function/response-streaming-invocations"


@pytest.mark.parametrize("version", VERSIONS)
def test_events_streams_queued_events_and_timeouts_on_every_python(tmp_path, version) -> None:
    """As `docker run` starts it: the runtime puts the emulator in front of itself, both on the image's Python."""
    write_function(tmp_path, app=SOURCE)
    python = require_python(version)
    command = [python, "-S", str(ROOT / "bootstrap/__main__.py"), "app.handler"]
    environment = clean_environment(PORT="0", EMULATOR_TIMEOUT="1", PYTHONWARNINGS="error")
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            port = ready_port(process)

            def post(path: str, body: bytes, **named: str) -> tuple[int, bytes]:
                headers = {name.replace("_", "-"): value for name, value in named.items()}
                with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as caller:
                    caller.request("POST", path, body, headers)
                    answer = caller.getresponse()
                    return answer.status, answer.read()

            status, body = post(FUNCTIONS, b'"hello"')
            assert (status, json.loads(body)) == (200, ["hello", *map(int, version.split("."))])
            status, body = post(STREAM, b'"stream"')
            assert status == 200
            assert body.index(b"a") < body.rindex(b"b")
            assert post(FUNCTIONS, b'"queued"', X_Amz_Invocation_Type="Event")[0] == 202
            status, body = post(FUNCTIONS, b'"hang"')
            assert "Task timed out after 1.00 seconds" in body.decode()
            assert json.loads(post(FUNCTIONS, b'"again"')[1])[0] == "again"
        finally:
            process.terminate()
            _, said = process.communicate(timeout=10)
    assert b"Traceback" not in said
    assert process.returncode == 0
