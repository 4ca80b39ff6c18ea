"""Ours and AWS's emulator run the same functions under AWS's runtime client, and must answer alike."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import emulator
from tests.conformance.awss_emulator import TIMEOUT_S, ask_awss, environment, invoke, running
from tests.ready import ready_port

pytestmark = pytest.mark.network

MAIN = Path(emulator.__file__).parent / "__main__.py"
LIMIT = 6 * 1024 * 1024 + 100


class Case(NamedTuple):
    source: str
    status: int
    contains: bytes
    event: bytes = b"{}"
    handler: str = "app.handler"
    headers: dict[str, str] | None = None
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
        headers={"X-Amz-Client-Context": "eyJjdXN0b20iOnsiayI6InYifX0="},
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


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture
def folder(case: Case, tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(case.source)
    return tmp_path


def test_answers_equal_those_of_awss_emulator(case: Case, folder: Path, awslambdaric_python: str, rie: str) -> None:
    """Status and body of the first and the second invocation are those of AWS's emulator."""
    runtime = [awslambdaric_python, "-m", "awslambdaric", case.handler]
    command = [sys.executable, "-S", str(MAIN), "--port", "0", "--", *runtime]
    with running(command, folder, environment(case.timeout_s)) as process:
        port = ready_port(process)
        ours = [invoke(port, case.event, case.headers) for _ in range(2)]
    theirs = ask_awss(folder, rie, runtime, [case.event] * 2, headers=case.headers, timeout_s=case.timeout_s)

    assert ours[0].status == case.status
    assert case.contains in ours[0].body
    assert ours == theirs
