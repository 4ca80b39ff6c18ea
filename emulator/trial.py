"""Whether a runtime starts: one init, told as it went, and no invocation.

For whoever proves an image. The emulator itself starts a function again when its init fails, which is right for
serving and wrong for telling.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from . import variables
from .platform_events import InitReport
from .process import absolute_path
from .sandbox import Sandbox

if TYPE_CHECKING:
    from .platform_events import PlatformEvent
    from .values import Settings


class Initialised(NamedTuple):
    """How an init went: `status` is "success" when the runtime asked for an event, else "error" or "timeout".

    `error` is what the runtime said about its failure, `how` how its process ended in the platform's words, both empty
    if there is nothing of that kind. `log` is the end of what it wrote.
    """

    status: str
    error: bytes
    how: str
    log: bytes


async def initialise(settings: Settings) -> Initialised:
    """Start the runtime, wait for its first poll, its end, or `settings.init_limit_s`, and end it.

    Raises `CommandNotStartedError`.
    """
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def listen(event: PlatformEvent, _: float) -> None:
        if isinstance(event, InitReport) and not told.done():
            told.set_result(event.status)

    sandbox = Sandbox(settings, log=None, log_error=None, on_answered=lambda _: None, on_free=lambda _: None)
    sandbox.listeners.append(listen)
    cwd = absolute_path(settings.cwd)
    address = await sandbox.listen(*settings.runtime_api)
    try:
        await sandbox.start(variables.runtime_environment(settings, runtime_api=address, cwd=cwd), cwd)
        if sandbox.not_started is not None:
            raise sandbox.not_started
        status = await told
        how = "" if sandbox.ended is None else sandbox.ended.how or "exit status 0"
        log = sandbox.take_log()
    finally:
        await sandbox.close()
    return Initialised(status, sandbox.init_error, how, log)
