"""An image into a registry: what is there already is not sent again, and the tag comes last.

Whoever pulls by the tag gets the old image or the new one, whole, with what is said of it in place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from builder.oci import media_types
from builder.oci.digest import Digest
from builder.oci.distribution.held import HeldBlobs
from builder.oci.distribution.progress import Progress, State
from builder.oci.distribution.puts import put_manifest
from builder.oci.distribution.referrers import Artifact, attach_all
from builder.oci.distribution.session import Session
from builder.oci.distribution.together import together
from builder.oci.distribution.upload import upload
from builder.oci.errors import ProtocolError
from builder.oci.image import Image
from builder.oci.manifest import ACCEPTED
from builder.oci.reference import Reference

_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did: how many blobs came to the repository in which way, and the manifests attached to the image.

    `reference` has the digest. All numbers are 0 where the registry had the image already. `complaint` is why it did
    not take the documents, "" where it did: old registries take images only.
    """

    reference: Reference
    uploaded: int
    mounted: int
    present: int
    artifacts: tuple[Digest, ...]
    complaint: str = ""


async def push_image(
    session: Session,
    image: Image,
    *,
    mount_from: str | None,
    artifacts: Sequence[Artifact],
    progress: Progress,
) -> Pushed:
    """Have an image under the session's tag; raises RegistryError, BlobError."""
    states: list[State] = []
    tag = session.reference.tag
    is_tagged = await _has(session, tag, image.digest)
    if not is_tagged and not await _has(session, str(image.digest), image.digest):
        states = await _push_blobs(session, image, mount_from, progress)
        if artifacts:  # what they hang on comes before them, and under no tag yet
            await put_manifest(session, str(image.digest), image.manifest, media_types.MANIFEST)
    attached, complaint = await _attach(session, image, artifacts)
    if not is_tagged:
        await put_manifest(session, tag, image.manifest, media_types.MANIFEST)
    counts = [states.count(state) for state in (State.DONE, State.MOUNTED, State.PRESENT)]
    return Pushed(session.reference.at(image.digest), counts[0], counts[1], counts[2], attached, complaint)


async def _attach(session: Session, image: Image, artifacts: Sequence[Artifact]) -> tuple[tuple[Digest, ...], str]:
    try:
        return (await attach_all(session, image.descriptor, artifacts) if artifacts else ()), ""
    except ProtocolError as error:
        return (), str(error)


async def _has(session: Session, name: str, digest: Digest) -> bool:
    """Whether the registry has this manifest under a tag or a digest; one it has, has all its blobs."""
    answer = await session.call("HEAD", f"{session.base}/manifests/{name}", headers={"Accept": ACCEPTED})
    return answer.status == _OK and answer.header("docker-content-digest") == str(digest)


async def _push_blobs(session: Session, image: Image, mount_from: str | None, progress: Progress) -> list[State]:
    blobs = HeldBlobs({image.config_descriptor.digest: image.raw_config}, image.blobs)
    found: list[State] = []
    described = (*(layer.descriptor for layer in image.layers), image.config_descriptor)

    async def one(digest: Digest) -> None:
        found.append(await upload(session, blobs, wanted[digest], mount_from=mount_from, progress=progress))

    wanted = {blob.digest: blob for blob in described}
    await together((one(digest) for digest in wanted), parallel=session.limits.parallel)
    return found
