"""Image archives: one tar that `docker load`, podman and skopeo read, and the archives those tools write.

Ours is both formats in one file: an OCI image layout, and `manifest.json` (Docker's image tarball format 1.2)
pointing at the same blobs, as BuildKit's exporter writes it; each tool takes the half it knows. Reading
prefers the layout; an archive without one is Docker's: its layers are named by their diff_ids, and it becomes
an OCI image on the way.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from builder.oci import media_types
from builder.oci.archive_file import GZIP_MAGIC, ArchiveFile
from builder.oci.aside import pending_file
from builder.oci.blobs import blob_path
from builder.oci.config import parse_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.errors import ImageError, TargetError, disk_errors
from builder.oci.image import Image, parse_image, render_manifest
from builder.oci.index import INDEX_NAME, MARKER, MARKER_NAME, check_marker, choose_manifest, render_index
from builder.oci.jsons import Fields, parse_json, render_json
from builder.oci.manifest import read_image
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.oci.streams import CHUNK_BYTES, CheckedBlob, HashingSink
from builder.oci.tar_writer import TarWriter

_DOCKER_NAME: Final = "manifest.json"
_MAX_LISTED: Final = 10


def write_archive(image: Image, file: Path, *, tag: str | None = None) -> None:
    """Write an image as one tar file for `docker load`, under the name `tag` (such as `demo:1`) if given.

    Equal images give equal bytes. The file appears whole and on the disk, or not at all; a file of that name
    is replaced. Raises UsageError for a tag that is no image name, TargetError for a folder in the way,
    BlobError for a damaged blob, DiskError for the disk.
    """
    reference = None if tag is None else Reference.parse(tag)
    metadata = {
        INDEX_NAME: render_index(image.descriptor, reference=reference),
        MARKER_NAME: MARKER,
        _DOCKER_NAME: _render_docker(image, reference),
        _blob_name(image.digest): image.manifest,
        _blob_name(image.config_descriptor.digest): image.raw_config,
    }
    with disk_errors("writing the image archive", file):
        target = file.resolve()
        if target.exists() and not target.is_file():
            kind = "a folder" if target.is_dir() else "no regular file"
            raise TargetError(f"writing the image archive {str(file)!r}: it is {kind}; name a new file")
        target.parent.mkdir(parents=True, exist_ok=True)
        with pending_file(target) as pending:
            _write(TarWriter(pending.file), image, metadata)
            pending.become(target, durable=True)


def _write(tar: TarWriter, image: Image, metadata: Mapping[str, bytes]) -> None:
    layers = {_blob_name(layer.descriptor.digest): layer.descriptor for layer in image.layers}
    tar.directory("blobs")
    tar.directory(str(Path(_blob_name(image.digest)).parent))
    for name in sorted({*metadata, *layers}):
        if name in metadata:
            tar.data(name, metadata[name])
            continue
        with image.blobs.open(layers[name]) as blob:
            tar.stream(name, blob, size=layers[name].size)


def _render_docker(image: Image, reference: Reference | None) -> bytes:
    entry: dict[str, object] = {
        "Config": _blob_name(image.config_descriptor.digest),
        "RepoTags": [] if reference is None else [reference.familiar],
        "Layers": [_blob_name(layer.descriptor.digest) for layer in image.layers],
    }
    return render_json([entry])


def _blob_name(digest: Digest) -> str:
    return str(blob_path(Path(), digest))


def read_archive(file: Path, *, tag: str | None = None, platform: Platform | None = None) -> Image:
    """View the image in an archive, or the one called `tag` in it; blobs are opened when they are read.

    Reads what `write_archive`, `docker save`, BuildKit and skopeo (`oci-archive:`, `docker-archive:`) write,
    not compressed as a whole. Raises ImageError: no archive of an image, malformed, a blob missing or
    damaged, several images to choose from.
    """
    archive = ArchiveFile.index(file)
    if INDEX_NAME in archive and MARKER_NAME in archive:
        check_marker(archive.read_small(MARKER_NAME), archive.where)
        index = archive.read_small(INDEX_NAME)
        manifest = choose_manifest(index, archive.where, ref_name=tag, platform=platform)
        return read_image(manifest, archive, platform=platform, where=archive.where)
    return _read_docker(archive, tag)


def _read_docker(archive: ArchiveFile, tag: str | None) -> Image:
    """Make an OCI image of Docker's format: its configuration as it is, and a new manifest."""
    entry = _choose_docker(archive, tag)
    raw_config = archive.read_small(entry.text("Config"))
    _, diff_ids = parse_config(raw_config, f"the configuration of {archive.where}")
    names = entry.texts("Layers")
    if len(names) != len(diff_ids):
        raise ImageError(
            f"reading {archive.where}: its configuration names {len(diff_ids)} layers and {_DOCKER_NAME} "
            f"{len(names)}; make the archive again"
        )
    descriptors = [_describe(archive, name, diff_id) for name, diff_id in zip(names, diff_ids, strict=True)]
    config, layers = parse_image(raw_config, descriptors, archive.where)
    blobs = _DockerBlobs(archive, dict(zip((item.digest for item in descriptors), names, strict=True)))
    return Image(config, layers, render_manifest(raw_config, layers, {}), raw_config, blobs)


def _choose_docker(archive: ArchiveFile, tag: str | None) -> Fields:
    where = f"{_DOCKER_NAME} of {archive.where}"
    entries = parse_json(archive.read_small(_DOCKER_NAME), where)
    if not isinstance(entries, list) or not entries:
        raise ImageError(f"reading {where}: expected a list with an image, found {repr(entries)[:100]}")
    images = [Fields(entry, f"{where}[{index}]") for index, entry in enumerate(entries)]
    wanted = None if tag is None else Reference.parse(tag).familiar
    chosen = [image for image in images if wanted is None or wanted in image.texts("RepoTags")]
    if len(chosen) == 1:
        return chosen[0]
    tags = [name for image in images for name in image.texts("RepoTags") or ("unnamed",)]
    raise ImageError(
        f"looking for {'an image' if tag is None else repr(tag)} in {archive.where}: found {len(images)} "
        f"images, {', '.join(tags[:_MAX_LISTED])}; choose one by its tag"
    )


def _describe(archive: ArchiveFile, name: str, diff_id: Digest) -> Descriptor:
    """Describe a layer stored under another name: a plain tar is named by its diff_id, gzip is hashed."""
    with archive.open_member(name) as content:
        start = content.read(len(GZIP_MAGIC))
        if start != GZIP_MAGIC:
            return Descriptor(media_types.LAYER_TAR, diff_id, archive.size(name))
        hashing = HashingSink(_Nowhere())
        hashing.write(start)
        while data := content.read(CHUNK_BYTES):
            hashing.write(data)
    return Descriptor(media_types.LAYER_GZIP, hashing.digest(), hashing.size)


class _Nowhere:
    """A sink for bytes that are only hashed."""

    __slots__ = ()

    def write(self, data: bytes, /) -> None:
        """Forget them."""


class _DockerBlobs:
    """The layers of an archive in Docker's format, found by what `manifest.json` says."""

    __slots__ = ("_archive", "_names")

    def __init__(self, archive: ArchiveFile, names: Mapping[Digest, str]) -> None:
        self._archive = archive
        self._names = names

    def open(self, descriptor: Descriptor) -> CheckedBlob:
        name = self._names.get(descriptor.digest, "")
        return self._archive.open_checked(name, descriptor)

    def maybe_link(self, descriptor: Descriptor, target: Path) -> bool:
        return self._archive.maybe_link(descriptor, target)
