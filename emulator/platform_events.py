"""What the platform has to tell about an environment, as values: the events of Lambda's Telemetry API.

A sandbox makes them; `report` words them for the log, as text or JSON, and whoever subscribes gets them as they are
(`Sandbox.listeners`). Records have the fields of the Telemetry API's schema reference, version 2022-12-13.

Values and their records only: it writes nowhere and reads no clock.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Union

INITIALIZATION_TYPE = "on-demand"

Record = Union[str, "dict[str, object]"]


class InitStart(NamedTuple):
    """A runtime is being started, in phase "init" or within an invocation ("invoke")."""

    phase: str
    function_name: str
    function_version: str

    def record(self) -> Record:
        """The event's record."""
        return {
            "initializationType": INITIALIZATION_TYPE,
            "phase": self.phase,
            "functionName": self.function_name,
            "functionVersion": self.function_version,
        }


class InitReport(NamedTuple):
    """An init is over: status "success", "error" or "timeout"."""

    duration_s: float
    phase: str
    status: str
    error_type: str | None

    def record(self) -> Record:
        """The event's record."""
        return {
            "initializationType": INITIALIZATION_TYPE,
            "phase": self.phase,
            **_status(self.status, self.error_type),
            "metrics": {"durationMs": _ms(self.duration_s)},
        }


class InitRuntimeDone(NamedTuple):
    """The runtime's part of an init is over."""

    phase: str
    status: str
    error_type: str | None

    def record(self) -> Record:
        """The event's record."""
        return {
            "initializationType": INITIALIZATION_TYPE,
            "phase": self.phase,
            **_status(self.status, self.error_type),
        }


class Start(NamedTuple):
    """An invocation begins."""

    request_id: str
    version: str

    def record(self) -> Record:
        """The event's record."""
        return {"requestId": self.request_id, "version": self.version}


class RuntimeDone(NamedTuple):
    """The runtime is done with an invocation: status "success", "error", "failure" (it ended) or "timeout"."""

    request_id: str
    status: str
    error_type: str | None
    duration_s: float
    produced_bytes: int

    def record(self) -> Record:
        """The event's record."""
        return {
            "requestId": self.request_id,
            **_status(self.status, self.error_type),
            "metrics": {"durationMs": _ms(self.duration_s), "producedBytes": self.produced_bytes},
        }


class Report(NamedTuple):
    """An invocation is over. `status` is None for success, as it is not written then, else "error" or "timeout"."""

    request_id: str
    status: str | None
    error_type: str | None
    duration_s: float
    init_s: float | None
    memory_mb: int
    max_memory_mb: int
    timeout_s: float

    def record(self) -> Record:
        """The event's record."""
        metrics: dict[str, object] = {
            "durationMs": _ms(self.duration_s),
            "billedDurationMs": billed_ms(self.duration_s, self.init_s),
            "memorySizeMB": self.memory_mb,
            "maxMemoryUsedMB": self.max_memory_mb,
        }
        if self.init_s is not None:
            metrics["initDurationMs"] = _ms(self.init_s)
        return {
            "requestId": self.request_id,
            **_status(self.status or "success", self.error_type if self.status == "error" else None),
            "metrics": metrics,
        }


class Fault(NamedTuple):
    """A runtime could not be started or ended when it should not have; its record is a text."""

    text: str

    def record(self) -> Record:
        """The event's record."""
        return self.text


class ExtensionInit(NamedTuple):
    """An extension has initialised (state "Ready"), or has not."""

    name: str
    state: str
    events: tuple[str, ...]
    error_type: str | None

    def record(self) -> Record:
        """The event's record."""
        told: dict[str, object] = {"name": self.name, "state": self.state, "events": list(self.events)}
        return told if self.error_type is None else {**told, "errorType": self.error_type}


class TelemetrySubscription(NamedTuple):
    """An extension has subscribed to these types of events."""

    name: str
    types: tuple[str, ...]

    def record(self) -> Record:
        """The event's record."""
        return {"name": self.name, "state": "Subscribed", "types": list(self.types)}


class LogsDropped(NamedTuple):
    """Events were not delivered to a subscriber."""

    reason: str
    dropped_records: int
    dropped_bytes: int

    def record(self) -> Record:
        """The event's record."""
        return {
            "reason": self.reason,
            "droppedRecords": self.dropped_records,
            "droppedBytes": self.dropped_bytes,
        }


PlatformEvent = Union[
    InitStart,
    InitReport,
    InitRuntimeDone,
    Start,
    RuntimeDone,
    Report,
    Fault,
    ExtensionInit,
    TelemetrySubscription,
    LogsDropped,
]


TYPES = {
    InitStart: "platform.initStart",
    InitReport: "platform.initReport",
    InitRuntimeDone: "platform.initRuntimeDone",
    Start: "platform.start",
    RuntimeDone: "platform.runtimeDone",
    Report: "platform.report",
    Fault: "platform.fault",
    ExtensionInit: "platform.extension",
    TelemetrySubscription: "platform.telemetrySubscription",
    LogsDropped: "platform.logsDropped",
}
"""The types of the events, in the Telemetry API's words."""


def billed_ms(duration_s: float, init_s: float | None) -> int:
    """What is billed of an invocation, the init of an image included: rounded first, so that 300.00000001 is 300."""
    return math.ceil(round((duration_s + (init_s or 0.0)) * 1000, 2))


def _status(status: str, error_type: str | None) -> dict[str, object]:
    return {"status": status} if error_type is None else {"status": status, "errorType": error_type}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
