"""The behavioural tests of awslambdaric's own repository, and what stands for each here.

| their test class | here |
|---|---|
| `TestUpdateXrayEnv` | the trace id in the environment: test_runtime, case `trace id` |
| `TestHandleEventRequest` | events, contexts, handlers that fail: test_runtime_parity, test_runtime, test_invocation |
| `TestXrayFault` | the cause document: test_failure, and the facet `cause` of every case |
| `TestGetEventHandler` | names, slashes, built-in modules: test_handler, cases `import error` to `built-in module` |
| `TestContentType` | JSON and bytes in and out: test_payload, cases `bytes`, `bytes in` |
| `TestLogError` | error records, text and framed, indentation: test_failure, test_json_logs, cases `raises …` |
| `TestUnbuffered` | what is printed is out in time: test_logging, case `prints` |
| `TestLogSink` | frames: test_json_logs |
| `TestLoggingSetup`, `TestLambdaLoggerHandlerSetup` | levels, frames: test_json_logs, test_logging, cases `logs at …` |
| `TestLogging` | JSON records, levels set by hand and by dictConfig: cases `logs …` |
| `TestBootstrapModule` | the loop and a failed start: test_runtime |
| `TestOnInitComplete`, `TestRuntimeHooks` | order and failures of hooks: test_snapshot, cases `SnapStart …` |
| `LambdaRuntimeConcurrencyTest` | success and failure beside each other: test_runtime_concurrency |
| `TestLambdaConfigProvider` | arguments and environment: test_settings |
| `TestLambdaContext` | attributes, time, log: test_invocation, cases `context`, `remaining time`, `prints` |
| `TestInvocationRequest`, `TestLambdaRuntime` | calls, headers, statuses: test_runtime, test_reliability |
| `TestLambdaRuntimeClientError` | what a refusal says: test_reliability |
| `TestLambdaRuntimeMarshaller` | Decimal, NaN, escapes: test_payload, test_runtime_marshalling |
| `TestMain` | which way a start takes: test_concurrency, test_start_modules |
| `TestMultiConcurrentRunnerRedirect` | output through the log socket: test_runtime_concurrency, test_concurrency |

Left out are tests of their modules' insides (mocks called with arguments, their version, their client library).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conformance.test_runtime_parity import CASES

TESTS = Path(__file__).parents[1]
ROWS = re.findall(r"(?m)^\| (`[^|]+`) \| ([^|]+) \|$", __doc__)


@pytest.mark.parametrize(("theirs", "ours"), ROWS)
def test_every_counterpart_is_there(theirs: str, ours: str) -> None:
    """Each named module exists and has tests; each named case is one of those that are run."""
    assert theirs.startswith(("`Test", "`Lambda"))
    modules = re.findall(r"\btest_[a-z_]+", ours)
    assert modules or "case" in ours
    for name in modules:
        (path,) = [path for folder in ("bootstrap", "conformance") for path in TESTS.glob(f"{folder}/{name}.py")]
        assert "\ndef test_" in path.read_text()
    for name in re.findall(r"`([a-zA-Z_ -]+)(?: …)?`", ours.partition("case")[2]):
        assert any(case.startswith(name) for case in CASES), name
