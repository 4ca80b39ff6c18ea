# ruff: noqa: PTH101, PTH102, PTH108, PTH114, PTH115, PTH118, PTH208, PTH211 - names are bytes
"""A folder that stands for an image's root while layers are applied to it.

Names come from strangers. Two rules keep every write inside: a name is taken apart and checked before use,
and its parent is found by walking down from the root, part by part, reading each symbolic link as the image
would (`/` is the folder, `..` stops there), so that no path handed to the system has a link in it. Files are
made exclusively and links are never followed by the last step. Nobody else may write to the folder meanwhile:
a second writer could swap a folder for a link between two steps.
"""

import os
import stat
from collections.abc import Callable, Iterator
from typing import Final

from builder.oci.aside import remove_tree
from builder.oci.errors import ImageError
from builder.oci.layer_reader import Budget
from builder.oci.tar_reader import Member

MAX_NAME_BYTES: Final = 4095  # Linux PATH_MAX less its end
_MAX_PART_BYTES: Final = 255  # Linux NAME_MAX
_MAX_LINKS: Final = 40  # Linux gives up on a path with more (ELOOP)
_MAX_MTIME: Final = 2**33  # the year 2242, as far as a tar's octal field reaches
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_FOLDER_MODE: Final = 0o755  # of parents that no layer describes
_PERMISSIONS: Final = 0o1777  # set-id bits are not for the machine that unpacks; a /tmp stays sticky


class RootFS:
    """Makes and removes what layers say, below `folder` (bytes, no link in it), and counts it in `budget`."""

    __slots__ = ("_budget", "_emptied", "_folder", "_resolved", "_touched")

    def __init__(self, folder: bytes, budget: Budget) -> None:
        self._folder = folder
        self._budget = budget
        self._resolved: dict[bytes, bytes] = {}  # image folder → real folder, both relative
        self._touched: set[bytes] = set()  # real paths made by the layer being applied, and their parents
        self._emptied: set[bytes] = set()  # real folders in which it left nothing of lower layers: look once

    def begin_layer(self) -> None:
        """From here on, whiteouts spare what comes and delete what is there."""
        self._touched.clear()
        self._emptied.clear()

    def add(self, member: Member, content: Iterator[bytes]) -> None:
        """Make what `member` says, in place of what has that name; raises ImageError for an evil name."""
        parts = split_name(member.name)
        if not parts:
            return  # the root itself, which is there
        place = self._make_parent(parts[:-1], member.name) + parts[-1]
        if member.kind == "directory":
            self._add_directory(place, member.mode)
        elif member.kind == "symlink":
            _check_target(member)
            self._replace(place, lambda path: os.symlink(member.target, path))
        elif member.kind == "hardlink":
            self._add_hardlink(place, member)
        else:
            self._add_file(place, member, content)
        self._touch(place)

    def remove(self, parts: list[bytes]) -> None:
        """Remove a path that lower layers made (a whiteout)."""
        parent = self._find(parts[:-1])
        if parent is not None:
            self._clear([parent + parts[-1]])

    def empty(self, parts: list[bytes]) -> None:
        """Remove all that lower layers put into a folder (an opaque whiteout)."""
        folder = self._find(parts)
        if folder is not None:
            self._clear(self._unseen(folder.rstrip(b"/")))

    def _path(self, real: bytes) -> bytes:
        return os.path.join(self._folder, real)

    def _touch(self, real: bytes) -> None:
        while real and real not in self._touched:
            self._touched.add(real)
            real = real.rpartition(b"/")[0]

    def _add_directory(self, place: bytes, mode: int) -> None:
        path = self._path(place)
        if not _is_directory(path):
            self._replace(place, os.mkdir)
        os.chmod(path, (mode & _PERMISSIONS) | stat.S_IRWXU)

    def _add_file(self, place: bytes, member: Member, content: Iterator[bytes]) -> None:
        made: list[int] = []
        self._replace(place, lambda path: made.append(os.open(path, _NEW_FILE, 0o600)))
        with os.fdopen(made[0], "wb", buffering=0) as file:
            for data in content:
                _write_all(file.fileno(), data)
            os.fchmod(file.fileno(), (member.mode & _PERMISSIONS) | stat.S_IRUSR)
            mtime = min(max(member.mtime, 0), _MAX_MTIME)
            os.utime(file.fileno(), (mtime, mtime))

    def _add_hardlink(self, place: bytes, member: Member) -> None:
        parts = split_name(member.target)
        parent = self._find(parts[:-1]) if parts else None
        target = None if parent is None else parent + parts[-1]
        if target == place:
            return
        if target is None or not _is_linkable(self._path(target)):
            raise ImageError(
                f"unpacking {member.name!r}: it is a hard link to {member.target!r}, no file of the "
                f"image so far; make the image again"
            )
        source = self._path(target)
        self._replace(place, lambda path: os.link(source, path, follow_symlinks=False))

    def _replace(self, place: bytes, make: Callable[[bytes], object]) -> None:
        """Make something where nothing is, or after removing what is."""
        path = self._path(place)
        try:
            make(path)
        except FileExistsError:
            self._delete(path)
            make(path)

    def _delete(self, path: bytes) -> None:
        if _is_directory(path):
            remove_tree(path)
            self._resolved.clear()
        else:
            if os.path.islink(path):
                self._resolved.clear()
            os.unlink(path)

    def _clear(self, places: list[bytes]) -> None:
        """Remove these as far as the current layer has not made them."""
        for place in places:  # grows while it is read
            path = self._path(place)
            if place not in self._touched:
                if os.path.lexists(path):
                    self._delete(path)
            elif _is_directory(path):
                places.extend(self._unseen(place))

    def _unseen(self, place: bytes) -> list[bytes]:
        """Give what is in a folder, once for each layer: a hostile one repeats its whiteouts."""
        if place in self._emptied:
            return []
        self._emptied.add(place)
        return [os.path.join(place, name) for name in os.listdir(self._path(place))]

    def _make_parent(self, parts: list[bytes], name: bytes) -> bytes:
        """Give the real folder behind an image folder, made where missing, as `` or `a/b/`."""
        key = b"/".join(parts)
        known = self._resolved.get(key)
        if known is None:
            known = self._walk(parts, name, make=True)
            assert known is not None  # noqa: S101 - what is missing has been made
            self._resolved[key] = known
        return known

    def _find(self, parts: list[bytes]) -> bytes | None:
        """Give the real folder behind an image folder, or None where there is none."""
        return self._walk(parts, b"/".join(parts), make=False)

    def _walk(self, parts: list[bytes], name: bytes, *, make: bool) -> bytes | None:
        todo = parts[::-1]
        here: list[bytes] = []
        links = 0
        while todo:
            part = todo.pop()
            if part in {b"", b"."}:
                continue
            if part == b"..":  # only from a link's text
                del here[-1:]
                continue
            place = b"/".join((*here, part))
            found = self._look(place, make=make)
            if found is None:
                return None
            if stat.S_ISLNK(found):
                links += 1
                target = os.readlink(self._path(place))
                here = [] if target.startswith(b"/") else here
                todo.extend(reversed(target.split(b"/")))
            elif stat.S_ISDIR(found):
                here.append(part)
            if links > _MAX_LINKS or not (stat.S_ISDIR(found) or stat.S_ISLNK(found)):
                raise ImageError(f"unpacking {name!r}: {place!r} on its way is no folder; make the image again")
        return b"".join(part + b"/" for part in here)

    def _look(self, place: bytes, *, make: bool) -> int | None:
        """Give the mode of what is at a real path; `make` a folder of what is missing."""
        try:
            return os.lstat(self._path(place)).st_mode
        except FileNotFoundError:
            if not make:
                return None
        self._budget.spend_entry()
        os.mkdir(self._path(place))
        os.chmod(self._path(place), _FOLDER_MODE)
        self._touch(place)
        return stat.S_IFDIR


def split_name(name: bytes) -> list[bytes]:
    """Take a name apart; raises ImageError for one that is absolute, climbs with `..` or is too long.

    `./a//b/` is `a/b`; the root itself has no parts.
    """
    parts = [part for part in name.split(b"/") if part not in {b"", b"."}]
    if name.startswith(b"/") or b".." in parts or b"\0" in name:
        raise ImageError(f"unpacking {name[:200]!r}: it leads outside the image; do not trust this image")
    if len(name) > MAX_NAME_BYTES or any(len(part) > _MAX_PART_BYTES for part in parts):
        raise ImageError(f"unpacking {name[:200]!r}...: the name is too long for Linux; make the image again")
    return parts


def _check_target(member: Member) -> None:
    """Raise ImageError for a link text that Linux would not take."""
    if not 0 < len(member.target) <= MAX_NAME_BYTES or b"\0" in member.target:
        raise ImageError(
            f"unpacking {member.name[:200]!r}: {member.target[:200]!r} cannot be a link's target; make the image again"
        )


def _is_directory(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _is_linkable(path: bytes) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _write_all(fd: int, data: bytes) -> None:
    """Write it all: one call may take less."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
