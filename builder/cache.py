"""The build cache: a folder that may be deleted at any time, shared safely by parallel builds.

Everything is written aside in `tmp/` and renamed into place, so a reader finds a whole entry or none and a killed build
leaves only a folder in `tmp/`. An entry that cannot be read, or that does not match what was recorded of it, counts as
absent: it is dropped, said on the console, and made again. Never holds anything that cannot be made again.

    blobs/sha256/HEX     compressed layers, checked against their digest when used
    records/KIND/KEY     small JSON values: layers by plan, library closures, proofs
    trees/KIND/KEY/      folders: installed dependencies, unpacked layers; KEY.json beside it holds their fingerprint
"""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from builder.errors import OutputError

# Bumped when the meaning of an entry changes; older entries are then simply never found.
FORMAT = "1"

UNUSED_S = 30 * 24 * 3600  # entries nobody used for a month are removed
PRUNE_EVERY_S = 24 * 3600  # and looked for once a day
ABANDONED_S = 24 * 3600  # what a killed build left in tmp/


def default_folder(environment: Mapping[str, str]) -> Path:
    """Where the cache lives: $BUILD_IMAGE_CACHE_DIR, else below $XDG_CACHE_HOME, else ~/.cache."""
    if named := environment.get("BUILD_IMAGE_CACHE_DIR"):
        return Path(named)
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firkin"


def key_of(*parts: object) -> str:
    """A cache key: the digest of the parts' JSON, and of the cache's format."""
    return hashlib.sha256(orjson.dumps([FORMAT, *parts])).hexdigest()


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
        """The recorded value, or None; an unreadable one is dropped."""
        file = self.folder / "records" / kind / key
        try:
            value = orjson.loads(file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self.warn(f"the cache's record {kind}/{key[:12]} could not be read ({error}); it is made again")
            return None
        _touch(file)
        return value if isinstance(value, dict) else None

    def write_record(self, kind: str, key: str, value: Mapping[str, object]) -> None:
        """Record a value under its key, whole or not at all."""
        file = self.folder / "records" / kind / key
        with disk(f"writing the cache in {self.folder}"), self.scratch() as scratch:
            aside = scratch / "record"
            aside.write_bytes(orjson.dumps(dict(value)))
            file.parent.mkdir(parents=True, exist_ok=True)
            aside.replace(file)

    def tree(self, kind: str, key: str, fill: Callable[[Path], None]) -> Path:
        """The folder recorded under the key, filled by `fill(folder)` when it is absent, incomplete or was changed."""
        folder = self.folder / "trees" / kind / key
        note = folder.with_name(f"{key}.json")
        recorded = self._read_note(note)
        if recorded is not None and folder.is_dir():
            if recorded == fingerprint(folder):
                _touch(note)
                return folder
            self.warn(f"the cache's folder {kind}/{key[:12]} is not as it was left; it is made again")
        return self._fill_tree(folder, note, fill)

    def _read_note(self, note: Path) -> str | None:
        try:
            value = orjson.loads(note.read_bytes())
        except (OSError, ValueError):
            return None
        return value.get("fingerprint") if isinstance(value, dict) else None

    def _fill_tree(self, folder: Path, note: Path, fill: Callable[[Path], None]) -> Path:
        with disk(f"writing the cache in {self.folder}"), self.scratch() as scratch:
            fresh = scratch / "tree"
            fresh.mkdir()
            fill(fresh)
            mark = fingerprint(fresh)
            folder.parent.mkdir(parents=True, exist_ok=True)
            _swap(fresh, folder, scratch / "old")
            aside = scratch / "note"
            aside.write_bytes(orjson.dumps({"fingerprint": mark}))
            aside.replace(note)
        return folder

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A fresh folder on the cache's file system, removed afterwards whatever happens."""
        temporary = self.folder / "tmp"
        with disk(f"writing the cache in {self.folder}"):
            temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
            scratch = Path(tempfile.mkdtemp(dir=temporary))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def prune(self, now: float | None = None) -> None:
        """Remove what nobody used for a month, and what killed builds left; at most once a day."""
        now = time.time() if now is None else now
        stamp = self.folder / "pruned"
        with contextlib.suppress(OSError):
            if stamp.exists() and now - stamp.stat().st_mtime < PRUNE_EVERY_S:
                return
            stamp.touch()
            for entry in _stale(self.folder / "tmp", now - ABANDONED_S, "*"):
                shutil.rmtree(entry, ignore_errors=True)
            for pattern in ("records/*/*", "blobs/blobs/sha256/*", "trees/*/*.json"):
                for entry in _stale(self.folder, now - UNUSED_S, pattern):
                    entry.unlink(missing_ok=True)
                    if entry.suffix == ".json":
                        shutil.rmtree(entry.with_suffix(""), ignore_errors=True)


def _stale(folder: Path, before: float, pattern: str) -> Iterable[Path]:
    return [entry for entry in folder.glob(pattern) if entry.lstat().st_mtime < before]


def _touch(file: Path) -> None:
    """Mark an entry as used, for `prune`; a read-only cache still works."""
    with contextlib.suppress(OSError):
        os.utime(file)


def _swap(fresh: Path, folder: Path, old: Path) -> None:
    """Put `fresh` in the place of `folder`; a parallel build that was quicker leaves an equal one there."""
    for _ in range(10):
        with contextlib.suppress(FileNotFoundError):
            folder.rename(old / str(time.monotonic_ns())) if old.is_dir() else folder.rename(old)
        try:
            fresh.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return
    raise OSError(errno.EBUSY, "another build keeps writing the same entry", str(folder))


def fingerprint(folder: Path) -> str:
    """A digest of every path below `folder` with its size, mode and time of change: what `stat` can tell cheaply."""
    digest = hashlib.sha256()
    for path, stat in sorted(_stats(str(folder), "")):
        digest.update(f"{path}\0{stat}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _stats(folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in os.scandir(folder):
        stat = entry.stat(follow_symlinks=False)
        if entry.is_dir(follow_symlinks=False):
            yield prefix + entry.name + "/", str(stat.st_mode)
            yield from _stats(entry.path, prefix + entry.name + "/")
        else:
            yield prefix + entry.name, f"{stat.st_mode} {stat.st_size} {stat.st_mtime_ns}"


@contextlib.contextmanager
def disk(doing: str) -> Iterator[None]:
    """Turn what a disk refuses into an OutputError that says what was being done."""
    try:
        yield
    except OSError as error:
        hint = {
            errno.ENOSPC: "The disk is full: free some space, or put the cache elsewhere with BUILD_IMAGE_CACHE_DIR.",
            errno.EDQUOT: "The disk quota is used up: free some space, or put the cache elsewhere with BUILD_IMAGE_CACHE_DIR.",
            errno.EACCES: "Make it writable, or name another place.",
            errno.EROFS: "It is read-only: name another place.",
        }.get(error.errno or 0, "Nothing was left half-written.")
        where = f" ({error.filename})" if error.filename else ""
        raise OutputError(f"{doing}: {error.strerror or error}{where}", hint=hint) from error
