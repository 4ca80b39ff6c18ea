"""An image: an immutable view over a configuration, layers, and the place their blobs are.

The same value comes from both directions. `Image.assemble` renders the configuration and the manifest; the
readers (`layout`, `archive`) parse them and keep the bytes they found, so that an image keeps its digest
wherever it goes. A transformation makes a new image; a sink (`write_layout`, `write_archive`) takes any. It
never reads a layer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from builder.oci import media_types
from builder.oci.config import ImageConfig, parse_config, render_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.errors import ImageError, UnsupportedError
from builder.oci.jsons import MAX_JSON_BYTES, Fields, render_json
from builder.oci.layer import Layer
from builder.oci.streams import CheckedBlob, chunks


class Blobs(Protocol):
    """A place with blobs: a store, an image layout, an archive; later, a registry."""

    def open(self, descriptor: Descriptor) -> CheckedBlob:
        """Open a blob for reading, checked on the way; raises BlobError where it is missing."""

    def maybe_link(self, descriptor: Descriptor, target: Path) -> bool:
        """Make `target` a hard link to the blob if that is possible and safe; say whether it was."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image: `layers` go bottom to top; `manifest` and `raw_config` are the bytes its digests name."""

    config: ImageConfig
    layers: tuple[Layer, ...]
    manifest: bytes = field(repr=False)
    raw_config: bytes = field(repr=False)
    blobs: Blobs = field(repr=False, compare=False)

    @classmethod
    def assemble(
        cls,
        config: ImageConfig,
        layers: Sequence[Layer],
        *,
        blobs: Blobs,
        annotations: Mapping[str, str] | None = None,
    ) -> Self:
        """Make an image of layers whose blobs are in `blobs`; `annotations` go on the manifest.

        Pure: equal arguments give equal bytes. Raises UsageError where the history does not match the layers.
        """
        raw_config = render_config(config, [layer.diff_id for layer in layers])
        manifest = render_manifest(raw_config, layers, annotations or {})
        return cls(config, tuple(layers), manifest, raw_config, blobs)

    @classmethod
    def read(cls, descriptor: Descriptor, blobs: Blobs, *, where: str) -> Self:
        """Read the image whose manifest `descriptor` points at; `where` goes into errors (ImageError)."""
        require_media_type(descriptor, media_types.MANIFEST, where)
        manifest = read_small(blobs, descriptor, where)
        fields = Fields.parse(manifest, f"the manifest of {where}")
        declared = fields.maybe_text("mediaType") or media_types.MANIFEST
        if declared != media_types.MANIFEST:
            raise UnsupportedError(f"reading {fields.where}: its media type is {declared!r}; convert the image to OCI")
        config = Descriptor.read(fields.inner("config"))
        require_media_type(config, media_types.CONFIG, where)
        raw_config = read_small(blobs, config, where)
        layers = tuple(Descriptor.read(layer) for layer in fields.objects("layers"))
        return cls(*parse_image(raw_config, layers, where), manifest, raw_config, blobs)

    @property
    def descriptor(self) -> Descriptor:
        """Points at the manifest."""
        return Descriptor.of(self.manifest, media_types.MANIFEST)

    @property
    def config_descriptor(self) -> Descriptor:
        """Points at the configuration."""
        return Descriptor.of(self.raw_config, media_types.CONFIG)

    @property
    def digest(self) -> Digest:
        """The image's name: the digest of its manifest."""
        return Digest.of(self.manifest)

    def open_layer(self, layer: Layer) -> CheckedBlob:
        """Open a layer's blob, as it is stored (compressed), checked on the way; raises BlobError."""
        return self.blobs.open(layer.descriptor)


def render_manifest(raw_config: bytes, layers: Sequence[Layer], annotations: Mapping[str, str]) -> bytes:
    """Render the manifest of a configuration and layers as canonical JSON."""
    value: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": media_types.MANIFEST,
        "config": Descriptor.of(raw_config, media_types.CONFIG).to_json(),
        "layers": [layer.descriptor.to_json() for layer in layers],
    }
    if annotations:
        value["annotations"] = dict(annotations)
    return render_json(value)


def parse_image(
    raw_config: bytes, descriptors: Sequence[Descriptor], where: str
) -> tuple[ImageConfig, tuple[Layer, ...]]:
    """Read a configuration and pair its diff_ids with the layers' descriptors; raises ImageError."""
    config, diff_ids = parse_config(raw_config, f"the configuration of {where}")
    if len(diff_ids) != len(descriptors):
        raise ImageError(
            f"reading {where}: its configuration names {len(diff_ids)} layers and its manifest "
            f"{len(descriptors)}; make the image again"
        )
    pairs = zip(descriptors, diff_ids, strict=True)
    return config, tuple(Layer(descriptor, diff_id) for descriptor, diff_id in pairs)


def require_media_type(descriptor: Descriptor, expected: str, where: str) -> None:
    """Raise UnsupportedError unless the descriptor is of the expected type."""
    if descriptor.media_type == expected:
        return
    if descriptor.media_type == media_types.INDEX:
        raise UnsupportedError(
            f"reading {where}: {descriptor.digest} is an index of several images, not one; "
            f"export the image of one platform"
        )
    raise UnsupportedError(
        f"reading {where}: {descriptor.digest} is of type {descriptor.media_type!r} where {expected!r} was "
        f"expected; convert the image to OCI"
    )


def read_small(blobs: Blobs, descriptor: Descriptor, where: str) -> bytes:
    """Read a blob of metadata whole and checked; raises ImageError where it is too large to be that."""
    if descriptor.size > MAX_JSON_BYTES:
        raise ImageError(
            f"reading {where}: {descriptor.digest} is said to have {descriptor.size} bytes, more than "
            f"{MAX_JSON_BYTES}; make the image again"
        )
    with blobs.open(descriptor) as blob:
        return b"".join(chunks(blob))
