"""Putting a manifest into a repository, under a tag or its digest."""

from typing import Final

from builder.oci.digest import Digest
from builder.oci.distribution.answers import Answer
from builder.oci.distribution.session import Session
from builder.oci.errors import ProtocolError

_CREATED: Final = 201


async def put_manifest(session: Session, name: str, manifest: bytes, media_type: str) -> Answer:
    """Put it under a tag or its digest; raises RegistryError where the registry takes it for another or not at all."""
    doing = f"pushing the manifest {name} to {session.reference.domain}/{session.reference.path}"
    url = f"{session.base}/manifests/{name}"
    answer = await session.call("PUT", url, headers={"Content-Type": media_type}, data=manifest)
    if answer.status != _CREATED:
        session.refuse(answer, doing)
    stored = answer.header("docker-content-digest")
    if stored and stored != str(Digest.of(manifest)):
        raise ProtocolError(
            f"{doing}: the registry calls it {stored[:100]!r}, not {Digest.of(manifest)}; do not use it"
        )
    return answer
