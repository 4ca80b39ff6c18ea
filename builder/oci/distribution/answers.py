"""Small exchanges: a request, an answer that fits in memory, and trying again when the registry is busy or gone.

What may work later (lost connections, 408, 429, 5xx) is an `UnavailableError` and tried again after a growing wait;
all else is the caller's to judge.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import httpx

from builder.oci.distribution.connections import Connections, Request, redacted
from builder.oci.distribution.exchange import Opened, opened
from builder.oci.distribution.hosts import shown
from builder.oci.distribution.limits import Limits, delay_s
from builder.oci.distribution.pace import Pace, paced
from builder.oci.errors import ImageError, UnavailableError
from builder.oci.jsons import MAX_JSON_BYTES, Fields

_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_SHOWN_CHARS: Final = 300
_MAX_ERROR_BYTES: Final = 64 * 1024

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that has been read; `is_own` tells that it is the registry's, with no redirect elsewhere."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: str
    is_own: bool
    secrets: Collection[str] = field(repr=False)

    def header(self, name: str) -> str:
        """Give a header, "" where it is absent."""
        return str(self.headers.get(name, ""))

    def said(self) -> str:
        """Give the status and the registry's own words, or what kind of content it sent; bounded."""
        words = "; ".join(_messages(self.body))
        if not words and self.body:
            words = f"with {self.header('content-type') or 'content of no type'}"
        words = redacted(words, self.secrets)[:_SHOWN_CHARS]  # before anything is cut off or escaped
        return f"HTTP {self.status}" + (f" ({words!r})" if words else "")


async def ask(
    connections: Connections,
    request: Request,
    *,
    authorization: str | None,
    limits: Limits,
    max_bytes: int = MAX_JSON_BYTES,
) -> Answer:
    """Make one exchange; raises UnavailableError where it may work later, else RegistryError."""
    doing = f"{request.method} {shown(request.url)}"
    async with (
        paced(doing, limits.answer_s) as pace,
        opened(connections, request, authorization=authorization) as response,
    ):
        answer = await read_answer(response, pace, max_bytes=max_bytes)
    check_available(answer, doing)
    return answer


async def read_answer(response: Opened, pace: Pace, *, max_bytes: int = _MAX_ERROR_BYTES) -> Answer:
    """Read an open response whole."""
    body = await response.read(pace, max_bytes)
    return Answer(response.status, response.response.headers, body, response.url, response.is_own, response.secrets)


def check_available(answer: Answer, doing: str) -> None:
    """Raise UnavailableError where the answer says that trying later may help."""
    if answer.status in _BUSY:
        raise UnavailableError(
            f"{doing}: {answer.said()}; try again later", retry_after_s=retry_after_s(answer.header("retry-after"))
        )


def retry_after_s(text: str, *, now: datetime | None = None) -> float | None:
    """Read `Retry-After` (RFC 9110 section 10.2.3), seconds or a date; None for anything else."""
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


async def retried(attempt: Callable[[], Awaitable[T]], limits: Limits) -> T:
    """Call `attempt` until it does not raise UnavailableError, with growing waits; then raise the last one."""
    tried = 0
    while True:
        tried += 1
        try:
            return await attempt()
        except UnavailableError as error:
            await wait_or_raise(error, tried, limits)


async def wait_or_raise(error: UnavailableError, tried: int, limits: Limits) -> None:
    """Wait for the next attempt, or raise where `tried` are enough."""
    wait = delay_s(limits, tried, chance=random.random(), retry_after_s=error.retry_after_s)  # noqa: S311 - spreads clients
    if wait is not None:
        await asyncio.sleep(wait)
        return
    if (error.retry_after_s or 0) > limits.max_retry_after_s:
        raise UnavailableError(f"{error} (it asks for {error.retry_after_s:g} s, too long to wait)") from error
    raise UnavailableError(f"{error} (gave up after {tried} attempts)") from error


def _messages(body: bytes) -> list[str]:
    """Give the messages of an error document: https://github.com/opencontainers/distribution-spec, "Error Codes"."""
    try:
        errors = Fields.parse(body, "an error").objects("errors")
        found = [[error.maybe_text("code"), error.maybe_text("message")] for error in errors]
    except ImageError:
        return []
    return [": ".join(part for part in parts if part) for parts in found]
