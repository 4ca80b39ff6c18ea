"""What a function answered → the HTTP response of its function URL. Pure; bytes in, values out.

Two forms, both from AWS's "Invoking Lambda function URLs" and "Response streaming":

- a buffered result: an object with `statusCode`, and `headers`, `cookies`, `body`, `isBase64Encoded` if it likes. Any
  other JSON is the body itself, status 200, `application/json`.
- a stream of the type `application/vnd.awslambda.http-integration-response`: JSON with `statusCode`, `headers` and
  `cookies`, eight NUL bytes, then the body. A stream of another type is all body.

What can be no response becomes Lambda's own 502 whose body tells the caller nothing: the reason is for the log. A
header's value goes out only if it is one line of Latin-1 text, so no function can be made to inject another header; the
names that frame a message or belong to one connection are ours and are left out.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, NamedTuple

from .errors import InvalidAnswerError
from .http1_response import Response
from .invoke_api import is_header_value

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM_TYPE = "application/vnd.awslambda.http-integration-response"
PRELUDE_LIMIT_BYTES = 128 * 1024
"""Status, headers and cookies of a stream as JSON. Heads larger than this no client takes; curl's limit is 100 kB."""

_PRELUDE_END = bytes(8)
_JSON = "application/json"
_STATUSES = range(200, 600)  # 1xx would be taken for an interim response, and another answer waited for
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class Head(NamedTuple):
    """Status and headers of a response."""

    status: int
    headers: tuple[tuple[str, str], ...]


def render_failure(status: int = 502, message: str = "Internal Server Error") -> Response:
    """What Lambda says when the function failed or its answer is no response: nothing about the reason."""
    return Response(status, (("Content-Type", _JSON),), message.encode("ascii"))


def parse_result(payload: bytes) -> Response:
    """The response that a buffered result means. Raises `InvalidAnswerError`."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidAnswerError(f"it is no JSON ({error})") from error
    if not isinstance(value, dict) or "statusCode" not in value:
        return Response(200, (("Content-Type", _JSON),), payload)
    head = _parse_head(value)
    return Response(head.status, head.headers, _parse_body(value))


def _parse_body(value: dict[str, object]) -> bytes:
    body = value.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise InvalidAnswerError(f"its body is of type {type(body).__name__}; it must be a text")
    try:
        return base64.b64decode(body, validate=True) if value.get("isBase64Encoded") is True else body.encode("utf-8")
    except ValueError as error:
        raise InvalidAnswerError(f"its body cannot be encoded ({error})") from error


class Prelude:
    """The head of a streamed response, fed with the stream until it is whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> tuple[Head, bytes] | None:
        """The head and the first bytes of the body, once they are there. Raises `InvalidAnswerError`."""
        searched = max(0, len(self._buffer) - len(_PRELUDE_END))
        self._buffer += data
        end = self._buffer.find(_PRELUDE_END, searched)
        if end < 0:
            if len(self._buffer) > PRELUDE_LIMIT_BYTES:
                raise InvalidAnswerError(f"its first {PRELUDE_LIMIT_BYTES} bytes hold no eight NUL bytes")
            return None
        try:
            value = json.loads(bytes(self._buffer[:end]))
        except (ValueError, RecursionError) as error:
            raise InvalidAnswerError(f"what is before its eight NUL bytes is no JSON ({error})") from error
        if not isinstance(value, dict):
            raise InvalidAnswerError("what is before its eight NUL bytes is no object")
        return _parse_head({"statusCode": 200, **value}), bytes(self._buffer[end + len(_PRELUDE_END) :])


def _parse_head(value: dict[str, object]) -> Head:
    status = value["statusCode"]
    if isinstance(status, str) and re.fullmatch("[0-9]{3}", status):
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, (int, float)) or status not in _STATUSES:
        raise InvalidAnswerError(f"its statusCode is {str(status)[:80]!r}; it must be a number from 200 to 599")
    headers = [pair for pair in _pairs(value) if pair[0].lower() not in _OURS]
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", _JSON))
    return Head(int(status), tuple(headers))


def _pairs(value: dict[str, object]) -> Iterator[tuple[str, str]]:
    named: dict[str, tuple[str, object]] = {}
    for member in ("headers", "multiValueHeaders"):
        found = value.get(member) or {}
        if not isinstance(found, dict):
            raise InvalidAnswerError(f"its {member} are of type {type(found).__name__}; they must be an object")
        named.update({name.lower(): (name, values) for name, values in found.items()})
    for name, values in named.values():
        for one in values if isinstance(values, list) else [values]:
            yield _checked(name, one)
    cookies = value.get("cookies") or []
    if not isinstance(cookies, list):
        raise InvalidAnswerError(f"its cookies are of type {type(cookies).__name__}; they must be a list")
    for cookie in cookies:
        yield _checked("Set-Cookie", cookie)


def _checked(name: str, value: object) -> tuple[str, str]:
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, (str, int, float)):
        text = str(value)
    else:
        raise InvalidAnswerError(f"its header {name[:80]!r} is of type {type(value).__name__}; it must be a text")
    if not text.isascii():
        text = _as_latin_1(text)
    if _NAME.fullmatch(name) is None or not is_header_value(text):
        raise InvalidAnswerError(f"its header {name[:80]!r} fits no line: {text[:80]!r}")
    return name, text


def _as_latin_1(text: str) -> str:
    """Bytes that a header can carry, one character each: text beyond Latin-1 goes out as UTF-8, as other servers do."""
    try:
        return text.encode("latin-1").decode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("latin-1")
