"""Reading a tar that nobody vouches for: bytes → members.

Understands what image tools write: ustar, PAX records for name, link and size, GNU long names and base-256
numbers. Everything else is either ignored by name (times in PAX, owners) or refused: sparse files,
multi-volume archives. Bounded by construction: one header, one name, one chunk in memory. It never creates
anything; names are handed on as bytes exactly as found, and are checked by whoever uses them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from builder.oci.errors import ImageError, UnsupportedError
from builder.oci.streams import CHUNK_BYTES, Source
from builder.oci.tar_header import BLOCK_BYTES

MemberKind = Literal["file", "directory", "symlink", "hardlink", "special"]

_KINDS: Final[dict[bytes, MemberKind]] = {
    b"0": "file",
    b"\0": "file",  # before POSIX
    b"7": "file",  # "contiguous": a hint to file systems that nobody has
    b"1": "hardlink",
    b"2": "symlink",
    b"5": "directory",
    b"3": "special",  # character device
    b"4": "special",  # block device
    b"6": "special",  # fifo
}
_PAX: Final = b"x"
_PAX_GLOBAL: Final = b"g"
_GNU_NAME: Final = b"L"
_GNU_LINK: Final = b"K"
_MAX_EXTRA_BYTES: Final = 1024 * 1024  # of one PAX or long name header; Go's archive/tar has the same bound
_MAX_SIZE: Final = 2**63 - 1  # what file systems can address
_BASE_256: Final = 0x80  # GNU: the first bit of a number that is not octal text
_CHECKSUM: Final = slice(148, 156)


@dataclass(frozen=True, slots=True)
class Member:
    """One member as found: raw `name` and link `target`, permission bits, `size` and `mtime` (seconds)."""

    name: bytes
    kind: MemberKind
    mode: int
    size: int
    mtime: int
    target: bytes


class TarReader:
    """Iterates over the members of a tar; `content` gives the current member's bytes.

    `where` names the tar in messages; `skip(n)` moves the source n bytes forward where it can do that without
    reading. Iterating raises ImageError for anything that is no tar; the source's errors pass through.
    """

    __slots__ = ("_left", "_padding", "_skip", "_source", "_where", "position")

    def __init__(self, source: Source, where: str, *, skip: Callable[[int], object] | None = None) -> None:
        self._source = source
        self._where = where
        self._skip = skip
        self._left = 0
        self._padding = 0
        self.position = 0  # bytes of the tar before the current content

    def __iter__(self) -> Iterator[Member]:
        extra: dict[bytes, bytes] = {}
        while header := self._next_header():
            kind = header[156:157]
            size = _number(header[124:136], "size", self._where)
            if kind in {_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK}:
                self._merge(extra, kind, self._extra(size))
                continue
            yield self._member(header, size, extra)
            extra = {}
        if extra:
            raise self._malformed("it ends after an extended header")

    def content(self) -> Iterator[bytes]:
        """Read what is left of the current member, chunk by chunk."""
        while self._left:
            data = self._read(min(self._left, CHUNK_BYTES))
            self._left -= len(data)
            yield data

    def _next_header(self) -> bytes:
        """Give the next header, or nothing at the end of the archive."""
        self._leave_content()
        header = self._source.read(BLOCK_BYTES)
        self.position += len(header)
        if not header:
            return b""  # some writers leave out the two zero blocks
        if len(header) < BLOCK_BYTES:
            header += self._exactly(BLOCK_BYTES - len(header))
        if not header.strip(b"\0"):
            return b""
        found = _number(header[_CHECKSUM], "checksum", self._where)
        if found != sum(header) - sum(header[_CHECKSUM]) + 8 * ord(" "):
            raise self._malformed("a header has a wrong checksum")
        return header

    def _leave_content(self) -> None:
        if self._skip is not None:
            self._skip(self._left + self._padding)
            self.position += self._left + self._padding
        else:
            for _ in self.content():
                pass
            self._exactly(self._padding)
        self._left = self._padding = 0

    def _extra(self, size: int) -> bytes:
        if size > _MAX_EXTRA_BYTES:
            raise self._malformed(f"an extended header of {size} bytes, more than {_MAX_EXTRA_BYTES}")
        data = self._exactly(size)
        self._exactly(-size % BLOCK_BYTES)
        return data

    def _merge(self, extra: dict[bytes, bytes], kind: bytes, data: bytes) -> None:
        """Remember what an extended header says about the next member."""
        if kind == _GNU_NAME:
            extra[b"path"] = data.rstrip(b"\0")
        elif kind == _GNU_LINK:
            extra[b"linkpath"] = data.rstrip(b"\0")
        elif kind == _PAX:
            extra.update(_pax_records(data, self._where))
        elif _pax_records(data, self._where).keys() & {b"path", b"linkpath", b"size"}:
            raise UnsupportedError(f"reading {self._where}: a global header renames all members; repack it")

    def _member(self, header: bytes, size: int, extra: dict[bytes, bytes]) -> Member:
        kind = _KINDS.get(header[156:157])
        if kind is None or any(key.startswith(b"GNU.sparse.") for key in extra):
            raise UnsupportedError(
                f"reading {self._where}: a member of type {header[156:157]!r} is no file, folder or link; "
                f"repack it without sparse files"
            )
        name = extra.get(b"path") or _full_name(header)
        if b"size" in extra:
            size = _decimal(extra[b"size"], self._where)
        if kind == "file" and header[156:157] == b"\0" and name.endswith(b"/"):
            kind = "directory"  # before POSIX
        if kind != "file":
            size = 0  # whatever the field says, no content follows (as Go reads it)
        self._left = size
        self._padding = -size % BLOCK_BYTES
        return Member(
            name=name,
            kind=kind,
            mode=_number(header[100:108], "mode", self._where) & 0o7777,
            size=size,
            mtime=_number(header[136:148], "mtime", self._where, signed=True),
            target=extra.get(b"linkpath") or _text(header[157:257]),
        )

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            parts.append(self._read(min(size, CHUNK_BYTES)))
            size -= len(parts[-1])
        return b"".join(parts)

    def _read(self, size: int) -> bytes:
        data = self._source.read(size)
        if not data:
            raise self._malformed("it ends in the middle of a member")
        self.position += len(data)
        return data

    def _malformed(self, found: str) -> ImageError:
        return ImageError(f"reading {self._where}: {found}; it is damaged or no tar, make it again")


def _full_name(header: bytes) -> bytes:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes, what: str, where: str, *, signed: bool = False) -> int:
    """Read octal text, or GNU's base-256 form."""
    if field[0] & _BASE_256:
        # The first bit only marks the form; the next one is the sign.
        value = int.from_bytes(bytes([(field[0] & 0x7F) | ((field[0] & 0x40) << 1)]) + field[1:], "big", signed=True)
    else:
        text = field.strip(b" \0")
        if text.strip(b"01234567"):
            raise ImageError(
                f"reading {where}: {what} field {field!r} is no octal number; it is damaged or no tar, make it again"
            )
        value = int(text or b"0", 8)
    if (value < 0 and not signed) or value > _MAX_SIZE:
        raise ImageError(f"reading {where}: {what} {value} is out of range; it is damaged, make it again")
    return value


def _decimal(text: bytes, where: str) -> int:
    if text.isdigit() and len(text) <= len(str(_MAX_SIZE)) and int(text) <= _MAX_SIZE:
        return int(text)
    raise ImageError(f"reading {where}: {text[:40]!r} in a PAX header is no size; it is damaged, make it again")


def _pax_records(data: bytes, where: str) -> dict[bytes, bytes]:
    """Read lines of `LENGTH KEY=VALUE`, where LENGTH counts the whole line."""
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        length = _decimal(data[at:space] if space > 0 else b"?", where)
        key, equals, value = data[space + 1 : at + length - 1].partition(b"=")
        end = at + length
        if not equals or end > len(data) or data[end - 1 : end] != b"\n" or b"\0" in key:
            raise ImageError(
                f"reading {where}: malformed PAX record {data[at : at + 40]!r}; it is damaged, make it again"
            )
        records[key] = value
        at = end
    return records
