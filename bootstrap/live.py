"""Results that are no values yet: a coroutine is run, a generator is streamed; the rest is an error after all.

Loaded when a result turns out to have no JSON form, so that a plain result pays nothing for the question.
Decided by what the type can do and not by what it is called: a coroutine, a task and any other awaitable are
run; a generator and any other iterator, asynchronous or not, is streamed, and so is a dict whose `body` is one.
Never imports the user's code, and loads asyncio only for those who use it.
"""

from .errors import AnsweredExit, MarshalError, PlatformError, ResponseTooLargeError
from .logs import flush_output
from .payload import render_result
from .streaming import ResponseStream

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from .coroutines import Runner
    from .invocation import Invocation
    from .logs import LogState
    from .runtime_api import RuntimeApi
    from .settings import Settings


def finish(
    api: "RuntimeApi",
    invocation: "Invocation",
    unrendered: MarshalError,
    *,
    settings: "Settings",
    log_state: "LogState",
) -> "tuple[bytes, str] | None":
    """Return the body and content type that come of `unrendered.result`, or None when it has been streamed.

    Raises `unrendered` itself if its result is not live, MarshalError, and whatever the user's code raises.
    """
    result = unrendered.result
    while _can(result, "__await__"):
        from .coroutines import event_loop  # noqa: PLC0415  it loads asyncio

        result = event_loop(log_state).run(result)
    head, body = split_response(result)
    if body is not None:
        _stream(api, invocation, head, body=body, log_state=log_state)
        return None
    if result is unrendered.result:
        raise unrendered
    return render_result(result, raw_utf8=settings.raw_utf8)


def split_response(result: object) -> "tuple[object, object]":
    """Return the head and the iterator of a result to stream; (None, None) for any other."""
    if _is_stream(result):
        return None, result
    if isinstance(result, dict) and _is_stream(result.get("body")):
        return {key: value for key, value in result.items() if key != "body"}, result["body"]
    return None, None


def _is_stream(value: object) -> bool:
    return _can(value, "__next__") or _can(value, "__anext__")


def _can(value: object, method: str) -> bool:
    return hasattr(type(value), method)


def _stream(api: "RuntimeApi", invocation: "Invocation", head: object, *, body: object, log_state: "LogState") -> None:
    from .loop import report_failure  # noqa: PLC0415  `loop` loads this module

    stream = ResponseStream(api, invocation)
    try:
        try:
            if head is not None:
                stream.put(head)
            _pump(body, stream, log_state)
        except PlatformError:
            raise
        except BaseException as error:  # the user's code; an exit has to be told in the trailers first
            if not stream.started:
                raise  # nothing is sent yet: an error like any other
            stream.fail(report_failure(error, log_state))
            if isinstance(error, (SystemExit, KeyboardInterrupt)):
                raise AnsweredExit(error) from error
        else:
            # Before the end of the body, for the reason in `loop.answer`.
            flush_output()
            stream.finish()
    except ResponseTooLargeError as error:
        api.post_error_after_413(invocation, report_failure(error, log_state))


def _pump(body: object, stream: ResponseStream, log_state: "LogState") -> None:
    if _can(body, "__anext__"):
        from .coroutines import event_loop  # noqa: PLC0415  it loads asyncio

        asynchronous: AsyncIterator[object] = body  # type: ignore[assignment]  # it has __anext__
        loop = event_loop(log_state)
        loop.run(_pump_asynchronously(asynchronous, stream, loop))
        return
    items: Iterator[object] = body  # type: ignore[assignment]  # it has __next__
    try:
        while True:
            try:
                item = next(items)
            except StopIteration:
                break
            if not stream.put(item):
                break
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


async def _pump_asynchronously(items: "AsyncIterator[object]", stream: ResponseStream, loop: "Runner") -> None:
    # In one task from beginning to end: timeouts and task groups that span a `yield` depend on it. While a chunk
    # waits for its reader nothing else of this invocation runs, which is what holds its producers back.
    try:
        while True:
            try:
                item = await items.__anext__()
            except StopAsyncIteration:
                break
            if not await loop.call_outside(stream.put, item):
                break
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()
