"""`build-image --check IMAGE`: build once more and compare with an image that is there, entry by entry.

What is built for it comes from an empty cache, because a layer taken from the cache proves nothing; packages come from
uv's cache, checked against their hashes. Writes nothing.
"""

import json
from collections.abc import Iterator
from itertools import zip_longest

from builder.errors import CheckError, ImageError
from builder.oci import Image, Layer, OCIError
from builder.oci.snapshot import Stamp, snapshot

SHOWN = 20  # differences listed in the error


def check_same(built: Image, given: Image, *, name: str) -> None:
    """Raise CheckError, with what differs, unless both are the same image. Raises ImageError for a bad one."""
    if built.digest == given.digest:
        return
    try:
        differences = list(compare_images(given, built))
    except OCIError as error:
        raise ImageError(f"reading {name}: {error}", hint="Build or fetch the image again.") from error
    shown = differences[:SHOWN] + ([f"and {len(differences) - SHOWN} more"] if len(differences) > SHOWN else [])
    raise CheckError(
        f"checking {name}: it is {given.digest}, and this build gives {built.digest}",
        hint="Build with the same options from the same files, lock, Python and firkin; SOURCE_DATE_EPOCH counts too.",
        details="\n".join(shown),
    )


def compare_images(before: Image, after: Image) -> Iterator[str]:
    """What differs, in lines: the configuration by key, then each layer by entry. Raises ImageError."""
    yield from _compare_configs(json.loads(before.raw_config), json.loads(after.raw_config))
    alike = True
    for number, (old, new) in enumerate(zip_longest(before.layers, after.layers)):
        if old is None or new is None:
            yield f"layer {number + 1}: only {'the build' if old is None else 'the image'} has it"
        elif old.diff_id != new.diff_id:
            alike = False
            yield from _compare_layers(f"layer {number + 1}", (before, old), (after, new))
        elif old.descriptor.digest != new.descriptor.digest:
            yield f"layer {number + 1}: the same files, compressed by another version of the compressor"
    if alike and before.manifest != after.manifest and before.raw_config == after.raw_config:
        yield "the manifest is written in another form, or has annotations"


def _compare_configs(before: dict[str, object], after: dict[str, object], where: str = "") -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if key in {"rootfs", "history"} and not where:
            continue  # told by the layers
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _compare_configs(old, new, f"{where}{key}.")
        elif old != new:
            yield f"configuration, {where}{key}: {_shown(old)} in the image, {_shown(new)} in the build"


def _shown(value: object) -> str:
    text = "absent" if value is None else json.dumps(value)
    return text if len(text) <= 200 else f"{text[:200]}…"  # noqa: PLR2004  a line of a terminal, or two


def _compare_layers(name: str, before: tuple[Image, Layer], after: tuple[Image, Layer]) -> Iterator[str]:
    old, new = snapshot(*before), snapshot(*after)
    for path in sorted(old.keys() | new.keys()):
        one, other = old.get(path), new.get(path)
        if one is None or other is None:
            yield f"{name}: /{path}: only in {'the build' if one is None else 'the image'}"
        elif one != other:
            yield f"{name}: /{path}: {_difference(one, other)}"
    if old == new and list(old) != list(new):
        yield f"{name}: the same entries in another order"


def _difference(one: Stamp, other: Stamp) -> str:
    if one.kind != other.kind:
        return f"{one.kind} in the image, {other.kind} in the build"
    if one.mode != other.mode:
        return f"mode {one.mode:04o} in the image, {other.mode:04o} in the build"
    if one.size != other.size:
        return f"{one.size} bytes in the image, {other.size} in the build"
    return "another content of the same size" if one.kind == "file" else f"{one.content!r}, now {other.content!r}"
