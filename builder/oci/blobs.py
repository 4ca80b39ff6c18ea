"""Content-addressed blobs in a folder: `blobs/sha256/<hex digits>`, as in every OCI image layout.

Two classes, because trust differs. `FolderBlobs` reads somebody's layout. `BlobStore` is our own cache: it
adds and discards, safely among parallel processes, because a blob appears under its name whole or not at all
and never changes. Reading always checks, so a damaged blob is an error and never a wrong image; for the same
reason `add` does not wait for the disk: what a power failure leaves half-written is found out when it is
read.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from builder.oci.aside import pending_file
from builder.oci.descriptor import Descriptor
from builder.oci.digest import ALGORITHM, Digest
from builder.oci.entry import Entry
from builder.oci.errors import BlobError, disk_errors
from builder.oci.files import FileSource, open_regular, size_of
from builder.oci.held_tar import HeldTar, write_held
from builder.oci.layer import Layer, write_layer
from builder.oci.streams import CheckedBlob, HashingSink, Sink, drain


class FolderBlobs:
    """Reads the blobs of `folder`, which it never changes."""

    __slots__ = ("folder",)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: Digest) -> Path:
        """Give the path a blob has or would have."""
        return blob_path(self.folder, digest)

    def open(self, descriptor: Descriptor) -> CheckedBlob:
        """Open a blob, checked on the way; raises BlobError where it is missing or has another size."""
        path = self.path(descriptor.digest)
        where = repr(str(self.folder))
        try:
            file = open_regular(path)
        except FileNotFoundError as error:
            raise BlobError(
                f"reading blob {descriptor.digest} of {where}: it is missing; make or fetch it again"
            ) from error
        except OSError as error:
            raise BlobError(
                f"reading blob {descriptor.digest} of {where}: {error.strerror}; discard it or correct it"
            ) from error
        if size_of(file) != descriptor.size:
            found = size_of(file)
            file.close()
            raise BlobError(
                f"reading blob {descriptor.digest} of {where}: found {found} instead of {descriptor.size} "
                f"bytes; discard it and make or fetch it again"
            )
        return CheckedBlob(FileSource(file, path), descriptor, where=where)

    def maybe_link(self, descriptor: Descriptor, target: Path) -> bool:
        """Never link into a folder that is somebody else's: a later edit there would change both."""
        del descriptor, target
        return False

    def verify(self, descriptor: Descriptor) -> None:
        """Read a blob to its end; raises BlobError where it is missing, truncated or tampered with."""
        with self.open(descriptor) as blob:
            drain(blob)


class BlobStore(FolderBlobs):
    """A cache of blobs in its own folder, shared by parallel processes; `add` makes the folder."""

    __slots__ = ()

    def add(self, write: Callable[[Sink], object] | bytes, *, media_type: str) -> Descriptor:
        """Store what `write` writes to the sink it is given (or the bytes) under its digest.

        Adding what is there already replaces it, which heals a damaged blob. Raises DiskError, also for an
        OSError of `write`; whatever else that raises passes through, and nothing is stored then.
        """
        if isinstance(write, bytes):
            data = write
            return self.add(lambda sink: sink.write(data), media_type=media_type)
        folder = self.folder / "blobs" / ALGORITHM
        with disk_errors("storing a blob in", self.folder):
            folder.mkdir(parents=True, exist_ok=True)
            with pending_file(folder / "blob") as pending:
                hashing = HashingSink(pending.file)
                write(hashing)
                pending.become(self.path(hashing.digest()), durable=False)
        return Descriptor(media_type, hashing.digest(), hashing.size)

    def add_layer(
        self, entries: Iterable[Entry], *, mtime: int = 0, threads: int | None = None, dense: bool = False
    ) -> Layer:
        """Write entries as a layer into the store; see `write_layer`."""
        return self._add_layer(lambda sink: write_layer(entries, sink, mtime=mtime, threads=threads, dense=dense))

    def add_held(self, tar: HeldTar, *, dense: bool = False) -> Layer:
        """Compress a tar that is in memory into the store: the same layer as `add_layer` of the same entries."""
        return self._add_layer(lambda sink: write_held(tar, sink, dense=dense))

    def _add_layer(self, write: Callable[[Sink], Layer]) -> Layer:
        layers: list[Layer] = []
        self.add(lambda sink: layers.append(write(sink)), media_type="")
        return layers[0]

    def discard(self, digest: Digest) -> None:
        """Remove a blob, damaged or not; nothing happens where it is missing. Raises DiskError."""
        with disk_errors("discarding a blob of", self.folder):
            self.path(digest).unlink(missing_ok=True)

    def maybe_link(self, descriptor: Descriptor, target: Path) -> bool:
        """Link a blob where the file system can; an edit of the target in place would damage the store."""
        try:
            os.link(self.path(descriptor.digest), target, follow_symlinks=False)
        except OSError:  # another file system, none with links, too many links, missing: copying will tell
            return False
        return True


def blob_path(folder: Path, digest: Digest) -> Path:
    """Give the path of a blob in a folder laid out as the specification says."""
    return folder / "blobs" / ALGORITHM / digest.encoded
