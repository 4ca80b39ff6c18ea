"""JSON log records and framed ones: awslambdaric's own formatter is the witness in tests/conformance."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from bootstrap.logs import render_frame
from tests.bootstrap.recording_server import REQUEST_ID, Event, RecordingServer
from tests.bootstrap.runtime_process import (
    SCRIPT,
    VERSIONS,
    clean_environment,
    require_python,
    run_runtime,
    write_function,
)

TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
JSON = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}
SOURCE = """
import logging, os
logging.warning("cold")
def handler(event, context):
    log = logging.getLogger("a.b")
    log.error("n=%d", 1, extra={"order": 7, "none": None, "odd": object})
    log.warning({"a": "\\u00e9"})
    log.log(35, "between")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("caught")
    return ["_LAMBDA_TELEMETRY_LOG_FD" in os.environ, os.popen("echo $_LAMBDA_TELEMETRY_LOG_FD").read()]
"""


@pytest.fixture(params=VERSIONS)
def python(request):
    return require_python(request.param)


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_records_are_objects(tmp_path, python) -> None:
    """Fields in awslambdaric's order, time in milliseconds, nothing that has no value."""
    events = [Event(headers={"Lambda-Runtime-Aws-Tenant-Id": "t"})]
    folder = write_function(tmp_path, app=SOURCE)
    cold, first, second, third, caught = records(
        run_runtime(folder, events=events, python=python, environment=JSON).stdout
    )
    assert all(re.fullmatch(TIME, record.pop("timestamp")) for record in (cold, first, second, third, caught))
    assert list(cold.items()) == [("level", "WARNING"), ("message", "cold"), ("logger", "root"), ("requestId", "")]
    assert list(first.items()) == [
        ("level", "ERROR"), ("message", "n=1"), ("logger", "a.b"), ("requestId", REQUEST_ID), ("tenantId", "t"),
        ("order", 7), ("odd", "<class 'object'>"),
    ]  # fmt: skip
    assert second["message"] == {"a": "\u00e9"}
    assert third["level"] == "WARNING"
    names = ["level", "message", "logger", "stackTrace", "errorType", "errorMessage", "requestId", "location"]
    assert list(caught) == [*names, "tenantId"]
    assert (caught["errorType"], caught["errorMessage"]) == ("ZeroDivisionError", "division by zero")
    assert caught["location"] == f"{folder}/app.py:handler:12"
    assert "1 / 0" in caught["stackTrace"][0]


def test_failures_are_objects_too(tmp_path) -> None:
    """What the platform is told, with time and level before it; an init failure has its warning."""
    write_function(tmp_path, app="def handler(event, context): raise ValueError('b\\u00e4d')", broken="1 / 0")
    outcome = run_runtime(tmp_path, environment=JSON)
    (error,) = records(outcome.stdout)
    assert re.fullmatch(TIME, error.pop("timestamp"))
    assert (error.pop("level"), error) == ("ERROR", json.loads(outcome.answers[0].body))
    warning, error = records(run_runtime(tmp_path, "broken.handler", environment=JSON).stdout)
    assert list(warning) == ["timestamp", "level", "message", "logger", "requestId"]
    assert warning["message"].startswith("LAMBDA_WARNING: Unhandled exception.")
    assert (error["errorType"], error["requestId"]) == ("ZeroDivisionError", "")


@pytest.mark.parametrize(("level", "lines"), [("INFO", 2), ("WARN", 2), ("ERROR", 1), ("FATAL", 1), ("nonsense", 2)])
def test_the_level_filters_the_runtimes_own_warning(tmp_path, level, lines) -> None:
    """The error itself is always shown, as in awslambdaric."""
    write_function(tmp_path, app="1 / 0")
    output = run_runtime(tmp_path, environment={"AWS_LAMBDA_LOG_LEVEL": level}).stdout
    assert len(output.removesuffix("\n").split("\n")) == lines


def framed_run(folder, python: str = sys.executable, **environment: str) -> tuple[list[tuple[int, str]], list[object]]:
    """Frames as (type, text), and the answers."""
    read_end, write_end = os.pipe()
    with RecordingServer([Event()]) as server, os.fdopen(read_end, "rb") as pipe:
        env = clean_environment(
            AWS_LAMBDA_RUNTIME_API=server.address, _LAMBDA_TELEMETRY_LOG_FD=str(write_end), **environment
        )
        command = [python, "-S", str(SCRIPT), "app.handler"]
        done = subprocess.run(
            command, cwd=folder, env=env, pass_fds=[write_end], capture_output=True, timeout=30, check=False
        )
        os.close(write_end)
        data = pipe.read()
    assert done.stdout == b""
    frames = []
    while data:
        length = int.from_bytes(data[4:8], "big")
        assert int.from_bytes(data[8:16], "big") > 1_700_000_000_000_000
        frames.append((int.from_bytes(data[:4], "big"), data[16 : 16 + length].decode()))
        data = data[16 + length :]
    return frames, [json.loads(request.body) for request in server.requests if request.method == "POST"]


def test_records_are_framed_where_the_platform_wants_it(tmp_path, python) -> None:
    """Type by format and level, and neither the function nor its children see the descriptor's number."""
    write_function(tmp_path, app=SOURCE)
    frames, answers = framed_run(tmp_path, python)
    assert [kind for kind, _ in frames] == [0xA55A0003] * 5
    assert frames[0][1].endswith("\t\tcold\n")
    assert answers == [[False, "\n"]]
    frames, _ = framed_run(tmp_path, python, AWS_LAMBDA_LOG_LEVEL="INFO")
    assert [kind for kind, _ in frames] == [0xA55A0013, 0xA55A0017, 0xA55A0013, 0xA55A0013, 0xA55A0017]
    frames, _ = framed_run(tmp_path, python, **JSON)
    assert [kind for kind, _ in frames] == [0xA55A0012, 0xA55A0016, 0xA55A0012, 0xA55A0012, 0xA55A0016]
    assert json.loads(frames[0][1])["message"] == "cold"


def test_a_framed_failure_has_line_feeds_and_no_line_end(tmp_path) -> None:
    """A frame is one record whatever is in it."""
    write_function(tmp_path, app="def handler(event, context): raise ValueError('x')")
    ((kind, text),), _ = framed_run(tmp_path)
    assert kind == 0xA55A0017
    assert text.startswith("[ERROR] ValueError: x\nTraceback (most recent call last):\n\u00a0\u00a0File ")
    assert not text.endswith("\n")
    ((kind, text),), _ = framed_run(tmp_path, **JSON)
    assert (kind, json.loads(text)["errorType"]) == (0xA55A0016, "ValueError")


@pytest.mark.parametrize(
    ("level", "json_logs", "kind"),
    [(0, False, 0x03), (10, False, 0x0B), (20, True, 0x0E), (39, False, 0x13), (50, True, 0x1A), (99, False, 0x1B),
     (0, True, 0x02), (-1, False, 0x03)],
)  # fmt: skip
def test_a_frame_is_type_length_time_and_text(level, json_logs, kind) -> None:
    """Big-endian; the length is in bytes; a lone surrogate does not lose the record."""
    frame = render_frame("\u00e9\ud800", level=level, json=json_logs, epoch_s=1.5)
    payload = "\u00e9".encode() + b"\\ud800"
    assert frame == bytes([0xA5, 0x5A, 0, kind, 0, 0, 0, 8]) + (1_500_000).to_bytes(8, "big") + payload
