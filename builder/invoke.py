"""`firkin invoke`: send one event to an invoke endpoint and tell an answer from an error.

Speaks the Invoke operation of the Lambda API, as the emulator and AWS's own emulator serve it. Never retries: an event
may have had its effect.
"""

import json
import time
from collections.abc import Callable, Mapping
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
_FORMS = "Give a file, '-' for stdin, or JSON text."


def read_event(argument: str, stdin: BinaryIO) -> bytes:
    """The event that `argument` means: `-` is stdin, a file's name its content, anything else the JSON text itself.

    Raises SourceError for a file that cannot be read, an event above the platform's limit, and what is not JSON, which
    Lambda refuses.
    """
    try:
        if argument == "-":
            return _checked(stdin.read(MAX_EVENT_BYTES + 1), "stdin")
        if _is(argument, Path.is_file):
            with Path(argument).open("rb") as file:
                return _checked(file.read(MAX_EVENT_BYTES + 1), argument)
    except OSError as error:
        raise SourceError(f"reading the event: {argument}: {error.strerror}", hint="Make the file readable.") from None
    if not argument.strip():
        raise SourceError("reading the event: it is an empty text", hint=_FORMS)
    reason = _why_not_json(argument)
    if not reason:
        return argument.encode("utf-8", "surrogateescape")
    if argument.lstrip()[:1] in {"{", "[", '"'}:
        raise SourceError(
            f"reading the event: {argument[:SHOWN_CHARS]!r} is no JSON: {reason}",
            hint="Names and texts have double quotes in JSON; in a shell put single quotes around all of it.",
        )
    raise SourceError(
        f"reading the event: {argument[:SHOWN_CHARS]!r} is neither a file nor JSON",
        hint="It is a folder: name one of its files." if _is(argument, Path.is_dir) else _FORMS,
    )


def _is(name: str, kind: Callable[[Path], bool]) -> bool:
    """Whether a file or folder has that name; JSON text may be longer than any name."""
    try:
        return kind(Path(name))
    except (OSError, ValueError):
        return False


def _checked(event: bytes, name: str) -> bytes:
    if len(event) > MAX_EVENT_BYTES:
        raise SourceError(
            f"reading the event: {name} holds more than Lambda's {MAX_EVENT_BYTES} bytes", hint="Send a smaller event."
        )
    reason = _why_not_json(event)
    if reason:
        found = "holds nothing" if not event.strip() else f"holds no JSON: {reason}"
        raise SourceError(f"reading the event: {name} {found}", hint="Lambda takes JSON; the least is {}.")
    return event


def _why_not_json(text: str | bytes) -> str:
    try:
        json.loads(text)
    except RecursionError:
        return "it is nested too deeply"
    except ValueError as error:
        return str(error)
    return ""


def url_of(given: str) -> str:
    """A URL as it was meant: `127.0.0.1:8080` is one of http."""
    return given if "://" in given else f"http://{given}"


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
                    raise _unreachable(f"waiting {seconds:g} s for", url, error) from error
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
        raise _unreachable("invoking", url, error) from error
    return judge(url, answer.status_code, answer.headers, bytes(body))


def _unreachable(doing: str, url: str, error: Exception) -> PeerError:
    import httpx

    hint = "Start a function there: firkin run SOURCE --port PORT."
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        hint = "Give a URL like http://127.0.0.1:8080."
    elif isinstance(error, httpx.ReadTimeout):
        hint = "It has taken the event and not answered; see its log."
    elif isinstance(error, httpx.RemoteProtocolError):
        hint = "Is this a Lambda invoke endpoint?"
    elif str(error).startswith("[Errno -"):  # getaddrinfo's are below zero
        hint = "Correct the host's name; firkin run serves http://127.0.0.1:PORT."
    elif url.startswith("https:"):
        hint = "firkin run and the emulator speak http://, without TLS."
    return PeerError(f"{doing} {url}: {str(error) or type(error).__name__}", hint=hint)


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
