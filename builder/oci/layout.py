"""Image layouts: a folder with `oci-layout`, `index.json` and `blobs/`; the exchange format of OCI tools.

Source: https://github.com/opencontainers/image-spec/blob/v1.0.2/image-layout.md. Read by skopeo, podman,
crane, buildah as `oci:FOLDER`. Writing replaces a layout as a whole and never anything else; reading never
writes.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from builder.oci import media_types
from builder.oci.aside import folder_aside
from builder.oci.blobs import FolderBlobs, blob_path
from builder.oci.descriptor import Descriptor
from builder.oci.digest import ALGORITHM, Digest
from builder.oci.errors import ImageError, TargetError, disk_errors
from builder.oci.files import open_regular
from builder.oci.image import Blobs, Image
from builder.oci.index import INDEX_NAME, MARKER, MARKER_NAME, check_marker, choose_manifest, render_index
from builder.oci.jsons import MAX_JSON_BYTES
from builder.oci.manifest import read_image, render_platforms
from builder.oci.platform import Platform
from builder.oci.streams import chunks, drain

_PARTS: Final = frozenset({MARKER_NAME, INDEX_NAME, "blobs"})


def write_layout(image: Image, folder: Path, *, ref_name: str | None = None) -> None:
    """Write an image as an image layout, in which it is called `ref_name` (such as `latest`).

    A layout or an empty folder is replaced, in one step as far as readers can see; anything else is refused
    with TargetError. Every blob's digest is checked on the way. Blobs of a `BlobStore` become hard links
    where the file system has them. Raises BlobError for a damaged blob, DiskError for the disk; both leave
    what was there.
    """
    _write(folder, [image], render_index(image.descriptor, ref_name=ref_name))


def write_index_layout(images: Sequence[Image], folder: Path, *, ref_name: str | None = None) -> Digest:
    """Write images of several platforms as one layout, in which an index of them is called `ref_name`.

    As `write_layout` otherwise. Gives the index's digest.
    """
    index = render_platforms(images)
    descriptor = Descriptor.of(index, media_types.INDEX)
    _write(folder, images, render_index(descriptor, ref_name=ref_name), {descriptor.digest: index})
    return descriptor.digest


def _write(folder: Path, images: Sequence[Image], index: bytes, more: Mapping[Digest, bytes] | None = None) -> None:
    target = folder.absolute()
    with disk_errors("writing an image layout to", folder):
        target = target.resolve()
        _check_replaceable(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with folder_aside(target) as new:
            (new / "blobs" / ALGORITHM).mkdir(parents=True)
            for image in images:
                _fill(new, image)
            for digest, data in (more or {}).items():
                blob_path(new, digest).write_bytes(data)
            (new / INDEX_NAME).write_bytes(index)
            (new / MARKER_NAME).write_bytes(MARKER)


def _fill(folder: Path, image: Image) -> None:
    places = {blob_path(folder, layer.descriptor.digest): layer.descriptor for layer in image.layers}
    absent = [(place, descriptor) for place, descriptor in places.items() if not place.exists()]  # layers may be shared
    with ThreadPoolExecutor() as pool:  # reading and hashing leave the interpreter to each other
        list(pool.map(lambda one: _place(image.blobs, one[1], one[0]), absent))
    blob_path(folder, image.config_descriptor.digest).write_bytes(image.raw_config)
    blob_path(folder, image.digest).write_bytes(image.manifest)


def _place(blobs: Blobs, descriptor: Descriptor, target: Path) -> None:
    with blobs.open(descriptor) as blob:
        if blobs.maybe_link(descriptor, target):
            drain(blob)
            return
        with target.open("xb") as copy:
            for data in chunks(blob):
                copy.write(data)


def _check_replaceable(target: Path) -> None:
    """Refuse to replace what is neither an empty folder nor an image layout and nothing but that."""
    try:
        found = set(os.listdir(target))  # noqa: PTH208 - names only
    except FileNotFoundError:
        return
    except NotADirectoryError:
        found = {target.name}
    if found and not (MARKER_NAME in found and found <= _PARTS):
        others = sorted(found - _PARTS) or sorted(found)
        raise TargetError(
            f"writing an image layout to {str(target)!r}: it holds {others[0]!r}, no part of a "
            f"layout; choose a new or empty folder"
        )


def read_layout(folder: Path, *, ref_name: str | None = None, platform: Platform | None = None) -> Image:
    """View the image in a layout, or the one called `ref_name` in it; blobs are opened when they are read.

    Of several images of one name, or in an index, the one for the platform is taken. Raises ImageError: not a
    layout, malformed, a blob missing or damaged, several images to choose from.
    """
    where = f"the image layout {str(folder)!r}"
    check_marker(_read_small(folder / MARKER_NAME, where), where)
    manifest = choose_manifest(_read_small(folder / INDEX_NAME, where), where, ref_name=ref_name, platform=platform)
    return read_image(manifest, FolderBlobs(folder), platform=platform, where=where)


def _read_small(path: Path, where: str) -> bytes:
    """Read a file of metadata; one byte more than allowed is enough for the parser to refuse it."""
    try:
        with open_regular(path) as file:
            return file.read(MAX_JSON_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ImageError(
            f"reading {where}: it has no file {path.name!r}; give a folder with an OCI image layout"
        ) from error
    except OSError as error:
        raise ImageError(f"reading {where}: {path.name!r}: {error.strerror}; correct it") from error
