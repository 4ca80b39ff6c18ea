"""Blobs that are in memory, and behind them those of an image: all that is pushed of one."""

import io
from collections.abc import Mapping
from pathlib import Path

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.errors import BlobError
from builder.oci.image import Blobs
from builder.oci.streams import CheckedBlob


class HeldBlobs:
    """Gives what is in `held`, and the rest from `behind`."""

    __slots__ = ("_behind", "_held")

    def __init__(self, held: Mapping[Digest, bytes], behind: Blobs | None = None) -> None:
        self._held = held
        self._behind = behind

    def open(self, descriptor: Descriptor) -> CheckedBlob:
        """Open a blob, checked on the way; raises BlobError where it is missing."""
        data = self._held.get(descriptor.digest)
        if data is not None:
            return CheckedBlob(io.BytesIO(data), descriptor, where="memory")
        if self._behind is None:
            raise BlobError(f"reading blob {descriptor.digest}: it is not in memory; this is a mistake of the caller's")
        return self._behind.open(descriptor)

    def maybe_link(self, descriptor: Descriptor, target: Path) -> bool:
        """Nothing in memory can be linked to."""
        del descriptor, target
        return False
