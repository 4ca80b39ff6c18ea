"""The Telemetry API 2022-07-01 as a translation: an extension's request to a subscription, and the refusals. Pure.

Limits and defaults are those of AWS's "Lambda Telemetry API reference" and of AWS's emulator for managed instances. A
destination is always on this machine, whatever its URI says: events of a function go nowhere else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from .answers import render_json
from .http1_response import Response
from .invoke_api import is_header_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .http1 import Request

LOGS_PREFIX = "/2020-08-15/logs"
"""The Logs API, which the Telemetry API replaced."""

PREFIXES = ("/2022-07-01/telemetry", LOGS_PREFIX)

TYPES = ("platform", "function", "extension")
SCHEMA_VERSIONS = ("2022-07-01", "2022-12-13", "2025-01-29")
_HOSTS = ("sandbox.localdomain", "sandbox")  # the name that this machine has for an extension on Lambda
_PORT_LIMIT = 65_535
_JSON_HEADERS = (("Content-Type", "application/json"),)

SUBSCRIBED = Response(200, _JSON_HEADERS, b'"OK"')
LOGS_NOT_SUPPORTED = Response(
    202, _JSON_HEADERS, b'{"errorMessage":"Logs API is not supported","errorType":"Logs.NotSupported"}\n'
)


class Buffering(NamedTuple):
    """When a batch is sent: with so many events, so many bytes, or so long after its first event."""

    max_items: int = 10_000
    max_bytes: int = 256 * 1024
    timeout_ms: int = 1_000


class Destination(NamedTuple):
    """Where batches go: to a port of this machine, by HTTP to a path, or as lines over TCP if that is None."""

    port: int
    path: str | None


class Subscription(NamedTuple):
    """What an extension wants to be told of."""

    types: tuple[str, ...]
    destination: Destination
    buffering: Buffering
    schema_version: str


_RANGES = {"maxItems": (1_000, 10_000), "maxBytes": (262_144, 1_048_576), "timeoutMs": (25, 30_000)}


def parse_subscription(request: Request) -> Subscription | Response:
    """A subscription, or its refusal."""
    if request.method != "PUT":
        return Response(405)
    try:
        value = json.loads(request.body)
        if not isinstance(value, dict):
            raise _wrong("the body", value, "an object")
        return _parse(value)
    except (ValueError, RecursionError) as error:
        told = {"errorType": "ValidationError", "errorMessage": str(error)}
        return Response(400, _JSON_HEADERS, render_json(told))


def _parse(value: Mapping[str, object]) -> Subscription:
    version = value.get("schemaVersion")
    if not isinstance(version, str) or version not in SCHEMA_VERSIONS:
        raise _wrong("schemaVersion", version, f"one of {', '.join(SCHEMA_VERSIONS)}")
    types = value.get("types")
    if not isinstance(types, list) or not types or not all(one in TYPES for one in types):
        raise _wrong("types", types, f"a list of {', '.join(TYPES)}")
    destination = _parse_destination(value.get("destination"))
    return Subscription(tuple(dict.fromkeys(types)), destination, _parse_buffering(value.get("buffering")), version)


def _parse_destination(value: object) -> Destination:
    if not isinstance(value, dict):
        raise _wrong("destination", value, "an object")
    protocol = value.get("protocol")
    if protocol == "TCP":
        port = value.get("port")
        if type(port) is not int or not 1 <= port <= _PORT_LIMIT:
            raise _wrong("destination.port", port, f"a number from 1 to {_PORT_LIMIT}")
        return Destination(port, None)
    if protocol != "HTTP":
        raise _wrong("destination.protocol", protocol, "HTTP or TCP")
    uri = value.get("URI")
    if not isinstance(uri, str) or not is_header_value(uri) or " " in uri or not uri.isascii():
        raise _wrong("destination.URI", uri, "a URI")
    parts = urlsplit(uri)
    if parts.scheme != "http" or parts.hostname not in _HOSTS:
        raise _wrong("destination.URI", uri, f"http://{_HOSTS[0]}:PORT/PATH")
    return Destination(parts.port or 80, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def _parse_buffering(value: object) -> Buffering:
    if value is None:
        return Buffering()
    if not isinstance(value, dict):
        raise _wrong("buffering", value, "an object")
    found = []
    for (name, (lowest, highest)), default in zip(_RANGES.items(), Buffering()):
        number = value.get(name, default)
        if type(number) is not int or not lowest <= number <= highest:
            raise _wrong(f"buffering.{name}", number, f"a number from {lowest} to {highest}")
        found.append(number)
    return Buffering(*found)


def _wrong(name: str, found: object, wanted: str) -> ValueError:
    return ValueError(f"{name} is {str(found)[:80]!r}; it must be {wanted}")
