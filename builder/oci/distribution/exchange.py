"""One exchange with a registry, redirects included: where credentials go, and how much is read.

Bodies are never decompressed: a blob's bytes are what its digest names. It knows neither tokens nor attempts.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx

from builder.oci.distribution.connections import FAILURES, Connections, Request, reason
from builder.oci.distribution.hosts import origin_of, redirected, shown
from builder.oci.distribution.pace import Pace
from builder.oci.errors import ProtocolError, UnavailableError

_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FOLLOWED: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Opened:
    """A response whose body has not been read; `is_own` tells that no redirect led away from the first origin.

    `secrets` are what no message may tell of it.
    """

    response: httpx.Response
    is_own: bool
    secrets: Collection[str] = field(repr=False)

    @property
    def url(self) -> str:
        """Where the response came from."""
        return str(self.response.request.url)

    @property
    def status(self) -> int:
        """The status code."""
        return self.response.status_code

    async def chunks(self, pace: Pace) -> AsyncIterator[bytes]:
        """Give the body as it comes; raises UnavailableError where it is cut."""
        try:
            async for data in self.response.aiter_raw():
                pace.moved(len(data))
                yield data
        except FAILURES as error:
            raise UnavailableError(f"reading {shown(self.url)}: {reason(error)}; try again later") from error

    async def read(self, pace: Pace, limit: int) -> bytes:
        """Give the whole body; raises ProtocolError for more than `limit` bytes, soon after that many."""
        body = bytearray()
        async for data in self.chunks(pace):
            body += data
            if len(body) > limit:
                raise ProtocolError(f"reading {shown(self.url)}: it sends more than {limit} bytes; is it a registry?")
        return bytes(body)


@asynccontextmanager
async def opened(
    connections: Connections, request: Request, *, authorization: str | None = None
) -> AsyncIterator[Opened]:
    """Send a request and follow redirects of GET and HEAD; raises RegistryError.

    `authorization` goes to the request's own origin and is gone for good once a redirect has led elsewhere.
    """
    url, is_own = request.url, True
    for _ in range(_MAX_REDIRECTS + 1):
        response = await connections.send(request, url, authorization if is_own else None)
        try:
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or request.method not in _FOLLOWED or not location:
                yield Opened(response, is_own, connections.secrets)
                return
        finally:
            await response.aclose()
        here = str(response.request.url)
        url = redirected(here, location, insecure=connections.insecure)
        is_own = is_own and origin_of(url) == origin_of(here)
    raise ProtocolError(
        f"{request.method} {shown(request.url)}: more than {_MAX_REDIRECTS} redirects, the last to {shown(url)}; "
        f"is the registry set up well?"
    )
