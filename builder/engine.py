"""`--engine docker`: the Plan built by a Docker Engine out of the rendered Dockerfile, and read back as an image.

The engine gets a context with a folder for each layer, written by the one archive writer, and its log is shown while it
works. What it made is taken out again, so that it is proven, checked and written like any other image: what ships is
what the engine built. Decides nothing about what is in the image; the Plan does.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from builder.assemble import Assembled, Packer
from builder.bases.fetch import stored
from builder.cache import ELSEWHERE, Cache
from builder.console import Console
from builder.daemon import build_context, load, save
from builder.disk import disk
from builder.dockerfile import SCRATCH, render_dockerfile
from builder.errors import DockerError
from builder.layer_writer import AssembledLayer
from builder.oci import Entry, OCIError, read_archive, write_archive, write_tar
from builder.prepared import Prepared

if TYPE_CHECKING:
    from builder.oci import Image

_BASE_NAME = "firkin-base"  # the repository under which a base is given to the engine


def assemble_by_engine(prepared: Prepared, cache: Cache, console: Console) -> Assembled:
    """The image of what was prepared, as the engine builds it; also under its name in the engine.

    Raises DockerError, and what packing the files raises.
    """
    started = time.monotonic()
    packer = Packer(prepared.plan, prepared.interpreter, prepared.compiler, cache)
    with cache.scratch() as scratch:
        text = render_dockerfile(
            prepared.plan,
            prepared.config,
            reference=prepared.reference,
            python=prepared.interpreter.full_version,
            prepared=True,
            base=_base_in_engine(prepared, scratch),
        )
        with _context(packer, text, scratch) as context:
            image_id = build_context(
                context, prepared.reference, platform=f"linux/{prepared.plan.architecture}", say=console.say
            )
        archive = scratch / "image.tar"
        save(image_id, archive)
        try:
            image = stored(read_archive(archive), cache)
        except OCIError as error:
            raise DockerError(
                f"reading what the Docker Engine built: {error}", hint="See the engine's log, or use --engine oci."
            ) from error
    return Assembled(image, _described(image, prepared, time.monotonic() - started))


def _base_in_engine(prepared: Prepared, scratch: Path) -> str:
    """What FROM names: nothing, or the base under a name of its digest, put into the engine so that it is this one."""
    base = prepared.base
    if base is None or not base.kept:
        return SCRATCH
    name = f"{_BASE_NAME}:{base.image.config_descriptor.digest.encoded[:24]}"
    archive = scratch / "base.tar"
    write_archive(base.image, archive, tag=name)
    load(archive, name, ids={str(base.image.config_descriptor.digest), str(base.image.digest)})
    archive.unlink()
    return name


@contextmanager
def _context(packer: Packer, dockerfile: str, scratch: Path) -> Iterator[BinaryIO]:
    """The build context as a tar in an anonymous file: the Dockerfile, and a folder for each layer."""
    with tempfile.TemporaryFile(dir=scratch) as file, disk("writing the build context", elsewhere=ELSEWHERE):
        with packer.packed() as layers:
            entries = [replace(entry, path=f"{name}/{entry.path}") for name, found in layers.items() for entry in found]
            folders = [Entry.directory(name) for name, found in layers.items() if not found]
            write_tar([Entry.file("Dockerfile", dockerfile.encode()), *folders, *entries], file)
        file.seek(0)
        yield file


def _described(image: "Image", prepared: Prepared, seconds: float) -> tuple[AssembledLayer, ...]:
    """The layers under the names of the plan: the engine makes one for each COPY, above those of the base."""
    planned = prepared.plan.layers
    below = len(image.layers) - len(planned)
    names = [f"base {number + 1}" for number in range(below)] + [layer.name for layer in planned]
    counts = [0] * below + [len(layer.files) for layer in planned]
    return tuple(
        AssembledLayer(name, layer, cached=False, seconds=seconds if number == below else 0.0, files=count)
        for number, (name, layer, count) in enumerate(zip(names, image.layers, counts, strict=False))
    )
