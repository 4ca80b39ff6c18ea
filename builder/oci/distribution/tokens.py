"""The `Authorization` of one registry: what it asks for in a challenge, and getting that.

Sources: https://distribution.github.io/distribution/spec/auth/token/ and /oauth/, RFC 7617. Nothing is sent before
the registry has asked. Which service gets which credentials is decided in `hosts`. Tokens are kept for as long as the
process runs, and renewed when the registry no longer takes them.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from builder.oci.distribution.answers import Answer, ask, retried
from builder.oci.distribution.challenge import Challenge, parse_challenges
from builder.oci.distribution.connections import Connections, Request
from builder.oci.distribution.credentials import Credentials
from builder.oci.distribution.hosts import MAX_SHOWN, realm_gets_credentials, shown
from builder.oci.distribution.limits import Limits
from builder.oci.errors import AccessError, ImageError, ProtocolError
from builder.oci.jsons import Fields

_MAX_ANSWER_BYTES: Final = 1024 * 1024
_SENDABLE: Final = re.compile(r"[\x21-\x7e]{1,65536}")
_CLIENT_ID: Final = "firkin"
_OK: Final = 200

Find = Callable[[str, str], Credentials | None]
Scopes = tuple[str, ...]


class Authorizer:
    """Knows what to send to one registry, by scopes such as `repository:team/demo:pull`.

    `find` gives the credentials of a host and a repository; it is called when the registry asks, and once.
    """

    __slots__ = (
        "_basic",
        "_connections",
        "_credentials",
        "_domain",
        "_find",
        "_limits",
        "_lock",
        "_path",
        "_tokens",
    )

    def __init__(self, connections: Connections, find: Find, domain: str, path: str, *, limits: Limits) -> None:
        self._connections = connections
        self._find = find
        self._domain = domain
        self._path = path
        self._limits = limits
        self._credentials: dict[str, Credentials | None] = {}
        self._basic = ""
        self._tokens: dict[Scopes, str] = {}
        self._lock = asyncio.Lock()

    def header(self, scopes: Scopes) -> str | None:
        """Give what the registry has last been content with, None where nothing is known yet."""
        return self._tokens.get(scopes) or self._basic or None

    async def learn(self, refusal: Answer, scopes: Scopes, *, refused: str | None) -> None:
        """Learn from a 401 what to send next time; raises AccessError where there is nothing new to try."""
        async with self._lock:
            if self.header(scopes) != refused:
                return  # a parallel request has met the same refusal
            challenges = parse_challenges(refusal.headers.get_list("www-authenticate"))
            known = {challenge.scheme: challenge for challenge in reversed(challenges)}
            if "bearer" in known:
                await self._answer_bearer(known["bearer"], refusal.url, scopes)
            elif "basic" in known:
                await self._answer_basic()
            else:
                asked = ", ".join(known)[:MAX_SHOWN] or "nothing that can be given"
                raise AccessError(
                    f"asking {self._domain}: it refuses, and asks for {asked}; Basic and Bearer are known"
                )

    def has_credentials(self) -> bool:
        """Whether requests are made with somebody's credentials."""
        return bool(self._credentials.get(self._domain))

    def who(self) -> str:
        """Say with whose credentials requests are made, for messages."""
        credentials = self._credentials.get(self._domain)
        if not credentials:
            return "without credentials"
        user = f"as {credentials.username!r}, " if credentials.username else "with the token "
        return f"{user}from {credentials.origin}"

    async def _find_for(self, domain: str) -> Credentials | None:
        if domain not in self._credentials:
            found = await asyncio.to_thread(self._find, domain, self._path)
            self._credentials[domain] = found
            self._connections.secrets.update(found.secrets if found else ())
        return self._credentials[domain]

    async def _answer_basic(self) -> None:
        credentials = await self._find_for(self._domain)
        if not credentials or not credentials.username:
            raise AccessError(
                f"asking {self._domain}: it wants a user and a password, and none were found; "
                f"log in with `docker login {self._domain}`"
            )
        self._basic = credentials.basic

    async def _answer_bearer(self, challenge: Challenge, url: str, scopes: Scopes) -> None:
        own = await self._find_for(self._domain)
        if own and own.registry_token:
            if not _SENDABLE.fullmatch(own.registry_token):
                raise AccessError(f"reading the token from {own.origin}: no header can hold it; log in again")
            self._tokens[scopes] = f"Bearer {own.registry_token}"
            return
        realm = challenge.parameters.get("realm", "")
        if not realm:
            raise ProtocolError(
                f"asking {self._domain}: it wants a token and does not say from where; is it a registry?"
            )
        is_near = realm_gets_credentials(realm, url)
        credentials = own if is_near else await self._find_for(urlsplit(realm).netloc)
        service = challenge.parameters.get("service", "")
        try:
            token = await self._fetch(realm, service, scopes, credentials)
        except AccessError as error:
            if is_near or credentials or not own:
                raise
            raise AccessError(
                f"{error}; it is not of the registry's domain, so {own.origin} was not used for it: if you trust it, "
                f"store a login for {urlsplit(realm).netloc!r}"
            ) from error
        self._tokens[scopes] = f"Bearer {token}"

    async def _fetch(self, realm: str, service: str, scopes: Scopes, credentials: Credentials | None) -> str:
        """Get a token; one for less where the service does not give all at once."""
        try:
            return await self._fetch_once(realm, service, scopes, credentials)
        except AccessError:
            if len(scopes) == 1:
                raise
            return await self._fetch_once(realm, service, scopes[:1], credentials)

    async def _fetch_once(self, realm: str, service: str, scopes: Scopes, credentials: Credentials | None) -> str:
        request, authorization = _token_request(realm, service, scopes, credentials)

        async def attempt() -> Answer:
            return await ask(
                self._connections,
                request,
                authorization=authorization,
                limits=self._limits,
                max_bytes=_MAX_ANSWER_BYTES,
            )

        answer = await retried(attempt, self._limits)
        where = f"asking {shown(realm)} for a token of {self._domain}, {_said_of(credentials)}"
        if answer.status != _OK:
            raise AccessError(f"{where}: {answer.said()}; log in again, or ask for access")
        return self._read_token(answer.body, where)

    def _read_token(self, body: bytes, where: str) -> str:
        try:
            fields = Fields.parse(body, "a token")
            token = fields.maybe_text("token") or fields.text("access_token")
        except ImageError:
            # Without the cause, whose message shows what was found: it may be the token.
            raise ProtocolError(f"{where}: the answer is not JSON with a token; is this a token service?") from None
        if not _SENDABLE.fullmatch(token):
            raise ProtocolError(f"{where}: the token has {len(token)} signs, some that no header can hold")
        self._connections.secrets.add(token)
        return token


def _token_request(
    realm: str, service: str, scopes: Scopes, credentials: Credentials | None
) -> tuple[Request, str | None]:
    """Give the request for a token and its `Authorization`: OAuth 2 for an identity token, else GET."""
    if credentials and credentials.identity_token:
        form = {"grant_type": "refresh_token", "service": service, "client_id": _CLIENT_ID, "scope": " ".join(scopes)}
        data = urlencode({**form, "refresh_token": credentials.identity_token}).encode()

        async def body() -> AsyncGenerator[bytes, None]:
            yield data

        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return Request("POST", realm, headers, body, len(data)), None
    query = [("service", service)] if service else []
    query += [("scope", scope) for scope in scopes]
    if credentials and credentials.username:
        query += [("account", credentials.username)]
    parts = urlsplit(realm)
    joined = "&".join(part for part in (parts.query, urlencode(query)) if part)
    url = urlunsplit((parts.scheme, parts.netloc, parts.path, joined, ""))
    return Request("GET", url), credentials.basic if credentials and credentials.username else None


def _said_of(credentials: Credentials | None) -> str:
    return f"with what {credentials.origin} has" if credentials else "without credentials"
