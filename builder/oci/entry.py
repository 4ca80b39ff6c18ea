"""One file of a layer, before it is in an archive.

The whole of what a layer may contain goes through these three constructors, so that a layer written by this
library can be unpacked by anybody: relative names, no way out of the root, only permission bits. It never
touches the disk: a `Path` source is opened when the layer is written.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from builder.oci.errors import UsageError

EntryKind = Literal["file", "directory", "symlink"]

WHITEOUT_PREFIX: Final = ".wh."  # image-spec layer.md: such a name deletes what lower layers hold
_MAX_MODE: Final = 0o7777
_SYMLINK_MODE: Final = 0o777  # what lstat reports on Linux; engines ignore it


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, a directory or a symbolic link at `path` (relative POSIX, `a/b`), with permission bits `mode`.

    `source` is a file's content, as bytes or as the path to read it from; `target` is a link's text. Made by
    `file`, `directory` and `symlink`; raises UsageError.
    """

    path: str
    kind: EntryKind
    mode: int
    source: bytes | Path = b""
    target: str = ""

    def __post_init__(self) -> None:
        _check_text(self.path, f"adding {self.path!r} to a layer")
        _check_path(self.path)
        if self.kind == "symlink":
            _check_target(self.path, self.target)
        if not 0 <= self.mode <= _MAX_MODE:
            raise UsageError(
                f"adding {self.path!r} to a layer: mode {self.mode:#o} is outside 0..{_MAX_MODE:#o}; "
                f"pass permission bits only"
            )

    @classmethod
    def file(cls, path: str, source: bytes | Path, mode: int = 0o644) -> "Entry":
        """Make a regular file."""
        return cls(path, "file", mode, source=source)

    @classmethod
    def directory(cls, path: str, mode: int = 0o755) -> "Entry":
        """Make a directory; only needed for an empty one or for another mode than 0755."""
        return cls(path, "directory", mode)

    @classmethod
    def symlink(cls, path: str, target: str) -> "Entry":
        """Make a symbolic link; `target` is stored as it is and may be absolute within the image."""
        return cls(path, "symlink", _SYMLINK_MODE, target=target)


def _check_text(text: str, doing: str) -> None:
    if "\0" in text:
        raise UsageError(f"{doing}: {text!r} contains a NUL character; rename it")
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{doing}: {text!r} is not UTF-8; rename the file") from error


def _check_target(path: str, target: str) -> None:
    doing = f"adding the link {path!r} to a layer"
    if not target:
        raise UsageError(f"{doing}: its target is empty; pass the path it should point at")
    _check_text(target, doing)


def _check_path(path: str) -> None:
    for part in path.split("/"):
        if part in {"", ".", ".."}:
            raise UsageError(
                f"adding {path!r} to a layer: {part!r} is no part of a relative path; use names like 'a/b'"
            )
        if part.startswith(WHITEOUT_PREFIX):
            raise UsageError(
                f"adding {path!r} to a layer: names starting with {WHITEOUT_PREFIX!r} delete files "
                f"in an image; rename it"
            )
