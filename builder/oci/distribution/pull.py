"""An image from a registry into the store, as an OCI image, for one platform.

A tag is looked up with HEAD, which no registry counts against a limit of pulls; what the store has under that digest
already is not fetched again, but read and checked. Offline, the last known digest of a tag is used.
"""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from builder.oci.blobs import BlobStore
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.distribution.download import download
from builder.oci.distribution.partial import is_stored
from builder.oci.distribution.progress import Progress
from builder.oci.distribution.session import Session
from builder.oci.distribution.together import together
from builder.oci.errors import ImageError, LimitError, NotFoundError, ProtocolError, UsageError
from builder.oci.files import open_regular, size_of
from builder.oci.image import Image, read_small
from builder.oci.jsons import MAX_JSON_BYTES
from builder.oci.manifest import (
    ACCEPTED,
    INDEXES,
    MAX_INDEXES,
    Choice,
    choose,
    image_of,
    list_blobs,
    list_images,
    platform_of,
    read_parts,
    type_of,
)
from builder.oci.platform import Platform
from builder.oci.reference import Reference

_OK: Final = 200
_NOT_FOUND: Final = 404
_MAX_LAYERS: Final = 1000  # Docker's own limit is 127


class Memory(Protocol):
    """Remembers which digest a tag had, between processes."""

    def recall(self, name: str) -> str | None:
        """Give what was last remembered under a name."""

    def remember(self, name: str, digest: str) -> None:
        """Remember it."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image that is in the store.

    `manifest` is as the registry has it, Docker's types included, while `image` is always OCI's; `choice` says what
    an index offered, None where the reference named an image; `pinned` is the reference with the digest of what it
    named, index or not.
    """

    image: Image
    manifest: Descriptor
    choice: Choice | None
    pinned: Reference


class Puller:
    """One pull; `session` is None offline."""

    __slots__ = ("_memory", "_progress", "_reference", "_session", "_store", "_where")

    def __init__(
        self, reference: Reference, store: BlobStore, memory: Memory, session: Session | None, progress: Progress
    ) -> None:
        self._reference = reference
        self._store = store
        self._memory = memory
        self._session = session
        self._progress = progress
        self._where = str(reference)

    async def pull(self, platform: Platform, *, max_bytes: int) -> Pulled:
        """Have the image in the store."""
        digest = await self._resolve()
        top = await self._document(digest)
        kind = type_of(top, self._where)
        choice = choose(top, platform, self._where) if kind in INDEXES else None
        described = choice.manifest if choice else Descriptor(kind, digest, len(top))
        manifest = await self._document(described.digest) if choice else top
        kind = type_of(manifest, self._where)
        if kind in INDEXES:
            raise ImageError(f"reading {self._where}: its index points at another index; name the inner one")
        parts = read_parts(manifest, kind, self._where)
        await self._fetch(parts.config, parts.layers, max_bytes)
        raw_config = read_small(self._store, parts.config, self._where)
        image = image_of(parts, manifest, raw_config, self._store, self._where)
        if not platform.runs(platform_of(image)):
            raise ImageError(
                f"looking for {platform} in {self._where}: it is an image for {platform_of(image)}; "
                f"choose that platform, or another image"
            )
        return Pulled(image, described, choice, self._reference.at(digest))

    async def pull_all(self, platforms: Sequence[Platform], *, max_bytes: int) -> Descriptor:
        """Have every image that the name leads to in the store, or those for some platforms; give what it names.

        `max_bytes` is of each image. What is in them is not judged.
        """
        digest = await self._resolve()
        top = await self._document(digest)
        named = Descriptor(type_of(top, self._where), digest, len(top))
        for manifest in await self._manifests(named, top, platforms):
            await self._fetch(*list_blobs(manifest, self._where), max_bytes)
        return named

    async def _manifests(
        self, named: Descriptor, data: bytes, platforms: Sequence[Platform], depth: int = 0
    ) -> list[bytes]:
        """Give the manifests of all images behind a manifest or an index."""
        if named.media_type not in INDEXES:
            return [data]
        if depth == MAX_INDEXES:
            raise ImageError(f"reading {self._where}: indexes that list indexes, {depth} deep; name an inner one")
        found: list[bytes] = []
        for entry in list_images(data, self._where, platforms):
            found += await self._manifests(entry, await self._document(entry.digest), platforms, depth + 1)
        return found

    async def _resolve(self) -> Digest:
        """Give the digest that the reference names, by itself or by its tag."""
        if self._reference.digest:
            return self._reference.digest
        if self._session is None:
            known = self._memory.recall(str(self._reference))
            if known is None:
                raise NotFoundError(
                    f"looking up {self._where} offline: this tag was never looked up here; do it once with a network, "
                    f"or name the image by its digest"
                )
            return Digest.parse(known)
        digest = await self._ask_tag(self._session)
        self._memory.remember(str(self._reference), str(digest))
        return digest

    async def _ask_tag(self, session: Session) -> Digest:
        url = f"{session.base}/manifests/{self._reference.tag}"
        answer = await session.call("HEAD", url, headers={"Accept": ACCEPTED})
        if answer.status == _NOT_FOUND:
            session.refuse(answer, f"looking up {self._where}")
        if answer.status == _OK:
            with suppress(UsageError):
                return Digest.parse(answer.header("docker-content-digest"))
        return self._keep(await self._get(session, url), None)

    async def _document(self, digest: Digest) -> bytes:
        """Give a manifest or an index, from the store or the registry."""
        data = _maybe_stored(self._store, digest)
        if data is None:
            if self._session is None:
                raise self._missing(digest)
            data = await self._get(self._session, f"{self._session.base}/manifests/{digest}")
            self._keep(data, digest)
        return data

    async def _get(self, session: Session, url: str) -> bytes:
        answer = await session.call("GET", url, headers={"Accept": ACCEPTED})
        if answer.status != _OK:
            session.refuse(answer, f"reading {self._where}")
        if answer.header("content-type").startswith("text/html"):
            raise ProtocolError(f"reading {self._where}: {answer.url} answers with a web page; is it a registry?")
        return answer.body

    def _keep(self, data: bytes, expected: Digest | None) -> Digest:
        found = Digest.of(data)
        if expected not in {None, found}:
            raise ProtocolError(
                f"reading {self._where}: asked for {expected}, it gives {found}; "
                f"is the registry, or a proxy before it, damaged?"
            )
        self._store.add(data, media_type="")
        return found

    def _check_size(self, config: Descriptor, layers: Sequence[Descriptor], max_bytes: int) -> None:
        if len(layers) > _MAX_LAYERS:
            raise LimitError(f"reading {self._where}: it has {len(layers)} layers, more than {_MAX_LAYERS}")
        size = sum(layer.size for layer in layers)
        if size > max_bytes:
            raise LimitError(f"reading {self._where}: it has {size} bytes compressed, more than {max_bytes}")
        if config.size > MAX_JSON_BYTES:
            raise LimitError(
                f"reading {self._where}: its configuration has {config.size} bytes, more than {MAX_JSON_BYTES}"
            )

    async def _fetch(self, config: Descriptor, layers: Sequence[Descriptor], max_bytes: int) -> None:
        self._check_size(config, layers, max_bytes)
        wanted = {blob.digest: blob for blob in (config, *layers)}.values()
        session = self._session
        if session is not None:
            works = (download(session, self._store, blob, progress=self._progress) for blob in wanted)
            await together(works, parallel=session.limits.parallel)
            return
        for blob in wanted:
            if not await asyncio.to_thread(is_stored, self._store, blob):
                raise self._missing(blob.digest)

    def _missing(self, digest: Digest) -> NotFoundError:
        return NotFoundError(
            f"looking for {digest} of {self._where} offline: it is not in the cache; fetch it once with a network"
        )


def _maybe_stored(store: BlobStore, digest: Digest) -> bytes | None:
    """Give a small blob of the store, None where it is missing or damaged."""
    try:
        with open_regular(store.path(digest)) as file:
            if size_of(file) > MAX_JSON_BYTES:
                return None
            data = file.readall()
    except OSError:
        return None
    if Digest.of(data) != digest:
        return None
    with suppress(OSError):
        os.utime(store.path(digest))  # for whoever removes what nobody uses
    return data
