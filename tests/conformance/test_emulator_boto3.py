"""AWS's SDK for Python is the caller: it must read every answer as it reads those of the platform."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import emulator
from tests.ready import ready_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.client import BaseClient

RUNTIMES = Path(__file__).resolve().parents[1] / "emulator/runtimes"
MAIN = Path(emulator.__file__).parent / "__main__.py"


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[..., BaseClient]]:
    """Start a runtime under the emulator, and return a client of the Lambda API for it."""
    started: list[subprocess.Popen[bytes]] = []
    clients = []

    def start(runtime: str, *flags: str) -> BaseClient:
        process = subprocess.Popen(
            [sys.executable, str(MAIN), "--port", "0", *flags, "--", sys.executable, str(RUNTIMES / f"{runtime}.py")],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        url = ready_url(process)
        client = boto3.client(
            "lambda",
            endpoint_url=url.partition("/2015-03-31")[0],
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}),
        )
        clients.append(client)
        return client

    start.started = started
    yield start
    for client in clients:
        client.close()
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)


def test_a_response(connect: Callable[..., BaseClient]) -> None:
    """Payload, version, log and context arrive."""
    client = connect("echo")
    context = base64.b64encode(b'{"custom": {"k": 1}}').decode()
    told = client.invoke(FunctionName="function", Payload=b'"headers"', LogType="Tail", ClientContext=context)
    assert (told["StatusCode"], told["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in told
    assert json.loads(told["Payload"].read())["lambda-runtime-client-context"] == '{"custom": {"k": 1}}'
    assert base64.b64decode(told["LogResult"]).startswith(b"START RequestId: ")
    assert told["ResponseMetadata"]["RequestId"] in base64.b64decode(told["LogResult"]).decode()


def test_a_functions_error(connect: Callable[..., BaseClient]) -> None:
    """An error of the function is no error of the call."""
    told = connect("error").invoke(FunctionName="anything", Payload=b"{}")
    assert (told["StatusCode"], told["FunctionError"]) == (200, "Unhandled")
    assert json.loads(told["Payload"].read())["errorType"] == "E"


def test_a_timeout(connect: Callable[..., BaseClient]) -> None:
    """A timeout is one too."""
    told = connect("hangs", "--timeout", "0.2").invoke(FunctionName="function", Payload=b"{}")
    assert told["FunctionError"] == "Unhandled"
    assert told["Payload"].read() == b"Task timed out after 0.20 seconds"


def test_refusals_have_the_sdks_types(connect: Callable[..., BaseClient]) -> None:
    """The SDK raises the exception classes it has for the Lambda API."""
    client = connect("echo")
    with pytest.raises(client.exceptions.RequestTooLargeException):
        client.invoke(FunctionName="function", Payload=b"x" * (6 * 1024 * 1024 + 101))
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="give RequestResponse, Event or DryRun"):
        client.invoke(FunctionName="function", Payload=b"{}", InvocationType="Maybe")
    with pytest.raises(client.exceptions.InvalidRequestContentException, match="Could not parse request body"):
        client.invoke(FunctionName="function", Payload=b"{", InvocationType="Event")
    with pytest.raises(client.exceptions.InvalidRequestContentException, match="valid Base64-encoded JSON"):
        client.invoke(FunctionName="function", Payload=b"{}", ClientContext="W10=")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.list_functions()


def test_what_is_not_answered_by_the_function(connect: Callable[..., BaseClient]) -> None:
    """Event and DryRun have their statuses and no payload."""
    client = connect("echo")
    for kind, status in (("Event", 202), ("DryRun", 204)):
        told = client.invoke(FunctionName="function", Payload=b"{}", InvocationType=kind)
        assert (told["StatusCode"], told["Payload"].read()) == (status, b"")
        assert told["ResponseMetadata"]["RequestId"]


def test_a_tenant(connect: Callable[..., BaseClient]) -> None:
    """The tenant's id reaches the runtime."""
    told = connect("echo").invoke(FunctionName="function", Payload=b'"headers"', TenantId="blue")
    assert json.loads(told["Payload"].read())["lambda-runtime-aws-tenant-id"] == "blue"


def test_too_many_callers(connect: Callable[..., BaseClient]) -> None:
    """The SDK's own exception, with the platform's reason."""
    client = connect("hangs", "--timeout", "30", "--queue-timeout", "0.2")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(client.invoke, FunctionName="function", Payload=b"{}") for _ in range(2)]
        done = next(concurrent.futures.as_completed(calls))
        with pytest.raises(client.exceptions.TooManyRequestsException, match=r"Rate Exceeded\.") as caught:
            done.result()
        assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        connect.started[0].send_signal(signal.SIGTERM)


def streamed(told: dict[str, object]) -> tuple[bytes, dict[str, str]]:
    """The whole payload of a stream, and what its end says."""
    payload, complete = b"", None
    for event in told["EventStream"]:
        payload += event.get("PayloadChunk", {}).get("Payload", b"")
        complete = event.get("InvokeComplete", complete)
    return payload, complete


def test_a_stream(connect: Callable[..., BaseClient]) -> None:
    """Chunks, version and log arrive, as from the platform."""
    told = connect("streams").invoke_with_response_stream(FunctionName="function", Payload=b"1", LogType="Tail")
    assert (told["StatusCode"], told["ExecutedVersion"]) == (200, "$LATEST")
    payload, complete = streamed(told)
    assert payload == b"onetwo"
    assert set(complete) == {"LogResult"}
    assert told["ResponseMetadata"]["RequestId"] in base64.b64decode(complete["LogResult"]).decode()


def test_a_stream_that_breaks_off(connect: Callable[..., BaseClient]) -> None:
    """What there was of it, and then the runtime's own words in the last event."""
    payload, complete = streamed(connect("streams").invoke_with_response_stream(FunctionName="f", Payload=b"true"))
    assert payload == b"onetwo"
    assert complete["ErrorCode"] == "Unhandled"


def test_a_stream_whose_runtime_dies(connect: Callable[..., BaseClient]) -> None:
    """It is told in the stream: the status has gone out."""
    client = connect("streams")
    payload, complete = streamed(client.invoke_with_response_stream(FunctionName="f", Payload=b'"die"'))
    assert payload == b"one"
    assert "exit status 7" in json.loads(complete["ErrorDetails"])["errorMessage"]


def test_what_is_not_streamed_arrives_as_a_stream(connect: Callable[..., BaseClient]) -> None:
    """A buffered answer is one chunk, a buffered error is the end."""
    told = connect("echo").invoke_with_response_stream(FunctionName="function", Payload=b'{"a": 1}')
    assert streamed(told) == (b'{"a": 1}', {})
    payload, complete = streamed(connect("error").invoke_with_response_stream(FunctionName="f", Payload=b"{}"))
    assert (payload, complete["ErrorCode"]) == (b"", "Unhandled")
    assert json.loads(complete["ErrorDetails"])["errorType"] == "E"


def test_a_buffered_call_gets_the_whole_stream(connect: Callable[..., BaseClient]) -> None:
    """As from the platform: the Invoke operation collects it."""
    told = connect("streams").invoke(FunctionName="function", Payload=b"1")
    assert told["Payload"].read() == b"onetwo"


def test_a_stream_is_refused_like_any_call(connect: Callable[..., BaseClient]) -> None:
    """Before anything is run."""
    client = connect("echo")
    with pytest.raises(client.exceptions.RequestTooLargeException):
        client.invoke_with_response_stream(FunctionName="function", Payload=b"x" * (6 * 1024 * 1024 + 101))


def test_the_other_kind_of_streamed_call(connect: Callable[..., BaseClient]) -> None:
    """A dry run runs nothing; there is no event that nobody waits for."""
    client = connect("echo")
    told = client.invoke_with_response_stream(FunctionName="f", Payload=b"{}", InvocationType="DryRun")
    told["EventStream"].close()
    assert told["StatusCode"] == 204
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="give RequestResponse or DryRun"):
        client.invoke_with_response_stream(FunctionName="f", Payload=b"{}", InvocationType="Event")
