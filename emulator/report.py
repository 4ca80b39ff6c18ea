"""The platform's log lines. Pure text; it reads no clock and writes nowhere.

Formats are Lambda's own as seen in CloudWatch, which differ from those of AWS's emulator: Init Duration stands last,
and the billed duration includes it.
"""

from __future__ import annotations

import math
import time


def render_start(request_id: str, version: str) -> bytes:
    """The START line."""
    return f"START RequestId: {request_id} Version: {version}\n".encode()


def render_end(
    request_id: str,
    *,
    duration_s: float,
    init_s: float | None,
    memory_mb: int,
    max_memory_mb: int,
    status: str | None,
    error_type: str | None = None,
) -> bytes:
    """The END and the REPORT line. `status` is None for success, else "error" or "timeout"."""
    duration_ms = duration_s * 1000
    init_ms = None if init_s is None else init_s * 1000
    fields = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        # Rounded first: 300.00000001 is 300 ms, not 301.
        f"Billed Duration: {math.ceil(round(duration_ms + (init_ms or 0.0), 2))} ms",
        f"Memory Size: {memory_mb} MB",
        f"Max Memory Used: {max_memory_mb} MB",
    ]
    if init_ms is not None:
        fields.append(f"Init Duration: {init_ms:.2f} ms")
    if status is not None:
        fields.append(f"Status: {status}")
        if status == "error" and error_type is not None:
            fields.append(f"Error Type: {error_type}")
    end = "" if status is not None else "\t"
    return (f"END RequestId: {request_id}\n" + "\t".join(fields) + end + "\n").encode()


def render_init_report(duration_s: float, *, phase: str, status: str, error_type: str | None) -> bytes:
    """The line about an init that failed: in phase "init" or "invoke", with status "error" or "timeout"."""
    fields = [
        f"INIT_REPORT Init Duration: {duration_s * 1000:.2f} ms",
        f"Phase: {phase}",
        f"Status: {status}",
    ]
    if error_type is not None:
        fields.append(f"Error Type: {error_type}")
    return ("\t".join(fields) + "\n").encode()


def render_timed_out(request_id: str, *, timeout_s: float, epoch_s: float) -> bytes:
    """The line about a timeout at `epoch_s`."""
    t = time.gmtime(epoch_s)
    stamp = (
        f"{t.tm_year}-{t.tm_mon:02d}-{t.tm_mday:02d}T{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}"
        f".{int(epoch_s * 1000) % 1000:03d}Z"
    )
    return f"{stamp} {request_id} Task timed out after {timeout_s:.2f} seconds\n\n".encode()
