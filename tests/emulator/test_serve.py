"""The program from outside: callers of every kind, signals, ports."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emulator import limits
from tests.ready import ready_port

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = "/2015-03-31/functions/function/invocations"
PACKAGE = Path(__file__).resolve().parents[2] / "emulator"
ECHO = Path(__file__).parent / "runtimes/echo.py"
LIMIT = limits.PAYLOAD_LIMIT_BYTES


def post(port: int, body: bytes, headers: dict[str, str] | None = None, path: str = PATH, method: str = "POST"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read(), {k.lower(): v for k, v in response.getheaders()}


def exchange(port: int, *pieces: bytes) -> bytes:
    """Send raw bytes and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = bytearray()
        while data := connection.recv(65536):
            received += data
        return bytes(received)


def test_an_event_is_answered(program: Callable) -> None:
    """The answer has the headers that AWS's SDKs read."""
    status, body, headers = post(program("echo").port, b'{"a": 1}')
    assert (status, body) == (200, b'{"a": 1}')
    assert headers["x-amz-executed-version"] == "$LATEST"
    assert re.fullmatch(r"[0-9a-f-]{36}", headers["x-amzn-requestid"])
    assert "x-amz-function-error" not in headers


def test_errors_are_marked(program: Callable) -> None:
    """A function's error has status 200 and a header."""
    status, _, headers = post(program("error").port, b"{}")
    assert (status, headers["x-amz-function-error"]) == (200, "Unhandled")


def test_the_log_can_be_had(program: Callable) -> None:
    """`X-Amz-Log-Type: Tail` returns the last 4 KiB of the invocation's log."""
    port = program("floods").port
    log = base64.b64decode(post(port, b"0", {"X-Amz-Log-Type": "Tail"})[2]["x-amz-log-result"]).decode()
    assert re.match(r"START RequestId: \S+ Version: \$LATEST\nthe end\nEND RequestId: \S+\nREPORT ", log)
    log = base64.b64decode(post(port, b"10", {"X-Amz-Log-Type": "Tail"})[2]["x-amz-log-result"]).decode()
    assert len(log) == 4096
    assert re.search(r"\nEND RequestId: \S+\nREPORT ", log)


def test_the_log_of_many_events_in_a_row_is_in_order(program: Callable) -> None:
    """A caller who comes again at once: each invocation has its lines together, whenever there was time for them."""
    emulator = program("prints")
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port)
    for number in range(50):
        connection.request("POST", PATH, str(number))
        assert connection.getresponse().read() == str(number).encode()
    connection.close()
    emulator.process.send_signal(signal.SIGTERM)
    lines = emulator.process.communicate(timeout=10)[0].decode().splitlines()
    for number in range(50):
        start, said, end, report = lines[4 * number : 4 * number + 4]
        request_id = start.removeprefix("START RequestId: ").removesuffix(" Version: $LATEST")
        assert (said, end) == (f"event {number}", f"END RequestId: {request_id}")
        assert report.startswith(f"REPORT RequestId: {request_id}\tDuration: ")
        assert re.search(r"\tMax Memory Used: [1-9]\d* MB\t", report)
    assert len(lines) == 200


def test_context_and_trace_are_passed_on(program: Callable) -> None:
    """The client context goes from base64 to JSON on one line."""
    context = base64.b64encode('{"custom":\n{"k": "ü"}}'.encode()).decode()
    headers = {"X-Amz-Client-Context": context, "X-Amzn-Trace-Id": "Root=1-2-3"}
    told = json.loads(post(program("echo").port, b'"headers"', headers)[1])
    assert told["lambda-runtime-client-context"] == '{"custom": {"k": "\\u00fc"}}'
    assert told["lambda-runtime-trace-id"] == "Root=1-2-3"


def test_any_function_name_will_do(program: Callable) -> None:
    """There is one function, whatever it is called, and a qualifier changes nothing."""
    port = program("echo").port
    for name in ("mine", "arn%3Aaws%3Alambda%3Aus-east-1%3A012345678912%3Afunction%3Amine"):
        assert post(port, b"1", path=f"/2015-03-31/functions/{name}/invocations?Qualifier=1")[0] == 200


@pytest.mark.parametrize(
    ("asked", "headers", "status", "kind"),
    [
        (f"GET {PATH}", {}, 405, "MethodNotAllowedException"),
        ("POST /", {}, 404, "ResourceNotFoundException"),
        ("POST /2018-06-01/runtime/init/error", {}, 404, "ResourceNotFoundException"),
        ("GET /2018-06-01/runtime/invocation/next", {}, 404, "ResourceNotFoundException"),
        (f"POST {PATH}", {"X-Amz-Client-Context": "!!"}, 400, "InvalidRequestContentException"),
        (f"POST {PATH}", {"X-Amz-Client-Context": "W10="}, 400, "InvalidRequestContentException"),
        (f"POST {PATH}", {"X-Amz-Invocation-Type": "Maybe"}, 400, "InvalidParameterValueException"),
    ],
)
def test_what_is_no_invocation(program: Callable, asked: str, headers: dict[str, str], status: int, kind: str) -> None:
    """Refused with the API's types; the Runtime API is not reachable here."""
    method, path = asked.split()
    got, body, told = post(program("echo").port, b"{}", headers, path, method)
    assert (got, told["x-amzn-errortype"]) == (status, kind)
    assert json.loads(body)["message"]


def test_the_largest_event_and_one_byte_more(program: Callable) -> None:
    """The limit is exact, the refusal is read although the sender sends it all, and the next event works."""
    port = program("echo").port
    status, body, _ = post(port, b"x" * LIMIT)
    assert (status, len(body)) == (200, LIMIT)
    status, _, headers = post(port, b"x" * (LIMIT + 1))
    assert (status, headers["x-amzn-errortype"]) == (413, "RequestTooLargeException")
    assert post(port, b"1")[0] == 200


@pytest.mark.parametrize(
    "head", ["Content-Length: 99999999999", f"Expect: 100-continue\r\nContent-Length: {LIMIT + 1}"]
)
def test_an_event_that_is_too_large_is_refused_unread(program: Callable, head: str) -> None:
    """Beyond the drain limit, and from a caller that asks before it sends, as curl does: the answer, and no body."""
    told = exchange(program("echo").port, f"POST {PATH} HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n".encode())
    assert told.startswith(b"HTTP/1.1 413 ")
    assert b"X-Amzn-ErrorType: RequestTooLargeException\r\n" in told
    assert b"Connection: close" in told


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 2\r\nContent-Length: 50\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Content-Length : 2\r\n",
    ],
)
def test_smuggling_is_refused(program: Callable, head: bytes) -> None:
    """A second request inside a body that could end in two places is never run."""
    hidden = f"GET {PATH} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    told = exchange(
        program("echo").port, f"POST {PATH} HTTP/1.1\r\nHost: a\r\n".encode() + head + b"\r\n0\r\n\r\n" + hidden
    )
    assert told.count(b"HTTP/1.1 ") == 1
    assert told.split()[1] in {b"400", b"501"}


def test_requests_sent_ahead_are_answered_in_order(program: Callable) -> None:
    """Pipelined events are run one after another."""
    pieces = [f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n{i}".encode() for i in range(9)]
    last = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\n9".encode()
    told = exchange(program("echo").port, b"".join(pieces) + last)
    assert re.findall(rb"\r\n\r\n(\d)", told) == [b"%d" % i for i in range(10)]


def test_chunks_and_continue(program: Callable) -> None:
    """A waiting caller is told to continue, and a chunked event arrives whole, a byte at a time or not."""
    port = program("echo").port
    fields = "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n"
    head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for byte in b"2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n":
            connection.sendall(bytes([byte]))
        told = bytearray()
        while data := connection.recv(65536):
            told += data
    assert told.endswith(b"\r\n\r\n[1]")


def test_a_caller_that_ends_its_side_is_still_answered(program: Callable) -> None:
    """A half-closed connection gets its response; half a request gets a refusal."""
    port = program("works_on").port
    request = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n0.2".encode()
    for sent, start in ((request, b"HTTP/1.1 200 "), (request[:-1], b"HTTP/1.1 400 ")):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(65536).startswith(start)


def test_a_caller_that_goes_away_disturbs_nobody(program: Callable) -> None:
    """Its event is run, its answer dropped, and the next caller is served."""
    port = program("works_on").port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n0.2".encode())
    assert post(port, b"0")[0] == 200


def test_a_dry_run_runs_nothing(program: Callable) -> None:
    """It has an id and no body, and the runtime is not asked."""
    status, body, headers = post(program("dies_in_event").port, b"{}", {"X-Amz-Invocation-Type": "DryRun"})
    assert (status, body) == (204, b"")
    assert headers["x-amzn-requestid"]
    assert "content-length" not in headers


@pytest.mark.parametrize("kind", ["Event", "DryRun"])
def test_what_is_not_answered_has_to_be_json(program: Callable, kind: str) -> None:
    """As on Lambda, since nobody would see the function's error."""
    status, body, headers = post(program("echo").port, b"{nope", {"X-Amz-Invocation-Type": kind})
    assert (status, headers["x-amzn-errortype"]) == (400, "InvalidRequestContentException")
    assert json.loads(body)["message"].startswith("Could not parse request body into json")


def test_an_event_is_queued_and_run(program: Callable) -> None:
    """Its caller has the id with which it is logged, at once; a large one is refused."""
    port, process = program("works_on")
    status, body, headers = post(port, b"0.1", {"X-Amz-Invocation-Type": "Event"})
    assert (status, body) == (202, b"")
    assert process.stdout.readline().decode().split()[2] == headers["x-amzn-requestid"]
    large = b'"%b"' % (b"x" * limits.EVENT_LIMIT_BYTES)
    status, _, headers = post(port, large, {"X-Amz-Invocation-Type": "Event"})
    assert (status, headers["x-amzn-errortype"]) == (413, "RequestTooLargeException")


def test_an_event_that_fails_is_tried_again_and_given_up(program: Callable, tmp_path: Path) -> None:
    """Three attempts with one id, then a record in the shape of the platform's."""
    records = tmp_path / "failed.jsonl"
    port = program("error", "--retry-delay-scale", "0.001", "--on-failure", str(records)).port
    request_id = post(port, b'{"a": 1}', {"X-Amz-Invocation-Type": "Event"})[2]["x-amzn-requestid"]
    while not (records.exists() and records.read_bytes().endswith(b"\n")):
        time.sleep(0.02)
    record = json.loads(records.read_text())
    assert record["requestContext"] == {
        "requestId": request_id,
        "functionArn": "arn:aws:lambda:us-east-1:012345678912:function:test_function:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert record["requestPayload"] == {"a": 1}
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert record["responsePayload"]["errorType"] == "E"


def test_queued_events_are_lost_aloud(program: Callable) -> None:
    """Who stops the emulator is told what it had not done."""
    port, process = program("error")
    post(port, b"{}", {"X-Amz-Invocation-Type": "Event"})
    while not process.stdout.readline().startswith(b"REPORT"):
        pass
    process.send_signal(signal.SIGTERM)
    assert b"emulator: 1 queued events were dropped\n" in process.communicate(timeout=10)[1]


def test_environments_of_a_program(program: Callable) -> None:
    """As many callers at once as there are environments have answers from different processes."""
    port = program("works_on", "--concurrency", "3").port
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = {body for _, body, _ in pool.map(lambda _: post(port, b"pid"), range(12))}
    assert 2 <= len(answers) <= 3


def test_the_platform_logs_json(tmp_path: Path) -> None:
    """With the variable of the platform, each of its lines is an object."""
    with subprocess.Popen(
        [sys.executable, "-S", str(PACKAGE / "__main__.py"), "--port", "0", "--", sys.executable, "-S", str(ECHO)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "AWS_LAMBDA_LOG_FORMAT": "JSON"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        port = ready_port(process)
        _, _, headers = post(port, b"{}", {"X-Amz-Log-Type": "Tail"})
        process.send_signal(signal.SIGTERM)
        lines = process.communicate(timeout=10)[0].splitlines()
    types = [json.loads(line)["type"].partition(".")[2] for line in lines]
    assert types == ["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"]
    tail = base64.b64decode(headers["x-amz-log-result"]).splitlines()
    assert [json.loads(line)["type"] for line in tail] == ["platform.start", "platform.runtimeDone", "platform.report"]


def test_secrets_never_reach_a_log(tmp_path: Path) -> None:
    """Not at start, not in an error, not at the end: variables are for the runtime alone."""
    secret = "a-secret-of-mine"
    with subprocess.Popen(
        [sys.executable, "-S", str(PACKAGE / "__main__.py"), "--port", "0", "--", sys.executable, "-S", str(ECHO)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "AWS_SECRET_ACCESS_KEY": secret, "EMULATOR_ON_FAILURE": "x"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        port = ready_port(process)
        assert secret.encode() in post(port, b'"variables"')[1]  # the function may
        post(port, b"{", {"X-Amz-Invocation-Type": "Event"})
        exchange(port, b"GARBAGE\r\n\r\n")
        process.send_signal(signal.SIGTERM)
        out, error = process.communicate(timeout=10)
    assert secret.encode() not in out + error
    failed = run_program("--port", "0", "--", "no-such-runtime", AWS_SECRET_ACCESS_KEY=secret)
    assert secret not in failed.stdout + failed.stderr


def test_the_runtime_api_is_on_the_loopback(program: Callable) -> None:
    """Wherever callers are let in, the Runtime API is on 127.0.0.1 alone, on a port of its own."""
    port, process = program("echo", "--host", "0.0.0.0")
    address = json.loads(post(port, b'"variables"')[1])["AWS_LAMBDA_RUNTIME_API"]
    host, _, runtime_port = address.partition(":")
    assert (host, runtime_port != str(port)) == ("127.0.0.1", True)
    listening = {line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if " 0A " in line}
    assert f"0100007F:{int(runtime_port):04X}" in listening
    assert f"00000000:{int(runtime_port):04X}" not in listening
    assert process.poll() is None


def test_sixty_four_callers_at_once(program: Callable) -> None:
    """Each gets its own answer."""
    port = program("echo").port
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda i: post(port, b"%d" % i)[:2], range(64)))
    assert answers == [(200, b"%d" % i) for i in range(64)]


def test_a_caller_that_waited_too_long_is_429(program: Callable) -> None:
    """With the body and the type that AWS's SDKs know."""
    port = program("hangs", "--timeout", "900", "--queue-timeout", "0.2").port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        status, body, headers = post(port, b"{}")
    assert (status, headers["x-amzn-errortype"]) == (429, "TooManyRequestsException")
    assert json.loads(body) == {
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        "Type": "User",
        "message": "Rate Exceeded.",
    }


def test_a_burst_of_a_thousand_callers(program: Callable) -> None:
    """Each has an answer or is told to come again, and the next one is served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    port, process = program("echo", "--concurrency", "2", "--queue-timeout", "0.5")
    threading.Thread(target=process.stdout.read, daemon=True).start()  # a full pipe would hold the emulator up
    request = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1".encode()
    callers = []
    try:
        for _ in range(1000):
            caller = socket.create_connection(("127.0.0.1", port), timeout=30)
            callers.append(caller)
            caller.sendall(request)
        statuses = [caller.recv(65536).split(None, 2)[1] for caller in callers]
    finally:
        for caller in callers:
            caller.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(statuses) == 1000
    assert set(statuses) <= {b"200", b"429"}
    assert b"200" in statuses
    assert post(port, b"2")[:2] == (200, b"2")


# The program


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything(program: Callable, number: int) -> None:
    """The runtime is gone, a caller under way is told, and the exit code is 0."""
    port, process = program("hangs", "--timeout", "60")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        while not (line := process.stdout.readline()).startswith(b"pid"):
            pass
        process.send_signal(number)
        assert connection.recv(65536).startswith(b"HTTP/1.1 503 ")
    assert process.wait(10) == 0
    assert not Path(f"/proc/{int(line.split()[1])}").exists()


def run_program(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PACKAGE / "__main__.py"), *arguments],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_a_taken_port(program: Callable) -> None:
    """Exit code 4, and the message names the address; no runtime is started."""
    port = program("echo").port
    result = run_program("--port", str(port), "--", "/bin/echo", "started")
    assert (result.returncode, result.stdout) == (4, "")
    assert f"listening on '127.0.0.1' port {port}" in result.stderr
    assert "choose a free port" in result.stderr


def test_a_command_that_is_not_there() -> None:
    """Exit code 3, and the message names it, once."""
    result = run_program("--port", "0", "--", "no-such-runtime")
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith("emulator: starting the runtime 'no-such-runtime' in ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("--",), ("--nothing-alike", "1", "--", "x")])
def test_usage(arguments: tuple[str, ...]) -> None:
    """Exit code 2, and what to write instead."""
    result = run_program(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("emulator: reading the command line: ")
    assert "`--`" in result.stderr


@pytest.mark.parametrize("way", ["as a file", "as a module"])
def test_beside_users_modules(tmp_path: Path, way: str) -> None:
    """Modules of the working folder are neither used by us nor hidden from the runtime."""
    for name in ("emulator", "json", "asyncio", "errors", "limits"):
        (tmp_path / f"{name}.py").write_text(f"print('the user has {name}', flush=True)")
    ours, variables = ["-S", str(PACKAGE / "__main__.py")], {}
    if way == "as a module":
        (tmp_path / "emulator.py").unlink()  # `-m` would run it: that is what the file is for
        ours, variables = ["-m", "emulator"], {"PYTHONPATH": str(PACKAGE.parent)}
    probe = "import sys; sys.path.insert(0, ''); import limits"
    with subprocess.Popen(
        [sys.executable, *ours, "--port", "0", "--", sys.executable, "-c", probe],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert ready_port(process)
        assert process.stdout.readline() == b"the user has limits\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    assert process.returncode == 0
