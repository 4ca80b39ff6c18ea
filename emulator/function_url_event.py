"""A caller's HTTP request → the event of a Lambda function URL (API Gateway payload format 2.0). Pure.

The shape is that of AWS's "Invoking Lambda function URLs": names of headers in lower case, cookies apart from them,
repeated headers and query parameters joined by commas, the path and the query string also as they were sent.

A body travels as text if its Content-Type says that it is text and it is valid UTF-8, else as base64; a form is
base64, as on Lambda.

What the client says about itself in `X-Forwarded-…` is believed only as far as proxies in front are declared: with
none the client's own words are replaced, with N of them the entry that the outermost of them wrote is the client.
"""

from __future__ import annotations

import binascii
import json
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

from .dates import render_access_time

if TYPE_CHECKING:
    from .http1 import Request

_ACCOUNT = "anonymous"  # what a function URL says without IAM authentication
_DEFAULT = "$default"
_TEXT_TYPE = re.compile(r"(text/.+|application/(.+\+)?(json|xml)|application/javascript)")
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
)
_FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-port")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class Caller(NamedTuple):
    """Where a request came from and when: its address, the port it came to, the time in seconds since the epoch."""

    address: str
    port: int
    epoch_s: float


def render_event(request: Request, caller: Caller, *, request_id: str, trace_id: str, proxies: int) -> bytes:
    """The event for one request. `proxies` is how many are in front of us and can be trusted."""
    path, _, query = request.target.partition("?")
    headers = _forwarded(request, caller, proxies)
    headers["x-amzn-trace-id"] = trace_id
    address = headers["x-forwarded-for"].split(",")[0].strip() if proxies else caller.address
    cookies = [cookie for cookie in (part.strip() for part in headers.pop("cookie", "").split(";")) if cookie]
    domain = _domain(headers.get("host", ""))
    event: dict[str, object] = {
        "version": "2.0",
        "routeKey": _DEFAULT,
        "rawPath": path,
        "rawQueryString": query,
        **({"cookies": cookies} if cookies else {}),
        "headers": headers,
        **_parameters(query),
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": domain.partition(".")[0],
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": address,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": _DEFAULT,
            "stage": _DEFAULT,
            "time": render_access_time(caller.epoch_s),
            "timeEpoch": int(caller.epoch_s * 1000),
        },
        **_body(request),
    }
    return json.dumps(event, separators=(",", ":")).encode("ascii")


def _forwarded(request: Request, caller: Caller, proxies: int) -> dict[str, str]:
    """The headers that the function sees, with what is known about the client in `x-forwarded-…`."""
    connection = request.headers.get("connection", "").lower()
    dropped = _HOP_BY_HOP.union(name.strip() for name in connection.split(","))
    headers = {name: value for name, value in request.headers.items() if name not in dropped}
    said = {name: headers.pop(name, "") for name in _FORWARDED}
    if not proxies:
        return {**headers, **dict(zip(_FORWARDED, (caller.address, "http", str(caller.port))))}
    # Each proxy appended whom it saw; the last of them is who connected to us.
    chain = [entry.strip() for entry in said["x-forwarded-for"].split(",") if entry.strip()] or [caller.address]
    scheme = said["x-forwarded-proto"].rpartition(",")[2].strip().lower() or "http"
    port = said["x-forwarded-port"].rpartition(",")[2].strip() or _DEFAULT_PORTS.get(scheme, str(caller.port))
    return {**headers, **dict(zip(_FORWARDED, (", ".join(chain[-proxies:]), scheme, port)))}


def _domain(host: str) -> str:
    """The Host without its port; an IPv6 address keeps its brackets."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _parameters(query: str) -> dict[str, object]:
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return {"queryStringParameters": {name: ",".join(each) for name, each in values.items()}} if values else {}


def _body(request: Request) -> dict[str, object]:
    if not request.body:
        return {"isBase64Encoded": False}
    if is_text(request.headers.get("content-type", "")) and not request.headers.get("content-encoding"):
        try:
            return {"body": request.body.decode("utf-8"), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass  # base64 loses nothing
    return {"body": binascii.b2a_base64(request.body, newline=False).decode("ascii"), "isBase64Encoded": True}


def is_text(content_type: str) -> bool:
    """Whether bodies of this type travel as text."""
    return _TEXT_TYPE.fullmatch(content_type.partition(";")[0].strip().lower()) is not None
