"""Status, headers and body of an application → the answer that the sender of the event understands; pure.

A body travels as text exactly when it is valid UTF-8, whatever its type says: the sender turns text into the
same bytes again. Everything else is base64, compressed text and images alike.
"""

import binascii

from .web_request import ALB, V2

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .web_request import WebRequest

    Headers = Sequence[tuple[str, str]]

_COOKIE = "set-cookie"
_FAILED_STATUS = 500
_FAILED_BODY = b"Internal Server Error"


def render_answer(request: "WebRequest", status: int, headers: "Headers", body: bytes) -> "dict[str, object]":
    """Return the answer to one request, in the shape of its sender."""
    try:
        text, is_base64 = body.decode("utf-8"), False
    except UnicodeDecodeError:
        text, is_base64 = binascii.b2a_base64(body, newline=False).decode("ascii"), True
    return {
        "statusCode": status,
        **_RENDERERS.get(request.kind, _render_v1_headers)(request, headers),
        "body": text,
        "isBase64Encoded": is_base64,
    }


def render_failed_answer(request: "WebRequest") -> "dict[str, object]":
    """Return the answer for an application that failed before it answered: what web servers send then."""
    return render_answer(request, _FAILED_STATUS, failed_headers(), _FAILED_BODY)


def render_head(status: int, headers: "Headers") -> "dict[str, object]":
    """Return the head of a streamed response, as `streaming` takes it: one text for each name, and cookies."""
    return {"statusCode": status, "headers": _join(headers), "cookies": _cookies(headers)}


def render_failed_stream() -> "Iterator[object]":
    """Yield what `render_failed_answer` returns, as a stream."""
    yield render_head(_FAILED_STATUS, failed_headers())
    yield _FAILED_BODY


def failed_headers() -> "list[tuple[str, str]]":
    """Return the headers of the answer for an application that failed."""
    return [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(_FAILED_BODY)))]


def _render_v2_headers(_request: "WebRequest", headers: "Headers") -> "dict[str, object]":
    answer: dict[str, object] = {"headers": _join(headers)}
    cookies = _cookies(headers)
    return {**answer, "cookies": cookies} if cookies else answer


def _render_v1_headers(_request: "WebRequest", headers: "Headers") -> "dict[str, object]":
    # Both at once are allowed: names with one value stay readable.
    lists = _collect(headers)
    return {
        "headers": {name: values[0] for name, values in lists.items() if len(values) == 1},
        "multiValueHeaders": {name: values for name, values in lists.items() if len(values) > 1},
    }


def _render_alb_headers(request: "WebRequest", headers: "Headers") -> "dict[str, object]":
    # A target group takes the one or the other, as it is set; its events tell which.
    if request.takes_multiple_values:
        return {"multiValueHeaders": _collect(headers)}
    # Cookies cannot be joined. Names are compared without case, so each cookie gets a spelling of its own.
    return {"headers": {**_join(headers), **dict(zip(_spellings(_COOKIE), _cookies(headers)))}}


_RENDERERS = {V2: _render_v2_headers, ALB: _render_alb_headers}


def _collect(headers: "Headers") -> "dict[str, list[str]]":
    lists: dict[str, list[str]] = {}
    for name, value in headers:
        lists.setdefault(name.lower(), []).append(value)
    return lists


def _join(headers: "Headers") -> "dict[str, str]":
    return {name: ", ".join(values) for name, values in _collect(headers).items() if name != _COOKIE}


def _cookies(headers: "Iterable[tuple[str, str]]") -> "list[str]":
    return [value for name, value in headers if name.lower() == _COOKIE]


def _spellings(name: str) -> "Iterator[str]":
    """Yield `name` in every mixture of cases: two to the power of its letters, 512 for set-cookie."""
    letters = [index for index, letter in enumerate(name) if letter.isalpha()]
    for number in range(2 ** len(letters)):
        raised = {index for bit, index in enumerate(letters) if number >> bit & 1}
        yield "".join(letter.upper() if index in raised else letter for index, letter in enumerate(name))
