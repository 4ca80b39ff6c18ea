"""Whether an image starts, for functions without sample events: its runtime must ask for a first event.

A Runtime API of two calls, on a free loopback port: the first GET of an event is success, an error posted before it is
failure. No event is ever sent, so nothing of the function runs but its import. The emulator is used wherever there are
events; it starts a function again when its init fails, which is right for serving and wrong for telling.
"""

import asyncio
import contextlib
import os
import re
import signal
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, STDOUT, Process
from dataclasses import dataclass

from emulator import Settings
from emulator.variables import runtime_environment

MAX_HEAD_BYTES = 64 * 1024
MAX_ERROR_BYTES = 1 << 20
MAX_LOG_BYTES = 256 * 1024
ENDED_GRACE_S = 1.0  # for the log of a runtime that has failed or ended

_INIT_PROBLEM = "it does not start: "
_NEXT = re.compile(rb"GET /[^ /]+/runtime/invocation/next ")
_INIT_ERROR = re.compile(rb"POST /[^ /]+/runtime/init/error ")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Start:
    """How the start went: `problem` is empty when the runtime asked for an event; `log` is what it wrote, its end."""

    problem: str
    log: str


async def start(settings: Settings, *, timeout_s: float) -> Start:
    """Start the runtime and wait for its first call, its end, or the timeout; then end it."""
    calls: asyncio.Queue[str] = asyncio.Queue()

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            calls.put_nowait(await _read_call(reader))
            await reader.read()  # until the runtime hangs up: it is never answered
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
    port = server.sockets[0].getsockname()[1]
    cwd = settings.cwd or "/"
    process = await asyncio.create_subprocess_exec(
        *settings.command,
        env=runtime_environment(settings, runtime_api=f"127.0.0.1:{port}", cwd=cwd),
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    log = _Log()
    reading = asyncio.create_task(log.read(process))
    try:
        problem = await _outcome(process, calls, timeout_s)
        if problem.startswith(_INIT_PROBLEM):  # it ends by itself when it has said why
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), ENDED_GRACE_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        await asyncio.wait([reading], timeout=ENDED_GRACE_S)  # somebody it left behind may hold the other end
        reading.cancel()
        server.close()
    return Start(problem, log.text())


async def _read_call(reader: StreamReader) -> str:
    """The first call of a connection: "" for the wanted one, else what is wrong."""
    head = await reader.readuntil(b"\r\n\r\n")
    if _NEXT.match(head):
        return ""
    if _INIT_ERROR.match(head):
        length = _LENGTH.search(head)
        size = min(int(length[1]) if length else 0, MAX_ERROR_BYTES)
        return _INIT_PROBLEM + (await reader.readexactly(size)).decode("utf-8", "replace")
    first = head.partition(b"\r\n")[0]
    return f"its runtime made an unknown call: {first[:200]!r}"


async def _outcome(process: Process, calls: "asyncio.Queue[str]", timeout_s: float) -> str:
    """What comes first; a call that was made before the end counts."""
    call, end = asyncio.create_task(calls.get()), asyncio.create_task(process.wait())
    try:
        await asyncio.wait([call, end], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not call.done() and end.done():
            await asyncio.wait([call], timeout=ENDED_GRACE_S)
        if call.done():
            return call.result()
        return f"it ended with {end.result()}" if end.done() else f"it did not start within {timeout_s:g} s"
    finally:
        call.cancel()
        end.cancel()


class _Log:
    """The end of a process's output."""

    def __init__(self) -> None:
        self._kept = b""

    async def read(self, process: Process) -> None:
        while process.stdout and (piece := await process.stdout.read(65536)):
            self._kept = (self._kept + piece)[-MAX_LOG_BYTES:]

    def text(self) -> str:
        return self._kept.decode("utf-8", "replace")
