"""What one layer holds, entry by entry, in a form to compare: to say where two images differ, not only that they do.

Reads a layer once and keeps no content. Times and owners are left out: this library writes one of each.
"""

import hashlib
import os
import posixpath
from dataclasses import dataclass

from builder.oci.image import Image
from builder.oci.layer import Layer
from builder.oci.layer_reader import Budget, LayerReader, Limits
from builder.oci.tar_reader import TarReader


@dataclass(frozen=True, slots=True)
class Stamp:
    """One entry: its kind, permission bits, size (bytes), and its content's SHA-256 or a link's target."""

    kind: str
    mode: int
    size: int
    content: str


def snapshot(image: Image, layer: Layer, *, limits: Limits | None = None) -> dict[str, Stamp]:
    """Path → what is there, of one layer; the last of two entries of a name counts. Raises ImageError."""
    found: dict[str, Stamp] = {}
    with image.open_layer(layer) as blob:
        source = LayerReader(blob, layer, Budget(limits or Limits()))
        tar = TarReader(source, f"layer {layer.descriptor.digest}")
        for member in tar:
            content = os.fsdecode(member.target)
            if member.kind == "file":
                digest = hashlib.sha256()
                for part in tar.content():
                    digest.update(part)
                content = digest.hexdigest()
            name = posixpath.normpath(os.fsdecode(member.name).strip("/") or ".")
            found[name] = Stamp(member.kind, member.mode, member.size, content)
        source.finish()
    return found
