"""All shared libraries that a set of ELF files needs, directly or through others, and why each is there.

Exists because an image FROM scratch must carry exactly these. It walks DT_NEEDED breadth-first as the dynamic
loader does and runs none of the code. It never raises for a library that is not there, because only the
caller knows whether the module that wants it will ever be imported. What a program opens by name at run time
(dlopen, ctypes, glibc's own NSS and gconv modules) and DT_FILTER/DT_AUXILIARY are not in the files' lists and
so not here.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from os import fspath
from pathlib import Path

from builder.elf.errors import ElfError
from builder.elf.loader import How, Loaded, Place, places
from builder.elf.read import Elf, read_elf
from builder.elf.search import SearchPath

_LOADABLE = frozenset({"shared", "pie", "executable"})


@dataclass(frozen=True, slots=True)
class Library:
    """One library that is needed.

    `soname` is the name in DT_NEEDED (or PT_INTERP), `path` where the loader finds it (absolute inside the
    root, links not resolved: the image needs this name), `file` the regular file behind it on this machine.
    `how` is the rule that found it, `needed_by` every object that asks for it (sorted), `chain` the shortest
    way from a root to the library itself.
    """

    soname: str
    path: str
    file: Path
    elf: Elf
    how: How
    needed_by: tuple[str, ...]
    chain: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A library that the loader would not find for the objects in `needed_by`, and the reason.

    `chain` is the shortest way from a root to the first object that needs it.
    """

    soname: str
    needed_by: tuple[str, ...]
    chain: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Closure:
    """What `closure` found: libraries in the order the loader meets them, and those that are missing.

    One soname may stand for two paths when two roots carry their own copies: which is loaded first is decided
    at run time, so an image needs both.
    """

    libraries: tuple[Library, ...]
    missing: tuple[Missing, ...]

    def find(self, soname: str) -> tuple[Library, ...]:
        """Return the libraries known by this name; usually one, none when it is not needed or missing."""
        return tuple(library for library in self.libraries if library.soname == soname)


def closure(roots: Iterable[Path | str], *, search: SearchPath, main: Path | str | None = None) -> Closure:
    """Find the libraries of all `roots`, each loaded for itself as `import` would do it.

    Roots are absolute paths inside `search.tree`. `main` is the program that will load them (the Python
    executable): it is a root too, its libraries are in memory before the others', and its DT_RPATH counts for
    all. Raises ElfError for a root that is no ELF file, damaged, or of another machine than `search` is for.
    """
    walk = _Walk(search)
    program = walk.root(main, loader=None) if main is not None else None
    in_memory = walk.interpreter()
    if program:
        in_memory = walk.load(program, in_memory)
    for root in roots:
        walk.load(walk.root(root, loader=program), in_memory)
    return Closure(
        libraries=tuple(found.library() for found in walk.found.values()),
        missing=tuple(
            Missing(soname, tuple(sorted(lost.needed_by)), lost.chain, reason)
            for (soname, reason), lost in walk.lost.items()
        ),
    )


@dataclass(slots=True)
class _Found:
    """A library while those that need it are being collected."""

    soname: str
    loaded: Loaded
    how: How
    chain: tuple[str, ...]
    needed_by: set[str] = field(default_factory=set)

    def library(self) -> Library:
        at = self.loaded
        needed_by = tuple(sorted(self.needed_by))
        return Library(self.soname, at.path, at.file, at.elf, self.how, needed_by, self.chain)


@dataclass(slots=True)
class _Lost:
    """A missing library while those that need it are being collected."""

    chain: tuple[str, ...]
    needed_by: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Walk:
    """The state of one closure: what was found, what was not, and which files were already read."""

    search: SearchPath
    found: dict[str, _Found] = field(default_factory=dict)  # by path
    lost: dict[tuple[str, str], _Lost] = field(default_factory=dict)  # by soname and reason
    files: dict[str, Path | None] = field(default_factory=dict)  # by path
    elves: dict[Path, Elf | str] = field(default_factory=dict)  # by file; a string says why it cannot be loaded

    def interpreter(self) -> dict[str, Loaded]:
        """Put the loader itself in memory, under its path and its soname, before anything is loaded by it."""
        path = self.search.interpreter
        file = self.file(path) if path else None
        elf = self.elf(file) if file else None
        if path is None or file is None or not isinstance(elf, Elf):
            return {}
        loaded = Loaded(path, file, elf, _folder(path), how="interpreter")
        return {path: loaded} | ({elf.soname: loaded} if elf.soname else {})

    def root(self, path: Path | str, *, loader: Loaded | None) -> Loaded:
        """Make a root an object in memory. A program's $ORIGIN follows links, a library's does not."""
        name = fspath(path)
        file = self.file(name)
        if file is None:
            raise ElfError(name, f"no such file under {fspath(self.search.tree.root)!r}")
        elf = read_elf(file)
        if elf is None:
            raise ElfError(name, "it does not start with the ELF magic")
        if (elf.machine, elf.bits) != (self.search.machine, self.search.bits):
            wanted = f"{self.search.machine}, {self.search.bits} bits"
            raise ElfError(
                name, f"it is for {elf.machine}, {elf.bits} bits, and the libraries are searched for {wanted}"
            )
        home = (self.search.tree.resolve(name) or name) if elf.interpreter else name
        return Loaded(name, file, elf, _folder(home), loader=loader)

    def load(self, root: Loaded, in_memory: dict[str, Loaded]) -> dict[str, Loaded]:
        """Load a root and, breadth-first, what it needs; return all names in memory afterwards."""
        names = dict(in_memory)
        if root.elf.soname and self.search.libc == "glibc":
            names.setdefault(root.elf.soname, root)
        files = {loaded.file for loaded in in_memory.values()}
        if root.elf.interpreter and not root.loader:
            self._need(root.elf.interpreter, [Place(root.elf.interpreter, "interpreter")], root, names)
        todo = deque([root])
        while todo:
            needed_by = todo.popleft()
            if needed_by.file in files:  # the same file under a second name is mapped once
                continue
            files.add(needed_by.file)
            for soname in needed_by.elf.needed:
                candidates = places(soname, needed_by, self.search)
                loaded = self._need(soname, candidates, needed_by, names)
                if loaded is not None:
                    todo.append(loaded)
        return names

    def _need(
        self, soname: str, candidates: Iterable[Place], needed_by: Loaded, names: dict[str, Loaded]
    ) -> Loaded | None:
        """Return the library if it had to be loaded; note where it is, or why there is none."""
        if soname in names:
            self._note(soname, names[soname], needed_by)
            return None
        loaded, reason = self._first_fitting(candidates, needed_by)
        if loaded is None:
            lost = self.lost.setdefault((soname, reason), _Lost(_chain(needed_by)))
            lost.needed_by.add(needed_by.path)
            return None
        names[soname] = loaded
        if loaded.elf.soname and self.search.libc == "glibc":  # musl knows a library only by the name it was asked for
            names.setdefault(loaded.elf.soname, loaded)
        self._note(soname, loaded, needed_by)
        return loaded

    def _note(self, soname: str, loaded: Loaded, needed_by: Loaded) -> None:
        if loaded.how is None:  # a root: the caller has it already
            return
        chain = (*_chain(needed_by), loaded.path)
        found = self.found.setdefault(loaded.path, _Found(soname, loaded, loaded.how, chain))
        found.needed_by.add(needed_by.path)
        found.chain = min(found.chain, chain, key=len)

    def _first_fitting(self, candidates: Iterable[Place], needed_by: Loaded) -> tuple[Loaded | None, str]:
        """Go on after a file for another machine, give up at one that is no library: the loader does."""
        rejected: list[str] = []
        for place in candidates:
            file = self.file(place.path)
            if file is None:
                continue
            elf = self.elf(file)
            if isinstance(elf, str):
                return None, f"{place.path!r} {elf}"
            if (elf.machine, elf.bits) == (self.search.machine, self.search.bits):
                return Loaded(place.path, file, elf, _folder(place.path), place.how, needed_by), ""
            rejected.append(f"{place.path!r} is for {elf.machine}, {elf.bits} bits")
            if self.search.libc == "musl":  # musl does not look further
                break
        return None, "; ".join(rejected) or "in none of the loader's folders"

    def file(self, path: str) -> Path | None:
        if path not in self.files:
            self.files[path] = self.search.tree.maybe_file(path)
        return self.files[path]

    def elf(self, file: Path) -> Elf | str:
        if file not in self.elves:
            self.elves[file] = _loadable(file)
        return self.elves[file]


def _loadable(file: Path) -> Elf | str:
    try:
        elf = read_elf(file)
    except ElfError as error:
        return f"is damaged: {error.problem}"
    except OSError as error:
        return f"cannot be read here: {error.strerror}"
    if elf is None:
        return "is no ELF file"
    return elf if elf.kind in _LOADABLE else f"is of the kind {elf.kind!r}, which is not loaded"


def _chain(loaded: Loaded) -> tuple[str, ...]:
    return tuple(ancestor.path for ancestor in loaded.lineage())[::-1]


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "/"
