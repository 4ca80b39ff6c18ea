"""WSGI applications (PEP 3333) as handlers: Flask, Django, Bottle and the like; knows no event's shape.

A response is collected and answered whole, or streamed part by part where the callers take that. Decided here: an
application that raises before it has answered gives its caller a plain 500 and the log an error record, as web
servers do; the invocation itself has not failed then.
"""

import io
import sys

from .web_request import ALB, parse_request
from .web_response import render_answer, render_failed_answer, render_failed_stream, render_head

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from .context import LambdaContext
    from .handler import Handler
    from .logs import LogState
    from .settings import Settings
    from .web_request import WebRequest

    ErrorInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None
    StartResponse = Callable[[str, list[tuple[str, str]], ErrorInfo], Callable[[bytes], None]]
    Application = Callable[[dict[str, object], StartResponse], Iterable[bytes]]

# Two headers of CGI that are named without HTTP_.
_CGI_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class WsgiError(Exception):
    """The application does not do what PEP 3333 says."""


def adapt_wsgi(application: "Application", settings: "Settings", log_state: "LogState") -> "Handler":
    """Return a handler for HTTP events that calls `application`."""

    def handler(event: object, context: "LambdaContext") -> object:
        request = parse_request(event)
        environ = render_environ(request)
        if settings.max_concurrency is not None:
            by_processes = settings.concurrency_mode == "processes"
            environ["wsgi.multiprocess"], environ["wsgi.multithread"] = by_processes, not by_processes
        environ["aws.event"], environ["aws.context"] = event, context
        if settings.streams_web_responses and request.kind != ALB:
            return _stream(application, environ, log_state)
        return _answer(application, environ, request, log_state=log_state)

    return handler


def render_environ(request: "WebRequest") -> "dict[str, object]":
    """Return the environ of a request; text is bytes decoded as latin-1, as PEP 3333 wants it."""
    path = request.path[len(request.root_path) :]
    environ: dict[str, object] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": _latin(request.root_path.encode("utf-8")),
        "PATH_INFO": _latin(path.encode("utf-8")),
        "QUERY_STRING": _latin(request.query_string),
        "CONTENT_LENGTH": str(len(request.body)),
        "SERVER_NAME": request.server[0],
        "SERVER_PORT": str(request.server[1]),
        "SERVER_PROTOCOL": f"HTTP/{request.http_version}",
        "REMOTE_ADDR": request.client[0] if request.client else "",
        "REQUEST_URI": _latin(request.raw_path + (b"?" + request.query_string if request.query_string else b"")),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        # `a_b` and `a-b` would have one name here: whoever sends the first could pass for the second.
        if b"_" in name or name == b"content-length":
            continue
        text = _latin(name)
        key = _CGI_NAMES.get(text) or "HTTP_" + text.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{_latin(value)}" if key in environ else _latin(value)
    return environ


class _Response:
    """What `start_response` has been told, and what `write` has been given."""

    __slots__ = ("headers", "sent", "status", "written")

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []
        self.sent = False  # whether status and headers are out, so that they cannot change any more

    def start(
        self, status: str, headers: "list[tuple[str, str]]", exc_info: "ErrorInfo" = None
    ) -> "Callable[[bytes], None]":
        if exc_info is not None and exc_info[1] is not None and self.sent:
            raise exc_info[1].with_traceback(exc_info[2])
        if self.status and exc_info is None:
            raise WsgiError("Starting a response: found it already started. Call start_response once.")
        code = status[:3]
        if not (code.isascii() and code.isdigit() and len(code) == 3):  # noqa: PLR2004  the digits of a status
            raise WsgiError(f"Starting a response: found status {status!r}. Give '200 OK', or the like.")
        self.status, self.headers = int(code), list(headers)
        return self.written.append

    def head(self) -> "dict[str, object]":
        if not self.status:
            raise WsgiError("Reading a response: found none started. Call start_response before the body.")
        self.sent = True
        return render_head(self.status, self.headers)


def _answer(
    application: "Application", environ: "dict[str, object]", request: "WebRequest", *, log_state: "LogState"
) -> object:
    response = _Response()
    try:
        body = b"".join(_body(application, environ, response))
        response.head()
        return render_answer(request, response.status, response.headers, body)
    except Exception as error:  # noqa: BLE001  the user's application
        _report(error, log_state)
        return render_failed_answer(request)


def _stream(application: "Application", environ: "dict[str, object]", log_state: "LogState") -> "Iterator[object]":
    response = _Response()
    try:
        for part in _body(application, environ, response):
            if not response.sent:
                yield response.head()
            yield part
        if not response.sent:
            yield response.head()
    except Exception as error:
        if response.sent:
            raise  # the caller has to learn that the body is not whole
        _report(error, log_state)
        yield from render_failed_stream()


def _body(application: "Application", environ: "dict[str, object]", response: _Response) -> "Iterator[bytes]":
    """Yield the parts of a body that are not empty: those given to `write` first, as they came."""
    result = application(environ, response.start)
    try:
        for part in result:
            yield from _written(response)
            if part:
                yield part
        yield from _written(response)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()


def _written(response: _Response) -> "Iterator[bytes]":
    written, response.written[:] = list(response.written), []
    yield from filter(None, written)


def _latin(data: bytes) -> str:
    return data.decode("latin-1")


def _report(error: Exception, log_state: "LogState") -> None:
    from .loop import report_failure  # noqa: PLC0415  `loop` is not this module's to know before it has failed

    report_failure(error, log_state)
