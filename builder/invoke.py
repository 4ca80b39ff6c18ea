"""`firkin invoke`: send one event to an invoke endpoint and tell an answer from an error.

Speaks the Invoke operation of the Lambda API, as the emulator and AWS's own emulator serve it. Never retries: an event
may have had its effect.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from builder.errors import FunctionError, PeerError, SourceError
from builder.project import MAX_EVENT_BYTES

PATH = "/2015-03-31/functions/function/invocations"
CONNECT_TIMEOUT_S = 5.0
POLL_S = 0.05
TIMEOUT_S = 900.0  # Lambda's longest function
MAX_ANSWER_BYTES = 8 * MAX_EVENT_BYTES  # no answer of Lambda's; more is not read
SHOWN_CHARS = 2000

_BAD_GATEWAY = 502


def read_event(argument: str, stdin: BinaryIO) -> bytes:
    """The event that `argument` means: `-` is stdin, a file's name its content, anything else the JSON text itself.

    Raises SourceError for a file that cannot be read, an event above the platform's limit, and text that is not JSON.
    """
    try:
        if argument == "-":
            return _limited(stdin.read(MAX_EVENT_BYTES + 1), "stdin")
        if _is_file(argument):
            with Path(argument).open("rb") as file:
                return _limited(file.read(MAX_EVENT_BYTES + 1), argument)
    except OSError as error:
        raise SourceError(f"reading the event: {argument}: {error.strerror}", hint="Make the file readable.") from None
    try:
        json.loads(argument)
    except (ValueError, RecursionError):
        raise SourceError(
            f"reading the event: {argument[:SHOWN_CHARS]!r} is neither a file nor JSON",
            hint="Give a file, '-' for stdin, or JSON text.",
        ) from None
    return argument.encode("utf-8", "surrogateescape")


def _is_file(name: str) -> bool:
    """Whether a file has that name; JSON text may be longer than any name."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def _limited(event: bytes, name: str) -> bytes:
    if len(event) > MAX_EVENT_BYTES:
        raise SourceError(
            f"reading the event: {name} holds more than Lambda's {MAX_EVENT_BYTES} bytes", hint="Send a smaller event."
        )
    return event


def endpoint(url: str) -> str:
    """The URL to POST to, of a host (`http://127.0.0.1:8080`) or of the endpoint itself, which `firkin run` prints."""
    bare = url.rstrip("/")
    return bare if bare.endswith("/invocations") else bare + PATH


def wait_for(url: str, *, seconds: float) -> None:
    """Return as soon as something speaks HTTP there. Raises PeerError when nothing does within the time.

    Asks with GET, which invokes nothing: a port that is open already, as a container engine's is, may lead nowhere yet.
    """
    import httpx

    deadline = time.monotonic() + seconds
    with httpx.Client(trust_env=False, timeout=CONNECT_TIMEOUT_S) as client:
        while True:
            try:
                client.get(endpoint(url))
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if time.monotonic() >= deadline or isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
                    raise PeerError(
                        f"waiting {seconds:g} s for {url}: {str(error) or type(error).__name__}",
                        hint="Start a function there: firkin run SOURCE --port PORT.",
                    ) from error
                time.sleep(POLL_S)
            else:
                return


def invoke(url: str, event: bytes) -> bytes:
    """The function's response. Raises FunctionError with the function's own words as details, or PeerError."""
    import httpx

    timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    kind = {"Content-Type": "application/json"}
    body = bytearray()
    try:
        with (
            httpx.Client(trust_env=False, timeout=timeout) as client,
            client.stream("POST", endpoint(url), content=event, headers=kind) as answer,
        ):
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise PeerError(
                        f"invoking {url}: it answered more than {MAX_ANSWER_BYTES} bytes",
                        hint="Is this a Lambda invoke endpoint?",
                    )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PeerError(
            f"invoking {url}: {str(error) or type(error).__name__}",
            hint="Start a function there: firkin run SOURCE --port PORT.",
        ) from error
    return judge(url, answer.status_code, answer.headers, bytes(body))


def judge(url: str, status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """The response, told from an error. Raises FunctionError or PeerError."""
    text = body.decode("utf-8", "replace")
    if headers.get("X-Amz-Function-Error") or _is_function_error(status, headers, body):
        raise FunctionError("the function answered with an error", hint="Its log is where it runs.", details=text)
    if status != 200:  # noqa: PLR2004 - HTTP's OK
        raise PeerError(
            f"invoking {url}: it answered HTTP {status}",
            hint="Is this a Lambda invoke endpoint?",
            details=text[:SHOWN_CHARS],
        )
    return body


def _is_function_error(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether AWS's own emulator means an error, which it says with 502 or in the body alone, with these two keys.

    Who names the executed version, as the Lambda API and our emulator do, says an error in a header.
    """
    if status == _BAD_GATEWAY:
        return True
    if status != 200 or headers.get("X-Amz-Executed-Version"):  # noqa: PLR2004 - HTTP's OK
        return False
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and {"errorType", "errorMessage"} <= value.keys()
