"""One repository of one registry: requests with the right `Authorization`, and what the answers mean.

Everything else in this package talks to registries through a `Session`. It never changes what is asked: a refused
request is sent once more, with what the registry wants to see.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NoReturn

from builder.oci.distribution.answers import Answer, ask, check_available, read_answer, retried
from builder.oci.distribution.connections import Body, Connections, Request
from builder.oci.distribution.exchange import Opened, opened
from builder.oci.distribution.hosts import api_origin, shown
from builder.oci.distribution.limits import Limits
from builder.oci.distribution.pace import Pace
from builder.oci.distribution.tokens import Authorizer, Find, Scopes
from builder.oci.errors import AccessError, NotFoundError, ProtocolError
from builder.oci.reference import Reference

_FAILURES: Final = 400
_UNAUTHORIZED: Final = 401
_NOT_ALLOWED: Final = frozenset({401, 403})
_NOT_FOUND: Final = frozenset({404, 410})


class Session:
    """Speaks to the repository of `reference`.

    `actions` are `pull` or `pull,push`; `also` are other repositories to read, where the user may.
    """

    __slots__ = ("_authorizer", "_connections", "_scopes", "base", "limits", "reference")

    def __init__(
        self,
        connections: Connections,
        reference: Reference,
        find: Find,
        *,
        limits: Limits,
        actions: str = "pull",
        also: Sequence[str] = (),
    ) -> None:
        self._connections = connections
        self._authorizer = Authorizer(connections, find, reference.domain, reference.path, limits=limits)
        self._scopes: Scopes = (
            f"repository:{reference.path}:{actions}",
            *(f"repository:{path}:pull" for path in sorted(set(also) - {reference.path})),
        )
        self.limits = limits
        self.reference = reference
        self.base = f"{api_origin(reference.domain)}/v2/{reference.path}"

    async def call(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> Answer:
        """Make a small exchange, tried again while the registry is unavailable; the status is the caller's to judge.

        Raises AccessError where the registry does not let us.
        """
        request = Request(method, url, headers or {}, None if data is None else _body_of(data), len(data or b""))

        async def attempt() -> Answer:
            return await self._authorized(request)

        return await retried(attempt, self.limits)

    async def _authorized(self, request: Request) -> Answer:
        async def once(header: str | None) -> Answer:
            return await ask(self._connections, request, authorization=header, limits=self.limits)

        return await self._settled(request, once)

    async def send(self, request: Request, pace: Pace) -> Answer:
        """Send a request with a large body, once; raises UnavailableError where it may work later."""

        async def once(header: str | None) -> Answer:
            async with opened(self._connections, request, authorization=header) as response:
                answer = await read_answer(response, pace)
            check_available(answer, doing(request))
            return answer

        return await self._settled(request, once, pace)

    async def _settled(
        self, request: Request, once: Callable[[str | None], Awaitable[Answer]], pace: Pace | None = None
    ) -> Answer:
        header = self._authorizer.header(self._scopes)
        answer = await once(header)
        if await self._learns(answer, header, pace):
            answer = await once(self._authorizer.header(self._scopes))
        self._check_allowed(answer, request)
        return answer

    @asynccontextmanager
    async def open(self, request: Request, pace: Pace, *, also: frozenset[int]) -> AsyncIterator[Opened]:
        """Send a request with a large answer, once; raises UnavailableError where it may work later.

        The block gets a response of success, or of a status in `also`; any other raises what it means.
        """
        for is_last in (False, True):
            header = self._authorizer.header(self._scopes)
            async with opened(self._connections, request, authorization=header) as response:
                if response.status < _FAILURES or response.status in also:
                    yield response
                    return
                answer = await read_answer(response, pace)
            check_available(answer, doing(request))
            if is_last or not await self._learns(answer, header, pace):
                self._check_allowed(answer, request)
                self.refuse(answer, doing(request))

    async def _learns(self, answer: Answer, header: str | None, pace: Pace | None) -> bool:
        """Whether a refusal told what to send instead; raises AccessError where there is nothing to send.

        The time that a token or a helper takes, which has bounds of its own, is not the transfer's.
        """
        if answer.status != _UNAUTHORIZED or not answer.is_own:
            return False
        if pace is not None:
            pace.allow(self.limits.overall_s)
        await self._authorizer.learn(answer, self._scopes, refused=header)
        if pace is not None:
            pace.allow(self.limits.stall_s)
        return True

    def is_anonymous(self) -> bool:
        """Whether the registry asked who we are, and no credentials were found."""
        return self._authorizer.header(self._scopes) is not None and not self._authorizer.has_credentials()

    def _check_allowed(self, answer: Answer, request: Request) -> None:
        if answer.status in _NOT_ALLOWED:
            raise AccessError(
                f"{request.method} {shown(answer.url)} {self._authorizer.who()}: {answer.said()}; "
                f"log in, or ask for access; a name that does not exist is refused in the same way"
            )

    def refuse(self, answer: Answer, doing: str) -> NoReturn:
        """Raise what an answer means that is none of those that were hoped for."""
        if answer.status in _NOT_FOUND:
            raise NotFoundError(f"{doing}: the registry does not have it, {answer.said()}; correct the name")
        raise ProtocolError(f"{doing}: {answer.said()}; is this a registry, and the name in order?")


def doing(request: Request) -> str:
    """Name a request in a message."""
    return f"{request.method} {shown(request.url)}"


def _body_of(data: bytes) -> Body:
    async def body() -> AsyncGenerator[bytes, None]:
        yield data

    return body
