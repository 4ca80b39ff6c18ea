"""The platform's log lines, as text or JSON. Pure; it reads no clock and writes nowhere.

Text is Lambda's own as seen in CloudWatch, which differs from that of AWS's emulator: Init Duration stands last, and
the billed duration includes it. JSON (`AWS_LAMBDA_LOG_FORMAT=JSON`) is one object a line: time, type and record of each
platform event.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from .platform_events import TYPES, ExtensionInit, Fault, InitReport, Report, Start, billed_ms

if TYPE_CHECKING:
    from .platform_events import PlatformEvent


def render_json(event: PlatformEvent, epoch_s: float) -> bytes:
    """An event as a line of JSON."""
    line = {"time": render_time(epoch_s), "type": TYPES[type(event)], "record": event.record()}
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def render_text(event: PlatformEvent, epoch_s: float) -> bytes:
    """An event as the platform's text, which may be several lines, or none."""
    if isinstance(event, Start):
        return f"START RequestId: {event.request_id} Version: {event.version}\n".encode()
    if isinstance(event, Report):
        late = _render_timed_out(event, epoch_s) if event.status == "timeout" else ""
        return (late + _render_end(event)).encode()
    if isinstance(event, InitReport) and event.status != "success":
        return _render_init_report(event).encode()
    if isinstance(event, Fault):
        return f"{event.text}\n".encode()
    if isinstance(event, ExtensionInit):
        return _render_extension(event).encode()
    return b""


def render_time(epoch_s: float) -> str:
    """A moment in ISO 8601 with milliseconds, in UTC."""
    t = time.gmtime(epoch_s)
    return (
        f"{t.tm_year}-{t.tm_mon:02d}-{t.tm_mday:02d}T{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}"
        f".{int(epoch_s * 1000) % 1000:03d}Z"
    )


def _render_end(event: Report) -> str:
    text = (
        f"END RequestId: {event.request_id}\nREPORT RequestId: {event.request_id}\t"
        f"Duration: {event.duration_s * 1000:.2f} ms\t"
        f"Billed Duration: {billed_ms(event.duration_s, event.init_s)} ms\t"
        f"Memory Size: {event.memory_mb} MB\tMax Memory Used: {event.max_memory_mb} MB\t"
    )
    if event.init_s is not None:
        text += f"Init Duration: {event.init_s * 1000:.2f} ms\t"
    if event.status is None:
        return text + "\n"
    text += f"Status: {event.status}"
    if event.status == "error" and event.error_type is not None:
        text += f"\tError Type: {event.error_type}"
    return text + "\n"


def _render_init_report(event: InitReport) -> str:
    text = f"INIT_REPORT Init Duration: {event.duration_s * 1000:.2f} ms\tPhase: {event.phase}\tStatus: {event.status}"
    return text + ("\n" if event.error_type is None else f"\tError Type: {event.error_type}\n")


def _render_extension(event: ExtensionInit) -> str:
    text = f"EXTENSION\tName: {event.name}\tState: {event.state}\tEvents: [{', '.join(event.events)}]"
    return text + ("\n" if event.error_type is None else f"\tError Type: {event.error_type}\n")


def _render_timed_out(event: Report, epoch_s: float) -> str:
    return f"{render_time(epoch_s)} {event.request_id} Task timed out after {event.timeout_s:.2f} seconds\n\n"
