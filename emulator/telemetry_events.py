"""The events of the Telemetry API as values and as JSON. Pure.

Shapes are those of AWS's "Lambda Telemetry API Event schema reference", version 2022-12-13, as far as they are about
something that is here: there are no runtime versions and no spans.
"""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

PLATFORM = "platform"
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
    value = {"time": render_instant(event.epoch_s), "type": event.type, "record": event.record}
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def render_instant(epoch_s: float) -> str:
    """ISO 8601 with milliseconds, in UTC."""
    t = time.gmtime(epoch_s)
    day = f"{t.tm_year}-{t.tm_mon:02d}-{t.tm_mday:02d}"
    return f"{day}T{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}.{int(epoch_s * 1000) % 1000:03d}Z"


def init_start(*, phase: str, name: str, version: str, memory_mb: int, instance: str) -> tuple[str, object]:
    """The environment begins to initialise, in phase "init" or "invoke"."""
    return "platform.initStart", {
        "initializationType": "on-demand",
        "phase": phase,
        "functionName": name,
        "functionVersion": version,
        "instanceId": instance,
        "instanceMaxMemory": memory_mb * 1024 * 1024,
    }


def init_runtime_done(*, phase: str, status: str, error_type: str | None) -> tuple[str, object]:
    """The runtime has initialised: status "success", "error" or "timeout"."""
    record = {"initializationType": "on-demand", "phase": phase, "status": status, **_error(error_type)}
    return "platform.initRuntimeDone", record


def init_report(*, phase: str, status: str, duration_s: float, error_type: str | None) -> tuple[str, object]:
    """The whole initialisation is over, extensions included."""
    return "platform.initReport", {
        "initializationType": "on-demand",
        "phase": phase,
        "status": status,
        "metrics": {"durationMs": _ms(duration_s)},
        **_error(error_type),
    }


def start(*, request_id: str, version: str, trace_id: str | None) -> tuple[str, object]:
    """An invocation begins."""
    return "platform.start", {"requestId": request_id, "version": version, **_tracing(trace_id)}


def runtime_done(
    *,
    request_id: str,
    status: str,
    duration_s: float,
    produced_bytes: int,
    error_type: str | None,
    trace_id: str | None,
) -> tuple[str, object]:
    """The runtime is done with an event; extensions may not be."""
    return "platform.runtimeDone", {
        "requestId": request_id,
        "status": status,
        "metrics": {"durationMs": _ms(duration_s), "producedBytes": produced_bytes},
        **_tracing(trace_id),
        **_error(error_type),
    }


def report(
    *,
    request_id: str,
    status: str,
    duration_s: float,
    init_s: float | None,
    memory_mb: int,
    max_memory_mb: int,
    error_type: str | None,
    trace_id: str | None,
) -> tuple[str, object]:
    """An invocation is over."""
    metrics: dict[str, float] = {
        "durationMs": _ms(duration_s),
        "billedDurationMs": math.ceil(_ms(duration_s) + _ms(init_s or 0.0)),
        "memorySizeMB": memory_mb,
        "maxMemoryUsedMB": max_memory_mb,
    }
    if init_s is not None:
        metrics["initDurationMs"] = _ms(init_s)
    record = {"requestId": request_id, "status": status, "metrics": metrics}
    return "platform.report", {**record, **_tracing(trace_id), **_error(error_type)}


def extension(*, name: str, state: str, events: Sequence[str], error_type: str | None) -> tuple[str, object]:
    """An extension has initialised, or failed to."""
    return "platform.extension", {"name": name, "state": state, "events": list(events), **_error(error_type)}


def subscription(*, name: str, types: Sequence[str]) -> tuple[str, object]:
    """An extension has subscribed."""
    return "platform.telemetrySubscription", {"name": name, "state": "Subscribed", "types": list(types)}


def logs_dropped(*, reason: str, records: int, size: int) -> tuple[str, object]:
    """Events were not delivered."""
    return "platform.logsDropped", {"reason": reason, "droppedRecords": records, "droppedBytes": size}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _error(error_type: str | None) -> dict[str, object]:
    return {} if error_type is None else {"errorType": error_type}


def _tracing(trace_id: str | None) -> dict[str, object]:
    return {} if trace_id is None else {"tracing": {"type": "X-Amzn-Trace-Id", "value": trace_id}}
