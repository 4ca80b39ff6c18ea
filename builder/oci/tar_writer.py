"""The only archive writer: whatever becomes a tar in this project is written here, and always the same way.

Equal entries give equal bytes: sorted, parents before children, one owner, one time. Nothing of the machine
gets in: no environment, umask, locale, clock or directory order. Contents are streamed, so memory stays flat.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from builder.oci.entry import Entry
from builder.oci.errors import SourceError, UsageError
from builder.oci.files import open_regular, size_of
from builder.oci.streams import CHUNK_BYTES, Sink, Source
from builder.oci.tar_header import (
    BLOCK_BYTES,
    DIRECTORY,
    FILE,
    SYMLINK,
    padding,
    render_header,
)

_END: Final = bytes(2 * BLOCK_BYTES)  # POSIX: two zero blocks end an archive


class TarWriter:
    """Writes one tar to a sink, member by member in the caller's order; `close` writes its end.

    `mtime` (seconds since 1970) is the time of every member. Use `write_tar` for entries: it sorts them.
    """

    __slots__ = ("_mtime", "_sink")

    def __init__(self, sink: Sink, *, mtime: int = 0) -> None:
        self._sink = sink
        self._mtime = mtime

    def directory(self, path: str, *, mode: int = 0o755) -> None:
        """Write a directory."""
        self._sink.write(render_header(path, DIRECTORY, mode=mode, mtime=self._mtime))

    def symlink(self, path: str, *, target: str, mode: int = 0o777) -> None:
        """Write a symbolic link."""
        self._sink.write(render_header(path, SYMLINK, mode=mode, target=target, mtime=self._mtime))

    def data(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        """Write a file whose content is in memory."""
        self._sink.write(render_header(path, FILE, mode=mode, size=len(data), mtime=self._mtime))
        self._sink.write(data)
        self._sink.write(padding(len(data)))

    def stream(self, path: str, source: Source, *, size: int, mode: int = 0o644) -> None:
        """Write a file from a source that must give exactly `size` bytes; else raises SourceError."""
        self._sink.write(render_header(path, FILE, mode=mode, size=size, mtime=self._mtime))
        left = size
        while left and (data := source.read(min(left, CHUNK_BYTES))):
            self._sink.write(data)
            left -= len(data)
        if left or source.read(1):
            found = f"it ended {left} bytes early" if left else "it has grown"
            raise SourceError(
                f"writing {path!r} to a tar: the file had {size} bytes, then {found}; "
                f"let nothing write to it while it is packed"
            )
        self._sink.write(padding(size))

    def close(self) -> None:
        """Write the end of the archive; the sink stays open."""
        self._sink.write(_END)


def write_tar(entries: Iterable[Entry], sink: Sink, *, mtime: int = 0) -> None:
    """Write entries as one tar: parents added (0755) and first, sorted by path, every time `mtime` (seconds).

    Raises UsageError for entries that contradict each other, SourceError for a source file that is missing,
    no regular file or changing.
    """
    writer = TarWriter(sink, mtime=mtime)
    for entry in arrange(entries):
        if entry.kind == "directory":
            writer.directory(entry.path, mode=entry.mode)
        elif entry.kind == "symlink":
            writer.symlink(entry.path, target=entry.target, mode=entry.mode)
        elif isinstance(entry.source, Path):
            _write_file(writer, entry, entry.source)
        else:
            writer.data(entry.path, entry.source, mode=entry.mode)
    writer.close()


def arrange(entries: Iterable[Entry]) -> list[Entry]:
    """Add missing parents, and sort so that each folder directly precedes what is in it. Pure."""
    by_path: dict[str, Entry] = {}
    for entry in entries:
        if entry.path in by_path:
            raise UsageError(f"arranging a layer: {entry.path!r} is there twice; pass each path once")
        by_path[entry.path] = entry
    for path in list(by_path):
        _add_parents(path, by_path)
    # "/" sorts before any other character this way, so that "a/b" comes before "a-b".
    return [by_path[path] for path in sorted(by_path, key=lambda path: path.replace("/", "\0"))]


def _add_parents(path: str, by_path: dict[str, Entry]) -> None:
    parent = path.rpartition("/")[0]
    while parent:
        known = by_path.get(parent)
        if known is None:
            by_path[parent] = Entry.directory(parent)
        elif known.kind != "directory":
            raise UsageError(f"arranging a layer: {path!r} is below {parent!r}, a {known.kind}; rename one of them")
        else:
            return  # its own parents are added on its own turn, or have been
        parent = parent.rpartition("/")[0]


def _write_file(writer: TarWriter, entry: Entry, source: Path) -> None:
    try:
        file = open_regular(source)
    except OSError as error:
        raise _unreadable(entry, source, error.strerror or str(error)) from error
    with file:
        writer.stream(entry.path, _Checked(file, entry, source), size=size_of(file), mode=entry.mode)


class _Checked:
    """Blames a failing read on the source file, so that it is not taken for the disk being written to."""

    __slots__ = ("_entry", "_file", "_path")

    def __init__(self, file: Source, entry: Entry, path: Path) -> None:
        self._file, self._entry, self._path = file, entry, path

    def read(self, size: int, /) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise _unreadable(self._entry, self._path, error.strerror or str(error)) from error

    def close(self) -> None:
        self._file.close()


def _unreadable(entry: Entry, source: Path, found: str) -> SourceError:
    return SourceError(
        f"adding {entry.path!r} to a layer from {str(source)!r}: {found}; give a file that exists and can be read"
    )
