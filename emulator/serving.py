"""Serving an emulator on a port until a signal comes: what the command line does, callable.

Shell code: it listens, writes to our stdout and stderr, and minds SIGTERM and SIGINT. What requests mean is the
front's, what happens to them the engine's.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Callable

from . import limits
from .asynchronous import DEFAULT_EVENTS
from .engine import Emulator
from .event_queue import EventQueue
from .invoke_front import InvokeFront
from .terminal import Readable

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Union

    from .asynchronous import EventOptions
    from .function_url import FunctionUrlFront
    from .http_options import HttpOptions
    from .http_server import HttpServer
    from .values import Settings

    Front = Union[InvokeFront, FunctionUrlFront]

_PATH = "/2015-03-31/functions/function/invocations"

_LARGE_BLOCK_BYTES = 24 * 1024 * 1024  # below glibc's largest bound of 32 MiB

_STDOUT = 1
_STDERR = 2


async def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    ready: Callable[[str], None],
    http: HttpOptions | None = None,
    bandwidth_limited: bool = False,
    events: EventOptions = DEFAULT_EVENTS,
    beside: Callable[[Emulator], Awaitable[None]] | None = None,
) -> None:
    """Serve callers on `host`:`port` (0: a free one) until SIGTERM or SIGINT.

    They speak the Invoke API; with `http`, any request is an event, and those under way may end after the signal. The
    port is taken before the runtime is started, and callers are accepted after. `ready` is given the URL to POST to, or
    to open. `events` says what becomes of asynchronous invocations that fail. The log goes to our stdout, and what the
    runtime writes to stderr to ours. `beside` runs as long as we serve. With `http` a `settings.shutdown_s` of None is
    `limits.HTTP_SHUTDOWN_S`. Raises `ListenError` and `CommandNotStartedError`.
    """
    _keep_freed_memory()
    if http is not None and settings.shutdown_s is None:
        settings = replace(settings, shutdown_s=limits.HTTP_SHUTDOWN_S)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    out, error = _writer(_STDOUT), _writer(_STDERR)
    emulator = Emulator(settings, log=out, log_error=error)
    queue = EventQueue(emulator, events, say=lambda text: error(f"emulator: {text}\n".encode()))
    front = _make_front(emulator, queue, http, note=out, bandwidth_limited=bandwidth_limited)
    task: asyncio.Task[None] | None = None
    try:
        host, port = await front.server.listen(host, port)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with emulator:
            front.server.start()
            shown = f"[{host}]" if ":" in host else host
            ready(f"http://{shown}:{port}{_PATH if http is None else '/'}")
            task = None if beside is None else asyncio.ensure_future(beside(emulator))
            await stop.wait()
            await queue.close()
            if http is not None:
                stop.clear()
                await _drain(front.server, stop, http.drain_s)
    finally:
        if task is not None:
            task.cancel()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        await front.server.close()


def _keep_freed_memory() -> None:
    """Have the C library keep what large events give back, for the next one: fresh pages are slow.

    glibc raises its bounds when a large block is freed (mallopt(3), M_MMAP_THRESHOLD). This one is never touched.
    """
    bytes(_LARGE_BLOCK_BYTES)


def _make_front(
    emulator: Emulator,
    queue: EventQueue,
    http: HttpOptions | None,
    *,
    note: Callable[[bytes], None],
    bandwidth_limited: bool,
) -> Front:
    if http is None:
        return InvokeFront(emulator, queue, bandwidth_limited=bandwidth_limited)
    from .function_url import FunctionUrlFront  # noqa: PLC0415 - only for who asks for it

    return FunctionUrlFront(emulator, http, note=lambda text: note(text.encode()), bandwidth_limited=bandwidth_limited)


async def _drain(server: HttpServer, stop: asyncio.Event, limit_s: float) -> None:
    """Accept nobody any more and let the requests under way end, until the limit or another signal."""
    server.stop_listening()
    idle = asyncio.ensure_future(server.wait_idle())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({idle, stopped}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    idle.cancel()
    stopped.cancel()


def _writer(fd: int) -> Callable[[bytes], None]:
    """Write all of it to a descriptor that may be non-blocking; once nobody reads it any more, drop the rest.

    A terminal gets it for people, everything else as it is.
    """
    lost = False
    readable = Readable() if os.isatty(fd) else None

    def write(data: bytes) -> None:
        nonlocal lost
        view = memoryview(data if readable is None else readable.feed(data))
        while view and not lost:
            try:
                view = view[os.write(fd, view) :]
            except BlockingIOError:  # noqa: PERF203 - each write may be cut short
                select.select([], [fd], [])
            except OSError:
                lost = True

    return write
