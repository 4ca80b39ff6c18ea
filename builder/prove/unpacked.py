"""An image's files as folders here, kept in the cache: one for what it is built on, one for each of our layers.

So a small change costs a small unpacking, and a base is unpacked once. Never runs anything.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from builder.cache import ELSEWHERE, Cache, key_of
from builder.disk import advice
from builder.errors import ImageError, OutputError
from builder.oci import (
    Blobs,
    Digest,
    DiskError,
    HeldTar,
    Image,
    ImageConfig,
    Layer,
    OCIError,
    Watch,
    unpack,
    unpack_held,
)
from builder.plan import HISTORY

FOLDER_MODE = 0o755  # of what any uid must pass, whatever the umask
TEMPORARY_MODE = 0o1777

_KIND = "layers"  # of trees in the cache


def unpacked(image: Image, cache: Cache, known: Mapping[str, Path] | None = None) -> list[Path]:
    """Folders that hold the unpacked image, bottom first: one for the layers of others, one for each of ours.

    Ours never delete what a lower one holds; `known` are what `unpacked_layers` gave for some of them. Raises
    ImageError, and OutputError for the disk.
    """
    known = known or {}
    own = _own_layers(image)
    below = image.layers[: len(image.layers) - own]
    ours = image.layers[len(below) :]
    trees = [_tree(image, below, cache)] if below or not ours else []
    trees += [known.get(str(layer.diff_id)) or _tree(image, (layer,), cache) for layer in ours]
    # A layer that comes twice, as in an image built on one of ours, covers itself; an overlay takes a folder once.
    return list(dict.fromkeys(reversed(trees)))[::-1]


def unpacked_layers(layers: Iterable[Layer], blobs: Blobs, cache: Cache) -> dict[str, Path]:
    """The folders of layers of ours by their diff_id, without an image. Raises as `unpacked`."""
    return {str(layer.diff_id): _tree(_alone(layer, blobs), (layer,), cache) for layer in layers}


def unpacked_base(image: Image, cache: Cache) -> Path:
    """The folder that holds all of an image that something is built on: what `unpacked` gives for it later."""
    return _tree(image, image.layers, cache)


def unpack_layer(layer: Layer, blobs: Blobs, cache: Cache, *, watch: Watch) -> bool:
    """Unpack one of our layers before its image is there, for `unpacked` to find; `watch` sees what is unpacked.

    Gives whether it was done: a layer that was unpacked before is left alone. Raises ImageError, and OutputError for
    the disk.
    """
    alone = _alone(layer, blobs)
    return _is_filled(layer.diff_id, cache, lambda folder: unpack(alone, folder, watch=watch))


def unpack_tar(tar: HeldTar, cache: Cache, *, watch: Watch) -> bool:
    """As `unpack_layer`, of a layer that is in memory, whether or not its blob is written yet.

    The tree is made of the very bytes that were hashed for the diff_id which the image's configuration names, and which
    are compressed into its blob: it is what was written, as much as if it were read again.
    """
    return _is_filled(tar.diff_id, cache, lambda folder: unpack_held(tar, folder, watch=watch))


def _is_filled(diff_id: Digest, cache: Cache, fill: Callable[[Path], object]) -> bool:
    filled: list[Path] = []

    def fill_once(folder: Path) -> None:
        with _told():
            fill(folder)
        filled.append(folder)

    cache.tree(_KIND, diff_id.encoded, fill_once)
    return bool(filled)


def _alone(layer: Layer, blobs: Blobs) -> Image:
    return Image.assemble(ImageConfig(architecture=""), [layer], blobs=blobs)


def _own_layers(image: Image) -> int:
    """How many of the uppermost layers are ours, as the history tells."""
    history = [entry for entry in image.config.history if not entry.empty_layer]
    if len(history) != len(image.layers):
        return 0
    others = [index for index, entry in enumerate(history) if not entry.created_by.startswith(HISTORY)]
    return len(history) - (others[-1] + 1 if others else 0)


def _tree(image: Image, layers: tuple[Layer, ...], cache: Cache) -> Path:
    part = replace(image, layers=layers)
    key = layers[0].diff_id.encoded if len(layers) == 1 else key_of("tree", [str(layer.diff_id) for layer in layers])

    def fill(folder: Path) -> None:
        with _told():
            unpack(part, folder)

    return cache.tree(_KIND, key, fill)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what goes wrong in unpacking as the errors of this program."""
    try:
        yield
    except DiskError as error:
        hint = advice(error.errno, elsewhere=ELSEWHERE) or "Nothing was left half-written."
        raise OutputError(str(error), hint=hint) from error
    except OCIError as error:
        raise ImageError(f"reading the image: {error}", hint="Build or fetch the image again.") from error


def complete(layers: Iterable[Path], root: Path, *, place: Callable[[str, str], object]) -> Path:
    """Make `root` one folder with all of the layers, upper ones in front. `place(source, target)` brings one file."""
    root.mkdir()
    root.chmod(FOLDER_MODE)
    for layer in layers:
        _join(str(layer), str(root), place)
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(TEMPORARY_MODE)
    return root


def _join(source: str, target: str, place: Callable[[str, str], object]) -> None:
    """Put all that is in one real folder into another, as a layer over a lower one.

    A layer could bring a link out of the image, and the next a file of that name: what is not a folder in both is
    taken away first, so nothing is written through it.
    """
    with os.scandir(source) as entries:
        for entry in entries:
            there = f"{target}/{entry.name}"
            folder = entry.is_dir(follow_symlinks=False)
            if os.path.lexists(there) and not (folder and os.path.isdir(there) and not os.path.islink(there)):  # noqa: PTH112, PTH114 - texts, as scandir gives them, thousands of times
                _remove(there)
            if folder:
                if not os.path.lexists(there):
                    os.mkdir(there)  # noqa: PTH102 - same
                    shutil.copymode(entry.path, there)
                _join(entry.path, there, place)
            elif entry.is_symlink():
                os.symlink(os.readlink(entry.path), there)  # noqa: PTH115, PTH211 - same
            else:
                place(entry.path, there)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 - same
        shutil.rmtree(path)
    else:
        os.unlink(path)  # noqa: PTH108 - same
