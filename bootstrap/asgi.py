"""ASGI applications (3.0) as handlers: Starlette, FastAPI, Django, Quart and the like; knows no event's shape.

The lifespan is started once, in init, and ended when the process ends in order. A response is collected and
answered whole, or streamed part by part where the callers take that; a part is only asked for when the one before
it is with the platform. Decided here:

- The invocation ends when the application returns: what it does after its response (Starlette's background tasks)
  is done before the process may be frozen.
- An application that raises before it has answered gives its caller a plain 500, and the log an error record, as
  web servers do; the invocation itself has not failed then.
"""

import asyncio
import atexit
import contextlib

from .coroutines import event_loop
from .web_request import ALB, parse_request
from .web_response import render_answer, render_failed_answer, render_failed_stream, render_head

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    from .context import LambdaContext
    from .coroutines import Runner
    from .handler import Handler
    from .logs import LogState
    from .settings import Settings
    from .web_request import WebRequest

    Message = MutableMapping[str, object]
    Scope = dict[str, object]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_VERSIONS = {"version": "3.0", "spec_version": "2.3"}
_SHUTDOWN_LIMIT_S = 1.5  # Lambda's shutdown phase lasts 2 s at most, and others share it


class AsgiError(Exception):
    """The application does not do what ASGI says, or refuses to start."""


def adapt_asgi(application: "Application", settings: "Settings", log_state: "LogState") -> "Handler":
    """Start the application's lifespan; return a handler for HTTP events that calls it.

    Raises what the application raises while it starts, or AsgiError with what it says about it.
    """
    lifespan = _Lifespan(application)
    loop = event_loop(log_state)
    loop.run(lifespan.start())
    atexit.register(lifespan.stop_at_exit, loop)

    def handler(event: object, context: "LambdaContext") -> object:
        request = parse_request(event)
        scope = render_scope(request)
        scope["state"] = dict(lifespan.state)
        scope["aws.event"], scope["aws.context"] = event, context
        if settings.streams_web_responses and request.kind != ALB:
            return _stream(application, scope, request, log_state=log_state)
        return _answer(application, scope, request, log_state=log_state)

    vars(handler)["runs_on_loop"] = True  # for `kinds.is_asynchronous`: its own code does not show it
    return handler


def render_scope(request: "WebRequest") -> "Scope":
    """Return the connection scope of a request."""
    return {
        "type": "http",
        "asgi": _VERSIONS,
        "http_version": request.http_version,
        "method": request.method,
        "scheme": request.scheme,
        "path": request.path,
        "raw_path": request.raw_path,
        "query_string": request.query_string,
        "root_path": request.root_path,
        "headers": request.headers,
        "client": request.client,
        "server": request.server,
        "extensions": {},
    }


class _Exchange:
    """One request and its response: the two callables that an application talks to."""

    def __init__(self, body: bytes) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.complete = False
        self._body: bytes | None = body
        self._ended = asyncio.Event()

    async def receive(self) -> "Message":
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._ended.wait()  # a caller of Lambda's cannot be seen to go away before
        return {"type": "http.disconnect"}

    async def send(self, message: "Message") -> None:
        kind = message["type"]
        if kind == "http.response.start" and not self.status:
            self.status = int(str(message["status"]))
            self.headers = [(_latin(name), _latin(value)) for name, value in message.get("headers") or ()]  # type: ignore[attr-defined]  # pairs, by ASGI
            await self.take(None)
        elif kind == "http.response.body" and self.status and not self.complete:
            body = message.get("body") or b""
            if body:
                await self.take(bytes(body))  # type: ignore[call-overload]  # bytes, by ASGI
            if not message.get("more_body"):
                self.complete = True
                self._ended.set()
        else:
            raise AsgiError(
                f"Answering a request: found the message {kind!r} out of turn. "
                "Send http.response.start once, then http.response.body until it is the last."
            )

    async def take(self, part: "bytes | None") -> None:
        """Take one part of the body, or None for the head, which `status` and `headers` have now."""
        raise NotImplementedError


class _CollectedExchange(_Exchange):
    """Keeps the parts together: the answer goes out whole."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.parts: list[bytes] = []

    async def take(self, part: "bytes | None") -> None:
        if part is not None:
            self.parts.append(part)


class _StreamedExchange(_Exchange):
    """Hands each part over, and lets the application go on when the next one is wanted."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._parts: asyncio.Queue[object] = asyncio.Queue(1)

    async def take(self, part: "bytes | None") -> None:
        await self._parts.put(render_head(self.status, self.headers) if part is None else part)
        await self._parts.join()

    async def run(self, application: "Application", scope: "Scope") -> None:
        """Call the application; the last part is an _End."""
        error: Exception | None = None
        try:
            await application(scope, self.receive, self.send)
        except Exception as raised:  # noqa: BLE001  the user's application; it is raised in the stream
            error = raised
        await self._parts.put(_End(error))

    async def next_part(self) -> object:
        return await self._parts.get()

    def part_is_out(self) -> None:
        self._parts.task_done()


class _End:
    """The application has returned, or raised `error`."""

    __slots__ = ("error",)

    def __init__(self, error: "Exception | None") -> None:
        self.error = error


async def _answer(
    application: "Application", scope: "Scope", request: "WebRequest", *, log_state: "LogState"
) -> object:
    exchange = _CollectedExchange(request.body)
    try:
        await application(scope, exchange.receive, exchange.send)
        error: Exception | None = _incomplete(exchange)
    except Exception as raised:  # noqa: BLE001  the user's application
        error = raised
    if error is not None:
        _report(error, log_state)
    if not exchange.complete:
        return render_failed_answer(request)
    return render_answer(request, exchange.status, exchange.headers, b"".join(exchange.parts))


async def _stream(
    application: "Application", scope: "Scope", request: "WebRequest", *, log_state: "LogState"
) -> "AsyncIterator[object]":
    exchange = _StreamedExchange(request.body)
    task = asyncio.ensure_future(exchange.run(application, scope))
    try:
        part = await exchange.next_part()
        while not isinstance(part, _End):
            yield part
            exchange.part_is_out()
            part = await exchange.next_part()
        error = part.error or _incomplete(exchange)
        if error is not None:
            if exchange.status and not exchange.complete:
                raise error  # the caller has to learn that the body is not whole
            _report(error, log_state)
            if not exchange.status:
                for piece in render_failed_stream():
                    yield piece
    finally:
        task.cancel()  # still at work only where the platform has stopped to listen
        with contextlib.suppress(asyncio.CancelledError):
            await task


class _Lifespan:
    """The application's life: started once, ended once; one that knows no lifespan is taken as it is."""

    def __init__(self, application: "Application") -> None:
        self.state: dict[str, object] = {}
        self._application = application
        self._task: asyncio.Future[None] | None = None
        self._messages: asyncio.Queue[Message] | None = None
        self._answer: asyncio.Future[Message] | None = None

    async def start(self) -> None:
        """Wait until the application has started. The platform limits how long that may take."""
        self._messages = asyncio.Queue()
        self._task = asyncio.ensure_future(self._run())
        answer = await self._ask("lifespan.startup")
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            await asyncio.wait([self._task], timeout=_SHUTDOWN_LIMIT_S)
            if self._task.done():
                self._task.result()  # raises what the application raised, which says more
            raise AsgiError(f"Starting the application: found its lifespan failed: {answer.get('message')!r}.")

    def stop_at_exit(self, loop: "Runner") -> None:
        """Let the application end what it began; whatever goes wrong is logged, for there is nobody to tell."""
        if self._task is not None and not self._task.done():
            with contextlib.suppress(Exception):
                loop.run(asyncio.wait_for(self._ask("lifespan.shutdown"), _SHUTDOWN_LIMIT_S))

    async def _run(self) -> None:
        scope: Scope = {"type": "lifespan", "asgi": _VERSIONS, "state": self.state}
        await self._application(scope, self._receive, self._send)

    async def _ask(self, kind: str) -> "Message | None":
        """Return the application's answer to a message; None when it ends without one."""
        if self._task is None or self._messages is None:
            return None
        self._answer = asyncio.get_running_loop().create_future()
        self._messages.put_nowait({"type": kind})
        both: list[asyncio.Future[object]] = [self._answer, self._task]  # type: ignore[list-item]  # of two kinds
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if self._answer.done():
            return self._answer.result()
        # Most applications without a lifespan refuse its scope by an exception, which is no failure then.
        self._task.exception()
        return None

    async def _receive(self) -> "Message":
        assert self._messages is not None  # noqa: S101  for type checkers: `start` has made it
        return await self._messages.get()

    async def _send(self, message: "Message") -> None:
        if not str(message["type"]).startswith("lifespan."):
            # An application that does not look at its scope: it has no lifespan either.
            raise AsgiError(f"Running the lifespan: found the message {message['type']!r}. Look at scope['type'].")
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(message)


def _incomplete(exchange: _Exchange) -> "AsgiError | None":
    if exchange.complete:
        return None
    return AsgiError(
        "Answering a request: found that the application returned before its response was complete. "
        "Send http.response.start, and http.response.body with more_body false at its end."
    )


def _latin(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _report(error: Exception, log_state: "LogState") -> None:
    from .loop import report_failure  # noqa: PLC0415  `loop` is not this module's to know before it has failed

    report_failure(error, log_state)
