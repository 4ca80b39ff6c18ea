"""In which order the dynamic loader tries folders for one needed library: glibc's rules and musl's.

Exists so that the rules can be read, and tested, apart from files. It never touches the file system.

glibc (elf/dl-load.c, _dl_map_object; ld.so(8)):
    1. DT_RPATH of the object and of those that caused it to be loaded, up to the program; skipped altogether
       when the object has a DT_RUNPATH, and an ancestor's DT_RPATH never counts beside its own DT_RUNPATH
    2. LD_LIBRARY_PATH
    3. DT_RUNPATH of the object alone
    4. the folders of ld.so.conf      (5. and 4. without the default folders after `-z nodefaultlib`)
    5. the default folders
musl (ldso/dynlink.c, load_library):
    1. LD_LIBRARY_PATH
    2. DT_RUNPATH, or else DT_RPATH, of the object and of those that caused it to be loaded
    3. the folders of its path file, or the default ones
A name with a slash is a path and is not searched for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from builder.elf.read import Elf
from builder.elf.search import SearchPath

How = Literal["interpreter", "path", "origin", "rpath", "runpath", "library-path", "conf", "default"]

_TOKEN = re.compile(r"\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_]))")
# musl is its own libm, libpthread and so on: these names never leave the loader (dynlink.c, `reserved`).
_MUSL_SELF = re.compile(r"lib(c|pthread|rt|m|dl|util|xnet)\..*", re.DOTALL)


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """An object in memory: its name for the loader, its file, its $ORIGIN, and who caused it to be loaded."""

    path: str
    file: Path
    elf: Elf
    origin: str
    how: How | None = None
    loader: "Loaded | None" = None

    def lineage(self) -> "Iterator[Loaded]":
        """Yield this object, the one that caused it to be loaded, and so on up to the program."""
        at: Loaded | None = self
        while at is not None:
            yield at
            at = at.loader


class Place(NamedTuple):
    """A file to try, and by which rule."""

    path: str
    how: How


def places(name: str, needed_by: Loaded, search: SearchPath) -> Iterator[Place]:
    """Where to look for the library `name` that `needed_by` needs, in order.

    Folders that are not absolute once tokens are replaced are left out: they depend on where the program is
    started.
    """
    if search.libc == "musl" and search.interpreter and _MUSL_SELF.fullmatch(name):
        yield Place(search.interpreter, "interpreter")
        return
    if "/" in name:
        path = _expand(name, needed_by, search)
        if path and path.startswith("/"):
            yield Place(path, "path")
        return
    folders = _musl_folders if search.libc == "musl" else _glibc_folders
    for folder, how in folders(needed_by, search):
        yield Place(f"{folder.rstrip('/')}/{name}", how)


def _glibc_folders(needed_by: Loaded, search: SearchPath) -> Iterator[tuple[str, How]]:
    if not needed_by.elf.runpath:
        for ancestor in needed_by.lineage():
            if not ancestor.elf.runpath:
                yield from _written(ancestor.elf.rpath, "rpath", ancestor, search)
    yield from ((folder, "library-path") for folder in search.library_path)
    yield from _written(needed_by.elf.runpath, "runpath", needed_by, search)
    nodeflib = needed_by.elf.nodeflib
    yield from ((folder, "conf") for folder in search.configured if not (nodeflib and folder in search.default))
    if not nodeflib:
        yield from ((folder, "default") for folder in search.default)


def _musl_folders(needed_by: Loaded, search: SearchPath) -> Iterator[tuple[str, How]]:
    yield from ((folder, "library-path") for folder in search.library_path)
    for ancestor in needed_by.lineage():
        if ancestor.elf.runpath:
            yield from _written(ancestor.elf.runpath, "runpath", ancestor, search)
        else:
            yield from _written(ancestor.elf.rpath, "rpath", ancestor, search)
    yield from ((folder, "default") for folder in search.default)


def _written(run_path: tuple[str, ...], how: How, owner: Loaded, search: SearchPath) -> Iterator[tuple[str, How]]:
    """Expand the run path that `owner` carries; musl ignores all of it for one token it does not know."""
    folders = [(_expand(folder, owner, search), "ORIGIN" in folder) for folder in run_path]
    if search.libc == "musl" and any(folder is None for folder, _ in folders):
        return
    for folder, has_origin in folders:
        if folder and folder.startswith("/"):
            yield folder, "origin" if has_origin else how


def _expand(text: str, owner: Loaded, search: SearchPath) -> str | None:
    """`text` with $ORIGIN, $LIB and $PLATFORM replaced; None when musl meets another token than $ORIGIN."""
    values = {"ORIGIN": owner.origin}
    if search.libc == "glibc":
        values |= {"LIB": search.lib, "PLATFORM": search.platform}
    expanded = _TOKEN.sub(lambda found: values.get(found[1] or found[2], "$"), text)
    return None if search.libc == "musl" and "$" in expanded else expanded
