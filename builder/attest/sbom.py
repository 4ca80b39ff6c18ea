"""The parts of an image as a CycloneDX 1.6 document, by the reference library.

Source: https://cyclonedx.org/docs/1.6/json/. The serial number is made from the image's digest, and the time is
SOURCE_DATE_EPOCH or left at 1970, so that the same image has the same document.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from builder.attest.parts import Part

if TYPE_CHECKING:
    from cyclonedx.model import HashType
    from cyclonedx.model.component import Component

SBOM_TYPE = "application/vnd.cyclonedx+json"

_NAMESPACE = uuid.UUID("b5c2a3a4-6a0f-5c53-9d6e-3a1a3c9f6a11")  # of serial numbers made here; any fixed one will do


def render_sbom(parts: Sequence[Part], *, name: str, digest: str, created_s: int) -> bytes:
    """The document: the image `name` of this digest as the subject, and every part of it."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    subject = Component(
        name=name,
        type=ComponentType.CONTAINER,
        version=digest,
        bom_ref="image",
        hashes=[_hash(digest.removeprefix("sha256:"))],
    )
    document = Bom(components=[_component(part) for part in parts], serial_number=uuid.uuid5(_NAMESPACE, digest))
    document.metadata.timestamp = datetime.fromtimestamp(created_s, UTC)
    document.metadata.component = subject
    document.register_dependency(subject, document.components)
    return (JsonV1Dot6(document).output_as_string(indent=2) + "\n").encode()


def _hash(sha256: str) -> "HashType":
    from cyclonedx.model import HashAlgorithm, HashType

    return HashType(alg=HashAlgorithm.SHA_256, content=sha256)


def _component(part: Part) -> "Component":
    from cyclonedx.factory.license import LicenseFactory
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    kind = ComponentType.APPLICATION if part.kind == "interpreter" else ComponentType.LIBRARY
    properties = [Property(name="firkin:kind", value=part.kind)]
    if part.kind == "package" and part.sha256:
        properties.append(Property(name="firkin:hash-of", value="RECORD, which holds the hash of each file"))
    return Component(
        name=part.name,
        type=kind,
        version=part.version or None,
        purl=PackageURL.from_string(part.purl),
        bom_ref=f"{part.kind}:{part.name}",
        hashes=[_hash(part.sha256)] if part.sha256 else [],
        licenses=[LicenseFactory().make_from_string(part.licence)] if part.licence else [],
        properties=properties,
    )
