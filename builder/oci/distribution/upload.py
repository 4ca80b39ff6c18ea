"""A blob from here into a repository: found there, mounted from another one, or uploaded and resumed after a cut.

Ways differ in what registries bear. All take a blob in one PUT, which is tried first. After a cut the registry is asked
how far it got, and gets the rest in chunks, or all of it where it has forgotten (distribution 2.8 forgets what was cut
within a request). A proxy that refuses a large body (413) gets chunks from the start; a registry that does not like
those gets one PUT again. Between chunks the position is what was sent and accepted: Amazon's registry reports a stale
one (aws/containers-roadmap#2831); GitHub's takes 4 MiB at most. Everything counts as an attempt.
"""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from builder.oci.descriptor import Descriptor
from builder.oci.distribution.answers import Answer, wait_or_raise
from builder.oci.distribution.connections import Request
from builder.oci.distribution.hosts import upload_url
from builder.oci.distribution.pace import Pace, paced
from builder.oci.distribution.progress import Progress, State, Transfer
from builder.oci.distribution.session import Session
from builder.oci.errors import ProtocolError, UnavailableError
from builder.oci.image import Blobs
from builder.oci.streams import chunks

_OK: Final = 200
_CREATED: Final = 201
_ACCEPTED: Final = frozenset({202, 204})
_BAD: Final = 400
_GONE: Final = frozenset({404, 410})
_READ_BYTES: Final = 256 * 1024
_RANGE: Final = re.compile(r"(?:bytes=)?0-(\d{1,18})")
_OCTETS: Final = {"Content-Type": "application/octet-stream"}


async def upload(
    session: Session, blobs: Blobs, descriptor: Descriptor, *, mount_from: str | None = None, progress: Progress
) -> State:
    """Have a blob in the session's repository, and say how it came there; raises RegistryError, BlobError.

    `mount_from` is another repository of the registry that may have it.
    """
    state = await _Upload(session, blobs, descriptor, progress).run(mount_from)
    progress(Transfer(descriptor, state, descriptor.size))
    return state


@dataclass(slots=True)
class _Position:
    """Where an upload stands: its URL, and how many bytes the registry has."""

    url: str
    offset: int = 0
    chunk_bytes: int = 0


class _RefusedError(Exception):
    """The registry does not take a blob in this way; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class _Upload:
    """The attempts at one blob."""

    __slots__ = ("_blobs", "_descriptor", "_doing", "_progress", "_session", "_tried")

    def __init__(self, session: Session, blobs: Blobs, descriptor: Descriptor, progress: Progress) -> None:
        self._session = session
        self._blobs = blobs
        self._descriptor = descriptor
        self._progress = progress
        self._doing = f"pushing blob {descriptor.digest} to {session.reference.domain}/{session.reference.path}"
        self._tried = 0

    async def run(self, mount_from: str | None) -> State:
        """Look, mount, or upload until it is there."""
        if await self._is_there():
            return State.PRESENT
        position = await self._begin(mount_from)
        if position is None:
            return State.MOUNTED
        in_chunks = False
        while True:
            begun = position.offset
            try:
                await (self._send_chunks(position) if in_chunks else self._send_whole(position))
            except _RefusedError as error:
                in_chunks = await self._other_way(error.answer, in_chunks=in_chunks)
                position = await self._begin_anew()
            except UnavailableError as error:
                moved = position.offset - begun
                self._tried = 1 if moved >= self._session.limits.progress_bytes else self._tried + 1
                await wait_or_raise(error, self._tried, self._session.limits)
                if await self._is_there():  # the answer was lost, not the blob
                    return State.DONE
                position = await self._maybe_resumed(position) or await self._begin_anew()
                in_chunks = True
            else:
                return State.DONE

    async def _other_way(self, answer: Answer, *, in_chunks: bool) -> bool:
        """Say whether to send in chunks after a refusal; raises where there is no other way."""
        self._tried += 1
        is_final = answer.status == _BAD and not in_chunks  # of all content: it is not what its digest says
        if is_final or self._tried >= self._session.limits.attempts:
            self._session.refuse(answer, self._doing)
        return in_chunks if answer.status in _GONE else not in_chunks

    async def _is_there(self) -> bool:
        url = f"{self._session.base}/blobs/{self._descriptor.digest}"
        return (await self._session.call("HEAD", url)).status == _OK

    async def _begin_anew(self) -> _Position:
        position = await self._begin(None)
        if position is None:
            raise ProtocolError(f"{self._doing}: it says that it has the blob already, and that it does not")
        return position

    async def _begin(self, mount_from: str | None) -> _Position | None:
        """Open an upload, None where the blob was mounted instead."""
        url = f"{self._session.base}/blobs/uploads/"
        if mount_from is not None:
            query = urlencode({"mount": str(self._descriptor.digest), "from": mount_from}, safe="/:")
            answer = await self._session.call("POST", f"{url}?{query}", data=b"")
            if answer.status == _CREATED:
                return None
            if answer.status in _ACCEPTED:
                return self._position(answer)
        answer = await self._session.call("POST", url, data=b"")
        if answer.status not in _ACCEPTED:
            self._session.refuse(answer, self._doing)
        return self._position(answer)

    def _position(self, answer: Answer, *, offset: int = 0) -> _Position:
        location = answer.header("location")
        if not location:
            raise ProtocolError(f"{self._doing}: the registry does not say where to (no Location); is it a registry?")
        least = answer.header("oci-chunk-min-length")
        chunk = max(self._session.limits.chunk_bytes, int(least[:12]) if least.isdecimal() else 0)
        return _Position(upload_url(answer.url, location), offset, chunk)

    async def _maybe_resumed(self, position: _Position) -> _Position | None:
        """Ask how far an upload got; None where it is lost."""
        answer = await self._session.call("GET", position.url)
        found = _RANGE.fullmatch(answer.header("range"))
        if answer.status not in _ACCEPTED or not answer.is_own:
            return None
        offset = int(found[1]) + 1 if found and int(found[1]) else 0  # 0-0 is what an empty upload says too
        if offset > self._descriptor.size:
            return None
        if not answer.header("location"):
            return _Position(position.url, offset, position.chunk_bytes)
        return self._position(answer, offset=offset)

    async def _send_whole(self, position: _Position) -> None:
        """All in one PUT."""
        answer = await self._send("PUT", self._final(position.url), 0, self._descriptor.size, {})
        self._check_stored(answer)

    async def _send_chunks(self, position: _Position) -> None:
        """The rest in chunks, then a PUT without content."""
        size = self._descriptor.size
        while position.offset < size:
            count = min(position.chunk_bytes, size - position.offset)
            headers = {"Content-Range": f"{position.offset}-{position.offset + count - 1}"}
            answer = await self._send("PATCH", position.url, position.offset, count, headers)
            if answer.status not in _ACCEPTED:
                raise _RefusedError(answer)
            position.url = self._position(answer).url
            position.offset += count
        self._check_stored(await self._send("PUT", self._final(position.url), size, 0, {}))

    def _check_stored(self, answer: Answer) -> None:
        if answer.status != _CREATED:
            raise _RefusedError(answer)

    def _final(self, url: str) -> str:
        return f"{url}{'&' if '?' in url else '?'}digest={self._descriptor.digest}"

    async def _send(self, method: str, url: str, start: int, count: int, headers: dict[str, str]) -> Answer:
        limits = self._session.limits
        async with paced(self._doing, limits.stall_s, least=limits.stall_bytes) as pace:

            def body() -> AsyncGenerator[bytes, None]:
                return self._content(start, count, pace)

            return await self._session.send(Request(method, url, _OCTETS | headers, body, count), pace)

    async def _content(self, start: int, count: int, pace: Pace) -> AsyncGenerator[bytes, None]:
        """Give `count` bytes from `start` on, and at the end give the registry time to store them.

        Reading begins at the first byte whatever `start`, so that the last byte is followed by the check of them all.
        """
        at = 0
        if count:
            with self._blobs.open(self._descriptor) as blob:
                for data in chunks(blob):
                    part = data[max(start - at, 0) : max(start + count - at, 0)]
                    at += len(data)
                    for begin in range(0, len(part), _READ_BYTES):
                        piece = part[begin : begin + _READ_BYTES]
                        yield piece
                        pace.moved(len(piece))
                        self._progress(Transfer(self._descriptor, State.MOVING, start + begin + len(piece)))
                    if at >= start + count < self._descriptor.size:
                        break
        pace.allow(self._session.limits.finish_s)
