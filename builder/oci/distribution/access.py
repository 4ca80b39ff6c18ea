"""How registries are reached: the one bundle of settings, and the way from plain functions into the event loop."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from builder.oci.distribution.connections import Connections
from builder.oci.distribution.credentials import Keyring
from builder.oci.distribution.limits import Limits
from builder.oci.errors import UnavailableError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Access:
    """`environment` says where credentials and helpers are; `insecure` hosts may have plain HTTP or unverified TLS.

    httpx takes proxies and certificates from the process's own environment (`HTTPS_PROXY`, `SSL_CERT_FILE`).
    """

    environment: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    insecure: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)

    def connections(self) -> Connections:
        """Give connections to use in a block."""
        return Connections(self.limits, self.insecure)

    def keyring(self) -> Keyring:
        """Give the user's credentials."""
        return Keyring(self.environment, self.limits.helper_s)

    def run(self, work: Coroutine[None, None, T], doing: str) -> T:
        """Run to the end, or to the overall deadline: then raises UnavailableError."""
        return asyncio.run(self._bounded(work, doing))

    async def _bounded(self, work: Coroutine[None, None, T], doing: str) -> T:
        try:
            async with asyncio.timeout(self.limits.overall_s):
                return await work
        except TimeoutError as error:
            raise UnavailableError(
                f"{doing}: not done after {self.limits.overall_s:g} s; what was fetched is kept: try again"
            ) from error
