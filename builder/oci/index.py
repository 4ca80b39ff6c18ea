"""What stands at the top of an image layout, in a folder or in an archive: `oci-layout` and `index.json`.

Source: https://github.com/opencontainers/image-spec/blob/v1.0.2/image-layout.md. Pure: values ↔ bytes, and
the choice of the one image that is meant. It never follows an index to other indexes.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.errors import ImageError, UnsupportedError, UsageError
from builder.oci.jsons import Fields, render_json
from builder.oci.platform import Platform, maybe_choose, read_platform
from builder.oci.reference import Reference

MARKER_NAME: Final = "oci-layout"
INDEX_NAME: Final = "index.json"
MARKER: Final = render_json({"imageLayoutVersion": "1.0.0"})
REF_NAME: Final = "org.opencontainers.image.ref.name"  # image-spec annotations.md; skopeo selects by it
_CONTAINERD_NAME: Final = "io.containerd.image.name"  # Docker's containerd store names a loaded image by it
_MAX_LISTED = 10


def render_index(manifest: Descriptor, *, ref_name: str | None = None, reference: Reference | None = None) -> bytes:
    """Render the index of a layout with one image, under a name of the caller's or a whole reference."""
    annotations = {}
    if reference is not None:
        annotations = {REF_NAME: reference.tag, _CONTAINERD_NAME: str(reference)}
    if ref_name is not None:
        if not ref_name or not ref_name.isprintable():
            raise UsageError(f"naming an image in a layout: {ref_name!r} is no name; use one like 'latest'")
        annotations[REF_NAME] = ref_name
    entry = replace(manifest, annotations=annotations)
    return render_json({"schemaVersion": 2, "mediaType": media_types.INDEX, "manifests": [entry.to_json()]})


def check_marker(data: bytes, where: str) -> None:
    """Raise ImageError unless this is an `oci-layout` file of version 1."""
    version = Fields.parse(data, f"{MARKER_NAME} of {where}").text("imageLayoutVersion")
    if not version.startswith("1."):
        raise UnsupportedError(f"reading {where}: image layout version {version!r}; convert it to version 1.0.0")


def choose_manifest(
    index: bytes, where: str, *, ref_name: str | None = None, platform: Platform | None = None
) -> Descriptor:
    """Give the one image in an index, or the one called `ref_name`; else raises ImageError naming them.

    Where several are left and their platforms are told, the one for `platform` is meant.
    """
    fields = Fields.parse(index, f"{INDEX_NAME} of {where}")
    entries = fields.objects("manifests")
    found = [Descriptor.read(entry) for entry in entries]
    named = [entry for entry in found if ref_name in {None, *_names(entry)}]
    if platform and len({entry.digest for entry in named}) > 1:
        told = [(read_platform(fields), entry) for fields, entry in zip(entries, found, strict=True) if entry in named]
        offered = [(one, entry) for one, entry in told if one]
        place = maybe_choose(platform, [one for one, _ in offered])
        named = named if place is None else [offered[place][1]]
    if len({entry.digest for entry in named}) == 1:
        return named[0]
    wanted = "an image" if ref_name is None else f"the image {ref_name!r}"
    if not named:
        raise ImageError(f"looking for {wanted} in {where}: found {_listed(found)}; choose one that is there")
    raise ImageError(f"looking for {wanted} in {where}: found several, {_listed(named)}; choose one by name")


def _names(entry: Descriptor) -> tuple[str, ...]:
    """Give all that people may call an image by, the most common first."""
    names = []
    whole = entry.annotations.get(_CONTAINERD_NAME)
    if whole is not None:
        with suppress(UsageError):
            names.append(Reference.parse(whole).familiar)
        names.append(whole)
    if REF_NAME in entry.annotations:
        names.append(entry.annotations[REF_NAME])
    return tuple(names)


def _listed(entries: Iterable[Descriptor]) -> str:
    texts = [f"{(_names(entry) or ('unnamed',))[0]!r} ({entry.digest})" for entry in entries]
    more = f" and {len(texts) - _MAX_LISTED} more" if len(texts) > _MAX_LISTED else ""
    return (", ".join(texts[:_MAX_LISTED]) or "none") + more
