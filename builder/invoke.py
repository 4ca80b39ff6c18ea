"""`firkin invoke`: send one event to an invoke endpoint and tell an answer from an error.

Speaks the Invoke operation of the Lambda API, as the emulator and AWS's own emulator serve it. Never retries: an event
may have had its effect.
"""

import json
from pathlib import Path
from typing import BinaryIO

from builder.errors import FunctionError, PeerError, SourceError

PATH = "/2015-03-31/functions/function/invocations"
CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 900.0  # Lambda's longest function


def read_event(argument: str, stdin: BinaryIO) -> bytes:
    """The event that `argument` means: `-` is stdin, the name of a file its content, anything else the JSON text itself."""
    if argument == "-":
        return stdin.read()
    file = Path(argument)
    try:
        if file.is_file():
            return file.read_bytes()
    except OSError as error:  # a name that no file can have, or one that cannot be read
        if error.errno is not None and file.exists():
            raise SourceError(
                f"reading the event: {argument}: {error.strerror}", hint="Make the file readable."
            ) from None
    try:
        json.loads(argument)
    except ValueError:
        raise SourceError(
            f"reading the event: {argument!r} is neither a file nor JSON",
            hint="Give a file, '-' for stdin, or JSON text.",
        ) from None
    return argument.encode()


def invoke(url: str, event: bytes) -> bytes:
    """The function's response. Raises FunctionError with the function's own words, or PeerError."""
    import httpx

    timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    try:
        answer = httpx.post(
            url.rstrip("/") + PATH,
            content=event,
            headers={"Content-Type": "application/json"},
            timeout=timeout,
            trust_env=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PeerError(
            f"invoking {url}: {error or type(error).__name__}",
            hint="Start a function there: firkin run SOURCE --port PORT.",
        ) from error
    if answer.headers.get("X-Amz-Function-Error") or _is_function_error(answer.status_code, answer.content):
        raise FunctionError(
            "the function answered with an error", hint="Its log is where it runs.", details=answer.text
        )
    if answer.status_code != httpx.codes.OK:
        raise PeerError(
            f"invoking {url}: it answered HTTP {answer.status_code}",
            hint="Is this a Lambda invoke endpoint?",
            details=answer.text[:2000],
        )
    return answer.content


def _is_function_error(status: int, body: bytes) -> bool:
    """AWS's own emulator says so with 502 or, for a handler's exception, in the body alone; the body then has these two keys."""
    if status not in (200, 502):
        return False
    try:
        value = json.loads(body)
    except ValueError:
        return status == 502  # noqa: PLR2004 - HTTP's Bad Gateway
    return isinstance(value, dict) and {"errorType", "errorMessage"} <= value.keys()
