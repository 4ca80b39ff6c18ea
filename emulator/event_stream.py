"""The event-stream framing in which the Lambda API sends streamed responses (`application/vnd.amazon.eventstream`).

A message is: total length (4 bytes, big-endian), length of the headers (4), CRC-32 of those eight bytes (4), the
headers, the payload, CRC-32 of all before (4). A header here is always text: length of the name (1), the name, type 7
(1), length of the value (2), the value. Source: the event stream specification of Smithy, "amazon-eventstream".

It renders only, and touches no socket: whoever reads such streams is a client.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING

from .answers import render_json

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT_TYPE = "application/vnd.amazon.eventstream"

CHUNK_LIMIT_BYTES = 1024 * 1024
"""A larger piece of payload is cut into several messages; botocore refuses payloads over 24 MiB."""

_TEXT = b"\x07"


def render_message(headers: dict[str, str], payload: bytes) -> bytes:
    """One message."""
    head = b"".join(_render_header(name.encode(), value.encode()) for name, value in headers.items())
    total = 4 + 4 + 4 + len(head) + len(payload) + 4
    lengths = total.to_bytes(4, "big") + len(head).to_bytes(4, "big")
    begin = lengths + binascii.crc32(lengths).to_bytes(4, "big") + head
    checksum = binascii.crc32(payload, binascii.crc32(begin))
    return b"".join((begin, payload, checksum.to_bytes(4, "big")))


def _render_header(name: bytes, value: bytes) -> bytes:
    return b"".join((bytes([len(name)]), name, _TEXT, len(value).to_bytes(2, "big"), value))


def render_payload_chunks(data: bytes) -> Iterator[bytes]:
    """A piece of the response as `PayloadChunk` messages; none for no bytes."""
    headers = {":event-type": "PayloadChunk", ":content-type": "application/octet-stream", ":message-type": "event"}
    for start in range(0, len(data), CHUNK_LIMIT_BYTES):
        yield render_message(headers, data[start : start + CHUNK_LIMIT_BYTES])


def render_complete(*, error_code: str | None, error_details: str | None, log_result: str | None) -> bytes:
    """The last message, `InvokeComplete`: what failed, if anything did, and the end of the log in base64."""
    named = {"ErrorCode": error_code, "ErrorDetails": error_details, "LogResult": log_result}
    headers = {":event-type": "InvokeComplete", ":content-type": "application/json", ":message-type": "event"}
    return render_message(headers, render_json({name: text for name, text in named.items() if text is not None}))
