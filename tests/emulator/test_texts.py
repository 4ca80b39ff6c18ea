"""The pure translations: log lines, variables, client contexts, error types, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import Settings, answers, invoke_api, memory, report, runtime_api, variables
from emulator.dates import render_access_time, render_date
from emulator.http1 import Request
from emulator.platform_events import (
    TYPES,
    ExtensionInit,
    Fault,
    InitReport,
    InitRuntimeDone,
    InitStart,
    LogsDropped,
    PlatformEvent,
    Report,
    RuntimeDone,
    Start,
    TelemetrySubscription,
)


def ending(**changes: object) -> Report:
    return Report("i", None, None, 0.01574, None, 128, 36, 3.0)._replace(**changes)


EVENTS: list[tuple[PlatformEvent, str, dict[str, object] | str]] = [
    (
        InitStart("init", "f", "1"),
        "",
        {"initializationType": "on-demand", "phase": "init", "functionName": "f", "functionVersion": "1"},
    ),
    (
        InitRuntimeDone("init", "success", None),
        "",
        {"initializationType": "on-demand", "phase": "init", "status": "success"},
    ),
    (
        InitReport(0.5, "init", "success", None),
        "",
        {"initializationType": "on-demand", "phase": "init", "status": "success", "metrics": {"durationMs": 500.0}},
    ),
    (
        InitReport(0.5, "invoke", "error", "Runtime.E"),
        "INIT_REPORT Init Duration: 500.00 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.E\n",
        {
            "initializationType": "on-demand",
            "phase": "invoke",
            "status": "error",
            "errorType": "Runtime.E",
            "metrics": {"durationMs": 500.0},
        },
    ),
    (Start("i", "$LATEST"), "START RequestId: i Version: $LATEST\n", {"requestId": "i", "version": "$LATEST"}),
    (
        RuntimeDone("i", "success", None, 0.0012345, 7),
        "",
        {"requestId": "i", "status": "success", "metrics": {"durationMs": 1.234, "producedBytes": 7}},
    ),
    (
        ending(init_s=0.13049),
        (
            "END RequestId: i\nREPORT RequestId: i\tDuration: 15.74 ms\tBilled Duration: 147 ms\tMemory Size: 128 MB\t"
            "Max Memory Used: 36 MB\tInit Duration: 130.49 ms\t\n"
        ),
        {
            "requestId": "i",
            "status": "success",
            "metrics": {
                "durationMs": 15.74,
                "billedDurationMs": 147,
                "memorySizeMB": 128,
                "maxMemoryUsedMB": 36,
                "initDurationMs": 130.49,
            },
        },
    ),
    (
        ending(status="timeout", error_type="X", duration_s=3.0),
        (
            "1994-11-06T08:49:37.123Z i Task timed out after 3.00 seconds\n\n"
            "END RequestId: i\nREPORT RequestId: i\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\t"
            "Memory Size: 128 MB\tMax Memory Used: 36 MB\tStatus: timeout\n"
        ),
        {
            "requestId": "i",
            "status": "timeout",
            "metrics": {"durationMs": 3000.0, "billedDurationMs": 3000, "memorySizeMB": 128, "maxMemoryUsedMB": 36},
        },
    ),
    (
        ending(status="error", error_type="X", duration_s=0.0),
        (
            "END RequestId: i\nREPORT RequestId: i\tDuration: 0.00 ms\tBilled Duration: 0 ms\tMemory Size: 128 MB\t"
            "Max Memory Used: 36 MB\tStatus: error\tError Type: X\n"
        ),
        {
            "requestId": "i",
            "status": "error",
            "errorType": "X",
            "metrics": {"durationMs": 0.0, "billedDurationMs": 0, "memorySizeMB": 128, "maxMemoryUsedMB": 36},
        },
    ),
    (
        ExtensionInit("agent", "Ready", ("INVOKE", "SHUTDOWN"), None),
        "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n",
        {"name": "agent", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]},
    ),
    (
        ExtensionInit("agent", "InitError", (), "Extension.E"),
        "EXTENSION\tName: agent\tState: InitError\tEvents: []\tError Type: Extension.E\n",
        {"name": "agent", "state": "InitError", "events": [], "errorType": "Extension.E"},
    ),
    (
        TelemetrySubscription("agent", ("platform",)),
        "",
        {"name": "agent", "state": "Subscribed", "types": ["platform"]},
    ),
    (LogsDropped("slow", 2, 30), "", {"reason": "slow", "droppedRecords": 2, "droppedBytes": 30}),
    (Fault("it broke"), "it broke\n", "it broke"),
]


@pytest.mark.parametrize(("event", "text", "record"), EVENTS, ids=[type(event).__name__ for event, _, _ in EVENTS])
def test_what_the_platform_tells(event: PlatformEvent, text: str, record: object) -> None:
    """Lambda's words as text, tabs and all, and the Telemetry API's records as JSON, one object a line.

    The billed duration includes the init, rounded up.
    """
    assert report.render_text(event, 784111777.123) == text.encode()
    line = report.render_json(event, 784111777.123)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    told = json.loads(line)
    assert (told["time"], told["record"]) == ("1994-11-06T08:49:37.123Z", record)
    assert told["type"] == TYPES[type(event)]


def test_every_event_has_a_type() -> None:
    """In the Telemetry API's words."""
    assert set(TYPES.values()) == {
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
        "platform.fault",
        "platform.extension",
        "platform.telemetrySubscription",
        "platform.logsDropped",
    }
    assert {type(event) for event, _, _ in EVENTS} == set(TYPES)


def test_dates() -> None:
    """They are UTC and do not follow the locale."""
    assert render_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert render_access_time(784111777) == "06/Nov/1994:08:49:37 +0000"


def test_variables_of_the_user_win() -> None:
    """Except for the API's address and the memory in force."""
    user = {
        "AWS_LAMBDA_FUNCTION_NAME": "mine",
        "AWS_REGION": "eu-west-1",
        "TZ": "Europe/Berlin",
        "AWS_LAMBDA_RUNTIME_API": "elsewhere",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1",
        "LAMBDA_TASK_ROOT": "/function",
        "_HANDLER": "a.b",
    }
    found = variables.runtime_environment(Settings(["x", "y"], user), runtime_api="h:1", cwd="/w")
    assert found["AWS_LAMBDA_RUNTIME_API"] == "h:1"
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    kept = ("AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "TZ", "LAMBDA_TASK_ROOT", "_HANDLER")
    assert {name: found[name] for name in kept} == {name: user[name] for name in kept}
    assert found["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert variables.function_arn(found) == "arn:aws:lambda:eu-west-1:012345678912:function:mine"


def test_variables_by_default() -> None:
    """What AWS's emulator sets, and the platform's zone, region, root and kind of initialisation."""
    assert variables.runtime_environment(Settings(["x"], {}), runtime_api="h:1", cwd="/w") == {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_NAME": "test_function",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/Functions",
        "AWS_LAMBDA_LOG_STREAM_NAME": "$LATEST",
        "AWS_LAMBDA_RUNTIME_API": "h:1",
        "AWS_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": "/w",
        "TZ": ":UTC",
    }


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Runtime.ExitError", "Runtime.ExitError"),
        ("Function.Custom", "Function.Custom"),
        ("ValueError", "Runtime.Unknown"),
        ("Function.lower", "Function.Unknown"),
        ("", "Runtime.Unknown"),
    ],
)
def test_error_types(text: str, kept: str) -> None:
    """The platform keeps its own kind of names only."""
    assert runtime_api.parse_error_type(text) == kept


@pytest.mark.parametrize("text", ["!!", "bm90IGpzb24=", "W10=", "/w==", "e30=x"])
def test_contexts_that_are_none(text: str) -> None:
    """Base64 of a JSON object or nothing."""
    with pytest.raises(ValueError, match=r".*"):
        invoke_api.parse_client_context(text)


@given(st.text())
def test_any_context_text_raises_only_value_errors(text: str) -> None:
    """A context of any kind is an object on one line that fits a header, or refused."""
    try:
        context = invoke_api.parse_client_context(text)
    except ValueError:
        return
    assert context is None or invoke_api.is_header_value(context)


@given(st.text(max_size=40), st.sampled_from(["GET", "POST", "PUT"]))
def test_any_path_is_a_call_or_a_reply(path: str, method: str) -> None:
    """Whatever a runtime asks for has an answer."""
    request = Request(method, "/" + path, {}, b"", 0, keep_alive=True)
    assert isinstance(runtime_api.parse_call(request, 1), answers.Reply)


def test_exits_in_the_platforms_words() -> None:
    """Go's names of signals, which the platform prints."""
    told = {code: answers.describe_exit(code) for code in (0, 1, -9, -15, -11, -64)}
    assert told == {
        0: None,
        1: "exit status 1",
        -9: "signal: killed",
        -15: "signal: terminated",
        -11: "signal: segmentation fault",
        -64: "signal: signal 64",
    }


def test_memory_of_a_process() -> None:
    """Ours is something, that of a process which is not there is nothing."""
    gauge = memory.MemoryGauge(os.getpid())
    assert gauge.max_memory_kb() > 1000
    gauge.close()
    assert gauge.max_memory_kb() == 0
    assert memory.MemoryGauge(2**22 + 1).max_memory_kb() == 0


def test_memory_of_descendants() -> None:
    """Children and their children count, whichever thread forked them."""
    probe = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', 'print(1, flush=True); input()']).wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-S", "-c", probe], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        whole = memory.MemoryGauge(process.pid)
        root = memory.parse_high_water_kb(Path(f"/proc/{process.pid}/status").read_bytes())
        assert whole.max_memory_kb() > root + 3000
        whole.close()
        process.communicate(b"\n")


@pytest.mark.parametrize(
    ("status", "kb"),
    [
        (b"Name:\tx\nVmHWM:\t   12345 kB\nVmRSS:\t1 kB\n", 12345),
        (b"Name:\tx\n", 0),
        (b"\nVmHWM:\t", 0),
        (b"\nVmHWM: x", 0),
    ],
)
def test_the_high_water_mark(status: bytes, kb: int) -> None:
    """Read from the kernel's text, or nothing."""
    assert memory.parse_high_water_kb(status) == kb
