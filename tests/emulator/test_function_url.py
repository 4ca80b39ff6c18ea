"""The HTTP mode as its callers find it: events in, responses out, and nothing in them that could do harm."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ready import ready_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAILED = (502, b"Internal Server Error")
PRELUDE = b'{"statusCode": 201, "headers": {"x-a": "1"}, "cookies": ["c=1", "d=2"]}' + bytes(8)


class Site:
    """A program in HTTP mode, and how to ask it."""

    def __init__(self, program: object) -> None:
        self.port, self.process = program.port, program.process

    def ask(self, method: str = "GET", path: str = "/", body: object = None, **headers: str) -> object:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named, encode_chunked=not isinstance(body, (bytes, type(None))))
            response = connection.getresponse()
            response.data = response.read()
            return response

    def say(self, answer: object, method: str = "POST", **headers: str) -> object:
        """What comes of a function that answers so."""
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return self.ask(method, body=body, x_wish="say", **headers)

    def raw(self, data: bytes, *, until: bytes = b"") -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(data)
            got = b""
            while True:
                piece = connection.recv(65536)
                got += piece
                if not piece or (until and until in got):
                    return got


@pytest.fixture
def site(program: Callable[..., object]) -> Callable[..., Site]:
    return lambda *flags: Site(program("web", "--http", *flags))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One program for all that leave nothing behind."""
    import subprocess  # noqa: PLC0415 - see the fixture `program`
    import sys  # noqa: PLC0415

    from tests.emulator.conftest import PACKAGE, Program, _command  # noqa: PLC0415

    process = subprocess.Popen(
        [sys.executable, "-S", str(PACKAGE / "__main__.py"), "--port", "0", "--http", "--", *_command("web")],
        cwd=tmp_path_factory.mktemp("site"), env={"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    url = ready_url(process)
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", url)
    assert found, url
    yield Site(Program(int(found[1]), process))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)


def test_a_request_is_an_event(shared: Site) -> None:
    """With who asked, from where, and what for."""
    event = json.loads(shared.ask("GET", "/a%20b?x=1&x=2", Cookie="a=1; b=2", User_Agent="me").data)
    assert (event["rawPath"], event["queryStringParameters"]) == ("/a%20b", {"x": "1,2"})
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert event["headers"]["x-forwarded-port"] == str(shared.port)
    assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    assert re.fullmatch(r"[0-9a-f-]{36}", event["requestContext"]["requestId"])
    assert abs(event["requestContext"]["timeEpoch"] - time.time() * 1000) < 60_000


def test_bodies_arrive_however_they_were_sent(shared: Site) -> None:
    """With a length, in chunks, or after permission."""
    body = b"\x00\xff" * 1000
    assert shared.ask("POST", body=body, x_wish="plain").data == body
    assert shared.ask("POST", body=iter([b"ab", b"c"]), Transfer_Encoding="chunked", x_wish="plain").data == b"abc"
    got = shared.raw(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\nx-wish: plain\r\n\r\n",
        until=b"\r\n\r\n",
    )
    assert got == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_an_answer_is_a_response(shared: Site) -> None:
    """Status, headers, cookies, body."""
    told = shared.say({"statusCode": 404, "headers": {"X-A": "1", "Content-Type": "text/plain"},
                       "cookies": ["a=1", "b=2"],
                       "body": "aGk=", "isBase64Encoded": True})  # fmt: skip
    assert (told.status, told.reason, told.data) == (404, "Not Found", b"hi")
    assert (told.headers["X-A"], told.headers.get_all("Set-Cookie")) == ("1", ["a=1", "b=2"])
    assert told.headers["Content-Type"] == "text/plain"
    assert told.headers["Date"].endswith(" GMT")


def test_json_is_a_body(shared: Site) -> None:
    """Without a statusCode."""
    told = shared.say({"a": [1]})
    assert (told.status, told.headers["Content-Type"], json.loads(told.data)) == (200, "application/json", {"a": [1]})


@pytest.mark.parametrize(
    "answer",
    [
        b"no JSON", {"statusCode": 99}, {"statusCode": 200, "headers": {"a": "b\r\nSet-Cookie: stolen=1"}},
        {"statusCode": 200, "cookies": ["a=1\r\n\r\n<script>"]}, {"statusCode": 200, "headers": {"a\r\nb": "1"}},
        {"statusCode": 200, "body": 1},
    ],
)  # fmt: skip
def test_no_response_is_made_of_nonsense(shared: Site, answer: object) -> None:
    """The caller gets Lambda's 502, and no header that the function was made to inject."""
    told = shared.say(answer)
    assert (told.status, told.data) == FAILED
    assert "Set-Cookie" not in told.headers


def test_the_log_says_why(site: Callable[..., Site]) -> None:
    """Whoever runs it learns what was wrong with the answer."""
    own = site()
    own.say({"statusCode": 42})
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        own.ask("POST", body=PRELUDE + b"ale", x_wish="break")
    own.process.send_signal(signal.SIGTERM)
    out, _ = own.process.communicate(timeout=10)
    assert re.search(rb"RequestId: \S+ Error: the answer is no HTTP response: its statusCode is '42'", out)
    assert re.search(rb"RequestId: \S+ Error: the answer was cut off: .*Runtime.Midway", out)


def test_a_functions_error_is_not_shown(shared: Site) -> None:
    """It is in the log, not in the caller's hands."""
    told = shared.ask("POST", body=b'{"errorMessage": "password=1"}', x_wish="error")
    assert (told.status, told.data) == FAILED


def test_a_head_has_no_body(shared: Site) -> None:
    """But the length of what a GET would have."""
    told = shared.say({"statusCode": 200, "body": "12345"}, "HEAD")
    assert (told.status, told.headers["Content-Length"], told.data) == (200, "5", b"")
    got = shared.raw(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert got.endswith(b"\r\n\r\n")
    streamed = shared.ask("HEAD", body=PRELUDE + b"body", x_wish="stream")
    assert (streamed.status, streamed.data, streamed.headers["Transfer-Encoding"]) == (201, b"", None)


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(shared: Site, status: int) -> None:
    """Two requests on one connection: what the function put into the body does not stand before the second answer."""
    answer = json.dumps({"statusCode": status, "body": "HTTP/1.1 200 OK\r\n\r\n"}).encode()
    ask = b"POST / HTTP/1.1\r\nHost: a\r\nx-wish: say\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (
        len(answer),
        answer,
    )
    got = shared.raw(ask + b"GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert re.fullmatch(rb"HTTP/1\.1 %d [^\r]+\r\n(?:[^\r]+\r\n)*\r\nHTTP/1\.1 200 OK\r\n(?s:.*)ok\n" % status, got), (
        got
    )


def test_a_stream_arrives(shared: Site) -> None:
    """Its head from the prelude, its body in chunks."""
    told = shared.ask("POST", body=PRELUDE + b"ale", x_wish="stream")
    assert (told.status, told.data, told.headers["Transfer-Encoding"]) == (201, b"ale", "chunked")
    assert told.headers.get_all("Set-Cookie") == ["c=1", "d=2"]
    same = "Application/vnd.awslambda.http-integration-response; v=1"
    assert shared.ask("POST", body=PRELUDE + b"ale", x_wish="stream", x_type=same).status == 201


def test_a_stream_without_a_head(shared: Site) -> None:
    """Plain bytes are a body, an HTTP integration response without its head is none."""
    told = shared.ask("POST", body=b"ale", x_wish="plain")
    assert (told.status, told.data, told.headers["Content-Type"]) == (200, b"ale", "text/plain")
    assert shared.ask("POST", body=b"{}", x_wish="stream").status == 502
    assert shared.ask("POST", body=b"{" + bytes(8), x_wish="stream").status == 502
    assert shared.ask("POST", body=b'{"headers": {"a": "b\\nc: d"}}' + bytes(8), x_wish="stream").status == 502


def test_a_stream_that_fails(shared: Site) -> None:
    """Before its head it is a 502; after it, the caller sees that it is not whole."""
    assert shared.ask("POST", body=b"", x_wish="break").status == 502
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        shared.ask("POST", body=PRELUDE + b"ale", x_wish="break")


def test_http_1_0_gets_no_chunks(shared: Site) -> None:
    """A stream then ends with the connection."""
    got = shared.raw(b"POST / HTTP/1.0\r\nx-wish: plain\r\nContent-Length: 3\r\n\r\nale")
    assert got.endswith(b"\r\n\r\nale")
    assert b"chunked" not in got


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1])


@pytest.mark.parametrize("mib", [8, 199])
def test_a_slow_reader_holds_the_function_back(site: Callable[..., Site], mib: int) -> None:
    """The emulator's memory does not depend on the size, also for a client that does not read at first.

    Lambda's largest stream is 200 MiB, its head included.
    """
    own = site("--timeout", "60")
    own.ask()
    before = resident_kb(own.process.pid)
    with flooding(own, mib) as response:
        time.sleep(0.3)
        size = sum(iter(lambda: len(response.read(1 << 20)), 0))
    assert size == mib << 20
    assert resident_kb(own.process.pid) - before < 8 * 1024


def test_a_stream_over_the_limit_is_cut_off(site: Callable[..., Site]) -> None:
    """The caller sees that it is not whole, the function is told, and the next one is served."""
    own = site("--timeout", "60")
    with flooding(own, 201) as response, pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        response.read()
    assert own.ask().status == 200
    own.process.terminate()
    out, _ = own.process.communicate(timeout=30)
    assert re.search(rb"the answer was cut off: .*Function.ResponseSizeTooLarge.*209715200", out)


def test_a_caller_that_hangs_up_does_not_block_the_environment(site: Callable[..., Site]) -> None:
    """The function's stream is read to its end and dropped; the next caller is served."""
    own = site("--timeout", "60")
    with socket.create_connection(("127.0.0.1", own.port)) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nx-wish: flood\r\nContent-Length: %d\r\n\r\n%b" % (len(PRELUDE), PRELUDE)
        )
        connection.recv(1000)
        time.sleep(0.2)
    assert own.ask().status == 200


def test_the_health_check_is_not_the_functions(shared: Site) -> None:
    """One exact path, read only; everything else under its name is the function's."""
    assert (shared.ask("GET", "/ping").data, shared.ask("HEAD", "/ping").status) == (b"ok\n", 200)
    for method, path in (("POST", "/ping"), ("GET", "/ping?x=1"), ("GET", "/ping/")):
        assert json.loads(shared.ask(method, path).data)["requestContext"]["http"]["method"] == method


def test_the_health_check_may_be_elsewhere_or_nowhere(site: Callable[..., Site]) -> None:
    """A function that has a /ping keeps it."""
    moved = site("--health-path", "/up")
    assert moved.ask("GET", "/up").data == b"ok\n"
    assert json.loads(moved.ask("GET", "/ping").data)["rawPath"] == "/ping"
    assert json.loads(site("--health-path", "").ask("GET", "/ping").data)["rawPath"] == "/ping"


def test_cors(site: Callable[..., Site]) -> None:
    """A preflight never reaches the function; its answers get the headers."""
    own = site("--cors", '{"AllowOrigins": ["https://a.example"], "AllowMethods": ["PUT"]}')
    told = own.ask("OPTIONS", Origin="https://a.example", Access_Control_Request_Method="PUT")
    assert (told.status, told.data, told.headers["Access-Control-Allow-Methods"]) == (200, b"", "PUT")
    told = own.say({"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}}, Origin="https://a.example")
    assert told.headers.get_all("Access-Control-Allow-Origin") == ["https://a.example"]
    assert own.say({"statusCode": 500}, Origin="https://b.example").headers["Access-Control-Allow-Origin"] is None
    streamed = own.ask("POST", body=PRELUDE, x_wish="stream", Origin="https://a.example")
    assert streamed.headers["Access-Control-Allow-Origin"] == "https://a.example"


def test_proxies_are_believed_when_they_are_declared(site: Callable[..., Site]) -> None:
    """Whoever runs it says how many there are."""
    event = json.loads(site("--proxies", "1").ask(X_Forwarded_For="6.6.6.6, 192.0.2.1", X_Forwarded_Proto="https").data)
    assert event["requestContext"]["http"]["sourceIp"] == "192.0.2.1"
    assert event["headers"]["x-forwarded-proto"] == "https"


def test_what_is_too_large_is_refused(shared: Site) -> None:
    """As a body, and as the event that it would be."""
    limit = 6 * 1024 * 1024 + 100
    assert shared.ask("POST", body=b"x" * (limit + 1)).status == 413
    assert shared.ask("POST", body=b"x" * (limit - 100), Content_Type="application/octet-stream").status == 413
    told = shared.ask("GET", "/" + "a" * 70_000)
    assert (told.status, list(json.loads(told.data))) == (431, ["Message"])


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x ",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n" + b"x" * 70_000,
        b"GET http://other/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=[
        "both framings",
        "two lengths",
        "bad chunk",
        "bad coding",
        "space",
        "fold",
        "bare LF",
        "absolute",
        "trace",
        "h2",
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_refused(shared: Site, data: bytes) -> None:
    """One answer, an error, and the connection is closed: nothing of it is a second request."""
    got = shared.raw(data)
    assert re.match(rb"HTTP/1\.1 (4\d\d|501) ", got), got
    assert got.count(b"HTTP/1.1 ") == 1


@contextlib.contextmanager
def flooding(own: Site, mib: int = 64) -> Iterator[object]:
    """A response of that size that has begun."""
    own.ask()
    connection = http.client.HTTPConnection("127.0.0.1", own.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", "/", PRELUDE, {"x-wish": "flood", "x-mib": str(mib)})
        with contextlib.closing(connection.getresponse()) as response:
            yield response


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def test_requests_under_way_end_before_we_do(site: Callable[..., Site]) -> None:
    """SIGTERM: nobody new is accepted, and who is here gets the whole answer."""
    own = site("--timeout", "60")
    with flooding(own) as response:
        own.process.send_signal(signal.SIGTERM)
        while accepts(own.port):
            time.sleep(0.02)
        assert sum(iter(lambda: len(response.read(1 << 20)), 0)) == 64 << 20
    assert own.process.wait(timeout=20) == 0


def test_without_time_to_drain_they_do_not(site: Callable[..., Site]) -> None:
    """--drain 0 ends at once."""
    own = site("--drain", "0", "--timeout", "60")
    with flooding(own) as response:
        own.process.send_signal(signal.SIGTERM)
        assert own.process.wait(timeout=20) == 0
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            response.read()


@pytest.mark.parametrize("wish", ["say", "plain"])
def test_a_caller_does_not_wait_for_background_work(site: Callable[..., Site], tmp_path: Path, wish: str) -> None:
    """The response leaves when the runtime has answered; the next caller's turn comes when it polls again."""
    own = site("--timeout", "60")
    assert own.ask("POST", body=b'"ale"', x_wish=wish, x_works_on="done").data == b'"ale"'
    (tmp_path / "done").touch()
    assert own.ask().status == 200
