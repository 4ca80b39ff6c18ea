"""What is said of an image, beside it in its registry: manifests with a `subject`, such as an SBOM.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md, "Listing Referrers" and "Referrers
Tag Schema". A registry that does not know referrers gets an index of them under the tag `sha256-HEX`, which other
tools look for too; two pushes at the same moment may lose one entry there, as the specification warns. The image's
own manifest and tag stay as they are.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.distribution.held import HeldBlobs
from builder.oci.distribution.progress import nobody
from builder.oci.distribution.puts import put_manifest
from builder.oci.distribution.session import Session
from builder.oci.distribution.upload import upload
from builder.oci.errors import ImageError
from builder.oci.jsons import parse_json, render_json

Entry = dict[str, object]

_OK: Final = 200
_EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"  # image-spec manifest.md, "Guidance for an Empty Descriptor"
_EMPTY: Final = b"{}"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A document about an image: its type, such as `application/vnd.cyclonedx+json`, and its content."""

    artifact_type: str
    data: bytes = field(repr=False)
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    def manifest(self, subject: Descriptor) -> bytes:
        """Render the manifest that hangs it on an image: equal content, equal bytes."""
        value: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": media_types.MANIFEST,
            "artifactType": self.artifact_type,
            "config": Descriptor.of(_EMPTY, _EMPTY_TYPE).to_json(),
            "layers": [Descriptor.of(self.data, self.artifact_type).to_json()],
            "subject": subject.to_json(),
        }
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return render_json(value)


async def attach_all(session: Session, subject: Descriptor, artifacts: Sequence[Artifact]) -> tuple[Digest, ...]:
    """Push what is not there yet, and give the digests of all manifests; raises RegistryError.

    What the registry lists is there, whole; a list under a tag is completed here, last.
    """
    listed, is_kept = await _list(session, subject.digest)
    there = {entry.get("digest") for entry in listed}
    manifests = [artifact.manifest(subject) for artifact in artifacts]
    fresh: list[Entry] = []
    for artifact, manifest in zip(artifacts, manifests, strict=True):
        if str(Digest.of(manifest)) not in there:
            is_kept = await _push(session, artifact, manifest) or is_kept
            fresh.append(_entry(artifact, manifest))
    if fresh and not is_kept:
        await _tag(session, subject.digest, [*listed, *fresh])
    return tuple(Digest.of(manifest) for manifest in manifests)


async def _list(session: Session, subject: Digest) -> tuple[list[Entry], bool]:
    """Give what is known to hang on an image, and whether the registry itself keeps that list."""
    for url, is_kept in (
        (f"{session.base}/referrers/{subject}", True),
        (f"{session.base}/manifests/{_tag_of(subject)}", False),
    ):
        answer = await session.call("GET", url, headers={"Accept": media_types.INDEX})
        if answer.status == _OK:
            with suppress(ImageError):  # a web page for every unknown address: no list
                return _entries(answer.body), is_kept
    return [], False


def _entries(index: bytes) -> list[Entry]:
    value = parse_json(index, "a list of referrers")
    found = value.get("manifests") if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise ImageError("reading a list of referrers: it has no manifests; make it again")
    return [entry for entry in found if isinstance(entry, dict)]


async def _push(session: Session, artifact: Artifact, manifest: bytes) -> bool:
    """Push a manifest and what it names; say whether the registry lists it by itself."""
    config, data = Descriptor.of(_EMPTY, _EMPTY_TYPE), Descriptor.of(artifact.data, artifact.artifact_type)
    blobs = HeldBlobs({config.digest: _EMPTY, data.digest: artifact.data})
    for blob in (config, data):
        await upload(session, blobs, blob, progress=nobody)
    answer = await put_manifest(session, str(Digest.of(manifest)), manifest, media_types.MANIFEST)
    return bool(answer.header("oci-subject"))


def _entry(artifact: Artifact, manifest: bytes) -> Entry:
    entry = Descriptor.of(manifest, media_types.MANIFEST).to_json() | {"artifactType": artifact.artifact_type}
    return entry | ({"annotations": dict(artifact.annotations)} if artifact.annotations else {})


async def _tag(session: Session, subject: Digest, entries: Sequence[Entry]) -> None:
    index = {"schemaVersion": 2, "mediaType": media_types.INDEX, "manifests": list(entries)}
    await put_manifest(session, _tag_of(subject), render_json(index), media_types.INDEX)


def _tag_of(subject: Digest) -> str:
    return str(subject).replace(":", "-")
