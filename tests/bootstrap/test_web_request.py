"""Every shape in which AWS describes an HTTP request, and what an application gets to see of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.asgi import render_scope
from bootstrap.errors import UnmarshalError
from bootstrap.web_request import parse_request
from bootstrap.web_response import render_answer
from bootstrap.wsgi import render_environ
from tests.bootstrap.web_events import alb, v1, v2

KINDS = [v1, v2, alb]


@pytest.mark.parametrize("make", KINDS)
def test_the_same_request_looks_the_same_from_every_sender(make) -> None:
    """Method, path, body, client and version do not depend on who sent the event."""
    found = parse_request(make("/a", method="post", body="t\u00e9xt"))
    assert found.kind == make.__name__
    assert (found.method, found.path, found.raw_path, found.root_path) == ("POST", "/a", b"/a", "")
    assert found.body == "t\u00e9xt".encode()
    assert (found.client, found.http_version, found.query_string) == (("203.0.113.9", 0), "1.1", b"")
    assert (b"host", b"h") in found.headers


@pytest.mark.parametrize(
    ("event", "path", "raw_path", "root_path"),
    [
        (v2(""), "/", b"/", ""),
        (v2("/a%20b/%C3%A9"), "/a b/\u00e9", b"/a%20b/%C3%A9", ""),
        (v2("/\u00e9 x"), "/\u00e9 x", b"/%C3%A9%20x", ""),
        (v2("/%2e%2e/%FF"), "/../\ufffd", b"/%2e%2e/%FF", ""),
        (v2("/prod/items", stage="prod"), "/prod/items", b"/prod/items", "/prod"),
        (v2("/prod", stage="prod"), "/prod", b"/prod", "/prod"),
        (v2("/product", stage="prod"), "/product", b"/product", ""),  # a domain of one's own hides the stage
        (v2("/items", stage=None), "/items", b"/items", ""),
        (v1("/items", context_path="/prod/items"), "/prod/items", b"/prod/items", "/prod"),
        (v1("/", context_path="/prod/"), "/prod/", b"/prod/", "/prod"),
        (v1("/v1/items"), "/v1/items", b"/v1/items", ""),
        (v1("/items", context_path="/other"), "/items", b"/items", ""),
        (v1(None, context_path=None), "/", b"/", ""),
        (alb("/a%2Fb+c"), "/a/b+c", b"/a%2Fb+c", ""),
    ],
)
def test_paths_and_stages(event, path, raw_path, root_path) -> None:
    """A stage that is in the URL is the root path, and part of the path, as ASGI has it."""
    found = parse_request(event)
    assert (found.path, found.raw_path, found.root_path) == (path, raw_path, root_path)


@pytest.mark.parametrize(
    ("event", "query"),
    [
        (v2(rawQueryString="a=1&a=2&b=%20+c"), b"a=1&a=2&b=%20+c"),
        (v2(rawQueryString=None), b""),
        (v2(rawQueryString="q=\u00e9"), b"q=%C3%A9"),
        (v1(queryStringParameters={"a": "1 &", "\u00e9": ""}), b"a=1+%26&%C3%A9="),
        (
            v1(queryStringParameters={"a": "2"}, multiValueQueryStringParameters={"a": ["1", "2"], "b": [""]}),
            b"a=1&a=2&b=",
        ),
        (alb(queryStringParameters={"a": "1%202", "b": "c+d"}), b"a=1%202&b=c+d"),
        (alb(queryStringParameters=None, multiValueQueryStringParameters={"a": ["1", "%26"]}), b"a=1&a=%26"),
    ],
)
def test_query_strings(event, query) -> None:
    """Decoded parameters are encoded again, those that came encoded are left as they are, lists are kept."""
    assert parse_request(event).query_string == query


@pytest.mark.parametrize(
    ("event", "headers"),
    [
        (v2(headers={"X-A": "1,2"}, cookies=["a=1", "b=2"]), [(b"cookie", b"a=1; b=2"), (b"x-a", b"1,2")]),
        (v2(headers={"cookie": "a=1"}, cookies=["a=1"]), [(b"cookie", b"a=1")]),
        (v2(headers={"cookie": "a=1"}, cookies=[]), [(b"cookie", b"a=1")]),
        (v1(headers={"X": "2"}, multiValueHeaders={"X": ["1", "2"]}), [(b"x", b"1"), (b"x", b"2")]),
        (v1(headers={"X": "2"}, multiValueHeaders=None), [(b"x", b"2")]),
        (v1(headers=None, multiValueHeaders=None), []),
        (alb(headers={"a": "\u00e9", "b": "\u4e00"}), [(b"a", b"\xe9"), (b"b", b"\xe4\xb8\x80")]),
        (alb(headers=None, multiValueHeaders={"x": ["1", "2"]}), [(b"x", b"1"), (b"x", b"2")]),
    ],
)
def test_headers_and_cookies(event, headers) -> None:
    """Names in lower case, every value of a list, and cookies where a browser's would be."""
    assert parse_request(event).headers == headers


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(
    ("more", "body"),
    [
        ({"body": None}, b""),
        ({"body": "x", "isBase64Encoded": None}, b"x"),
        ({"body": "/wA=", "isBase64Encoded": True}, b"\xff\0"),
        ({"body": "", "isBase64Encoded": True}, b""),
    ],
)
def test_bodies(make, more, body) -> None:
    """Text is UTF-8; what was packed for the way is unpacked; none is empty."""
    assert parse_request(make(**more)).body == body


def test_a_body_that_cannot_be_unpacked_is_the_senders_error() -> None:
    """It says so, instead of handing over something else."""
    with pytest.raises(UnmarshalError, match="found isBase64Encoded, and "):
        parse_request(v2(body="a", isBase64Encoded=True))


@pytest.mark.parametrize(
    ("event", "client", "server", "scheme"),
    [
        (v2(headers={}), ("203.0.113.9", 0), ("abc.lambda-url.eu-west-1.on.aws", 443), "https"),
        (v2(headers={"host": "h:8080"}), ("203.0.113.9", 0), ("h", 8080), "https"),
        (v2(headers={"host": "[::1]"}), ("203.0.113.9", 0), ("[::1]", 443), "https"),
        (v1(), ("203.0.113.9", 0), ("h", 443), "https"),
        (alb(), ("203.0.113.9", 0), ("h", 80), "http"),
        (alb(headers={"user-agent": "ELB-HealthChecker/2.0"}), None, ("localhost", 443), "https"),
    ],
)
def test_client_server_and_scheme(event, client, server, scheme) -> None:
    """From the context where it says so, else from what the load balancer itself has added."""
    found = parse_request(event)
    assert (found.client, found.server, found.scheme) == (client, server, scheme)


@pytest.mark.parametrize(
    "event",
    [
        None, [], "x", {}, {"requestContext": None}, {"requestContext": {}}, {"requestContext": {"http": "x"}},
        {"httpMethod": "GET"}, {"Records": [{"eventSource": "aws:sqs"}]}, {"source": "aws.events"},
    ],
)  # fmt: skip
def test_other_events_are_refused(event) -> None:
    """A queue's or a schedule's event is no request, and the error says which events are."""
    with pytest.raises(UnmarshalError, match=r"which is no HTTP request\. Send the events of a function URL"):
        parse_request(event)


TEXT = st.text(st.characters(), max_size=8)  # surrogates too: JSON can carry them
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
KEYS = sorted({*v1(), *v2(), *alb(), "cookies"})
CONTEXT_KEYS = ["http", "elb", "stage", "path", "identity", "domainName", "protocol"]


@given(
    make=st.sampled_from(KINDS),
    more=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4),
    context=st.dictionaries(st.sampled_from(CONTEXT_KEYS), VALUES, max_size=3),
)
def test_whatever_the_event_it_is_a_request_or_the_senders_error(make, more, context) -> None:
    """Any value in any place gives a request that both kinds of application can be shown, or UnmarshalError."""
    event = {**make(), **more}
    if isinstance(event["requestContext"], dict):
        event["requestContext"] = {**event["requestContext"], **context}
    try:
        request = parse_request(event)
    except UnmarshalError:
        return
    assert render_scope(request)["raw_path"].isascii()
    environ = render_environ(request)
    texts = [value for key, value in environ.items() if not key.startswith("wsgi.")]
    assert all(ord(character) < 256 for text in texts for character in text)
    assert render_answer(request, 200, [("a", "b")], b"")["statusCode"] == 200
