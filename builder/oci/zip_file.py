"""Entries as a zip, always the same way, and back: the other archive format, for what takes no images.

Equal entries give equal bytes for the same zlib: sorted, one time (zip's first, 1980), one owner system, permission
bits and nothing else of a file. Links are refused: some unpackers make them files. Nothing of the machine gets in.
What is unpacked is only what was written here.
"""

import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from builder.oci.aside import pending_file
from builder.oci.entry import Entry
from builder.oci.errors import SourceError, UsageError, disk_errors
from builder.oci.files import open_regular
from builder.oci.streams import CHUNK_BYTES

_FIRST_TIME: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
_UNIX: Final = 3  # APPNOTE 4.4.2.2: permission bits are in the upper half of the external attributes
_LEVEL: Final = 6  # as of our layers


def write_zip(entries: Iterable[Entry], file: Path) -> int:
    """Write files as a zip that appears whole or not at all; gives their bytes unpacked.

    Raises UsageError for a link or a name twice, SourceError for a file that cannot be read, DiskError.
    """
    unpacked = 0
    seen: set[str] = set()
    with disk_errors("writing the zip", file), pending_file(file) as pending:
        with zipfile.ZipFile(pending.file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            for entry in sorted(entries, key=lambda entry: entry.path):
                if entry.kind == "symlink" or entry.path in seen:
                    problem = "it is a link" if entry.kind == "symlink" else "it is there twice"
                    raise UsageError(f"writing the zip {str(file)!r}: {entry.path!r}: {problem}")
                seen.add(entry.path)
                unpacked += _add(archive, entry)
        pending.become(file, durable=True)
    return unpacked


def _add(archive: zipfile.ZipFile, entry: Entry) -> int:
    folder = entry.kind == "directory"
    info = zipfile.ZipInfo(entry.path + "/" * folder, _FIRST_TIME)
    info.create_system = _UNIX
    info.compress_type = zipfile.ZIP_STORED if folder else zipfile.ZIP_DEFLATED
    info.external_attr = ((stat.S_IFDIR if folder else stat.S_IFREG) | entry.mode) << 16
    size = 0
    if isinstance(entry.source, bytes):
        archive.writestr(info, entry.source, compresslevel=_LEVEL)
        return len(entry.source)
    try:
        opened = open_regular(entry.source)
    except OSError as error:
        raise SourceError(f"adding {entry.path!r} to a zip: {error.strerror}; build again") from error
    with opened, archive.open(info, "w") as member:
        while data := opened.read(CHUNK_BYTES):
            member.write(data)
            size += len(data)
    return size


def unpack_zip(file: Path, folder: Path) -> None:
    """Unpack a zip that `write_zip` wrote, with its permission bits, into an empty folder. Raises DiskError."""
    with disk_errors("unpacking the zip", file), zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            archive.extract(info, folder)
            (folder / info.filename).chmod(info.external_attr >> 16 & 0o777)
