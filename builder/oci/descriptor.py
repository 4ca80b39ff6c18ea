"""A descriptor: how one part of an image points at another (media type, digest, size).

Source: https://github.com/opencontainers/image-spec/blob/v1.0.2/descriptor.md. It never holds the content it
points at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from builder.oci.digest import Digest
from builder.oci.errors import ImageError, UsageError
from builder.oci.jsons import Fields


def frozen_map(values: Mapping[str, str]) -> Mapping[str, str]:
    """Copy into a mapping that cannot change, for frozen values."""
    return MappingProxyType(dict(values))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Points at a blob of `size` bytes. `annotations` are carried along and never interpreted here."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.size < 0:
            raise UsageError(f"describing blob {self.digest}: size {self.size!r} is negative; pass its bytes")
        object.__setattr__(self, "annotations", frozen_map(self.annotations))

    @classmethod
    def of(cls, data: bytes, media_type: str) -> Self:
        """Describe bytes that are in memory already."""
        return cls(media_type, Digest.of(data), len(data))

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read from JSON; raises ImageError."""
        return cls(
            media_type=fields.text("mediaType"),
            digest=read_digest(fields.text("digest"), f"{fields.where}: 'digest'"),
            size=fields.size("size"),
            annotations=fields.text_map("annotations"),
        )

    def to_json(self) -> dict[str, object]:
        """Give the value to render as JSON."""
        value: dict[str, object] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return value


def read_digest(text: str, where: str) -> Digest:
    """Parse a digest that an image contains: what is wrong with it is the image's fault (ImageError)."""
    try:
        return Digest.parse(text)
    except UsageError as error:
        raise ImageError(f"reading {where}: {error}") from error
