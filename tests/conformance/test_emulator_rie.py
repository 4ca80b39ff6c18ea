"""Ours and AWS's emulator run the same functions under AWS's runtime client, and must answer alike."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import emulator
from tests.ready import ready_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.network

MAIN = Path(emulator.__file__).parent / "__main__.py"
PATH = "/2015-03-31/functions/function/invocations"
LIMIT = 6 * 1024 * 1024 + 100
TIMEOUT_S = 30  # generous: also on a busy machine nothing but what is about the limit runs into it


class Case(NamedTuple):
    source: str
    status: int
    contains: bytes
    event: bytes = b"{}"
    handler: str = "app.handler"
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: int = TIMEOUT_S


CASES = {
    "success": Case("def handler(event, context): return {'got': event}", 200, b'{"got": {"a": 1}}', b'{"a": 1}'),
    "handler raises": Case("def handler(event, context): raise ValueError('x')", 200, b'"errorType": "ValueError"'),
    "import error": Case("import nope", 502, b"Runtime.ImportModuleError"),
    "syntax error": Case("def handler(:", 502, b"Runtime.UserCodeSyntaxError"),
    "handler missing": Case("x = 1", 502, b"Runtime.HandlerNotFound"),
    "no dot": Case("x = 1", 502, b"Runtime.MalformedHandlerName", handler="app"),
    "built-in module": Case("x = 1", 502, b"Runtime.BuiltInModuleConflict", handler="sys.handler"),
    "exception at import": Case("raise KeyError('boo')", 502, b'"errorType": "KeyError"'),
    "sys.exit at import": Case("import sys; sys.exit(5)", 502, b""),
    "exit 0 at import": Case("import os; os._exit(0)", 502, b""),
    "sys.exit in the handler": Case("import sys\ndef handler(event, context): sys.exit(3)", 502, b"exit status 3"),
    "sys.exit(0) in the handler": Case(
        "import sys\ndef handler(event, context): sys.exit(0)", 502, b"Runtime exited without providing a reason"
    ),
    "os._exit in the handler": Case("import os\ndef handler(event, context): os._exit(7)", 502, b"exit status 7"),
    "killed": Case("import os\ndef handler(event, context): os.kill(os.getpid(), 9)", 502, b"signal: killed"),
    "segmentation fault": Case(
        "import os\ndef handler(event, context): os.kill(os.getpid(), 11)", 502, b"signal: segmentation fault"
    ),
    "timeout": Case(
        "import time\ndef handler(event, context): time.sleep(30)",
        200,
        b"Task timed out after 1.00 seconds",
        timeout_s=1,
    ),
    "invalid event": Case("def handler(event, context): return 1", 200, b"Runtime.UnmarshalError", b"{nope"),
    "empty event": Case("def handler(event, context): return 1", 200, b"Runtime.UnmarshalError", b""),
    "coroutine": Case("async def handler(event, context): return 1", 200, b"Runtime.MarshalError"),
    "object": Case("def handler(event, context): return object()", 200, b"Runtime.MarshalError"),
    "bytes": Case("def handler(event, context): return b'\\x00\\xff'", 200, b"\x00\xff"),
    "largest response": Case(f"def handler(event, context): return 'x' * ({LIMIT} - 2)", 200, b'"xxxx'),
    "response over the limit": Case(
        f"def handler(event, context): return 'x' * ({LIMIT} - 1)", 502, b"Function.ResponseSizeTooLarge"
    ),
    "client context": Case(
        "def handler(event, context): return context.client_context.custom",
        200,
        b'{"k": "v"}',
        headers=(("X-Amz-Client-Context", "eyJjdXN0b20iOnsiayI6InYifX0="),),
    ),
    "arn": Case("def handler(event, context): return context.invoked_function_arn", 200, b":function:test_function"),
    "variables": Case(
        "import os\ndef handler(event, context):\n"
        "    return {k: os.environ[k] for k in sorted(os.environ) if k in {\n"
        "        'AWS_LAMBDA_FUNCTION_NAME', 'AWS_LAMBDA_FUNCTION_VERSION', 'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',\n"
        "        'AWS_LAMBDA_LOG_GROUP_NAME', 'AWS_LAMBDA_LOG_STREAM_NAME', '_HANDLER'}}",
        200,
        b'"_HANDLER": "app.handler"',
    ),
}


class Answer(NamedTuple):
    status: int
    body: bytes


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture
def folder(case: Case, tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(case.source)
    return tmp_path


def environment(timeout_s: int = TIMEOUT_S) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextlib.contextmanager
def running(command: list[str], folder: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def our_emulator(folder: Path, runtime: list[str], timeout_s: int) -> Iterator[int]:
    command = [sys.executable, "-S", str(MAIN), "--port", "0", "--", *runtime]
    with running(command, folder, environment(timeout_s)) as process:
        yield ready_port(process)


@contextlib.contextmanager
def aws_emulator(folder: Path, rie: str, runtime: list[str], timeout_s: int = TIMEOUT_S) -> Iterator[int]:
    port, api = free_port(), free_port()
    flags = ["--runtime-interface-emulator-address", f"127.0.0.1:{port}", "--runtime-api-address", f"127.0.0.1:{api}"]
    with running([rie, "--log-level", "error", *flags, *runtime], folder, environment(timeout_s)):
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.01)
        yield port


def invoke(port: int, case: Case) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S + 20)
    with contextlib.closing(connection):
        connection.request("POST", PATH, case.event, dict(case.headers))
        response = connection.getresponse()
        return Answer(response.status, normalised(response.read()))


def normalised(body: bytes) -> bytes:
    """Request ids differ from call to call."""
    return re.sub(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", b"REQUEST-ID", body)


def test_answers_equal_those_of_awss_emulator(case: Case, folder: Path, awslambdaric_python: str, rie: str) -> None:
    """Status and body of the first and the second invocation are those of AWS's emulator."""
    runtime = [awslambdaric_python, "-m", "awslambdaric", case.handler]
    with our_emulator(folder, runtime, case.timeout_s) as port:
        ours = [invoke(port, case), invoke(port, case)]
    with aws_emulator(folder, rie, runtime, case.timeout_s) as port:
        theirs = [invoke(port, case)]
        time.sleep(0.2)  # it goes on ending the old runtime after it has answered
        theirs.append(invoke(port, case))

    assert ours[0].status == case.status
    assert case.contains in ours[0].body
    assert ours == theirs
