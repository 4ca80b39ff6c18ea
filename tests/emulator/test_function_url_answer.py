"""What a function answered as an HTTP response, and what is no response."""

import base64
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import InvalidAnswerError
from emulator.function_url_answer import Prelude, parse_result, render_failure


def answer(**value):
    return parse_result(json.dumps(value).encode())


@pytest.mark.parametrize("payload", [b'{"a": 1}', b'"Hello"', b"null", b"[1]", b"1.5", b'{"body": "x"}'])
def test_json_without_a_status_is_the_body(payload):
    """Status 200, and the JSON as it is."""
    assert parse_result(payload) == (200, (("Content-Type", "application/json"),), payload)


def test_a_whole_answer():
    """Status, headers, cookies and body, and a type where the function named none."""
    told = answer(statusCode=201, headers={"X-A": "1", "X-N": 2, "X-B": True}, cookies=["a=1", "b=2"], body="hé")
    assert told == (
        201,
        (("X-A", "1"), ("X-N", "2"), ("X-B", "true"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"),
         ("Content-Type", "application/json")),
        "hé".encode(),
    )  # fmt: skip


def test_the_functions_type_stays():
    """Whatever the case of its name."""
    assert answer(statusCode=200, headers={"content-TYPE": "text/html"}).headers == (("content-TYPE", "text/html"),)


def test_several_values_of_one_header():
    """As a list, or in multiValueHeaders, which wins."""
    told = answer(
        statusCode=200, headers={"content-type": "x", "a": "0", "l": ["1", "2"]}, multiValueHeaders={"A": ["3", "4"]}
    )
    assert told.headers == (("content-type", "x"), ("A", "3"), ("A", "4"), ("l", "1"), ("l", "2"))


def test_a_base64_body():
    """Bytes travel as base64."""
    assert answer(statusCode=200, body=base64.b64encode(b"\x00\xff").decode(), isBase64Encoded=True).body == b"\x00\xff"


@pytest.mark.parametrize("status", [204, "204", 204.0])
def test_statuses_that_are_numbers(status):
    """Also as text, as some frameworks write them."""
    assert answer(statusCode=status).status == 204


def test_headers_that_are_ours():
    """What frames the message or belongs to the connection is left out."""
    ours = ["Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE", "Trailer"]
    told = answer(statusCode=200, headers={"content-type": "x", **dict.fromkeys(ours, "chunked")})
    assert told.headers == (("content-type", "x"),)


def test_text_beyond_latin_1_goes_out_as_utf_8():
    """As other servers send it."""
    [(_, value), *_] = answer(statusCode=200, headers={"x": "€"}).headers
    assert value.encode("latin-1") == "€".encode()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"statusCode": 99}, "statusCode is '99'"),
        ({"statusCode": 101}, "statusCode is '101'"),
        ({"statusCode": 600}, "statusCode is '600'"),
        ({"statusCode": True}, "statusCode is 'True'"),
        ({"statusCode": "ok"}, "statusCode is 'ok'"),
        ({"statusCode": None}, "statusCode is 'None'"),
        ({"statusCode": 200, "headers": []}, None),
        ({"statusCode": 200, "headers": [1]}, "headers are of type list"),
        ({"statusCode": 200, "headers": {"a": {}}}, "header 'a' is of type dict"),
        ({"statusCode": 200, "headers": {"a": None}}, "header 'a' is of type NoneType"),
        ({"statusCode": 200, "headers": {"a": "1\r\nSet-Cookie: x=1"}}, "header 'a' fits no line"),
        ({"statusCode": 200, "headers": {"a": "1\nb"}}, "header 'a' fits no line"),
        ({"statusCode": 200, "headers": {"a\r\nb": "1"}}, "fits no line"),
        ({"statusCode": 200, "headers": {"a b": "1"}}, "header 'a b' fits no line"),
        ({"statusCode": 200, "headers": {"": "1"}}, "fits no line"),
        ({"statusCode": 200, "cookies": ["a=1\r\nX: y"]}, "header 'Set-Cookie' fits no line"),
        ({"statusCode": 200, "cookies": "a=1"}, "cookies are of type str"),
        ({"statusCode": 200, "body": {"a": 1}}, "body is of type dict"),
        ({"statusCode": 200, "body": "!", "isBase64Encoded": True}, "body cannot be encoded"),
        ({"statusCode": 200, "body": "\ud800"}, "body cannot be encoded"),
    ],
)
def test_what_is_no_response(value, reason):
    """Each is told apart for the log; headers cannot be injected."""
    if reason is None:
        assert answer(**value).status == 200
        return
    with pytest.raises(InvalidAnswerError, match=reason):
        answer(**value)


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json(payload):
    """A runtime may send anything."""
    with pytest.raises(InvalidAnswerError, match="it is no JSON"):
        parse_result(payload)


def test_the_failure_tells_nothing():
    """Status, type and body are Lambda's."""
    assert render_failure() == (502, (("Content-Type", "application/json"),), b"Internal Server Error")


PRELUDE = b'{"statusCode": 418, "headers": {"x": "1"}, "cookies": ["a=1"]}' + bytes(8)


@given(st.lists(st.integers(1, len(PRELUDE) + 3), max_size=8), st.binary(max_size=20))
def test_any_split_of_a_stream_gives_the_same_head(cuts, body):
    """Wherever the pieces end, head and body are the same."""
    data, prelude, head, found = PRELUDE + body, Prelude(), None, b""
    points = [0, *sorted(set(cuts)), len(data)]
    for start, end in itertools.pairwise(points):
        piece = data[start:end]
        if head is not None:
            found += piece
        elif (told := prelude.feed(piece)) is not None:
            head, found = told
    assert head == (418, (("x", "1"), ("Set-Cookie", "a=1"), ("Content-Type", "application/json")))
    assert found == body


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"x" * 200_000, "hold no eight NUL bytes"),
        (b"{" + bytes(8), "is no JSON"),
        (b"[]" + bytes(8), "is no object"),
        (b'{"statusCode": 42}' + bytes(8), "statusCode is '42'"),
        (b'{"headers": {"a": "1\\r\\nb: 2"}}' + bytes(8), "fits no line"),
    ],
)
def test_a_stream_without_a_head(data, reason):
    """It is told before anything went to the caller."""
    with pytest.raises(InvalidAnswerError, match=reason):
        Prelude().feed(data)
