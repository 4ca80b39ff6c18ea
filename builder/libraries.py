"""The shared libraries that a set of files needs, as PlannedFiles in the one folder where the image's loader looks.

All libraries go into the folder that holds libc: it is compiled into the loader, so neither ld.so.cache nor
LD_LIBRARY_PATH is needed, and absolute run paths of the build machine (a pyenv, a toolcache) do not matter. What a
package carries itself (`numpy.libs`) stays where it is. Files are read, never run.
"""

import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from builder.cache import Cache, key_of
from builder.elf import Elf, ElfError, Library, SearchPath, closure, read_elf, search_path
from builder.errors import InterpreterError
from builder.listing import listed
from builder.plan import How, PlannedFile

LD_SO_CONF = "/etc/ld.so.conf"
OPENED = "opened by name at run time"


@dataclass(frozen=True, slots=True)
class SharedLibrary:
    """A library: `soname`, its real `source` here, size (bytes), time of change (`stamp`), and who needs it."""

    soname: str
    source: str
    size: int
    stamp: str
    why: str


@dataclass(frozen=True, slots=True)
class Libraries:
    """What was found. `loader` is the program loader's path, `folder` its libraries', both relative to the root.

    `missing` maps a soname to why it is needed.
    """

    loader: str
    folder: str
    found: tuple[SharedLibrary, ...]
    missing: Mapping[str, str]

    def planned(self, *, stripped: bool) -> list[PlannedFile]:
        """The libraries as files of the image."""
        how = How.WITHOUT_DEBUG if stripped else How.COPY
        return [
            PlannedFile(self._place(lib), lib.source, lib.why, how, 0o755, lib.size, lib.stamp) for lib in self.found
        ]

    def _place(self, library: SharedLibrary) -> str:
        if library.soname == posixpath.basename(self.loader):
            return self.loader
        if library.soname.startswith("/"):  # a file may need a library by its whole path
            return library.soname.lstrip("/")
        return f"{self.folder}/{library.soname}"

    def warnings(self) -> tuple[str, ...]:
        """A sentence for each library that is not on this machine."""
        return tuple(
            f"{soname}, {why}, is not on this machine; what loads it will fail"
            for soname, why in sorted(self.missing.items())
        )


def find_libraries(
    main: str, roots: Iterable[str], cache: Cache, *, inside: str = "", also: tuple[str, ...] = ()
) -> Libraries:
    """The libraries of the program `main` and of the `roots` that it loads; those below `inside` are shipped already.

    `also` are sonames that are opened by name. Remembered in the cache as long as no file involved changes; a result
    with something missing is not, because what is missing may be installed at any time. Raises InterpreterError.
    """
    files = [listed("", root) for root in (main, *sorted(set(roots)))]
    conf = [listed("", LD_SO_CONF)] if Path(LD_SO_CONF).exists() else []
    key = key_of("libraries", [(file.source, file.size, file.stamp) for file in (*files, *conf)], inside, also)
    remembered = cache.record("libraries", key)
    if remembered is not None and (libraries := _parse(remembered)) is not None:
        return libraries
    libraries = search_libraries(main, [root.source for root in files[1:]], inside=inside, also=also)
    if not libraries.missing:
        cache.write_record("libraries", key, asdict(libraries))
    return libraries


def _parse(record: Mapping[str, object]) -> Libraries | None:
    """A remembered result, or None when a library has changed since."""
    try:
        found = tuple(SharedLibrary(**row) for row in record["found"])  # type: ignore[attr-defined]  # checked by the except
        libraries = Libraries(str(record["loader"]), str(record["folder"]), found, dict(record["missing"]))  # type: ignore[call-overload]  # same
        fresh = all(_library(lib.soname, lib.source, lib.why) == lib for lib in found)
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return libraries if fresh else None


def search_libraries(main: str, roots: Iterable[str], *, inside: str = "", also: tuple[str, ...] = ()) -> Libraries:
    """The same as `find_libraries`, without a cache."""
    program = _read_program(main)
    loader = program.interpreter
    if loader is None:
        raise InterpreterError(
            f"reading {main}: it is linked statically",
            hint="Ship an interpreter that loads shared libraries.",
        )
    search = search_path(program)
    opened = {soname: _on_system(soname, search) for soname in also} if search.libc == "glibc" else {}
    usable = [root for root in roots if _fits(root, search)]
    try:
        found = closure([*usable, *filter(None, opened.values())], search=search, main=main)
    except (ElfError, OSError) as error:
        raise InterpreterError(
            f"looking for shared libraries: {error}", hint="The file is damaged: install it again."
        ) from None
    missing = {lost.soname: "needed by " + ", ".join(map(_short, lost.needed_by[:3])) for lost in found.missing}
    missing |= {soname: OPENED for soname, path in opened.items() if path is None}
    return Libraries(
        loader.lstrip("/"),
        _libc_folder(found.libraries, loader),
        tuple(_collected(loader, opened, found.libraries, inside)),
        missing,
    )


def _collected(
    loader: str, opened: Mapping[str, str | None], found: Iterable[Library], inside: str
) -> list[SharedLibrary]:
    """The loader, what is opened by name, and what is needed, each soname once, sorted."""
    loader_name = posixpath.basename(loader)
    libraries = {loader_name: _library(loader_name, os.path.realpath(loader), "the program loader")}
    for soname, path in opened.items():
        if path:
            libraries[soname] = _library(soname, os.path.realpath(path), OPENED)
    for library in found:
        is_loader = posixpath.basename(library.soname) == loader_name
        if not is_loader and not (inside and library.path.startswith(inside + "/")):
            why = "needed by " + _short(library.chain[0])
            libraries.setdefault(library.soname, _library(library.soname, str(library.file), why))
    return [libraries[soname] for soname in sorted(libraries)]


def _read_program(main: str) -> Elf:
    try:
        program = read_elf(Path(main))
    except (ElfError, OSError) as error:
        raise InterpreterError(f"reading {main}: {error}", hint="Name a working Python with --python.") from None
    if program is None:
        raise InterpreterError(
            f"reading {main}: it is no ELF program",
            hint="Name the interpreter itself, not a script that starts it.",
        )
    return program


def _fits(root: str, search: SearchPath) -> bool:
    """Whether the loader would take the file: packages carry files for other machines, and text named like one."""
    try:
        elf = read_elf(Path(root))
    except (ElfError, OSError):
        return False
    return (
        elf is not None
        and (elf.machine, elf.bits) == (search.machine, search.bits)
        and elf.kind in ("shared", "pie", "executable")
    )


def _libc_folder(libraries: Iterable[Library], loader: str) -> str:
    """The folder where libc was found; on musl libc is the loader."""
    libc = next((library.path for library in libraries if library.soname.startswith("libc.so")), loader)
    return posixpath.dirname(libc).lstrip("/")


def _library(soname: str, source: str, why: str) -> SharedLibrary:
    file = listed("", source)
    return SharedLibrary(soname, source, file.size, file.stamp, why)


def _short(path: str) -> str:
    """The end of a path, enough to recognise the file."""
    return "/".join(path.split("/")[-2:])


def _on_system(soname: str, search: SearchPath) -> str | None:
    folders = (*search.configured, *search.default)
    return next((path for folder in folders if Path(path := f"{folder}/{soname}").exists()), None)
