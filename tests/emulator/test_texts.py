"""The pure translations: log lines, variables, client contexts, error types, memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import Settings, answers, invoke_api, memory, report, runtime_api, variables
from emulator.connection import render_date
from emulator.http1 import Request


def test_report_lines() -> None:
    """Lambda's order and words, tabs and all; the billed duration includes the init, rounded up."""
    values = {"memory_mb": 128, "max_memory_mb": 36}
    assert report.render_end("i", duration_s=0.01574, init_s=0.13049, status=None, **values) == (
        b"END RequestId: i\nREPORT RequestId: i\tDuration: 15.74 ms\tBilled Duration: 147 ms\tMemory Size: 128 MB\t"
        b"Max Memory Used: 36 MB\tInit Duration: 130.49 ms\t\n"
    )
    assert report.render_end("i", duration_s=3.0, init_s=None, status="timeout", error_type="X", **values) == (
        b"END RequestId: i\nREPORT RequestId: i\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\t"
        b"Max Memory Used: 36 MB\tStatus: timeout\n"
    )
    assert report.render_end("i", duration_s=0.0, init_s=None, status="error", error_type="X", **values).endswith(
        b"\tStatus: error\tError Type: X\n"
    )


def test_times() -> None:
    """Dates are UTC and do not follow the locale."""
    assert render_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert report.render_timed_out("i", timeout_s=3.0, epoch_s=784111777.123) == (
        b"1994-11-06T08:49:37.123Z i Task timed out after 3.00 seconds\n\n"
    )


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
