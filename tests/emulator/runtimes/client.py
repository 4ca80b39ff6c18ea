"""The smallest Runtime API client, for the runtimes beside it. Each of those is a program with one habit."""

from __future__ import annotations

import http.client
import os
from typing import NamedTuple

ROOT = "/2018-06-01/runtime"


def say(*words: object) -> None:
    """One line to stdout, at once."""
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


class Event(NamedTuple):
    id: str
    body: bytes
    headers: dict[str, str]


class Reply(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


class Client:
    """One kept-alive connection."""

    def __init__(self) -> None:
        self.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Reply:
        self.connection.request(method, ROOT + path, body, headers or {})
        response = self.connection.getresponse()
        return Reply(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})

    def next(self) -> Event:
        reply = self.call("GET", "/invocation/next")
        return Event(reply.headers.get("lambda-runtime-aws-request-id", ""), reply.body, reply.headers)

    def respond(self, event: Event, body: bytes, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", f"/invocation/{event.id}/response", body, named)

    def fail(self, event: Event, body: bytes, error_type: str) -> Reply:
        return self.call(
            "POST", f"/invocation/{event.id}/error", body, {"Lambda-Runtime-Function-Error-Type": error_type}
        )
