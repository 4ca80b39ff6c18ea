"""The platform's numbers and ours, in one place, each with its unit and its origin. It never decides anything."""

from __future__ import annotations

# Platform ---------------------------------------------------------------------------------------------------

PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024 + 100
"""Largest event and largest buffered response; `MaxPayloadSize` of AWS's emulator, exact to the byte under
observation."""

STREAM_LIMIT_BYTES = 200 * 1024 * 1024
"""Largest streamed response; Lambda's response streaming guide."""

EVENT_LIMIT_BYTES = 1024 * 1024
"""Largest event of an asynchronous invocation; Lambda's quotas."""

INIT_LIMIT_S = 10.0
"""How long a runtime may take to its first poll before the platform starts it again; Lambda's execution
environment guide."""

TIMEOUT_S = 3.0
"""Lambda's default function timeout."""

TIMEOUT_LIMIT_S = 900.0
"""Lambda's largest function timeout."""

MEMORY_MB = 128
"""Lambda's default memory size."""

MEMORY_LIMIT_MB = 10_240
"""Lambda's largest memory size."""

LOG_RESULT_BYTES = 4096
"""How much of the log `X-Amz-Log-Type: Tail` returns; the Lambda API reference, Invoke."""

# Ours -------------------------------------------------------------------------------------------------------

CONCURRENCY_LIMIT = 1000
"""Most environments at a time; the platform's limit for a new account."""

KEEP_ALIVE_S = 600.0
"""How long an environment may idle; the platform does not say, ten minutes is what people measure."""

QUEUE_LIMIT = 1024
"""Invocations that may wait for an environment before callers are told 429."""

EVENT_QUEUE_LIMIT = 10_000
"""Asynchronous invocations that may be queued; each holds an event."""

QUEUE_TIMEOUT_S = 60.0
"""How long an invocation may wait for an environment; the platform does not wait at all."""

LOG_LIMIT_BYTES = 256 * 1024
"""The end of a runtime's output that is kept for one `Outcome`; all of it is passed through."""

ERROR_EXIT_GRACE_S = 1.0
"""After the runtime reported a failed init it may finish its log and exit by itself; then it is killed."""

HTTP_SHUTDOWN_S = 2.0
"""How long the end of an environment may take where we serve HTTP: Docker and Cloud Run kill after 10 s, of which
requests under way have 8."""

HEAD_LIMIT_BYTES = 64 * 1024
"""Request line and headers on the invoke port; a caller that sends more is told 431."""

CAUSE_HEAD_LIMIT_BYTES = 1024 * 1024 + HEAD_LIMIT_BYTES
"""Request line and headers on the Runtime API: an X-Ray error cause, which runtimes drop at 1 MiB, still fits."""

DRAIN_LIMIT_BYTES = 64 * 1024 * 1024
"""An oversize body is read and dropped up to here: its sender then reads the 413, and not a reset connection."""

REQUEST_LIMIT_S = 30.0
"""From the first byte of a request to its last; and for a peer to take a response off our hands."""

IDLE_LIMIT_S = 75.0
"""A kept-alive connection without a request; nginx's default."""

INVOKE_CONNECTIONS = 2048
"""Open connections on the invoke port. Each may hold one event."""

OPEN_FILES = 4096
"""File descriptors the program asks the system for: two for each connection, and a dozen for each environment."""

RUNTIME_CONNECTIONS = 64
"""Open connections on the Runtime API. A runtime needs one; some open one for each request."""
