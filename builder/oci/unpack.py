"""Applying an image's layers to a folder, without trusting the image.

Source of the rules: https://github.com/opencontainers/image-spec/blob/v1.0.2/layer.md.

- A file or folder is made with its permission bits, readable by its owner; set-id bits are dropped, the sticky bit
  stays (an image's /tmp needs it). The file's time is kept, so that bytecode stays valid; owners are never changed.
- A symbolic link is made as it is; it is read as inside the image and never followed out of the folder.
- A hard link is made if its target is a file or a link already unpacked.
- `.wh.NAME` removes NAME of lower layers, `.wh..wh..opq` all that lower layers put into the folder; other `.wh..wh.*`
  are aufs bookkeeping and skipped.
- A device, fifo or socket is skipped and listed in the result: making one needs root, and engines bring their own /dev.
- An absolute name, or one with `..`, is refused.

It never runs anything of the image and never reads a file of it again.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder.oci.aside import empty_folder, remove_tree
from builder.oci.entry import WHITEOUT_PREFIX
from builder.oci.errors import ImageError, TargetError, disk_errors
from builder.oci.held_tar import HeldTar
from builder.oci.image import Image
from builder.oci.layer_reader import Budget, LayerReader, Limits
from builder.oci.rootfs import RootFS, split_name
from builder.oci.streams import Source
from builder.oci.tar_reader import Member, TarReader

_WHITEOUT: Final = WHITEOUT_PREFIX.encode()
_OPAQUE: Final = b".wh..wh..opq"
_AUFS: Final = b".wh..wh."


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was done: entries and bytes of tar read, and the names of devices and fifos that were skipped."""

    entries: int
    bytes: int
    skipped: tuple[str, ...]


# Sees each member before it is applied, and passes its content on.
Watch = Callable[[Member, Iterator[bytes]], Iterator[bytes]]


def unpack(image: Image, folder: Path, *, limits: Limits | None = None, watch: Watch | None = None) -> Unpacked:
    """Apply all layers in order to `folder`, which must be missing or empty, and is left so when this fails.

    `watch` sees every member with its content on the way, so that nobody has to read a layer twice. Each
    blob's digest and each layer's diff_id is checked. Raises TargetError for the folder, ImageError (LimitError,
    BlobError) for the image, DiskError for the disk.
    """
    budget = Budget(limits or Limits())
    skipped: list[str] = []
    with _filling(folder, budget) as root:
        for layer in image.layers:
            with image.open_layer(layer) as blob:
                source = LayerReader(blob, layer, budget)
                skipped += _apply(source, f"layer {layer.descriptor.digest}", root=root, budget=budget, watch=watch)
                source.finish()
    return Unpacked(budget.entries, budget.bytes, tuple(skipped))


def unpack_held(tar: HeldTar, folder: Path, *, watch: Watch | None = None) -> None:
    """Apply one layer to `folder`, of the bytes that its diff_id was computed of: nothing is left to check.

    Else as `unpack`.
    """
    budget = Budget(Limits())
    with _filling(folder, budget) as root:
        _apply(tar.open(), f"layer {tar.diff_id}", root=root, budget=budget, watch=watch)


@contextmanager
def _filling(folder: Path, budget: Budget) -> Iterator[RootFS]:
    """Give the folder to apply layers to; it is as it was before if that fails."""
    made = _prepare(folder)
    try:
        with disk_errors("unpacking an image to", folder):
            yield RootFS(os.fsencode(folder.resolve()), budget)
    except BaseException:
        _restore(folder, made=made)
        raise


def _apply(source: Source, where: str, *, root: RootFS, budget: Budget, watch: Watch | None) -> list[str]:
    """Apply one layer's tar; give the names that were skipped."""
    skipped = []
    root.begin_layer()
    tar = TarReader(source, where)
    for member in tar:
        budget.spend_entry()
        content = watch(member, tar.content()) if watch else tar.content()
        if _WHITEOUT in member.name and _whiteout(member.name, root):
            continue
        if member.kind == "special":
            split_name(member.name)
            skipped.append(os.fsdecode(member.name))
        else:
            root.add(member, content)
    return skipped


def _whiteout(name: bytes, root: RootFS) -> bool:
    """Apply a whiteout; say whether the name was one."""
    *parents, last = split_name(name) or [b""]
    if any(part.startswith(_WHITEOUT) for part in parents):
        raise ImageError(f"unpacking {name!r}: a whiteout cannot be a folder; make the image again")
    if not last.startswith(_WHITEOUT):
        return False
    if last == _OPAQUE:
        root.empty(parents)
    elif not last.startswith(_AUFS):
        removed = last.removeprefix(_WHITEOUT)
        if removed in {b"", b".", b".."}:
            raise ImageError(f"unpacking {name!r}: the whiteout names no file; do not trust this image")
        root.remove([*parents, removed])
    return True


def _prepare(folder: Path) -> bool:
    """Make the folder, or see that it is empty; say whether it was made."""
    with disk_errors("unpacking an image to", folder):
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if folder.is_dir() and not any(folder.iterdir()):
                return False
            raise TargetError(
                f"unpacking an image to {str(folder)!r}: it is there and not an empty folder; choose another"
            ) from None
    return True


def _restore(folder: Path, *, made: bool) -> None:
    """Leave the folder as it was: missing or empty."""
    empty_folder(folder)
    if made:
        remove_tree(folder)
