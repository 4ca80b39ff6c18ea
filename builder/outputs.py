"""Where a proven image goes: `oci:DIR`, `tar:FILE`, `docker`, `rootfs:DIR`, `layers:DIR`; and reading the first two.

Every output is written aside and renamed, so what stands under the asked name is whole, whatever happens. Never decides
what is in the image.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from builder.cache import Cache
from builder.disk import advice, disk
from builder.errors import ImageError, OutputError
from builder.image_names import split_local
from builder.interpreter import this_platform
from builder.oci import (
    DiskError,
    Image,
    OCIError,
    Platform,
    Reference,
    TargetError,
    UsageError,
    read_archive,
    read_layout,
    unpack,
    write_archive,
    write_index_layout,
    write_layout,
)
from builder.oci.aside import folder_aside, pending_file
from builder.patterns import exactly
from builder.plan import HISTORY

# What a file begins with that an earlier build may have written, and at which byte: POSIX pax, APPNOTE 4.3.7.
_MAGICS = {"tar": (b"ustar", 257), "zip": (b"PK\x03\x04", 0)}

KINDS = ("oci", "tar", "docker", "rootfs", "layers", "zip")

# What a folder must hold for us to replace it: an image layout, or a root file system that we wrote.
_MARKS = {
    "oci": "oci-layout",
    "rootfs": "var/runtime/bootstrap/__main__.py",
    "layers": "runtime/var/runtime/bootstrap/__main__.py",
}

_ROOT_MODE = 0o755  # of the image's root folder, whatever the umask


@dataclass(frozen=True, slots=True)
class Output:
    """One place to write to; `target` is empty for `docker`."""

    kind: str
    target: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.target}" if self.target else self.kind


def parse_output(text: str, *, origin: str = "--output") -> Output:
    """`oci:DIR` and its kind. Raises OutputError; `origin` says there where the text came from."""
    kind, colon, target = text.partition(":")
    if kind not in KINDS or (kind == "docker") != (not target) or (colon and not target) or "\0" in target:
        raise OutputError(
            f"reading {origin}: {text!r} is none of oci:DIR, tar:FILE, docker, rootfs:DIR, layers:DIR, zip:FILE",
            hint=f"For example -o {_meant(text)}.",
        )
    return Output(kind, target)


def _meant(text: str) -> str:
    """What somebody who named a place without its kind, or the engine with a name, may have meant."""
    if text.startswith("docker:") and text != "docker:":
        return f"docker -t {text.removeprefix('docker:')}"
    if ":" in text or not text.strip("./"):
        return "tar:image.tar"
    return f"{next((kind for kind in ('tar', 'zip') if text.endswith(f'.{kind}')), 'oci')}:{text}"


def parse_reference(text: str, *, origin: str = "--tag") -> tuple[str, str]:
    """The name and tag of `registry/name:tag`, as people type it; the tag is `latest` when absent.

    Raises OutputError.
    """
    try:
        reference = Reference.parse(text)
    except UsageError:
        raise OutputError(
            f"reading {origin}: {text[:300]!r} is no image name",
            hint="Use lower-case letters, digits and separators: name, or registry/name:tag.",
        ) from None
    return reference.familiar.removesuffix(f":{reference.tag}"), reference.tag


def inside(source: Path, outputs: Iterable[Output], documents: Iterable[str] = ()) -> tuple[str, ...]:
    """Patterns, as in .dockerignore, of what is written into the function's folder and is no part of it."""
    top = source.resolve()
    places = [Path(place).resolve() for place in (*(output.target for output in outputs), *documents) if place]
    return tuple(
        exactly(place.relative_to(top).as_posix()) for place in places if place != top and place.is_relative_to(top)
    )


def check_outputs(outputs: Iterable[Output], documents: Iterable[str] = ()) -> None:
    """Refuse early what could not be written later; `documents` are files about the image. Raises OutputError."""
    outputs, documents = tuple(outputs), tuple(documents)
    for output in outputs:
        with disk(f"writing {output}"):
            _check_target(output)
    for document in documents:
        with disk(f"writing {document}"):
            _check_document(Path(document))
    targets = [(str(output), output.target) for output in outputs if output.target]
    targets += [(document, document) for document in documents]
    for (one, target), (other, another) in combinations(targets, 2):
        first, second = Path(target).resolve(), Path(another).resolve()
        if first.is_relative_to(second) or second.is_relative_to(first):
            raise OutputError(
                f"writing {one} and {other}: one would replace the other", hint="Name places apart from each other."
            )


def _check_document(file: Path) -> None:
    if file.is_dir():
        raise OutputError(f"writing {file}: it is a folder", hint="Name a file in it.")
    above = next(folder for folder in file.absolute().parents if folder.exists())
    if not above.is_dir():
        raise OutputError(f"writing {file}: {str(above)!r} is a file, and no folder", hint="Name another place.")


def _check_target(output: Output) -> None:
    target = Path(output.target)
    if output.kind in _MAGICS and target.is_dir():
        raise OutputError(f"writing {output}: {output.target!r} is a folder", hint="Name a file in it.")
    if output.kind in _MAGICS and target.exists() and not _begins_as(target, *_MAGICS[output.kind]):
        what = "image archive" if output.kind == "tar" else "zip"
        raise OutputError(f"writing {output}: {output.target!r} is there and is no {what}", hint="Name a new file.")
    mark = _MARKS.get(output.kind)
    if mark is None or not target.exists():
        return
    if not target.is_dir() or not ((target / mark).is_file() or not any(target.iterdir())):
        what = "an image layout" if output.kind == "oci" else "a root file system written earlier"
        raise OutputError(
            f"writing {output}: {output.target!r} is there and is not {what}", hint="Name a new or empty folder."
        )


def _begins_as(file: Path, magic: bytes, at: int) -> bool:
    """Whether a file is empty or begins so: what an earlier build wrote may be replaced, nothing else."""
    with file.open("rb") as opened:
        head = opened.read(at + len(magic))
    return not head or head[at:] == magic


def write_package(output: Output, package: Path) -> None:
    """Write a deployment package that is in the cache to `zip:FILE`. Raises OutputError."""
    target = Path(output.target)
    with disk(f"writing {output}", otherwise="What stood there before is untouched."):
        target.parent.mkdir(parents=True, exist_ok=True)
        with pending_file(target.resolve()) as pending, package.open("rb") as file:
            shutil.copyfileobj(file, pending.file)
            pending.become(target.resolve(), durable=True)


def write_output(output: Output, image: Image, reference: str, cache: Cache) -> None:
    """Write the image. Raises OutputError or DockerError; then nothing new stands under the target's name."""
    target = Path(output.target)
    with _writing(output):
        match output.kind:
            case "oci":
                write_layout(image, target, ref_name=parse_reference(reference)[1])
            case "tar":
                write_archive(image, target, tag=reference)
            case "rootfs" | "layers":
                _write_folder(output, image)
            case _:
                _load(image, reference, cache)


@contextmanager
def _writing(output: Output) -> Iterator[None]:
    """Give the library's errors as ours."""
    try:
        yield
    except TargetError as error:
        raise OutputError(f"writing {output}: {error}", hint="What stood there before is untouched.") from error
    except DiskError as error:
        hint = f"{advice(error.errno, elsewhere='name another place')} What stood there before is untouched.".lstrip()
        raise OutputError(f"writing {output}: {error}", hint=hint) from error
    except OCIError as error:
        raise OutputError(
            f"writing {output}: {error}", hint="Build again; a damaged cache entry is found and made anew."
        ) from error


def write_index(output: Output, images: Sequence[Image], *, tag: str) -> str:
    """Write images of several platforms as one index, an `oci:` output; gives its digest. Raises OutputError."""
    with _writing(output):
        return str(write_index_layout(images, Path(output.target), ref_name=tag))


def _write_folder(output: Output, image: Image) -> None:
    """The files as a folder: all together, or a folder for each of our layers, as a Dockerfile copies them."""
    target = Path(output.target).resolve()
    check_outputs([Output(output.kind, str(target))])
    parts = {"": image} if output.kind == "rootfs" else _own_layers(image)
    with disk(f"writing {output}", otherwise="What stood there before is untouched."):
        target.parent.mkdir(parents=True, exist_ok=True)
        with folder_aside(target) as fresh:
            for name, part in parts.items():
                unpack(part, fresh / name)
                (fresh / name).chmod(_ROOT_MODE)


def _own_layers(image: Image) -> dict[str, Image]:
    """An image of each layer that this program made, by the layer's name, as the history tells."""
    lines = [entry.created_by for entry in image.config.history if not entry.empty_layer]
    named = [
        (line.removeprefix(HISTORY), layer)
        for line, layer in zip(lines, image.layers, strict=False)
        if line.startswith(HISTORY)
    ]
    if not named:
        raise OutputError("writing layers: another program made this image", hint="Use rootfs:DIR, or --engine oci.")
    return {name: replace(image, layers=(layer,)) for name, layer in named}


def _load(image: Image, reference: str, cache: Cache) -> None:
    from builder.daemon import load

    with cache.scratch() as scratch:
        archive = scratch / "image.tar"
        write_archive(image, archive, tag=reference)
        load(archive, reference, ids={str(image.config_descriptor.digest), str(image.digest)})


def open_image(text: str, platform: str | None = None) -> Image:
    """The image that `oci:DIR` or `tar:FILE` names; of several platforms' the one asked for, else this machine's.

    Raises SourceError for another form, ImageError for a bad image.
    """
    kind, place = split_local(text)
    wanted = Platform.parse(platform or this_platform())
    try:
        return read_layout(place, platform=wanted) if kind == "oci" else read_archive(place, platform=wanted)
    except OCIError as error:
        raise ImageError(f"reading {text}: {error}", hint="Build or fetch the image again.") from error
