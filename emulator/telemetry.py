"""Telemetry of one execution environment: events in, batches out to the extensions that subscribed.

Everything is bounded: what is kept of the init for those who subscribe later, what waits for a slow subscriber, how
long a delivery may take. What does not fit is dropped and reported as `platform.logsDropped`, as on Lambda. Batches go
to ports of this machine only, one at a time for each subscriber, in order.

It decides nothing about extensions and never waits for a subscriber. Loaded with the first extension.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import time
from typing import TYPE_CHECKING, NamedTuple

from .platform_events import TYPES, LogsDropped, TelemetrySubscription
from .report import render_time

if TYPE_CHECKING:
    from .platform_events import PlatformEvent
    from .telemetry_api import Destination, Subscription

_HOST = "127.0.0.1"
_INIT_EVENTS = 10_000  # kept for those who subscribe during init
_BATCHES_WAITING = 8  # for a subscriber that does not take them
_DELIVERY_LIMIT_S = 5.0
_LINE_LIMIT_BYTES = 256 * 1024  # a longer line of a log is cut in two
_ANSWER_BYTES = 4096
_SUCCESS = range(200, 300)
_OBJECTS_FROM = "2022-12-13"  # schema versions before have every line as text


FUNCTION = "function"
EXTENSION = "extension"


class Event(NamedTuple):
    """One event. `record` is JSON's: an object for the platform's, a text (or an object) for a line of a log."""

    epoch_s: float
    type: str
    record: object

    @property
    def category(self) -> str:
        """What subscriptions name: platform, function or extension."""
        return self.type.partition(".")[0]


def render_event(event: Event) -> bytes:
    """One event as JSON."""
    value = {"time": render_time(event.epoch_s), "type": event.type, "record": event.record}
    return json.dumps(value, separators=(",", ":")).encode("ascii")


class Telemetry:
    """`platform`, `function` and `extension` take what happened; `subscribe` adds a subscriber until `close`."""

    def __init__(self, *, json_logs: bool = False) -> None:
        self._json_logs = json_logs
        self._subscribers: list[_Subscriber] = []
        self._kept: collections.deque[Event] | None = collections.deque(maxlen=_INIT_EVENTS)
        self._lines = {FUNCTION: bytearray(), EXTENSION: bytearray()}

    def platform(self, event: PlatformEvent, epoch_s: float) -> None:
        """Something that the platform did; the listener of a sandbox."""
        self._tell(Event(epoch_s, TYPES[type(event)], event.record()))

    def function(self, data: bytes) -> None:
        """The runtime wrote."""
        self._write(FUNCTION, data)

    def extension(self, data: bytes) -> None:
        """An extension wrote."""
        self._write(EXTENSION, data)

    def subscribe(self, name: str, wanted: Subscription) -> bool:
        """Tell an extension from here on, and what was before; False once init is over."""
        if self._kept is None:
            return False
        self._subscribers = [each for each in self._subscribers if each.name != name]
        subscriber = _Subscriber(name, wanted)
        self._subscribers.append(subscriber)
        for event in self._kept:
            subscriber.take(event)
        self.platform(TelemetrySubscription(name, wanted.types), time.time())
        return True

    def close_subscriptions(self) -> None:
        """Init is over: nobody subscribes any more."""
        self._kept = None

    def flush(self) -> None:
        """Begin to deliver what waits, whether the batches are full or not."""
        for subscriber in self._subscribers:
            subscriber.flush()

    def stop(self) -> None:
        """Give up what was not delivered; nothing is kept any more."""
        for subscriber in self._subscribers:
            subscriber.stop()
        self._subscribers = []
        self._kept = None

    def _tell(self, event: Event) -> None:
        if self._kept is not None:
            self._kept.append(event)
        for subscriber in self._subscribers:
            subscriber.take(event)

    def _write(self, category: str, data: bytes) -> None:
        if self._kept is None and not self._subscribers:
            return
        rest = self._lines[category]
        rest += data
        *lines, last = rest.split(b"\n")
        while len(last) > _LINE_LIMIT_BYTES:
            lines.append(last[:_LINE_LIMIT_BYTES])
            del last[:_LINE_LIMIT_BYTES]
        self._lines[category] = last
        for line in lines:
            self._tell(Event(time.time(), category, self._record(line.decode("utf-8", "replace"))))

    def _record(self, line: str) -> object:
        if self._json_logs and line.startswith("{"):
            with contextlib.suppress(ValueError, RecursionError):
                return json.loads(line)
        return line


class _Subscriber:
    """One extension's buffer, and the task that delivers from it."""

    def __init__(self, name: str, wanted: Subscription) -> None:
        self.name = name
        self._wanted = wanted
        self._events: list[bytes] = []
        self._size = 0
        self._waiting: collections.deque[list[bytes]] = collections.deque()
        self._dropped: LogsDropped | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._delivery = _Delivery(wanted.destination)

    def take(self, event: Event) -> None:
        """Buffer an event that is wanted, and send a batch that is full."""
        if event.category not in self._wanted.types:
            return
        if self._dropped is not None:
            dropped, self._dropped = self._dropped, None
            self.take(Event(event.epoch_s, TYPES[LogsDropped], dropped.record()))
        if not isinstance(event.record, str) and event.type == FUNCTION and self._wanted.schema_version < _OBJECTS_FROM:
            event = event._replace(record=json.dumps(event.record, separators=(",", ":")))
        rendered = render_event(event)
        self._events.append(rendered)
        self._size += len(rendered)
        buffering = self._wanted.buffering
        if len(self._events) >= buffering.max_items or self._size >= buffering.max_bytes:
            self._close_batch()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(buffering.timeout_ms / 1000, self._close_batch)

    def flush(self) -> None:
        """Send what there is."""
        self._close_batch()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        self._delivery.close()

    def _close_batch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._events:
            return
        batch, self._events, self._size = self._events, [], 0
        if len(self._waiting) >= _BATCHES_WAITING:
            self._drop(batch, "the subscriber takes events more slowly than they are produced")
            return
        self._waiting.append(batch)
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._deliver())

    def _drop(self, batch: list[bytes], reason: str) -> None:
        """Count what is lost; it is told with the next event, so that telling it to nobody does not go round."""
        before = self._dropped or LogsDropped("", 0, 0)
        size = before.dropped_bytes + sum(map(len, batch))
        self._dropped = LogsDropped(reason, before.dropped_records + len(batch), size)

    async def _deliver(self) -> None:
        while self._waiting:
            batch = self._waiting.popleft()
            try:
                await asyncio.wait_for(self._delivery.send(batch), _DELIVERY_LIMIT_S)
            except asyncio.TimeoutError:
                self._delivery.close()
                self._drop(batch, f"the subscriber did not answer within {_DELIVERY_LIMIT_S:.0f} s")
            except (OSError, ValueError) as error:
                self._delivery.close()
                self._drop(batch, f"delivering events: {error}")


class _Delivery:
    """The way to one destination: a POST for each batch, or lines over one TCP connection."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, batch: list[bytes]) -> None:
        """Deliver a batch. Raises `OSError`, and `ValueError` for an answer that is no success."""
        if self._destination.path is None:
            if self._writer is None:
                _, self._writer = await asyncio.open_connection(_HOST, self._destination.port)
            self._writer.write(b"\n".join(batch) + b"\n")
            await self._writer.drain()
            return
        body = b"[" + b",".join(batch) + b"]"
        head = (
            f"POST {self._destination.path} HTTP/1.1\r\nHost: sandbox.localdomain:{self._destination.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection(_HOST, self._destination.port)
        try:
            writer.write(head.encode("ascii") + body)
            await writer.drain()
            _check_answer(await reader.readline())
            while await reader.read(_ANSWER_BYTES):  # closing at once could reset the answer under its sender
                pass
        finally:
            writer.close()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _check_answer(line: bytes) -> None:
    words = line.split(None, 2)
    if len(words) < 2 or not words[1].isdigit() or int(words[1]) not in _SUCCESS:  # noqa: PLR2004 - version, status
        raise ValueError(f"the subscriber answered {line[:80]!r}; it must be HTTP and a status from 200 to 299")
