"""The image to be checked, as found: what `builder.oci` refuses (indexes, mixed media types) is kept to be told.

Opens, and judges nothing; every blob that is read is checked against its digest on the way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from builder.errors import ImageError
from builder.image_names import split_local
from builder.oci import CheckedBlob, Descriptor, FolderBlobs, Image, ImageConfig, Layer, OCIError, media_types
from builder.oci import ImageError as BadImageError
from builder.oci.archive import read_archive
from builder.oci.archive_file import ArchiveFile
from builder.oci.image import Blobs, parse_image, read_small
from builder.oci.index import INDEX_NAME, MARKER_NAME
from builder.oci.jsons import Fields
from builder.oci.manifest import INDEXES, MAX_INDEXES, list_blobs, list_images, none_for
from builder.oci.platform import Platform, is_attestation, read_platform


@dataclass(frozen=True, slots=True)
class Subject:
    """One image to check.

    `listed` says what an index on the way to it lists, if there is one; `types` are the media types of manifest,
    configuration and layers, empty where the format has none (`docker save`, whose layers are compressed when they are
    pushed).
    """

    name: str
    config: ImageConfig
    layers: tuple[Layer, ...]
    open_layer: Callable[[Layer], CheckedBlob] = field(repr=False)
    types: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()

    @classmethod
    def of(cls, image: Image, name: str) -> "Subject":
        """An image that `builder.oci` has read or made."""
        types = (media_types.MANIFEST, media_types.CONFIG, *(layer.descriptor.media_type for layer in image.layers))
        return cls(name, image.config, image.layers, image.open_layer, types)


def open_subjects(text: str, platforms: Sequence[Platform] = ()) -> tuple[Subject, ...]:
    """The images that `oci:DIR` or `tar:FILE` names, one for each platform, or those for some; at least one.

    Raises SourceError for another form, ImageError for no image.
    """
    kind, place = split_local(text)
    try:
        return (_from_layout if kind == "oci" else _from_archive)(text, place, platforms)
    except OCIError as error:
        raise ImageError(f"reading {text}: {error}", hint="Build or fetch the image again.") from error


def fetched_subjects(
    text: str, named: Descriptor, store: Blobs, platforms: Sequence[Platform] = ()
) -> tuple[Subject, ...]:
    """The images that a registry's name of an index or an image leads to, fetched into the store. Raises ImageError."""
    try:
        return _Walk(text, store, text, platforms).follow([named])
    except OCIError as error:
        raise ImageError(f"reading {text}: {error}", hint="Name another image, or make this one again.") from error


def _from_layout(text: str, folder: Path, platforms: Sequence[Platform]) -> tuple[Subject, ...]:
    where = f"the image layout {str(folder)!r}"
    try:
        index = (folder / INDEX_NAME).read_bytes()
    except OSError as error:
        raise BadImageError(f"reading {where}: {INDEX_NAME}: {error.strerror}; give a folder with a layout") from error
    return _Walk(text, FolderBlobs(folder), where, platforms).from_layout(index)


def _from_archive(text: str, file: Path, platforms: Sequence[Platform]) -> tuple[Subject, ...]:
    archive = ArchiveFile.index(file)
    walk = _Walk(text, archive, archive.where, platforms)
    if INDEX_NAME in archive and MARKER_NAME in archive:
        return walk.from_layout(archive.read_small(INDEX_NAME))
    return walk.chosen([replace(Subject.of(read_archive(file), text), types=())])


@dataclass(frozen=True, slots=True)
class _Walk:
    """From an index to its images, all or those for some platforms."""

    text: str
    blobs: Blobs
    where: str
    platforms: Sequence[Platform]

    def from_layout(self, index: bytes) -> tuple[Subject, ...]:
        """Begin at a layout's own index, which with one entry is none that Lambda sees."""
        images = list_images(index, self.where, self.platforms)
        several = len(Fields.parse(index, self.where).objects("manifests")) > 1
        return self.follow(images, _shown_entries(index, self.where) if several else ())

    def follow(self, found: Sequence[Descriptor], listed: tuple[str, ...] = ()) -> tuple[Subject, ...]:
        """Read what is pointed at: images, and indexes of more of them."""
        return self.chosen([one for descriptor in found for one in self._behind(descriptor, listed, 0)])

    def chosen(self, found: Sequence[Subject]) -> tuple[Subject, ...]:
        """Those whose configuration says that they are for one of the platforms."""
        offered = [Platform(one.config.os, one.config.architecture, one.config.variant) for one in found]
        fitting = [
            one
            for one, has in zip(found, offered, strict=True)
            if not self.platforms or any(wanted.runs(has) for wanted in self.platforms)
        ]
        if not fitting:
            raise none_for(self.platforms, offered, self.where)
        return tuple(fitting)

    def _behind(self, found: Descriptor, listed: tuple[str, ...], depth: int) -> list[Subject]:
        data = read_small(self.blobs, found, self.where)
        if found.media_type not in INDEXES:
            return [self._image(data, found.media_type, listed)]
        if depth == MAX_INDEXES:
            raise BadImageError(f"reading {self.where}: indexes that list indexes, {depth} deep; make the image again")
        shown = _shown_entries(data, self.where)
        images = list_images(data, self.where, self.platforms)
        return [one for entry in images for one in self._behind(entry, shown, depth + 1)]

    def _image(self, manifest: bytes, kind: str, listed: tuple[str, ...]) -> Subject:
        config_at, descriptors = list_blobs(manifest, self.where)
        config, layers = parse_image(read_small(self.blobs, config_at, self.where), descriptors, self.where)
        named = Fields.parse(manifest, self.where).maybe_text("mediaType") or kind
        types = (named, config_at.media_type, *(one.media_type for one in descriptors))
        return Subject(self.text, config, layers, lambda layer: self.blobs.open(layer.descriptor), types, listed)


def _shown_entries(index: bytes, where: str) -> tuple[str, ...]:
    """What an index lists, attestations too, in words."""
    return tuple(
        f"{read_platform(entry) or ('attestation' if is_attestation(entry) else 'any platform')} "
        f"{Descriptor.read(entry).digest}"
        for entry in Fields.parse(index, where).objects("manifests")
    )
