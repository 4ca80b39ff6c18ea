"""The image to be checked, as found: what `builder.oci` refuses (indexes, mixed media types) is kept to be told.

Opens, and judges nothing; every blob that is read is checked against its digest on the way.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import ImageError, SourceError
from builder.oci import CheckedBlob, Descriptor, FolderBlobs, Image, ImageConfig, Layer, OCIError, media_types
from builder.oci import ImageError as BadImageError
from builder.oci.archive import read_archive
from builder.oci.archive_file import ArchiveFile
from builder.oci.image import Blobs, parse_image, read_small
from builder.oci.index import INDEX_NAME, MARKER_NAME
from builder.oci.jsons import Fields
from builder.oci.manifest import INDEXES
from builder.oci.platform import is_attestation, read_platform

if TYPE_CHECKING:
    from builder.oci.distribution import Pulled

_MAX_DEPTH = 3  # an index that lists indexes; deeper is nobody's image
_MAX_IMAGES = 64  # several times the platforms of any image; each is read whole


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


def is_local(text: str) -> bool:
    """Whether a name is of an image in a folder or a file; any other is a registry's."""
    return text.startswith(("oci:", "tar:"))


def open_subjects(text: str) -> tuple[Subject, ...]:
    """The images that `oci:DIR` or `tar:FILE` names, one for each platform, at least one.

    Raises SourceError for another form, ImageError for no image.
    """
    kind, _, target = text.partition(":")
    if not is_local(text) or not target:
        raise SourceError(
            f"reading the image: {text!r} is neither oci:DIR nor tar:FILE", hint="For example oci:dist/hello."
        )
    try:
        if kind == "oci":
            return _from_layout(text, Path(target))
        return _from_archive(text, Path(target))
    except OCIError as error:
        raise ImageError(f"reading {text}: {error}", hint="Build or fetch the image again.") from error


def pulled_subject(text: str, pulled: "Pulled", store: Blobs) -> Subject:
    """An image that was pulled from a registry into the store, with the media types that the registry has."""
    try:
        manifest = read_small(store, pulled.manifest, text)
        listed = tuple(map(str, pulled.choice.platforms)) if pulled.choice else ()
        return _from_manifest(text, pulled.manifest.media_type, manifest, store, where=text, listed=listed)
    except OCIError as error:
        raise ImageError(f"reading {text}: {error}", hint="Fetch the image again.") from error


def _from_layout(text: str, folder: Path) -> tuple[Subject, ...]:
    where = f"the image layout {str(folder)!r}"
    try:
        index = (folder / INDEX_NAME).read_bytes()
    except OSError as error:
        raise BadImageError(f"reading {where}: {INDEX_NAME}: {error.strerror}; give a folder with a layout") from error
    return _from_index(text, index, FolderBlobs(folder), where)


def _from_archive(text: str, file: Path) -> tuple[Subject, ...]:
    archive = ArchiveFile.index(file)
    if INDEX_NAME in archive and MARKER_NAME in archive:
        return _from_index(text, archive.read_small(INDEX_NAME), archive, archive.where)
    return (replace(Subject.of(read_archive(file), text), types=()),)


def _from_index(
    text: str, index: bytes, blobs: Blobs, where: str, *, depth: int = 0, listed: tuple[str, ...] = ()
) -> tuple[Subject, ...]:
    """Follow a layout's index to its images; the layout's own index, with one entry, is none that Lambda sees."""
    if depth == _MAX_DEPTH:
        raise BadImageError(f"reading {where}: indexes that list indexes, {_MAX_DEPTH} deep; make the image again")
    entries = [(entry, Descriptor.read(entry)) for entry in Fields.parse(index, where).objects("manifests")]
    if depth or len(entries) > 1:
        listed = tuple(f"{_shown_platform(entry)} {found.digest}" for entry, found in entries)
    images = {found.digest: found for entry, found in entries if not is_attestation(entry)}
    if not 0 < len(images) <= _MAX_IMAGES:
        raise BadImageError(f"reading {where}: its index lists {len(images) or 'no'} image{'s' * (len(images) > 1)}")
    subjects: list[Subject] = []
    for found in images.values():
        data = read_small(blobs, found, where)
        if found.media_type in INDEXES:
            subjects += _from_index(text, data, blobs, where, depth=depth + 1, listed=listed)
        else:
            subjects.append(_from_manifest(text, found.media_type, data, blobs, where=where, listed=listed))
    return tuple(subjects)


def _shown_platform(entry: Fields) -> str:
    return str(read_platform(entry) or ("attestation" if is_attestation(entry) else "any platform"))


def _from_manifest(
    text: str, kind: str, manifest: bytes, blobs: Blobs, *, where: str, listed: tuple[str, ...]
) -> Subject:
    fields = Fields.parse(manifest, f"the manifest of {where}")
    config_at = Descriptor.read(fields.inner("config"))
    descriptors = tuple(Descriptor.read(layer) for layer in fields.objects("layers"))
    config, layers = parse_image(read_small(blobs, config_at, where), descriptors, where)
    types = (fields.maybe_text("mediaType") or kind, config_at.media_type, *(one.media_type for one in descriptors))
    return Subject(text, config, layers, lambda layer: blobs.open(layer.descriptor), types, listed)
