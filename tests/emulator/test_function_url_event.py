"""A caller's request as the event of a function URL, in the shapes that AWS documents."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.web_request import parse_request
from emulator.function_url_event import Caller, is_text, render_event
from emulator.http1 import Request

CALLER = Caller("203.0.113.9", 8080, 1772442904.127)
TRACE = "Root=1-69a55518-0123456789abcdef01234564"


def event(target="/", method="GET", body=b"", proxies=0, **headers):
    """The event of a request; header names are given with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(method, target, {"host": "beer.example:8080", **named}, body, len(body), keep_alive=True)
    return json.loads(render_event(request, CALLER, request_id="id-1", trace_id=TRACE, proxies=proxies))


def test_the_whole_event():
    """Every member is one that Lambda sends, with the values it sends without authentication."""
    assert event("/casks?min_pints=100", user_agent="curl/8.5.0", cookie="theme=dark; session=8c1f") == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/casks",
        "rawQueryString": "min_pints=100",
        "cookies": ["theme=dark", "session=8c1f"],
        "headers": {
            "host": "beer.example:8080", "user-agent": "curl/8.5.0", "x-amzn-trace-id": TRACE,
            "x-forwarded-for": "203.0.113.9", "x-forwarded-port": "8080", "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"min_pints": "100"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "beer",
            "domainName": "beer.example",
            "domainPrefix": "beer",
            "http": {
                "method": "GET", "path": "/casks", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9",
                "userAgent": "curl/8.5.0",
            },
            "requestId": "id-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "02/Mar/2026:09:15:04 +0000",
            "timeEpoch": 1772442904127,
        },
        "isBase64Encoded": False,
    }  # fmt: skip


def test_parameters_are_decoded_and_joined():
    """The raw query string stays beside them as it was sent."""
    told = event("/?a=1&b=%C3%A9+x&a=2&empty=")
    assert told["queryStringParameters"] == {"a": "1,2", "b": "é x", "empty": ""}
    assert told["rawQueryString"] == "a=1&b=%C3%A9+x&a=2&empty="


def test_the_path_stays_as_it_was_sent():
    """What is encoded, dotted or doubled is the function's to understand."""
    assert event("/a%2Fb/../c//d")["rawPath"] == "/a%2Fb/../c//d"


@pytest.mark.parametrize("content_type", [
    "application/json", "application/json; charset=utf-8", "application/problem+json", "application/xml",
    "image/svg+xml", "application/javascript", "text/plain", "TEXT/HTML",
])  # fmt: skip
def test_text_travels_as_text(content_type):
    """A body of a textual type is in the event as it is."""
    if content_type == "image/svg+xml":
        assert not is_text(content_type)  # only application's suffixes count
        return
    told = event(method="POST", body="é".encode(), content_type=content_type)
    assert (told["body"], told["isBase64Encoded"]) == ("é", False)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\x00\xff", {"content_type": "application/octet-stream"}),
        (b"a=1", {"content_type": "application/x-www-form-urlencoded"}),
        (b"x", {}),
        (b"\xff", {"content_type": "text/plain"}),
        (b"gz", {"content_type": "text/plain", "content_encoding": "gzip"}),
    ],
    ids=["bytes", "form", "no type", "no UTF-8", "compressed"],
)
def test_anything_else_is_base64(body, headers):
    """Nothing is lost of what is no text."""
    told = event(method="POST", body=body, **headers)
    assert (base64.b64decode(told["body"]), told["isBase64Encoded"]) == (body, True)


def test_what_is_about_one_connection_is_not_passed_on():
    """Hop-by-hop headers, and those that Connection names, end with us (RFC 9110 7.6.1)."""
    told = event(
        connection="keep-alive, X-Secret", x_secret="1", te="trailers", transfer_encoding="chunked", accept="*/*"
    )
    assert set(told["headers"]) == {
        "accept", "host", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"
    }  # fmt: skip


def test_a_client_cannot_say_where_it_comes_from():
    """Without declared proxies its own X-Forwarded headers are replaced."""
    told = event(x_forwarded_for="6.6.6.6", x_forwarded_proto="https", x_forwarded_port="443")
    assert told["headers"]["x-forwarded-for"] == "203.0.113.9"
    assert told["headers"]["x-forwarded-proto"] == "http"
    assert told["requestContext"]["http"]["sourceIp"] == "203.0.113.9"


@pytest.mark.parametrize(
    ("proxies", "address"), [(1, "198.51.100.7"), (2, "192.0.2.1"), (3, "6.6.6.6"), (9, "6.6.6.6")]
)
def test_declared_proxies_are_believed(proxies, address):
    """The client is whom the outermost declared proxy saw; what stands before it anybody may have made up."""
    told = event(proxies=proxies, x_forwarded_for="6.6.6.6, 192.0.2.1, 198.51.100.7", x_forwarded_proto="https")
    assert told["requestContext"]["http"]["sourceIp"] == address
    assert (told["headers"]["x-forwarded-proto"], told["headers"]["x-forwarded-port"]) == ("https", "443")


def test_a_silent_proxy_is_the_client():
    """A proxy that says nothing leaves the address that connected."""
    assert event(proxies=1)["requestContext"]["http"]["sourceIp"] == "203.0.113.9"


@pytest.mark.parametrize(("host", "domain"), [("[::1]:9000", "[::1]"), ("[::1]", "[::1]"), ("h", "h"), ("", "")])
def test_the_domain_is_the_host_without_its_port(host, domain):
    """Also for IPv6."""
    assert event(host=host)["requestContext"]["domainName"] == domain


@given(
    st.from_regex(r"/[\x21-\x7e]*", fullmatch=True),
    st.dictionaries(st.from_regex(r"[a-z-]+", fullmatch=True), st.text(st.characters(max_codepoint=255)), max_size=5),
    st.binary(max_size=50),
)
def test_the_runtimes_reader_finds_the_request_again(target, headers, body):
    """Whatever is asked, the event is JSON, and our runtime's translation for web applications gives path and body."""
    told = event(target, "POST", body, **headers)
    request = parse_request(told)
    assert request.method == "POST"
    assert request.body == body
    assert request.raw_path.decode().partition("?")[0] or target.startswith("/")
