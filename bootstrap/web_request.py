"""An HTTP event of AWS's → one `WebRequest`, whoever sent it; pure, and knows neither ASGI nor WSGI.

Three shapes are told apart by what only they have:

| kind  | senders                                                    | told by                            |
|-------|------------------------------------------------------------|------------------------------------|
| `v2`  | Lambda function URLs, API Gateway HTTP APIs (payload 2.0)  | `requestContext.http`              |
| `alb` | Application Load Balancers, with or without multi-values   | `requestContext.elb`               |
| `v1`  | API Gateway REST APIs, HTTP APIs with payload 1.0          | `httpMethod` and `requestContext`  |

Any part may be absent or null: consoles and health checks leave out what they like.
"""

import binascii
from urllib.parse import quote, quote_plus, unquote_to_bytes

from .errors import UnmarshalError
from .wire import header_text

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Object = Mapping[object, object]

V1, V2, ALB = "v1", "v2", "alb"

_DEFAULT_STAGE = "$default"  # the stage of an HTTP API that is not in its paths
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What a URL may hold unquoted: the characters of RFC 3986, with `%`, because the rest is quoted already.
_URL_CHARACTERS = "!$&'()*+,;=:@/?%-._~[]"
_SHOWN_KEYS = 10
_ANY = "surrogatepass"  # JSON can carry half a character, and a query string has to carry on


class WebRequest:
    """A request, in the terms of HTTP.

    `kind` is V1, V2 or ALB; `takes_multiple_values` says whether the answer's headers may be lists. `path` is
    decoded and begins with `root_path`, which is the stage of an API where the stage is part of its URLs, else
    "". `raw_path`, `query_string`, `body` and the `headers` (names in lower case) are bytes.
    """

    __slots__ = (
        "body",
        "client",
        "headers",
        "http_version",
        "kind",
        "method",
        "path",
        "query_string",
        "raw_path",
        "root_path",
        "scheme",
        "server",
        "takes_multiple_values",
    )

    def __init__(self, kind: str, event: "Object") -> None:
        context = _object(event.get("requestContext"))
        http = _object(context.get("http"))
        self.kind = kind
        self.takes_multiple_values = kind == V1 or isinstance(event.get("multiValueHeaders"), dict)
        self.method = _token(http.get("method") if kind == V2 else event.get("httpMethod")).upper() or "GET"
        self.headers = list(_headers(event))
        path, self.root_path = _paths(kind, event, context)
        self.raw_path = _quote(path)
        self.path = unquote_to_bytes(self.raw_path).decode("utf-8", "replace")
        self.query_string = _query_string(kind, event)
        self.body = _body(event)
        self.scheme = _token(self.header("x-forwarded-proto") or "https").lower()
        protocol = _token(http.get("protocol") or context.get("protocol"))
        self.http_version = protocol.partition("/")[2] or "1.1"
        self.client = self._find_client(
            _token(http.get("sourceIp") or _object(context.get("identity")).get("sourceIp"))
        )
        self.server = self._find_server(_token(context.get("domainName")))

    def header(self, name: str) -> str:
        """Return the first header of that name (in lower case), or ""."""
        wanted = name.encode("ascii")
        return next((value.decode("latin-1") for key, value in self.headers if key == wanted), "")

    def _find_client(self, source_ip: str) -> "tuple[str, int] | None":
        if not source_ip:
            # The last entry is what the load balancer itself has seen; those before it are what it was told.
            source_ip = _token(self.header("x-forwarded-for")).rpartition(",")[2].strip()
        return (source_ip, 0) if source_ip else None

    def _find_server(self, domain: str) -> "tuple[str, int]":
        host = _token(self.header("host")) or domain or "localhost"
        name, colon, port = host.rpartition(":")
        if not colon or not _is_port(port):  # no port, or the inside of an IPv6 address
            name, port = host, self.header("x-forwarded-port")
        return name, int(port) if _is_port(port) else _DEFAULT_PORTS.get(self.scheme, 443)


def parse_request(event: object) -> WebRequest:
    """Return the request that an event describes. Raises UnmarshalError for an event that is none of HTTP."""
    if isinstance(event, dict) and isinstance(event.get("requestContext"), dict):
        context = event["requestContext"]
        if isinstance(context.get("http"), dict):
            return WebRequest(V2, event)
        if "elb" in context:
            return WebRequest(ALB, event)
        if isinstance(event.get("httpMethod"), str):
            return WebRequest(V1, event)
    found = sorted(map(str, event))[:_SHOWN_KEYS] if isinstance(event, dict) else type(event).__name__
    raise UnmarshalError(
        f"Translating an event for the web application: found {found!r}, which is no HTTP request. "
        "Send the events of a function URL, an API Gateway or an Application Load Balancer."
    )


def _paths(kind: str, event: "Object", context: "Object") -> "tuple[str, str]":
    """Return the path as the client's URL has it, and the part of it that names the stage."""
    if kind == V2:
        path = _text(event.get("rawPath")) or _text(_object(context.get("http")).get("path")) or "/"
        prefix = f"/{_text(context.get('stage'))}"
        in_path = prefix != f"/{_DEFAULT_STAGE}" and len(prefix) > 1 and f"{path}/".startswith(f"{prefix}/")
        return path, prefix if in_path else ""
    path = _text(event.get("path")) or "/"
    # A REST API's `path` leaves out the stage, and the context's has it, if the URL had it.
    full = _text(context.get("path"))
    if kind == V1 and full != path and full.endswith(path):
        return full, full[: -len(path)].rstrip("/")
    return path, ""


def _headers(event: "Object") -> "Iterator[tuple[bytes, bytes]]":
    cookies = event.get("cookies")
    if isinstance(cookies, list) and cookies:  # v2 takes them out of the headers
        yield b"cookie", _header_bytes("; ".join(map(_text, cookies)))
    for name, value in _pairs(event, "multiValueHeaders", "headers"):
        key = name.lower()
        if key != "cookie" or not cookies:
            yield key.encode("latin-1", "replace"), _header_bytes(value)


def _query_string(kind: str, event: "Object") -> bytes:
    raw = event.get("rawQueryString")
    if kind == V2:
        return _quote(_text(raw))
    pairs = _pairs(event, "multiValueQueryStringParameters", "queryStringParameters")
    if kind == ALB:  # it passes on what it got, still encoded
        return _quote("&".join(f"{name}={value}" for name, value in pairs))
    return "&".join("=".join(quote_plus(text, errors=_ANY) for text in pair) for pair in pairs).encode("ascii")


def _pairs(event: "Object", multiple: str, single: str) -> "Iterator[tuple[str, str]]":
    """Yield names and values out of the object with lists, or without one, out of that with texts."""
    lists = event.get(multiple)
    if isinstance(lists, dict):
        for name, values in lists.items():
            for value in values if isinstance(values, list) else [values]:
                yield _text(name), _text(value)
        return
    for name, value in _object(event.get(single)).items():
        yield _text(name), _text(value)


def _body(event: "Object") -> bytes:
    body = _text(event.get("body"))
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", _ANY)
    try:
        return binascii.a2b_base64(body)
    except ValueError as error:
        raise UnmarshalError(
            f"Decoding the body of an HTTP event: found isBase64Encoded, and {error}. Send valid base64."
        ) from error


def _quote(text: str) -> bytes:
    return quote(text, safe=_URL_CHARACTERS, errors=_ANY).encode("ascii")


def _header_bytes(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", _ANY)


def _object(value: object) -> "Object":
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _token(value: object) -> str:
    """Return what applications expect to be ASCII, with `?` for anything else."""
    return header_text(_text(value))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len("65535")
