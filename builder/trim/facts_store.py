"""Reads the facts of files, each once: remembered in the cache as long as a file's size and stamp stay the same.

The shell around `reader`, `native` and `builder/elf`. One record per layer, so that an edit of the function reads one
file anew, and a new interpreter none of the dependencies.
"""

import hashlib
import json
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from builder.cache import Cache, key_of
from builder.elf import ElfError, read_elf, without_debug
from builder.errors import SourceError
from builder.plan import PACKAGES, PlannedFile, PlannedLayer
from builder.trim.facts import Facts, parse_facts, render_facts
from builder.trim.native import Names, is_module, library_names, native_names, reads_certificates, relative_names
from builder.trim.reader import read_facts
from builder.trim.version import readers_digest

MAX_SOURCE_BYTES = 16 << 20  # a larger module is generated data
MAX_NATIVE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Binary:
    """An ELF file: the sonames it `needs`, the module `names` and `libraries` among its constants, and traits.

    Traits: `module` (it is an extension module), `certificates` (it looks for the system's CA certificates).
    """

    needed: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Shelf:
    """The remembered entries of one layer: path → [size, stamp, value]."""

    key: str
    entries: dict[str, list[object]]
    changed: bool = False


@dataclass(slots=True)
class FactsStore:
    """Facts of the files of a plan. `names` are what extension modules may import."""

    layers: Iterable[PlannedLayer]
    version: tuple[int, int]
    names: Names
    cache: Cache
    _files: dict[str, tuple[PlannedFile, str]] = field(default_factory=dict)  # and the layer's name
    _shelves: dict[tuple[str, str], _Shelf] = field(default_factory=dict)
    _facts: dict[str, Facts] = field(default_factory=dict)
    _binaries: dict[str, Binary] = field(default_factory=dict)

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
        file, layer = self._files[path]
        if not path.endswith(".py") and path.endswith(".pyc"):
            return Facts()
        shelf = self._shelf("source", layer)
        entry = shelf.entries.get(path)
        if entry and entry[:2] == [file.size, file.stamp] and (known := parse_facts(entry[2])):
            return known
        found = read_facts(self.read(path), self.version) if file.size <= MAX_SOURCE_BYTES else Facts()
        shelf.entries[path] = [file.size, file.stamp, render_facts(found)]
        shelf.changed = True
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
        file, layer = self._files[path]
        shelf = self._shelf("native", layer)
        entry = shelf.entries.get(path)
        if entry and entry[:2] == [file.size, file.stamp] and isinstance(entry[2], list):
            return Binary(*(frozenset(part) for part in entry[2]))
        found = self._inspect(path, file)
        parts = [sorted(part) for part in (found.needed, found.names, found.libraries, found.traits)]
        shelf.entries[path] = [file.size, file.stamp, parts]
        shelf.changed = True
        return found

    def _inspect(self, path: str, file: PlannedFile) -> Binary:
        try:
            elf = read_elf(Path(file.source))
        except (ElfError, OSError):
            elf = None
        if elf is None or file.size > MAX_NATIVE_BYTES:
            return Binary()
        body = without_debug(self.read(path))  # whose text is about other files
        name = posixpath.basename(path).partition(".")[0]
        traits = {"certificates"} if reads_certificates(body) else set()
        if is_module(body, name):
            traits.add("module")
        names = native_names(body, self.names) if "module" in traits else frozenset()
        if "module" in traits and path.startswith(f"{PACKAGES}/"):
            place = posixpath.dirname(path)[len(PACKAGES) + 1 :].replace("/", ".")
            names |= relative_names(body, f"{place}.{name}" if place else name, self.names)
        return Binary(frozenset(elf.needed), names, library_names(body), frozenset(traits))

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
            text = record.get("entries") if record else None
            entries = json.loads(text) if isinstance(text, str) else {}
            self._shelves[kind, layer] = _Shelf(key, entries)
        return self._shelves[kind, layer]

    def _folder(self, layer: str) -> str:
        return posixpath.commonpath(
            [posixpath.dirname(file.source) for file, name in self._files.values() if name == layer and file.stamp]
            or ["/"]
        )

    @property
    def _digest(self) -> str:
        return hashlib.sha256("\n".join(sorted(self.names.modules)).encode()).hexdigest()

    def save(self) -> None:
        """Remember what was read."""
        for shelf in self._shelves.values():
            if shelf.changed:
                self.cache.write_record("facts", shelf.key, {"entries": json.dumps(shelf.entries)})
                shelf.changed = False


def planned_paths(layers: Iterable[PlannedLayer]) -> Mapping[str, PlannedFile]:
    """All files of the layers by path."""
    return {file.path: file for layer in layers for file in layer.files}
