"""Random access to the members of a tar file: an archive somebody made, seen as a folder of blobs.

Opening reads the headers only and remembers where each content is. Names are keys in a dictionary and never
become paths, so a name cannot lead anywhere.
"""

import io
import os
import posixpath
from pathlib import Path
from typing import Final, Self

from builder.oci.descriptor import Descriptor
from builder.oci.digest import ALGORITHM
from builder.oci.errors import BlobError, ImageError, LimitError, UnsupportedError
from builder.oci.files import FileSource, open_regular
from builder.oci.jsons import MAX_JSON_BYTES
from builder.oci.streams import CheckedBlob
from builder.oci.tar_reader import TarReader

_MAX_MEMBERS: Final = 20_000  # an image has at most 127 layers, and `docker save` packs some 4 members for each
GZIP_MAGIC: Final = b"\x1f\x8b"  # RFC 1952


class ArchiveFile:
    """The members of the tar at `path`, which it opens for each blob and otherwise keeps closed."""

    __slots__ = ("_links", "_members", "path", "where")

    def __init__(self, path: Path, members: dict[str, tuple[int, int]], links: dict[str, str]) -> None:
        self.path = path
        self.where = f"the image archive {str(path)!r}"
        self._members = members  # name → where its content starts, and its size
        self._links = links

    @classmethod
    def index(cls, path: Path) -> Self:
        """Read the headers of a tar; raises ImageError."""
        where = f"the image archive {str(path)!r}"
        members: dict[str, tuple[int, int]] = {}
        links: dict[str, str] = {}
        with _open(path, where) as file:
            if file.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
                raise UnsupportedError(f"reading {where}: it is compressed with gzip; decompress it first")
            file.seek(0)
            tar = TarReader(FileSource(file, path), where, skip=lambda count: file.seek(count, os.SEEK_CUR))
            for count, member in enumerate(tar):
                if count >= _MAX_MEMBERS:
                    raise LimitError(f"reading {where}: more than {_MAX_MEMBERS} members; this is no image")
                name = posixpath.normpath(os.fsdecode(member.name))
                if member.kind == "file":
                    members[name] = (tar.position, member.size)
                elif member.kind in {"symlink", "hardlink"}:
                    target = os.fsdecode(member.target)
                    base = posixpath.dirname(name) if member.kind == "symlink" else ""
                    links[name] = posixpath.normpath(posixpath.join(base, target))
        return cls(path, members, links)

    def __contains__(self, name: str) -> bool:
        return self._resolve(name) in self._members

    def size(self, name: str) -> int:
        """Give the size of a member's content in bytes; raises ImageError where it is missing."""
        return self._find(name)[1]

    def read_small(self, name: str) -> bytes:
        """Read a member of metadata whole; raises ImageError where it is missing or large."""
        size = self.size(name)
        if size > MAX_JSON_BYTES:
            raise ImageError(
                f"reading {self.where}: {name!r} has {size} bytes, more than {MAX_JSON_BYTES}; make the archive again"
            )
        with self.open_member(name) as content:
            return b"".join(iter(lambda: content.read(MAX_JSON_BYTES), b""))

    def open_member(self, name: str) -> "MemberSource":
        """Open a member's content, unchecked; raises ImageError where it is missing."""
        position, size = self._find(name)
        file = _open(self.path, self.where)
        file.seek(position)
        return MemberSource(FileSource(file, self.path), size)

    def open(self, descriptor: Descriptor) -> CheckedBlob:
        """Open a blob of an image layout, checked on the way; raises BlobError where it is missing."""
        return self.open_checked(f"blobs/{ALGORITHM}/{descriptor.digest.encoded}", descriptor)

    def open_checked(self, name: str, descriptor: Descriptor) -> CheckedBlob:
        """Open the member that is a blob under another name, checked on the way."""
        if name not in self:
            raise BlobError(f"reading blob {descriptor.digest} of {self.where}: it is missing; make the archive again")
        return CheckedBlob(self.open_member(name), descriptor, where=self.where)

    def maybe_link(self, descriptor: Descriptor, target: Path) -> bool:
        """Never: a part of a file cannot be linked."""
        del descriptor, target
        return False

    def _resolve(self, name: str) -> str:
        """Follow one link: `docker save` writes a layer used twice as a link to the first one."""
        return self._links.get(name, name)

    def _find(self, name: str) -> tuple[int, int]:
        found = self._members.get(self._resolve(name))
        if found is None:
            raise ImageError(f"reading {self.where}: it has no file {name!r}; make the archive again")
        return found


class MemberSource:
    """The next `size` bytes of a file, as a source that closes it."""

    __slots__ = ("_file", "_left")

    def __init__(self, file: FileSource, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int, /) -> bytes:
        """Give up to `size` bytes, or none at the end of the member or of a truncated file."""
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(path: Path, where: str) -> io.FileIO:
    try:
        return open_regular(path)
    except OSError as error:
        raise ImageError(f"reading {where}: {error.strerror}; give a file made by `docker save`") from error
