"""Reads the facts of files, each once: remembered in the cache as long as a file's size and stamp stay the same.

The shell around `reader` and `binaries`, which are loaded when there is something new to read. One record per layer,
so that an edit of the function reads one file anew, and a new interpreter none of the dependencies.
"""

import hashlib
import posixpath
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from builder.cache import Cache, key_of
from builder.errors import SourceError
from builder.plan import LANG, RUNTIME, How, PlannedFile, PlannedLayer
from builder.trim.facts import Binary, Facts, parse_facts, render_binary, render_facts
from builder.trim.rules import DEPENDENCIES
from builder.trim.version import readers_digest

if TYPE_CHECKING:
    from builder.trim.native import Names
    from builder.trim.reading import Job, Readers

MAX_SOURCE_BYTES = 16 << 20  # a larger module is generated data


@dataclass(slots=True)
class _Shelf:
    """The remembered entries of one layer: path → [size, stamp, value]."""

    key: str
    entries: dict[str, list[object]]
    changed: bool = False


@dataclass(slots=True)
class FactsStore:
    """Facts of the files of a plan. `names` are the modules that extension modules may import."""

    layers: Iterable[PlannedLayer]
    version: tuple[int, int]
    cache: Cache
    names: frozenset[str] = frozenset()
    _files: dict[str, tuple[PlannedFile, str]] = field(default_factory=dict)  # and the layer's name
    _shelves: dict[tuple[str, str], _Shelf] = field(default_factory=dict)
    _facts: dict[str, Facts] = field(default_factory=dict)
    _binaries: dict[str, Binary] = field(default_factory=dict)
    _names: "Names | None" = None
    _readers: "Readers | None" = None

    def __post_init__(self) -> None:
        """Know where each file is."""
        self._files = {file.path: (file, layer.name) for layer in self.layers for file in layer.files}

    def facts(self, path: str) -> Facts:
        """The facts of a module, or of a script."""
        known = self._facts.get(path)
        if known is None:
            known = self._facts[path] = self._compiled(path) if path.endswith(".so") else self._source(path)
        return known

    def _source(self, path: str) -> Facts:
        if path not in self._files:  # built into the interpreter
            return Facts()
        file, _ = self._files[path]
        if not path.endswith(".py") and path.endswith(".pyc"):
            return Facts()
        self._await(path)
        if (known := parse_facts(self._remembered("source", path))) is not None:
            return known
        return self._read_source(path) if file.size <= MAX_SOURCE_BYTES else Facts()

    def _read_source(self, path: str) -> Facts:
        from builder.trim.reader import read_facts

        found = read_facts(self.read(path), self.version)
        self._remember("source", path, render_facts(found))
        return found

    def _compiled(self, path: str) -> Facts:
        binary = self.binary(path)
        return Facts(strings=binary.names, libraries=binary.libraries)

    def binary(self, path: str) -> Binary:
        """What an ELF file says; nothing for any other file."""
        known = self._binaries.get(path)
        if known is None:
            known = self._binaries[path] = self._read_binary(path)
        return known

    def _read_binary(self, path: str) -> Binary:
        self._await(path)
        known = self._remembered("native", path)
        return Binary(*map(frozenset, known)) if isinstance(known, list) else self._inspect(path)

    def _inspect(self, path: str) -> Binary:
        from builder.trim.binaries import inspect
        from builder.trim.native import Names

        self._names = self._names or Names(self.names)
        file, _ = self._files[path]
        found = inspect(path, Path(file.source), lambda: self.read(path), self._names)
        self._remember("native", path, render_binary(found))
        return found

    def begin(self) -> None:
        """Begin what reads ahead now if it will have much to do: it starts while the first files are walked."""
        from builder.trim.reading import WORTH_FILES, Readers

        kinds = Counter((_kind(path), layer) for path, (_, layer) in self._files.items())
        for (kind, layer), count in kinds.items():
            is_known = not kind or (kind == "source" and layer != DEPENDENCIES) or self._shelf(kind, layer).entries
            if count >= WORTH_FILES and not is_known:
                self._readers = self._readers or Readers(self.version, self.names)
                self._readers.begin()

    def ahead(self, paths: Iterable[str]) -> None:
        """Have files read that will be asked for, on the other cores, if there is much that is not known."""
        jobs = [job for path in paths if (job := self._job(path)) and not self._is_known(job)]
        if not jobs:
            return
        from builder.trim.reading import Readers

        self._readers = self._readers or Readers(self.version, self.names)
        self._readers.ask(jobs)

    def _await(self, path: str) -> None:
        """Remember what was read ahead. While another core reads the path, read others here."""
        readers = self._readers
        if readers is None:
            return
        readers.withdraw(path)
        is_idle = False
        while True:
            for job, found in readers.answers(wait=is_idle):
                self._remember(job.kind, job.path, found)
            if not readers.is_begun(path):
                return
            other = readers.withdraw()
            is_idle = other is None
            if other:
                with suppress(SourceError):  # told when it is asked for
                    (self._read_source if other.kind == "source" else self._inspect)(other.path)

    def _job(self, path: str) -> "Job | None":
        """What there is to read of a file; None when it is known, or is for nobody to read."""
        from builder.trim.reading import Job

        file, _ = self._files.get(path, (None, ""))
        kind = _kind(path)
        if file is None or not kind or file.how not in {How.COPY, How.WITHOUT_DEBUG}:
            return None
        if kind == "source" and file.size > MAX_SOURCE_BYTES:
            return None
        if path in self._facts or path in self._binaries or self._remembered(kind, path) is not None:
            return None
        return Job(kind, path, file.source, file.size)

    def _is_known(self, job: "Job") -> bool:
        """Whether firkin brought the facts of that source, the standard library's or its own; remembered then."""
        if job.kind != "source" or not job.path.startswith((f"{LANG}/", f"{RUNTIME}/")):
            return False
        from builder.trim.known_sources import known_facts, name_of

        table = known_facts(self.version)
        found = table.get(name_of(self.read(job.path))) if table else None
        if found is not None:
            self._remember(job.kind, job.path, found)
        return found is not None

    def _remembered(self, kind: str, path: str) -> object:
        """What was found out about a file in its present state; None when nothing was."""
        file, layer = self._files[path]
        entry = self._shelf(kind, layer).entries.get(path)
        return entry[2] if entry and entry[:2] == [file.size, file.stamp] else None

    def _remember(self, kind: str, path: str, found: object) -> None:
        file, layer = self._files[path]
        shelf = self._shelf(kind, layer)
        shelf.entries[path] = [file.size, file.stamp, found]
        shelf.changed = True

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises SourceError."""
        file, _ = self._files[path]
        try:
            return Path(file.source).read_bytes()
        except OSError as error:
            raise SourceError(
                f"reading /{path} for trimming: {file.source!r}: {error.strerror}",
                hint="Build again when nothing writes there.",
            ) from error

    def _shelf(self, kind: str, layer: str) -> _Shelf:
        if (kind, layer) not in self._shelves:
            about = self._digest if kind == "native" else ""
            key = key_of("facts", readers_digest(), kind, layer, list(self.version), self._folder(layer), about)
            record = self.cache.record("facts", key)
            entries = record.get("entries") if record else None
            self._shelves[kind, layer] = _Shelf(key, entries if isinstance(entries, dict) else {})
        return self._shelves[kind, layer]

    def _folder(self, layer: str) -> str:
        return posixpath.commonpath(
            [posixpath.dirname(file.source) for file, name in self._files.values() if name == layer and file.stamp]
            or ["/"]
        )

    @property
    def _digest(self) -> str:
        return hashlib.sha256("\n".join(sorted(self.names)).encode()).hexdigest()

    def save(self) -> None:
        """Remember what was read."""
        for shelf in self._shelves.values():
            if shelf.changed:
                self.cache.write_record("facts", shelf.key, {"entries": shelf.entries})
                shelf.changed = False

    def close(self) -> None:
        """End what reads ahead."""
        if self._readers:
            self._readers.close()


def _kind(path: str) -> str:
    """What a file is read as; empty for what is not read ahead."""
    return "source" if path.endswith(".py") else "native" if ".so" in posixpath.basename(path) else ""


def planned_paths(layers: Iterable[PlannedLayer]) -> Mapping[str, PlannedFile]:
    """All files of the layers by path."""
    return {file.path: file for layer in layers for file in layer.files}
