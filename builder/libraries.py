"""The shared libraries that a set of files needs, as PlannedFiles in the one folder where the image's loader looks.

All libraries go into the folder that holds libc: it is compiled into the loader, so neither ld.so.cache nor
LD_LIBRARY_PATH is needed, and absolute run paths of the build machine (a pyenv, a toolcache) do not matter. What a
package carries itself (`numpy.libs`) stays where it is. Files are read, never run.
"""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from builder.cache import Cache, key_of
from builder.elf import Elf, ElfError, Library, SearchPath, Tree, closure, read_elf, search_path
from builder.errors import InterpreterError
from builder.interpreter import Interpreter
from builder.listing import Listed, listed
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
    where: str = "on this machine"

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
        """A sentence for each library that is missing."""
        return tuple(
            f"{soname}, {why}, is not {self.where}; what loads it will fail"
            for soname, why in sorted(self.missing.items())
        )


def find_libraries(
    interpreter: Interpreter, roots: Iterable[str], cache: Cache, *,
    at: tuple[str, str] | None = None, also: tuple[str, ...] = (),
) -> Libraries:  # fmt: skip
    """The libraries of the interpreter and of the `roots` that it loads.

    Roots are absolute paths below the interpreter's root. `at` is a place of the image, such as "opt/python", and the
    folder here that will be there: roots of it are paths here, and libraries in it are shipped already. `also` are
    sonames that are opened by name. Remembered in the cache as long as no file involved changes; a result with
    something missing is not, because what is missing may be installed at any time. Raises InterpreterError.
    """
    tree = interpreter.tree({f"/{at[0]}": Path(at[1])} if at else None)
    names = sorted({_inside(root, at) for root in roots})
    files = [_state(tree, name) for name in (interpreter.executable, *names)]
    conf = [listed("", LD_SO_CONF)] if Path(LD_SO_CONF).exists() and not interpreter.of_base else []
    key = key_of(
        "libraries",
        interpreter.root,
        [(file.path, file.source, file.size, file.stamp) for file in (*files, *conf)],
        at,
        also,
        interpreter.library_path,
    )
    remembered = cache.record("libraries", key)
    if remembered is not None and (libraries := _parse(remembered)) is not None:
        return libraries
    libraries = search_libraries(interpreter, names, tree=tree, inside=f"/{at[0]}" if at else "", also=also)
    if not libraries.missing:
        cache.write_record("libraries", key, asdict(libraries))
    return libraries


def _inside(root: str, at: tuple[str, str] | None) -> str:
    """The path in the image of a file that will be at a place of it."""
    if at is None:
        return root
    return f"/{at[0]}/{posixpath.relpath(root, at[1])}"


def _state(tree: Tree, path: str) -> Listed:
    return listed(path, str(tree.maybe_file(path) or path))


def _parse(record: Mapping[str, object]) -> Libraries | None:
    """A remembered result, or None when a library has changed since."""
    try:
        found = tuple(SharedLibrary(**row) for row in record["found"])  # type: ignore[attr-defined]  # checked by the except
        libraries = Libraries(
            str(record["loader"]),
            str(record["folder"]),
            found,
            dict(record["missing"]),  # type: ignore[call-overload]  # same
            str(record["where"]),
        )
        fresh = all(_library(lib.soname, lib.source, lib.why) == lib for lib in found)
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return libraries if fresh else None


def search_libraries(
    interpreter: Interpreter, roots: Iterable[str], *,
    tree: Tree | None = None, inside: str = "", also: tuple[str, ...] = (),
) -> Libraries:  # fmt: skip
    """The same as `find_libraries`, without a cache; `roots` are paths of `tree`, shipped are those below `inside`."""
    tree = tree or interpreter.tree()
    main = interpreter.executable
    program = _read_program(interpreter.place)
    loader = program.interpreter
    if loader is None:
        raise InterpreterError(
            f"reading {main}: it is linked statically",
            hint="Ship an interpreter that loads shared libraries.",
        )
    search = search_path(program, tree=tree, library_path=interpreter.library_path)
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
        tuple(_collected(loader, opened, found.libraries, tree=tree, inside=inside)),
        missing,
        "in the base" if interpreter.of_base else "on this machine",
    )


def _collected(
    loader: str, opened: Mapping[str, str | None], found: Iterable[Library], *, tree: Tree, inside: str
) -> list[SharedLibrary]:
    """The loader, what is opened by name, and what is needed, each soname once, sorted."""
    loader_name = posixpath.basename(loader)
    libraries = {loader_name: _library(loader_name, _file(tree, loader), "the program loader")}
    for soname, path in opened.items():
        if path:
            libraries[soname] = _library(soname, _file(tree, path), OPENED)
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


def _file(tree: Tree, path: str) -> str:
    """The file here behind a path. Raises InterpreterError when there is none."""
    file = tree.maybe_file(path)
    if file is None:
        raise InterpreterError(
            f"looking for shared libraries: there is no {path} in {tree.root}", hint="The system there is not whole."
        )
    return str(file)


def _fits(root: str, search: SearchPath) -> bool:
    """Whether the loader would take the file: packages carry files for other machines, and text named like one."""
    file = search.tree.maybe_file(root)
    if file is None:
        return False
    try:
        elf = read_elf(file)
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
    return next((path for folder in folders if search.tree.maybe_file(path := f"{folder}/{soname}")), None)
