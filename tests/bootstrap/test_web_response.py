"""What a sender of HTTP events gets back, in the shape that it understands."""

from __future__ import annotations

import gzip

import pytest

from bootstrap.web_request import parse_request
from bootstrap.web_response import render_answer, render_failed_answer, render_head
from tests.bootstrap.web_events import alb, v1, v2

HEADERS = [("X", "1"), ("Set-Cookie", "a=1"), ("x", "2"), ("set-cookie", "b=2"), ("Y", "3")]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (v2(), {"headers": {"x": "1, 2", "y": "3"}, "cookies": ["a=1", "b=2"]}),
        (v1(), {"headers": {"y": "3"}, "multiValueHeaders": {"x": ["1", "2"], "set-cookie": ["a=1", "b=2"]}}),
        (alb(), {"headers": {"x": "1, 2", "y": "3", "set-cookie": "a=1", "Set-cookie": "b=2"}}),
        (
            alb(multiValueHeaders={}),
            {"multiValueHeaders": {"x": ["1", "2"], "set-cookie": ["a=1", "b=2"], "y": ["3"]}},
        ),
    ],
)
def test_repeated_headers_and_cookies_reach_every_caller(event, expected) -> None:
    """Joined, listed or spelled differently: no value and no cookie is lost."""
    answer = render_answer(parse_request(event), 201, HEADERS, b"")
    assert answer == {"statusCode": 201, "body": "", "isBase64Encoded": False, **expected}


@pytest.mark.parametrize("make", [v1, v2, alb])
def test_no_headers_are_no_headers(make) -> None:
    """Nothing is made up."""
    answer = render_answer(parse_request(make()), 204, [], b"")
    assert not answer.get("headers")
    assert not answer.get("multiValueHeaders")
    assert "cookies" not in answer


@pytest.mark.parametrize(
    ("body", "text", "is_base64"),
    [
        (b"", "", False),
        ("gr\u00fc\0".encode(), "gr\u00fc\0", False),
        (b"\xff\xfe", "//4=", True),
        (b"\x89PNG\r\n", "iVBORw0K", True),
    ],
)
def test_a_body_is_text_exactly_when_it_is_valid_utf8(body, text, is_base64) -> None:
    """Either way the caller gets the same bytes."""
    answer = render_answer(parse_request(v2()), 200, [], body)
    assert (answer["body"], answer["isBase64Encoded"]) == (text, is_base64)


def test_a_compressed_body_is_base64() -> None:
    """The second byte of gzip is never valid there."""
    assert render_answer(parse_request(v1()), 200, [], gzip.compress(b"x"))["isBase64Encoded"] is True


def test_as_many_cookies_as_there_are_spellings() -> None:
    """A load balancer without lists takes 512 cookies in one answer; more than any browser keeps."""
    headers = [("set-cookie", str(n)) for n in range(512)]
    answer = render_answer(parse_request(alb()), 200, headers, b"")
    assert sorted(map(int, answer["headers"].values())) == list(range(512))


def test_the_head_of_a_stream() -> None:
    """One text for each name, and the cookies apart, as a prelude has them."""
    expected = {"statusCode": 200, "headers": {"x": "1, 2", "y": "3"}, "cookies": ["a=1", "b=2"]}
    assert render_head(200, HEADERS) == expected


def test_a_failed_application_is_a_plain_500() -> None:
    """As web servers answer; nothing of the failure shows."""
    answer = render_failed_answer(parse_request(v2()))
    assert (answer["statusCode"], answer["body"]) == (500, "Internal Server Error")
