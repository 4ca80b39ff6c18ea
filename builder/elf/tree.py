"""A folder seen as the root of a Linux system: paths are looked up as a process inside it would.

Exists so that the libraries of an unpacked image are found with the image's own symbolic links and never with
ours: an absolute link starts again at the root, `..` stops there. It only reads, never writes, and never
leaves the root.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from errno import EINVAL
from fnmatch import fnmatchcase
from pathlib import Path

MAX_LINKS = 40  # MAXSYMLINKS of the kernel's namei
MAX_TEXT_BYTES = 1 << 20  # a loader's configuration file is a few lines


@dataclass(frozen=True, slots=True)
class Tree:
    """`root` is a folder on this machine; other paths are absolute inside it.

    `mounts` are folders of this machine that stand at other places of the tree, such as packages that a layer will add;
    their paths are plain, without links on the way.
    """

    root: Path
    mounts: Mapping[str, Path] = field(default_factory=dict, hash=False)

    def resolve(self, path: str) -> str | None:
        """Return `path` without links and dots; None when a part does not exist or links go in circles."""
        todo = _parts(path)
        done: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                del done[-1:]
                continue
            here = "/" + "/".join((*done, part))
            if self._is_mounted(here):
                done.append(part)
                continue
            try:
                target = os.readlink(self._place(here))  # noqa: PTH115  thousands of them, and Path takes most of the time
            except OSError as error:
                if error.errno != EINVAL:  # EINVAL: it exists and is no link
                    return None
                done.append(part)
                continue
            links += 1
            if links > MAX_LINKS:
                return None
            if target.startswith("/"):
                done.clear()
            todo.extend(_parts(target))
        return "/" + "/".join(done)

    def host(self, resolved: str) -> Path:
        """Say where a resolved path stands on this machine."""
        return Path(self._place(resolved))

    def _place(self, resolved: str) -> str:
        path = resolved.lstrip("/")
        for mount, folder in self.mounts.items():
            if f"/{path}/".startswith(f"{mount}/"):
                return f"{folder}/{path[len(mount) :]}"
        return f"{os.fspath(self.root).rstrip('/')}/{path}"

    def _is_mounted(self, resolved: str) -> bool:
        """Say whether something is mounted at a path or below it."""
        return any(mount == resolved or mount.startswith(f"{resolved}/") for mount in self.mounts)

    def maybe_file(self, path: str) -> Path | None:
        """Return the regular file behind `path`, links followed, as a path on this machine."""
        resolved = self.resolve(path)
        file = self.host(resolved) if resolved else None
        return file if file and file.is_file() else None

    def is_dir(self, path: str) -> bool:
        """Say whether `path` leads to a folder."""
        resolved = self.resolve(path)
        return resolved is not None and self.host(resolved).is_dir()

    def maybe_text(self, path: str) -> str | None:
        """Read the file behind `path`, at most MAX_TEXT_BYTES of it; None when there is none to read."""
        file = self.maybe_file(path)
        if file is None:
            return None
        try:
            with file.open("rb") as stream:
                return os.fsdecode(stream.read(MAX_TEXT_BYTES))
        except OSError:
            return None

    def glob(self, pattern: str) -> Iterator[str]:
        """Yield the files that match a shell pattern, sorted within each folder like the C library's."""
        found = [""]
        for part in reversed(_parts(pattern)):
            found = [f"{folder}/{name}" for folder in found for name in self._matches(folder, part)]
        return (path for path in found if self.maybe_file(path))

    def _matches(self, folder: str, part: str) -> list[str]:
        if not any(sign in part for sign in "*?["):
            return [part]
        resolved = self.resolve(folder)
        try:
            names = sorted(entry.name for entry in self.host(resolved).iterdir()) if resolved else []
        except OSError:
            return []
        return [name for name in names if fnmatchcase(name, part) and name.startswith(".") <= part.startswith(".")]


def _parts(path: str) -> list[str]:
    """Return the names in a path, last one first, without the ones that say nothing."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]
