"""Images in registries: the client's half of the OCI distribution API, made with httpx.

    access = Access(os.environ, insecure=parse_insecure(["localhost:5000"]))
    pulling = Pulling(store, memory, access)
    pulled = pull(Reference.parse_source("python:3.13-slim"), Platform("linux", "arm64"), pulling)

Specification: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md. Functions are plain; inside,
an event loop gives every wait a deadline. All errors are `OCIError`s, those of the registry `RegistryError`s.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from builder.oci import media_types
from builder.oci.blobs import BlobStore
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.distribution.access import Access
from builder.oci.distribution.connections import Connections
from builder.oci.distribution.credentials import Credentials, Keyring
from builder.oci.distribution.hosts import parse_insecure
from builder.oci.distribution.limits import Limits
from builder.oci.distribution.permission import check_writable
from builder.oci.distribution.progress import Progress, State, Transfer, nobody
from builder.oci.distribution.pull import Memory, Pulled, Puller
from builder.oci.distribution.push import Pushed, push_image
from builder.oci.distribution.puts import put_manifest
from builder.oci.distribution.referrers import Artifact, attach_all
from builder.oci.distribution.session import Session
from builder.oci.image import Image
from builder.oci.manifest import Choice, render_platforms
from builder.oci.platform import Platform
from builder.oci.reference import Reference

__all__ = [
    "Access",
    "Artifact",
    "Choice",
    "Credentials",
    "Keyring",
    "Limits",
    "Memory",
    "Progress",
    "Pulled",
    "Pulling",
    "Pushed",
    "State",
    "Transfer",
    "attach",
    "check_push",
    "nobody",
    "parse_insecure",
    "pull",
    "pull_all",
    "push",
    "push_index",
]


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pulling:
    """Where what is pulled goes, and how it is reached. With `offline` nothing is asked of anybody."""

    store: BlobStore
    memory: Memory
    access: Access
    offline: bool = False
    progress: Progress = nobody

    def run(self, reference: Reference, work: Callable[[Puller], Awaitable[T]]) -> T:
        """Do something with a puller."""
        access = self.access

        async def connected() -> T:
            async with access.connections() as connections:
                session = None
                if not self.offline:
                    session = Session(connections, reference, access.keyring().find, limits=access.limits)
                return await work(Puller(reference, self.store, self.memory, session, self.progress))

        return access.run(connected(), f"pulling {reference}")


def pull(reference: Reference, platform: Platform, pulling: Pulling) -> Pulled:
    """Have an image in the store, every byte checked, whatever was there before, and give it as an OCI image.

    What is there already is only read. Raises UsageError, ImageError, RegistryError, DiskError.
    """
    limit = pulling.access.limits.image_bytes
    return pulling.run(reference, lambda puller: puller.pull(platform, max_bytes=limit))


def pull_all(reference: Reference, platforms: Sequence[Platform], pulling: Pulling) -> Descriptor:
    """Have all images of an index in the store, or those for some platforms, and give what the reference names.

    That may be one image; whether what was fetched can be used is not looked at. Raises as `pull`.
    """
    limit = pulling.access.limits.image_bytes
    return pulling.run(reference, lambda puller: puller.pull_all(platforms, max_bytes=limit))


def push(
    image: Image,
    reference: Reference,
    *,
    access: Access,
    mount_from: Sequence[Reference] = (),
    artifacts: Sequence[Artifact] = (),
    progress: Progress = nobody,
) -> Pushed:
    """Have an image under a tag of a registry, which moves last, with documents about it as referrers.

    What the repository has is not sent; the first of `mount_from` on the same registry is asked for the rest, such as
    the layers of a base. Raises RegistryError, BlobError for a damaged blob.
    """

    async def work() -> Pushed:
        near = [one.path for one in mount_from if one.domain == reference.domain and one.path != reference.path][:1]
        async with access.connections() as connections:
            session = _writing(connections, reference, access, also=near)
            return await push_image(
                session, image, mount_from=near[0] if near else None, artifacts=artifacts, progress=progress
            )

    return access.run(work(), f"pushing {reference}")


def push_index(images: Sequence[Image], reference: Reference, *, access: Access) -> Digest:
    """Have an index of images that the repository has already under a tag; its digest. Raises RegistryError."""
    index = render_platforms(images)

    async def work() -> None:
        async with access.connections() as connections:
            session = _writing(connections, reference, access)
            await put_manifest(session, session.reference.tag, index, media_types.INDEX)

    access.run(work(), f"pushing {reference}")
    return Digest.of(index)


def check_push(reference: Reference, *, access: Access) -> None:
    """Ask whether a push to this name would be let in, without pushing. Raises RegistryError where it would not."""

    async def work() -> None:
        async with access.connections() as connections:
            await check_writable(_writing(connections, reference, access))

    access.run(work(), f"asking for {reference}")


def attach(
    subject: Descriptor, reference: Reference, artifacts: Sequence[Artifact], *, access: Access
) -> tuple[Digest, ...]:
    """Hang documents on an image that is in a registry already; gives the digests of their manifests.

    `subject` is the image's descriptor there. What hangs on it already is not sent again. Raises RegistryError.
    """

    async def work() -> tuple[Digest, ...]:
        async with access.connections() as connections:
            return await attach_all(_writing(connections, reference, access), subject, artifacts)

    return access.run(work(), f"attaching to {reference}")


def _writing(connections: Connections, reference: Reference, access: Access, also: Sequence[str] = ()) -> Session:
    return Session(connections, reference, access.keyring().find, limits=access.limits, actions="pull,push", also=also)
