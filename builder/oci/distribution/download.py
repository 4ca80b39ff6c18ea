"""A blob from a registry into the store: resumed after a cut, checked byte by byte, whole or not there.

A registry may cut, lie or drip. An attempt goes on where the last one ended, be it another process's; what came in
pieces and does not fit together is fetched once more in one piece.
"""

import asyncio
import re
from typing import Final

from builder.oci.blobs import BlobStore
from builder.oci.descriptor import Descriptor
from builder.oci.distribution.answers import wait_or_raise
from builder.oci.distribution.connections import Request
from builder.oci.distribution.exchange import Opened
from builder.oci.distribution.pace import paced
from builder.oci.distribution.partial import Partial, is_stored, partial_blob
from builder.oci.distribution.progress import Progress, State, Transfer
from builder.oci.distribution.session import Session
from builder.oci.errors import ProtocolError, UnavailableError

_PART: Final = 206
_BEYOND: Final = 416
_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


async def download(session: Session, store: BlobStore, descriptor: Descriptor, *, progress: Progress) -> None:
    """Have a blob in the store; raises RegistryError, DiskError."""
    if await asyncio.to_thread(is_stored, store, descriptor):
        progress(Transfer(descriptor, State.PRESENT, descriptor.size))
        return
    async with partial_blob(store, descriptor, lock_s=session.limits.lock_s) as partial:
        if partial is not None:
            await _Download(session, descriptor, partial, progress).run()
            partial.keep(descriptor)
    progress(Transfer(descriptor, State.DONE, descriptor.size))


class _Download:
    """The attempts at one blob."""

    __slots__ = ("_descriptor", "_doing", "_partial", "_progress", "_session")

    def __init__(self, session: Session, descriptor: Descriptor, partial: Partial, progress: Progress) -> None:
        self._session = session
        self._descriptor = descriptor
        self._partial = partial
        self._progress = progress
        self._doing = f"fetching blob {descriptor.digest} of {session.reference.domain}/{session.reference.path}"

    async def run(self) -> None:
        """Fetch until it is complete; raises RegistryError."""
        in_pieces = self._partial.size > 0
        tried = 0
        while True:
            begun = self._partial.size
            try:
                await self._attempt()
            except UnavailableError as error:
                has_moved = self._partial.size - begun >= self._session.limits.progress_bytes
                tried = 1 if has_moved else tried + 1
                in_pieces = True
                await wait_or_raise(error, tried, self._session.limits)
                continue
            if self._partial.is_complete(self._descriptor):
                return
            found = self._partial.found()
            self._partial.clear()
            if not in_pieces:
                raise ProtocolError(
                    f"{self._doing}: what came is {found}; nothing of it was kept; "
                    f"is the registry, or a proxy before it, damaged?"
                )
            in_pieces = False

    async def _attempt(self) -> None:
        """Read on until the end of what the registry sends now; raises UnavailableError where more should come."""
        start = self._partial.size
        if start == self._descriptor.size:
            return
        headers = {"Range": f"bytes={start}-"} if start else {}
        request = Request("GET", f"{self._session.base}/blobs/{self._descriptor.digest}", headers)
        limits = self._session.limits
        async with (
            paced(self._doing, limits.stall_s, least=limits.stall_bytes) as pace,
            self._session.open(request, pace, also=frozenset({_BEYOND})) as response,
        ):
            self._begin(response, start)
            async for data in response.chunks(pace):
                self._take(data)
        if self._partial.size < self._descriptor.size:
            raise UnavailableError(
                f"{self._doing}: it ended after {self._partial.size} of {self._descriptor.size} bytes; try again later"
            )

    def _begin(self, response: Opened, start: int) -> None:
        """See that what comes is what was asked for: all of the blob, or what is missing at its end."""
        size = self._descriptor.size
        if response.status == _PART and start:
            part = _RANGE.fullmatch(response.response.headers.get("content-range", ""))
            if part and int(part[1]) == start and part[3] in {"*", str(size)}:
                return
        self._partial.clear()
        if response.status in {_PART, _BEYOND}:
            raise UnavailableError(
                f"{self._doing}: asked for the rest from byte {start}, it gives another part; try again"
            )
        length = response.response.headers.get("content-length")
        if length is not None and length != str(size):
            raise ProtocolError(
                f"{self._doing}: the registry has {length[:20]!r} bytes, the manifest says {size}; push the image again"
            )

    def _take(self, data: bytes) -> None:
        if self._partial.size + len(data) > self._descriptor.size:
            self._partial.clear()
            raise ProtocolError(
                f"{self._doing}: more than its {self._descriptor.size} bytes come; push the image again"
            )
        self._partial.write(data)
        self._progress(Transfer(self._descriptor, State.MOVING, self._partial.size))
