"""An event loop that calls readers the moment the system names them, and waits on as long as nobody else is called.

asyncio wraps every callback in a handle, queues it for the next part of its round, and begins another round: a fifth of
what an invocation cost us. Here what `add_reader` was given is called while the selector is asked, with nothing
between, and asyncio gets its turn when there is something for it: a timer that is due, a callback, a task, a writer.

Documented seams only: a selector of one's own, and the loop's public methods. What runs on this loop runs on any other
selector loop, with more between. A reader must be short, and is called without a context of its own.
"""

from __future__ import annotations

import asyncio
import os
import select
import selectors
import time
from functools import partial
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextvars import Context


def run(work: Coroutine[object, object, None]) -> None:
    """Like `asyncio.run`, on a loop of this kind; signals are for the work to mind, as `serve` does."""
    loop = PromptLoop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(work)
    finally:
        try:
            _cancel_rest(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _cancel_rest(loop: asyncio.AbstractEventLoop) -> None:
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))


def call_idle(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Have it called when there is nothing to read any more; on another kind of loop, soon."""
    if isinstance(loop, PromptLoop):
        loop.call_idle(callback)
    else:
        loop.call_soon(callback)


class PromptLoop(asyncio.SelectorEventLoop):
    """A selector event loop; see the module. What gives asyncio something to do wakes it."""

    def __init__(self) -> None:
        self._prompt = _PromptSelector(self._on_error)
        super().__init__(self._prompt)

    def call_idle(self, callback: Callable[[], None]) -> None:
        """Have it called before the loop would sleep."""
        self._prompt.idle.append(callback)

    def add_reader(self, fd: int, callback: Callable[..., object], *args: object) -> None:  # type: ignore[explicit-any, override]
        """Call it whenever there is something to read."""
        super().add_reader(fd, callback, *args)
        self._prompt.readers[fd] = partial(callback, *args) if args else callback

    def remove_reader(self, fd: int) -> bool:  # type: ignore[override]
        """Call it no more."""
        self._prompt.readers.pop(fd, None)
        return super().remove_reader(fd)

    def call_soon(  # type: ignore[explicit-any]
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """Asyncio's, in its turn."""
        self._prompt.woken = True
        return super().call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[explicit-any]
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Asyncio's, which has to know of it to wait no longer."""
        self._prompt.woken = True
        return super().call_at(when, callback, *args, context=context)

    def stop(self) -> None:
        """Asyncio's, after this."""
        self._prompt.woken = True
        super().stop()

    def _on_error(self, error: BaseException) -> None:
        self.call_exception_handler({"message": "Exception in a reader", "exception": error})


_Left = tuple[selectors.SelectorKey, int]  # type: ignore[explicit-any]
_WRITABLE = select.EPOLLOUT


class _PromptSelector(selectors.EpollSelector):
    """What asyncio asks for events; those of `readers` are dealt with here."""

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        super().__init__()
        self._events = select.epoll.fromfd(os.dup(self.fileno()))  # the same one, each with a descriptor to close
        self._on_error = on_error
        self.readers: dict[int, Callable[[], object]] = {}
        self.idle: list[Callable[[], None]] = []
        self.woken = False  # asyncio has something to do

    def select(self, timeout: float | None = None) -> list[_Left]:  # type: ignore[explicit-any]
        """Wait; the events that are left for asyncio."""
        until = None if timeout is None or timeout <= 0 else time.monotonic() + timeout
        self.woken = False
        left: list[_Left] = []  # type: ignore[explicit-any]
        while True:
            events = self._events.poll(0 if self.idle else timeout)
            for fd, mask in events:
                reader = self.readers.get(fd)
                if reader is None or mask & _WRITABLE:
                    left += self._leave(fd, mask)
                    continue
                try:
                    reader()
                except (KeyboardInterrupt, SystemExit):
                    raise
                except BaseException as error:  # noqa: BLE001 - the loop's own boundary
                    self._on_error(error)
            if not events:
                if not self.idle:
                    return left
                self._call_idle()
            if left or self.woken or timeout == 0:
                return left
            if until is not None:
                timeout = max(0, until - time.monotonic())

    def _leave(self, fd: int, mask: int) -> list[_Left]:  # type: ignore[explicit-any]
        key = self.get_map().get(fd)
        return [] if key is None else [(key, _parse_mask(mask) & key.events)]

    def _call_idle(self) -> None:
        idle, self.idle = self.idle, []
        for callback in idle:
            try:
                callback()
            except Exception as error:  # noqa: BLE001, PERF203 - as above, and each for itself
                self._on_error(error)

    def close(self) -> None:
        """Once, at the end."""
        self._events.close()
        self.readers.clear()
        super().close()


def _parse_mask(mask: int) -> int:
    """Errors and the end are told to readers and writers, as `selectors` does."""
    events = selectors.EVENT_WRITE if mask & ~select.EPOLLIN else 0
    return events | (selectors.EVENT_READ if mask & ~select.EPOLLOUT else 0)
