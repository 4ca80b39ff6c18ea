"""Which files that are no modules stay: data with its package, metadata where it is read, libraries where needed.

Pure decisions over what the walk reached. A data file stays with the package it lies in unless a row of the knowledge
says that it is not needed; what cannot be attributed stays.
"""

import fnmatch
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

from builder.patterns import Patterns
from builder.plan import LANG, PACKAGES, RUNTIME, TASK
from builder.trim.distributions import Distribution
from builder.trim.index import Index
from builder.trim.knowledge import Row
from builder.trim.reached import Cause, Reached

_LICENCE = re.compile(r"(?i)(?:licen[cs]e|copying|notice|authors)")
_OURS = (f"{LANG}/", f"{PACKAGES}/", f"{TASK}/", f"{RUNTIME}/")

UNREACHED = "nothing that the handler reaches uses it"


class Leftovers:
    """The judge of files that are no modules."""

    def __init__(
        self, reached: Reached, index: Index, rows: Sequence[Row], distributions: Sequence[Distribution]
    ) -> None:
        self.reached = reached
        self.index = index
        self.rows = rows
        self.owners = {path: dist for dist in distributions for path in dist.files}
        # A folder whose only module is `__init__.py` holds data: whoever opens it may go by the path alone.
        self.folders = {posixpath.dirname(path) for path, module in index.by_path.items() if not module.is_package}
        self.used_folders: dict[str, str] = {}
        for path in reached.kept:
            self.used_folders.setdefault(posixpath.dirname(path), path)
        self.used_dists = {self.owners[path].name: path for path in reached.kept if path in self.owners}

    def is_data_folder(self, path: str) -> bool:
        """Whether a path is the `__init__.py` of a folder without other modules."""
        return path.endswith("/__init__.py") and posixpath.dirname(path) not in self.folders

    def is_beside_native(self, path: str) -> bool:
        """Whether a trace of Python may have missed the opening of a file.

        Compiled code opens files by itself, and what belongs to no package is the system's or the function's own.
        """
        if not path.startswith(f"{PACKAGES}/"):
            return True
        top = "/".join(path.split("/")[:3])
        return path.count("/") > PACKAGES.count("/") + 1 and any(
            kept.endswith(".so") and kept.startswith(f"{top}/") for kept in self.reached.kept
        )

    def judge(self, path: str) -> tuple[Cause | None, str]:
        """A cause to keep the file, or the reason to drop it."""
        if path.startswith((f"{TASK}/", f"{RUNTIME}/")):
            return Cause("the function's own" if path.startswith(TASK) else "firkin's runtime"), ""
        for row in self.reached.rows:
            if _match(path, row.files):
                return Cause(f"{row.why}:", self.reached.rows[row]), ""
        if why := self._unneeded(path):
            return None, why
        if ".dist-info/" in path:
            return self._metadata(path)
        return self._data(path)

    def _unneeded(self, path: str) -> str:
        """The reason of the first row that says that a file goes."""
        for row in self.rows:
            if row.kind == "unneeded" and _match(path, row.files) and not self._is_used(row.unless):
                return row.why
            if row.kind == "selected" and (name := _named(path, row.files)) and not self._is_selected(name):
                return row.why
        return ""

    def _is_selected(self, name: str) -> bool:
        return "services" in self.reached.traits or name in self.reached.services

    def _is_used(self, unless: Iterable[str]) -> bool:
        return any(
            name in self.reached.names if not name.startswith("@") else name[1:] in self.reached.traits
            for name in unless
        )

    def _metadata(self, path: str) -> tuple[Cause | None, str]:
        """What a distribution says of itself: enough for its readers, for scanners, and for its licence."""
        folder, _, name = path.partition(".dist-info/")
        dist = posixpath.basename(folder).partition("-")[0].replace("_", "-").lower()
        asked = self.reached.dists.get(dist)
        used = self.used_dists.get(dist)
        if asked is None and used is None and "metadata" not in self.reached.traits:
            return None, UNREACHED
        if name in {"METADATA", "entry_points.txt"} or _LICENCE.search(name):
            return asked or Cause("tells which distribution this is; it is used by", used or ""), ""
        if name == "RECORD" and "records" not in self.reached.traits:
            return None, "the list of a distribution's files, which nothing reached reads"
        if asked or self.reached.traits.keys() & {"metadata", "records"}:
            return asked or Cause("metadata of computed distributions is read by", self._reader_of_metadata()), ""
        return None, "installers' notes, which nothing reached reads"

    def _reader_of_metadata(self) -> str:
        return self.reached.traits.get("records") or self.reached.traits.get("metadata") or ""

    def _data(self, path: str) -> tuple[Cause | None, str]:
        """Data and other files: with the package they lie in, else with their distribution, else always."""
        folder = posixpath.dirname(path)
        while folder not in self.folders and folder and f"{folder}/" not in _OURS:
            folder = posixpath.dirname(folder)
        if folder and folder in self.folders and f"{folder}/" not in _OURS:
            return (
                (Cause("lies in the package of", self.used_folders[folder]), "")
                if folder in self.used_folders
                else (None, UNREACHED)
            )
        if path in self.owners:
            used = self.used_dists.get(self.owners[path].name)
            return (Cause("belongs to the distribution of", used), "") if used else (None, UNREACHED)
        return Cause("belongs to no package"), ""


def needed_libraries(
    seeds: Iterable[tuple[str, str]], candidates: Mapping[str, Iterable[str]], needs: Callable[[str], Iterable[str]]
) -> dict[str, Cause]:
    """The libraries that the seeds need, through each other.

    `seeds` are (path of a kept ELF file, soname wanted by it); `candidates` maps a soname to the paths it may be.
    """
    kept: dict[str, Cause] = {}
    todo = list(seeds)
    while todo:
        via, soname = todo.pop()
        for path in candidates.get(soname, ()):
            if path not in kept and path != via:
                kept[path] = Cause("shared library needed by", via)
                todo += ((path, wanted) for wanted in needs(path))
    return kept


@cache
def _patterns(files: tuple[str, ...]) -> Patterns:
    return Patterns(files, origin="knowledge")


def _match(path: str, files: tuple[str, ...]) -> bool:
    return bool(files) and _patterns(files).match(path)


def _named(path: str, files: tuple[str, ...]) -> str:
    """What stands in place of `{name}` in the pattern that the path matches."""
    for file in files:
        before, _, after = file.partition("{name}")
        if path.startswith(before):
            name, slash, rest = path[len(before) :].partition("/")
            if slash and fnmatch.fnmatch(slash + rest, after.replace("**", "*")):
                return name
    return ""
