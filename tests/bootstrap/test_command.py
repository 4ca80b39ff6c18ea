"""`exec:` handlers: any program that reads standard input and writes standard output is a function."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from bootstrap.errors import HandlerNotFoundError, MalformedHandlerNameError
from bootstrap.kinds import load_declared
from bootstrap.logs import LogState
from bootstrap.settings import Settings
from tests.bootstrap.recording_server import REQUEST_ID, Event
from tests.bootstrap.runtime_process import VERSIONS, require_python, run_runtime

TOOLS = {
    "echo": "cat",
    "deaf": "echo deaf",
    "say": 'printf "%s|" "$@"',
    "log": "cat >/dev/null; echo to the log >&2; echo done",
    "environment": "env | grep ^LAMBDA_RUNTIME_ | sort",
    "folder": "pwd",
    "fail": "echo half; exit 3",
    "tell": """echo '{"errorType": "Tool.Sad", "errorMessage": "no luck"}'; exit 1""",
    "die": "kill -9 $$",
    "slow": "sleep 60 & echo $! > child; sleep 60",
    "closed": "exec >&-; sleep 60",
    "leaves": "sleep 60 & echo $! > child",
}


@pytest.fixture
def tools(tmp_path):
    """Executable scripts, and one file that is none."""
    for name, text in TOOLS.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    (tmp_path / "text").write_text("no program")
    (tmp_path / "nonsense").write_bytes(b"\x7fELF?")
    (tmp_path / "nonsense").chmod(0o755)
    return tmp_path


def answer_of(folder, handler: str, event: Event | None = None, **more):
    outcome = run_runtime(folder, handler, events=[event or Event(), Event()], **more)
    assert len(outcome.answers) == 2, outcome.stderr  # it lives on
    return outcome.answers[0], outcome


@pytest.mark.parametrize("version", VERSIONS)
def test_the_event_goes_in_and_the_response_comes_out_byte_for_byte(tools, version) -> None:
    """Nothing parses or rewrites them: numbers keep their digits, and 3 MB pass both ways."""
    for body in (b'{"n": 1.0E+400, "k": 1, "k": 2}', b"[" + b"1," * 1_500_000 + b"1]"):
        answer, _ = answer_of(tools, "exec:./echo", Event(body), python=require_python(version))
        assert (answer.path.rpartition("/")[2], answer.body) == ("response", body)


@pytest.mark.parametrize(
    ("handler", "output"),
    [
        ("exec:./deaf", b"deaf\n"),
        ("exec:./say a 'b c' \"\"", b"a|b c||"),
        ("exec:cat -", b"{}"),
        ("exec:./log", b"done\n"),
    ],
)
def test_commands_have_arguments_and_need_not_read(tools, handler, output) -> None:
    """Arguments are split as a shell splits them; a name without a slash is looked up on PATH."""
    answer, outcome = answer_of(tools, handler)
    assert answer.body == output
    assert ("to the log\n" in outcome.stderr) == (handler == "exec:./log")


def test_the_invocation_is_in_the_environment(tools) -> None:
    """What a Python handler finds in its context, a command finds under the headers' names."""
    headers = {"Lambda-Runtime-Trace-Id": "Root=1", "Lambda-Runtime-Client-Context": '{"custom": {}}'}
    answer, _ = answer_of(tools, "exec:./environment", Event(headers=headers))
    assert answer.body.decode().splitlines() == [
        f"LAMBDA_RUNTIME_AWS_REQUEST_ID={REQUEST_ID}",
        'LAMBDA_RUNTIME_CLIENT_CONTEXT={"custom": {}}',
        "LAMBDA_RUNTIME_DEADLINE_MS=4102444800000",
        "LAMBDA_RUNTIME_INVOKED_FUNCTION_ARN=arn:aws:lambda:eu-west-1:123456789012:function:f",
        "LAMBDA_RUNTIME_TRACE_ID=Root=1",
    ]


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        ("exec:./fail", "Function.CommandFailed", "it ended with exit status 3. Its standard error is in the log."),
        ("exec:./tell", "Tool.Sad", "no luck"),
        ("exec:./die", "Function.CommandFailed", "it ended with signal 9."),
        ("exec:./nonsense", "Function.CommandNotStarted", "Exec format error"),
    ],
)
def test_failures_are_errors_of_one_invocation(tools, handler, error_type, message) -> None:
    """A status, a signal, or what the command itself says; the environment lives on."""
    answer, _ = answer_of(tools, handler)
    error = json.loads(answer.body)
    assert answer.path.endswith("/error")
    assert (error["errorType"], answer.headers["lambda-runtime-function-error-type"]) == (error_type, error_type)
    assert message in error["errorMessage"]


def is_running(folder) -> bool:
    """Whether the tool's child is still there, and no zombie that waits for its parent."""
    pid = (folder / "child").read_text().strip()
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("handler", ["exec:./slow", "exec:./closed"])
def test_a_command_that_is_too_slow_is_ended_before_the_deadline(tools, handler) -> None:
    """With its children; the caller is told, and the next event is served."""
    headers = {"Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 1000)}
    outcome = run_runtime(tools, handler, events=[Event(headers=headers)])
    (answer,) = outcome.answers
    assert json.loads(answer.body)["errorType"] == "Function.CommandTimedOut"
    assert "still at work 100 ms before the deadline" in json.loads(answer.body)["errorMessage"]
    assert handler == "exec:./closed" or not is_running(tools)
    assert outcome.requests[-1].path.endswith("/next")


def test_nothing_runs_on_into_the_next_event(tools) -> None:
    """A child left behind would hold the output open; it ends at the deadline with its parent's output unsent."""
    headers = {"Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 1500)}
    outcome = run_runtime(tools, "exec:./leaves", events=[Event(headers=headers)])
    assert json.loads(outcome.answers[0].body)["errorType"] == "Function.CommandTimedOut"
    assert not is_running(tools)


@pytest.mark.parametrize(
    ("handler", "error", "message"),
    [
        ("exec:", MalformedHandlerNameError, "found no command"),
        ("exec:./say 'x", MalformedHandlerNameError, "No closing quotation. Close every quote."),
        ("exec:./none", HandlerNotFoundError, "Handler './none' missing: found no executable file '"),
        ("exec:./text", HandlerNotFoundError, "the mode of the file"),
        ("exec:no-such-command", HandlerNotFoundError, "found no executable file 'on PATH'"),
        ("run:app.handler", MalformedHandlerNameError, "found the prefix 'run:'"),
    ],
)
def test_a_command_that_cannot_be_is_an_error_at_init(tools, handler, error, message) -> None:
    """Before the first event comes, as for a module that cannot be imported."""
    settings = Settings(handler, {}, working_directory=str(tools))
    with pytest.raises(error, match=message.replace(".", r"\.")):
        load_declared(settings, LogState())
