"""Serving an emulator on a port until a signal comes: what the command line does, callable.

Shell code: it listens, writes to our stdout and stderr, and minds SIGTERM and SIGINT. What requests mean is the
front's, what happens to them the engine's.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
from typing import TYPE_CHECKING, Callable

from .engine import Emulator
from .invoke_front import InvokeFront

if TYPE_CHECKING:
    from .values import Settings

_STDOUT = 1
_STDERR = 2


async def serve(settings: Settings, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve the Invoke API on `host`:`port` (0: a free one) until SIGTERM or SIGINT.

    The port is taken before the runtime is started, and callers are accepted after. `ready` is given the URL to POST
    to. The log goes to our stdout, and what the runtime writes to stderr to ours. Raises `ListenError` and
    `CommandNotStartedError`.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    emulator = Emulator(settings, log=_writer(_STDOUT), log_error=_writer(_STDERR))
    front = InvokeFront(emulator)
    try:
        host, port = await front.server.listen(host, port)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with emulator:
            await front.server.start()
            shown = f"[{host}]" if ":" in host else host
            ready(f"http://{shown}:{port}/2015-03-31/functions/function/invocations")
            await stop.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        await front.server.close()


def _writer(fd: int) -> Callable[[bytes], None]:
    """Write all of it to a descriptor that may be non-blocking; once nobody reads it any more, drop the rest."""
    lost = False

    def write(data: bytes) -> None:
        nonlocal lost
        view = memoryview(data)
        while view and not lost:
            try:
                view = view[os.write(fd, view) :]
            except BlockingIOError:  # noqa: PERF203 - each write may be cut short
                select.select([], [fd], [])
            except OSError:
                lost = True

    return write
