"""Where a proven image goes: `oci:DIR`, `tar:FILE`, `docker`, `rootfs:DIR`.

Every output is written aside and renamed, so what stands under the asked name is whole, whatever happens. Never decides
what is in the image.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from builder.cache import Cache, disk
from builder.errors import OutputError, SourceError
from builder.oci import DiskError, Image, OCIError, TargetError, unpack, write_archive, write_layout

KINDS = ("oci", "tar", "docker", "rootfs")

# What a folder must hold for us to replace it: it is a root file system that we wrote.
_ROOTFS_MARK = "var/runtime/bootstrap/__main__.py"

# The grammar of references, without a digest: github.com/distribution/reference. Names and tags stay printable and bounded.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Output:
    """One place to write to; `target` is empty for `docker`."""

    kind: str
    target: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.target}" if self.target else self.kind


def parse_output(text: str) -> Output:
    """`oci:DIR` and its kind. Raises OutputError."""
    kind, _, target = text.partition(":")
    if kind not in KINDS or (kind == "docker") != (not target):
        raise OutputError(
            f"reading --output {text!r}: it is none of oci:DIR, tar:FILE, docker, rootfs:DIR",
            hint="For example -o tar:image.tar.",
        )
    return Output(kind, target)


def parse_reference(text: str) -> tuple[str, str]:
    """The name and tag of `repository/name:tag`; the tag is `latest` when absent. Raises OutputError."""
    found = _REFERENCE.fullmatch(text)
    if not found or len(found["name"]) > 255:  # noqa: PLR2004 - the reference grammar's own limit
        raise OutputError(
            f"reading --tag {text!r}: it is no image name",
            hint="Use lower-case letters, digits and separators: name, or registry/name:tag.",
        )
    return found["name"], found["tag"] or "latest"


def inside(source: Path, outputs: Iterable[Output]) -> tuple[str, ...]:
    """The outputs that lie in the function's folder, as paths relative to it: they are no part of the function."""
    top = source.resolve()
    places = (Path(output.target).resolve() for output in outputs if output.target)
    return tuple(str(place.relative_to(top)) for place in places if place != top and place.is_relative_to(top))


def check_outputs(outputs: Iterable[Output]) -> None:
    """Refuse early what could not be written later. Raises OutputError."""
    for output in outputs:
        target = Path(output.target)
        if output.kind == "rootfs" and target.exists() and not _replaceable(target):
            raise OutputError(
                f"writing {output}: {target} is not a root file system written earlier",
                hint="Name a new or empty folder.",
            )


def write_output(output: Output, image: Image, reference: str, cache: Cache) -> None:
    """Write the image. Raises OutputError or DockerError; then nothing new stands under the target's name."""
    try:
        match output.kind:
            case "oci":
                write_layout(image, Path(output.target), ref_name=parse_reference(reference)[1])
            case "tar":
                write_archive(image, Path(output.target), tag=reference)
            case "rootfs":
                _write_rootfs(image, Path(output.target))
            case _:
                _load(image, reference, cache)
    except (TargetError, DiskError) as error:
        raise OutputError(f"writing {output}: {error}", hint="What stood there before is untouched.") from error
    except OCIError as error:
        raise OutputError(
            f"writing {output}: {error}", hint="Build again; a damaged cache entry is found and made anew."
        ) from error


def _replaceable(folder: Path) -> bool:
    return folder.is_dir() and ((folder / _ROOTFS_MARK).is_file() or not any(folder.iterdir()))


def _write_rootfs(image: Image, folder: Path) -> None:
    check_outputs([Output("rootfs", str(folder))])
    with disk(f"writing rootfs:{folder}"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            fresh = aside / "fresh"
            fresh.mkdir(mode=0o755)
            unpack(image, fresh)
            if folder.exists():
                os.rename(folder, aside / "old")  # noqa: PTH104 - the atomic half of a replacement
            os.rename(fresh, folder)  # noqa: PTH104 - same
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _load(image: Image, reference: str, cache: Cache) -> None:
    from builder.daemon import load

    with cache.scratch() as scratch:
        archive = scratch / "image.tar"
        write_archive(image, archive, tag=reference)
        load(archive, reference, image_id=str(image.config_descriptor.digest))


def open_image(text: str) -> Image:
    """The image that `oci:DIR` or `tar:FILE` names. Raises ImageError (in the builder's own tree)."""
    from builder.errors import ImageError
    from builder.oci import read_archive, read_layout

    kind, _, target = text.partition(":")
    if kind not in ("oci", "tar") or not target:
        raise SourceError(
            f"reading the image: {text!r} is neither oci:DIR nor tar:FILE", hint="For example oci:dist/hello."
        )
    try:
        return read_layout(Path(target)) if kind == "oci" else read_archive(Path(target))
    except OCIError as error:
        raise ImageError(f"reading {text}: {error}", hint="Build or fetch the image again.") from error
