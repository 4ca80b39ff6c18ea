"""Manifests and indexes as registries and layouts have them, OCI's and Docker's; either becomes an OCI image.

Sources: https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md and
https://distribution.github.io/distribution/spec/manifest-v2-2/. Docker's schema 2 has the same parts under other
names, so its layers stay as they are and only the manifest is rendered anew. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.errors import ImageError, UnsupportedError
from builder.oci.image import Blobs, Image, parse_image, read_small, render_manifest
from builder.oci.jsons import Fields, render_json
from builder.oci.platform import Platform, is_attestation, maybe_choose, read_platform

DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
_DOCKER_SCHEMA_1: Final = "application/vnd.docker.distribution.manifest.v1"
_DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
INDEXES: Final = frozenset({media_types.INDEX, DOCKER_INDEX})
MANIFESTS: Final = frozenset({media_types.MANIFEST, DOCKER_MANIFEST})
ACCEPTED: Final = ", ".join(sorted(MANIFESTS | INDEXES))

_LAYERS: Final[Mapping[str, str]] = {
    media_types.LAYER_TAR: media_types.LAYER_TAR,
    media_types.LAYER_GZIP: media_types.LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar": media_types.LAYER_TAR,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": media_types.LAYER_GZIP,
}
MAX_INDEXES: Final = 3  # an index that lists indexes; deeper is nobody's image
_MAX_IMAGES: Final = 64  # several times the platforms of any image; who asks for all reads each whole
_SCHEMA: Final = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """The manifest chosen out of an index: `platforms` are all that it offers."""

    manifest: Descriptor
    platform: Platform
    platforms: tuple[Platform, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a manifest names; the layers' types are OCI's."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str]
    is_oci: bool


def type_of(data: bytes, where: str) -> str:
    """Give the media type of a manifest or index by its own account; raises ImageError."""
    fields = Fields.parse(data, where)
    named = fields.maybe_text("mediaType")
    if named is None and "schemaVersion" in fields.names():
        named = media_types.INDEX if "manifests" in fields.names() else media_types.MANIFEST
    known = named in INDEXES | MANIFESTS
    if named and known and fields.size("schemaVersion") == _SCHEMA:
        return named
    if named is None or known or named.startswith(_DOCKER_SCHEMA_1):
        raise UnsupportedError(
            f"reading {where}: it is no manifest of schema 2; push the image again with a newer tool"
        )
    raise UnsupportedError(f"reading {where}: its type is {named[:200]!r}; name an image, OCI's or Docker's")


def choose(index: bytes, wanted: Platform, where: str) -> Choice:
    """Give the image for a platform; raises ImageError, naming what there is."""
    fields = Fields.parse(index, where)
    entries = [(read_platform(entry), Descriptor.read(entry)) for entry in fields.objects("manifests")]
    images = [(platform, found) for platform, found in entries if platform is not None]
    if not images and len(entries) == 1:  # some tools name no platform where there is no choice
        images = [(wanted, entries[0][1])]
    platforms = tuple(platform for platform, _ in images)
    place = maybe_choose(wanted, platforms)
    if place is None:
        raise none_for((wanted,), platforms, where)
    return Choice(images[place][1], platforms[place], platforms)


def list_images(index: bytes, where: str, platforms: Sequence[Platform] = ()) -> tuple[Descriptor, ...]:
    """Give what an index lists, images and further indexes, each once, without attestations; raises ImageError.

    All of them, or those for some platforms, with what names none.
    """
    entries = [entry for entry in Fields.parse(index, where).objects("manifests") if not is_attestation(entry)]
    offered = [(read_platform(entry), Descriptor.read(entry)) for entry in entries]
    fitting = [
        found
        for platform, found in offered
        if not platforms or platform is None or any(wanted.runs(platform) for wanted in platforms)
    ]
    images = tuple({found.digest: found for found in fitting}.values())
    if offered and not images:
        raise none_for(platforms, [platform for platform, _ in offered if platform], where)
    if not 0 < len(images) <= _MAX_IMAGES:
        count = len(images) or "no"
        raise ImageError(
            f"reading {where}: its index lists {count} image{'s' * (count != 1)}; name another, or make it again"
        )
    return images


def none_for(wanted: Sequence[Platform], platforms: Sequence[Platform], where: str) -> ImageError:
    """Give the error that among the platforms on offer is none that is wanted."""
    asked = " or ".join(map(str, wanted))
    offered = ", ".join(sorted({str(platform) for platform in platforms})[:50]) or "none"
    return ImageError(f"looking for {asked} in {where}: it offers {offered}; choose one of these, or another image")


def list_blobs(manifest: bytes, where: str) -> tuple[Descriptor, tuple[Descriptor, ...]]:
    """Give the configuration and the layers that a manifest names, of whatever types; raises ImageError."""
    return _blobs(Fields.parse(manifest, f"the manifest of {where}"))


def _blobs(fields: Fields) -> tuple[Descriptor, tuple[Descriptor, ...]]:
    return Descriptor.read(fields.inner("config")), tuple(map(Descriptor.read, fields.objects("layers")))


def read_parts(manifest: bytes, media_type: str, where: str) -> Parts:
    """Read a manifest; raises UnsupportedError for layers or a configuration that cannot be used."""
    fields = Fields.parse(manifest, where)
    config, found = _blobs(fields)
    if config.media_type not in {media_types.CONFIG, _DOCKER_CONFIG}:
        raise UnsupportedError(
            f"reading {where}: its configuration is of type {config.media_type[:200]!r}; it is no container image"
        )
    layers = tuple(Descriptor(_layer_type(layer, where), layer.digest, layer.size) for layer in found)
    same = all(ours.media_type == theirs.media_type for ours, theirs in zip(layers, found, strict=True))
    is_oci = media_type == media_types.MANIFEST and config.media_type == media_types.CONFIG and same
    return Parts(config, found if is_oci else layers, fields.text_map("annotations"), is_oci)


def _layer_type(layer: Descriptor, where: str) -> str:
    if layer.media_type in _LAYERS:
        return _LAYERS[layer.media_type]
    what = f"reading {where}: layer {layer.digest} is of type {layer.media_type[:200]!r}"
    if "foreign" in layer.media_type or "nondistributable" in layer.media_type:
        raise UnsupportedError(f"{what}, which is kept elsewhere than in registries; choose another image")
    if layer.media_type.endswith("zstd"):
        raise UnsupportedError(f"{what}; convert its layers to gzip, which every platform reads")
    raise UnsupportedError(f"{what}; layers of tar and tar+gzip are known")


def image_of(parts: Parts, manifest: bytes, raw_config: bytes, blobs: Blobs, where: str) -> Image:
    """Make the image: an OCI manifest stays as it is, any other is rendered as one; raises ImageError."""
    config, layers = parse_image(raw_config, parts.layers, where)
    if not parts.is_oci:
        manifest = render_manifest(raw_config, layers, parts.annotations)
    return Image(config, layers, manifest, raw_config, blobs)


def platform_of(image: Image) -> Platform:
    """Give the platform that an image's configuration names."""
    return Platform(image.config.os, image.config.architecture, image.config.variant)


def read_image(descriptor: Descriptor, blobs: Blobs, *, platform: Platform | None, where: str) -> Image:
    """Read the image that a descriptor points at, or, behind an index, the one for a platform.

    Without a platform an index must offer one image alone. Raises ImageError.
    """
    found = descriptor
    for _ in range(MAX_INDEXES):
        if found.media_type not in INDEXES:
            break
        index = read_small(blobs, found, where)
        found = choose(index, platform, where).manifest if platform else _only(index, where)
    if found.media_type != DOCKER_MANIFEST:
        return Image.read(found, blobs, where=where)
    manifest = read_small(blobs, found, where)
    if type_of(manifest, where) != DOCKER_MANIFEST:
        raise ImageError(f"reading {where}: {found.digest} is said to be Docker's and is not; make the image again")
    parts = read_parts(manifest, DOCKER_MANIFEST, where)
    return image_of(parts, manifest, read_small(blobs, parts.config, where), blobs, where)


def render_platforms(images: Iterable[Image]) -> bytes:
    """Render the index of images of several platforms as canonical JSON."""
    entries: list[dict[str, object]] = []
    for image in images:
        config = image.config
        platform = {"architecture": config.architecture, "os": config.os}
        variant = {"variant": config.variant} if config.variant else {}
        entries.append({**image.descriptor.to_json(), "platform": {**platform, **variant}})
    return render_json({"schemaVersion": 2, "mediaType": media_types.INDEX, "manifests": entries})


def _only(index: bytes, where: str) -> Descriptor:
    """The one image in an index."""
    entries = Fields.parse(index, where).objects("manifests")
    images = [(platform, Descriptor.read(entry)) for entry in entries if (platform := read_platform(entry))]
    if len(images) == 1:
        return images[0][1]
    offered = ", ".join(str(platform) for platform, _ in images[:50]) or "none"
    raise ImageError(f"looking for an image in {where}: it is an index for {offered}; name a platform")
