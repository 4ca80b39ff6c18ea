"""The 512-byte header of one tar member: value → bytes. Pure.

Layout: POSIX.1-2017 `pax`, "ustar Interchange Format". Every field that could carry something of the machine
that builds (owner, time, device) is fixed or a parameter. A PAX extended header is written only where a name,
a link target or a size does not fit the ustar fields, and holds nothing but those: times never go there (the
leak of jib#4141).
"""

from typing import Final

from builder.oci.errors import UsageError

BLOCK_BYTES: Final = 512  # POSIX: everything in a tar is a multiple of this

FILE: Final = b"0"
SYMLINK: Final = b"2"
DIRECTORY: Final = b"5"
PAX: Final = b"x"

_NAME_BYTES: Final = 100
_PREFIX_BYTES: Final = 155
_MAX_NUMBER: Final = 8**11 - 1  # eleven octal digits: 8 GiB less one byte, or the year 2242
_PAX_NAME: Final = b"././@PaxHeader"  # the name GNU tar and Python give it
_PAX_MODE: Final = 0o644
_CHECKSUM_AT: Final = 148
_CHECKSUM_BLANK: Final = b" " * 8  # POSIX: the field counts as spaces while summing


def padding(size: int) -> bytes:
    """Zeros that fill up the last block of a content of `size` bytes."""
    return bytes(-size % BLOCK_BYTES)


def render_header(path: str, kind: bytes, *, mode: int, size: int = 0, target: str = "", mtime: int = 0) -> bytes:
    """Give the header of one member, with a PAX header before it if needed: a multiple of 512 bytes.

    `kind` is FILE, SYMLINK or DIRECTORY; `mtime` is seconds since 1970. Raises UsageError for an mtime out of
    range.
    """
    if not 0 <= mtime <= _MAX_NUMBER:
        raise UsageError(
            f"writing {path!r} to a tar: mtime {mtime!r} is outside 0..{_MAX_NUMBER}; pass seconds since 1970"
        )
    full = path + "/" if kind == DIRECTORY else path
    records: dict[str, str] = {}
    prefix, name = _split(full)
    if name is None:
        records["path"] = full
        name = full.encode("ascii", "replace")[:_NAME_BYTES]
    link = target.encode("ascii", "replace")
    if len(link) > _NAME_BYTES or not target.isascii():
        records["linkpath"] = target
        link = link[:_NAME_BYTES]
    if size > _MAX_NUMBER:
        records["size"] = str(size)
    header = _ustar(name, kind, mode=mode, size=0 if "size" in records else size, link=link, mtime=mtime, prefix=prefix)
    if not records:
        return header
    body = b"".join(_pax_record(key, records[key]) for key in sorted(records))
    pax = _ustar(_PAX_NAME, PAX, mode=_PAX_MODE, size=len(body), link=b"", mtime=mtime, prefix=b"")
    return pax + body + padding(len(body)) + header


def _split(path: str) -> tuple[bytes, bytes | None]:
    """Split over ustar's prefix and name fields; the name is None where the path does not fit them."""
    if not path.isascii():
        return b"", None
    raw = path.encode()
    if len(raw) <= _NAME_BYTES:
        return b"", raw
    cut = raw.find(b"/", len(raw) - _NAME_BYTES - 1, len(raw) - 1)
    if cut <= 0 or cut > _PREFIX_BYTES:
        return b"", None
    return raw[:cut], raw[cut + 1 :]


def _ustar(name: bytes, kind: bytes, *, mode: int, size: int, link: bytes, mtime: int, prefix: bytes) -> bytes:
    header = b"".join(
        (
            name.ljust(_NAME_BYTES, b"\0"),
            b"%07o\0" % mode,
            b"0000000\0" * 2,  # uid, gid
            b"%011o\0" % size,
            b"%011o\0" % mtime,
            _CHECKSUM_BLANK,
            kind,
            link.ljust(_NAME_BYTES, b"\0"),
            b"ustar\x0000",
            bytes(64),  # user and group name
            b"0000000\0" * 2,  # device
            prefix.ljust(_PREFIX_BYTES, b"\0"),
            bytes(12),
        )
    )
    checksum = b"%06o\0 " % sum(header)
    return header[:_CHECKSUM_AT] + checksum + header[_CHECKSUM_AT + len(checksum) :]


def _pax_record(key: str, value: str) -> bytes:
    """Give `LENGTH KEY=VALUE` and a newline, where LENGTH counts its own digits too."""
    rest = f" {key}={value}\n".encode()
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest
