"""The build cache: a folder that may be deleted at any time, shared safely by parallel builds.

Everything is written aside in `tmp/` and renamed into place, so a reader finds a whole entry or none, and a killed
build leaves only a folder in `tmp/`. An entry that cannot be read, or that is not as it was left, counts as absent: it
is said on the console, and made again. Never holds anything that cannot be made again.

    blobs/blobs/sha256/HEX        compressed layers, checked against their digest when used
    blobs/partial/sha256/HEX      blobs of registries that are not complete yet
    records/KIND/KEY              small JSON values (layers by plan, library closures, proofs), each with its own check
    trees/KIND/KEY/tree/          folders: installed dependencies, unpacked layers
    trees/KIND/KEY/fingerprint    what `tree/` looked like when it was left

What is checked tells damage and edits apart from what was written; it is no protection against somebody who forges it.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.disk import disk
from builder.errors import OutputError

# Bumped when the meaning of an entry changes; older entries are then simply never found.
FORMAT = "2"

# Tells programs that back up or pack a folder that this one holds nothing of worth.
# Source: "Cache Directory Tagging Specification", https://bford.info/cachedir/.
TAG_NAME = "CACHEDIR.TAG"
TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# A cache of firkin, which may be deleted at any time.\n"

UNUSED_S = 30 * 24 * 3600  # entries nobody used for a month are removed
PRUNE_EVERY_S = 24 * 3600  # and looked for once a day
ABANDONED_S = 24 * 3600  # what a killed build left in tmp/, or never finished fetching

ELSEWHERE = "put the cache elsewhere with BUILD_IMAGE_CACHE_DIR"

_SWAPS = 10  # attempts to put an entry in place while other builds do the same


def default_folder(environment: Mapping[str, str]) -> Path:
    """Where the cache lives: $BUILD_IMAGE_CACHE_DIR, $XDG_CACHE_HOME/firkin or ~/.cache/firkin; always absolute.

    A relative $XDG_CACHE_HOME is ignored, as its specification asks. Raises OutputError when there is no home folder.
    """
    if named := environment.get("BUILD_IMAGE_CACHE_DIR"):
        return Path(named).absolute()
    xdg = environment.get("XDG_CACHE_HOME", "")
    if Path(xdg).is_absolute():
        return Path(xdg) / "firkin"
    try:
        home = Path(environment.get("HOME") or Path.home())
    except RuntimeError as error:  # no HOME, and the user id has no entry in the user database
        raise OutputError(
            f"looking for a place for the cache: HOME is not set, and user {os.getuid()} has no home folder",
            hint="Name one with BUILD_IMAGE_CACHE_DIR.",
        ) from error
    return home.absolute() / ".cache" / "firkin"


def key_of(*parts: object) -> str:
    """A cache key: the digest of the parts' JSON, and of the cache's format."""
    return hashlib.sha256(json.dumps([FORMAT, *parts]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Cache:
    """One cache folder. `warn` is called with a sentence when an entry had to be dropped."""

    folder: Path
    warn: Callable[[str], None]

    @property
    def blobs(self) -> Path:
        """The folder of the blob store."""
        return self.folder / "blobs"

    def record(self, kind: str, key: str) -> dict[str, object] | None:
        """The recorded value, or None when there is none or it is not as it was left."""
        file = self.folder / "records" / kind / key
        try:
            value = _unsealed(json.loads(file.read_bytes()), f"{kind}/{key}")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            self.warn(f"the cache's record {kind}/{key[:12]} could not be used ({error}); it is made again")
            return None
        mark_used(file)
        return value

    def write_record(self, kind: str, key: str, value: Mapping[str, object]) -> None:
        """Record a value under its key, whole or not at all. Raises OutputError."""
        file = self.folder / "records" / kind / key
        with self._writing(), self.scratch() as scratch:
            aside = scratch / "record"
            aside.write_text(json.dumps(_sealed(dict(value), f"{kind}/{key}")), encoding="ascii")
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.is_dir():  # somebody's doing; a file cannot replace it
                file.rename(scratch / "old")
            aside.replace(file)

    def tree(self, kind: str, key: str, fill: Callable[[Path], None]) -> Path:
        """The folder recorded under the key, filled by `fill(folder)` when it is absent, incomplete or was changed.

        Raises OutputError, and what `fill` raises; nothing is recorded then.
        """
        entry = self.folder / "trees" / kind / key
        if _is_intact(entry):
            return entry / "tree"
        if os.path.lexists(entry):
            self.warn(f"the cache's folder {kind}/{key[:12]} is not as it was left; it is made again")
        with self._writing(), self.scratch() as scratch:
            fresh = scratch / "entry"
            tree = scratch / "tree"
            tree.mkdir()
            fill(tree)
            fresh.mkdir()
            tree.rename(fresh / "tree")
            (fresh / "fingerprint").write_text(fingerprint(fresh / "tree"), encoding="ascii")
            entry.parent.mkdir(parents=True, exist_ok=True)
            _put_in_place(fresh, entry, scratch)
        return entry / "tree"

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A fresh folder on the cache's file system, removed afterwards whatever happens."""
        temporary = self.folder / "tmp"
        with self._writing():
            temporary.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(dir=temporary))
            if not (self.folder / TAG_NAME).exists():  # also where an older version or a restored copy has none
                (scratch / TAG_NAME).write_bytes(TAG)
                (scratch / TAG_NAME).replace(self.folder / TAG_NAME)
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        return disk(
            f"writing the cache in {self.folder}",
            elsewhere=ELSEWHERE,
            otherwise="The cache may be deleted at any time: remove it and build again.",
        )

    def prune(self, now: float | None = None) -> None:
        """Remove what nobody used for a month, and what killed builds left; at most once a day. Never fails."""
        now = time.time() if now is None else now
        stamp = self.folder / "pruned"
        with contextlib.suppress(OSError, OutputError), self.scratch() as scratch:
            if stamp.exists() and now - stamp.stat().st_mtime < PRUNE_EVERY_S:
                return
            stamp.touch()
            for left in _unused(self.folder.glob("tmp/*"), now - ABANDONED_S):
                shutil.rmtree(left, ignore_errors=True)
            for left in _unused(self.folder.glob("blobs/partial/sha256/*"), now - ABANDONED_S):
                left.unlink(missing_ok=True)
            for pattern in ("records/*/*", "blobs/blobs/sha256/*"):
                for file in _unused(self.folder.glob(pattern), now - UNUSED_S):
                    file.unlink(missing_ok=True)
            marks = (entry / "fingerprint" for entry in self.folder.glob("trees/*/*"))
            for mark in _unused((mark if mark.exists() else mark.parent for mark in marks), now - UNUSED_S):
                entry = mark if mark.is_dir() else mark.parent
                # Gone in one step: nobody finds an entry that is half removed.
                entry.rename(scratch / f"{entry.parent.name}-{entry.name}")


def _unused(entries: Iterable[Path], before: float) -> Iterator[Path]:
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):  # a parallel build was quicker
            if entry.lstat().st_mtime < before:
                yield entry


def mark_used(file: Path) -> None:
    """Mark an entry as used, for `prune`; a read-only cache still works."""
    with contextlib.suppress(OSError):
        os.utime(file)


def _sealed(value: dict[str, object], name: str) -> dict[str, object]:
    """A value with a check over it and over the name it is recorded under."""
    return {"check": _check(value, name), "value": value}


def _unsealed(stored: object, name: str) -> dict[str, object]:
    """The value of a record. Raises ValueError when it is not what was recorded under that name."""
    match stored:
        case {"check": str(check), "value": dict(value)} if check == _check(value, name):
            return value
    raise ValueError("it is not as it was left")


def _check(value: object, name: str) -> str:
    return hashlib.sha256(json.dumps([name, value], sort_keys=True).encode()).hexdigest()


def _is_intact(entry: Path) -> bool:
    """Whether a tree is as it was left. Marked as used before it is looked at, so that nobody prunes it meanwhile."""
    mark = entry / "fingerprint"
    try:
        recorded = mark.read_text(encoding="ascii")
        mark_used(mark)
        return recorded == fingerprint(entry / "tree")
    except (OSError, ValueError):
        return False


def _put_in_place(fresh: Path, entry: Path, scratch: Path) -> None:
    """Put `fresh` where `entry` should be, unless a parallel build left a good one there: others may be reading it."""
    for attempt in range(_SWAPS):
        try:
            fresh.rename(entry)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                raise
        else:
            return
        if _is_intact(entry):
            return
        with contextlib.suppress(FileNotFoundError):
            entry.rename(scratch / f"old-{attempt}")
    raise OSError(errno.EBUSY, "other builds keep changing the same entry", str(entry))


def fingerprint(folder: Path) -> str:
    """A digest of every path below `folder` with its size, mode and time of change: what `stat` can tell cheaply."""
    states: list[str] = []
    _add_states(str(folder), "", states)
    states.sort()
    return hashlib.sha256("\n".join(states).encode("utf-8", "surrogateescape")).hexdigest()


def _add_states(folder: str, prefix: str, states: list[str]) -> None:
    """Add a line for each path below `folder`: a NUL ends the path, which no name holds."""
    with os.scandir(folder) as entries:
        for entry in entries:
            stat = entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                states.append(f"{prefix}{entry.name}/\0{stat.st_mode}")
                _add_states(entry.path, f"{prefix}{entry.name}/", states)
            else:
                states.append(f"{prefix}{entry.name}\0{stat.st_mode} {stat.st_size} {stat.st_mtime_ns}")
