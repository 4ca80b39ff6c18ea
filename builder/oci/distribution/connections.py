"""Sends one HTTP request and tells what went wrong: connections, TLS, plain HTTP where the user allows it.

Made with httpx, which reads the usual variables for proxies and certificates (`HTTPS_PROXY`, `SSL_CERT_FILE`,
`SSL_CERT_DIR`). Time is bounded by the caller's pace, but for the connection. It follows no redirect and tries
nothing twice.
"""

import os
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import httpx

from builder.oci.distribution.hosts import is_insecure, origin_of, shown
from builder.oci.distribution.limits import Limits
from builder.oci.errors import OCIError, ProtocolError, RegistryError, UnavailableError

_FATAL_TLS: Final = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")  # nobody there speaks TLS
_NO_NAME: Final = frozenset({-2, -5})  # EAI_NONAME, EAI_NODATA (netdb.h): an answer, not a failure to ask
_USER_AGENT: Final = "firkin"

FAILURES: Final = (httpx.HTTPError, ssl.SSLError)  # httpx lets the latter through where TLS breaks within a body

Body = Callable[[], AsyncGenerator[bytes, None]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `body` starts anew for every attempt and has `size` bytes."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    size: int = 0


class Connections:
    """Connections to any hosts, kept open until the end of the block this is used in."""

    __slots__ = ("_clients", "_limits", "_plain", "insecure", "secrets")

    def __init__(self, limits: Limits, insecure: frozenset[str] = frozenset()) -> None:
        self._limits = limits
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._plain: set[tuple[str, int]] = set()  # insecure hosts that turned out to speak plain HTTP
        self.insecure = insecure
        self.secrets: set[str] = set()  # what was sent or got, and no message may tell

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.aclose()
        if isinstance(error, OCIError):
            error.args = (redacted(str(error), self.secrets),)

    async def send(self, request: Request, url: str, authorization: str | None) -> httpx.Response:
        """Send a request to `url` and give the response with its body unread; raises RegistryError.

        A host named insecure is tried with TLS, unverified, and with plain HTTP if there is none.
        """
        insecure = is_insecure(url, self.insecure)
        if insecure and origin_of(url)[1:] not in self._plain:
            try:
                return await self._send(request, url, authorization, insecure=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if not url.startswith("https:"):
                    raise _explained(error, request.method, url) from error
                self._plain.add(origin_of(url)[1:])
            except FAILURES as error:
                raise _explained(error, request.method, url) from error
        if insecure:
            url = "http:" + url.partition(":")[2]
        try:
            return await self._send(request, url, authorization, insecure=insecure)
        except FAILURES as error:
            raise _explained(error, request.method, url) from error

    async def _send(self, request: Request, url: str, authorization: str | None, *, insecure: bool) -> httpx.Response:
        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **request.headers}
        if authorization:
            headers["Authorization"] = authorization
        if request.body is not None:
            headers["Content-Length"] = str(request.size)
        client = self._client(verify=not insecure)
        content = request.body() if request.body is not None else None
        try:
            built = client.build_request(request.method, url, headers=headers, content=content)
            return await client.send(built, stream=True)
        except (httpx.InvalidURL, UnicodeError) as error:  # the latter of the idna package
            raise ProtocolError(f"{request.method} {shown(url)}: {error}; is the registry set up well?") from error
        finally:
            if content is not None:
                await content.aclose()  # a peer that answers early, or goes, leaves it half read

    def _client(self, *, verify: bool) -> httpx.AsyncClient:
        if verify not in self._clients:
            try:
                self._clients[verify] = httpx.AsyncClient(
                    verify=verify, timeout=httpx.Timeout(None, connect=self._limits.connect_s), follow_redirects=False
                )
            except (ValueError, ImportError, httpx.InvalidURL) as error:
                raise RegistryError(
                    f"reading the proxies in HTTPS_PROXY, HTTP_PROXY and ALL_PROXY: {error}; correct them"
                ) from error
            except OSError as error:  # also ssl.SSLError
                named = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
                raise RegistryError(
                    f"reading the certificates in {named!r}: {error.strerror or error}; "
                    f"correct SSL_CERT_FILE or SSL_CERT_DIR"
                ) from error
        return self._clients[verify]


def redacted(text: str, secrets: Collection[str]) -> str:
    """Take secrets out of a text, whoever wrote it: a registry may repeat what it was sent."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "…")
    return text


def _explained(error: Exception, method: str, url: str) -> RegistryError:
    """Give what to tell of a failed exchange: what trying again may mend is an UnavailableError."""
    doing = f"{method} {shown(url)}"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RegistryError(
                f"{doing}: its certificate is not trusted ({cause.verify_message}); name your own authority's "
                f"certificates with SSL_CERT_FILE, or allow the host as an insecure registry"
            )
        if isinstance(cause, ssl.SSLError) and any(name in str(cause) for name in _FATAL_TLS):
            return RegistryError(
                f"{doing}: it does not speak TLS; if it may be talked to in plain HTTP, allow it as "
                f"an insecure registry"
            )
        if isinstance(cause, socket.gaierror) and cause.errno in _NO_NAME:
            return RegistryError(
                f"{doing}: there is no host of that name; "
                f"see whether this machine has a network, or correct the image's name"
            )
    return UnavailableError(f"{doing}: {reason(error)}; see whether it runs and can be reached, and try again")


def reason(error: BaseException) -> str:
    """Give the deepest cause's own words; httpx and anyio wrap them in several layers."""
    deepest = list(_causes(error))[-1]
    if isinstance(deepest, OSError) and deepest.strerror:
        number = deepest.errno or 0
        return os.strerror(number) if number > 0 else deepest.strerror  # asyncio has its own words for the usual ones
    return str(deepest) or str(error) or type(error).__name__


def _causes(error: BaseException) -> list[BaseException]:
    """Give an error and what caused it, outermost first; of a group the first."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__ or cause.__context__
    return found
