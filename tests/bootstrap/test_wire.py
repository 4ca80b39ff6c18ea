"""The HTTP subset in whole messages: requests as they leave, responses that came in one piece."""

from __future__ import annotations

import pytest

from bootstrap.wire import header_text, maybe_parse_whole, render_request

OK = b"HTTP/1.1 200 OK\r\n"


def test_a_request_is_one_message() -> None:
    """Headers and body are rendered together, for one send; without a body there is no length."""
    assert render_request("GET", "/x", {"Host": "h"}) == b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
    request = render_request("POST", "/y", {"A": "\udcff"}, body=b"123")
    assert request == b"POST /y HTTP/1.1\r\nA: \xff\r\nContent-Length: 3\r\n\r\n123"


@pytest.mark.parametrize(
    ("value", "text"),
    [("ValueError", "ValueError"), ("a\r\nX: 1", "a??X: 1"), ("F\u00e9\u2028", "F??"), ("", "")],
)
def test_header_text_cannot_start_another_header(value, text) -> None:
    """A class name with line ends in it stays one field value."""
    assert header_text(value) == text


@pytest.mark.parametrize("status", [b"200 OK", b"202 Accepted", b"413 Request Entity Too Large"])
def test_the_usual_response_takes_the_short_way(status) -> None:
    """Framed by its length, in one piece, from a peer that stays."""
    message = b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    found = maybe_parse_whole(message)
    assert found is not None
    assert (found.status, found.body, found.headers["content-type"]) == (int(status[:3]), b"{}", "application/json")


@pytest.mark.parametrize(
    "message",
    [
        OK + b"Content-Length: 02\r\n\r\n{}",
        OK + b"Content-Length: 3\r\n\r\n{}",
        OK + b"Content-Length: 1\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        OK + b"Content-Len",
    ],
)
def test_anything_unusual_is_left_to_the_reader(message) -> None:
    """Leading zeros, more or less than announced, a peer that leaves, other framings."""
    assert maybe_parse_whole(message) is None
