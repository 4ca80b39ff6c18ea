"""Finds the Python of a base: which program, which version, where its standard library is, on which libc.

Everything is read from files, nothing is run: so it works for any architecture, and a base is not trusted before it is
in a sandbox. Tests hold what is found here against what the found Python says of itself. Paths are the base's own.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from builder.elf import Elf, ElfError, Library, SearchPath, Tree, closure, read_elf, search_path
from builder.errors import BaseError
from builder.interpreter import ARCHITECTURES, OLDEST

USUAL_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin", "/opt/venv/bin", "/venv/bin", "/app/.venv/bin")
MAX_READ_BYTES = 64 << 20  # of a program or library that is searched for its version; libpython has 6 to 30 MB
MAX_SHOWN = 12  # rejected programs in a message

_NAME = re.compile(r"python3\.(?P<minor>\d{1,2})(?P<threads>t?)")
_LIBPYTHON = re.compile(r"libpython3\.(?P<minor>\d{1,2})(?P<threads>t?)\.so")
_MAGIC = re.compile(rb"^MAGIC_NUMBER = \((\d{4})\)\.to_bytes\(2, 'little'\)", re.MULTILINE)
_GLIBC = re.compile(rb"GNU C Library [^\n\0]{0,120}? version (\d+\.\d+)")
_MUSL = re.compile(rb"\0(1\.\d{1,2}\.\d{1,3})\0")


@dataclass(frozen=True, slots=True)
class BasePython:
    """The Python of a base. `program` is the name to start it by, `executable` the file behind that name.

    `magic` (hexadecimal) is "" when nothing in the base tells it; one of `glibc` and `musl` is set where known.
    """

    program: str
    executable: str
    version: tuple[int, int]
    full_version: str
    stdlib: str
    machine: str
    glibc: str
    musl: str
    magic: str


class _UnfitError(Exception):
    """Why a program is no Python that can be used."""


def find_python(
    tree: Tree, *, name: str, folders: Iterable[str], wanted: str | None, library_path: tuple[str, ...] = ()
) -> BasePython:
    """The first Python in the folders that can be used, and that is the `wanted` version or path where one is given.

    `name` is the base's, for messages; `library_path` its LD_LIBRARY_PATH. Raises BaseError, which says where it was
    looked and what was found there.
    """
    places = (wanted,) if wanted and "/" in wanted else ()
    searched = list(dict.fromkeys((*folders, *USUAL_FOLDERS)))
    rejected: list[str] = []
    for program in places or _programs(tree, searched):
        try:
            found = _inspect(tree, program, library_path)
        except _UnfitError as error:
            rejected.append(f"{program} {error}")
            continue
        if places or not wanted or f"{found.full_version}.".startswith(f"{wanted}."):
            return found
        rejected.append(f"{program} is Python {found.full_version}")
    looked = f"at {wanted}" if places else f"for python3, python and python3.N in {', '.join(searched)}"
    there = "; ".join(rejected[:MAX_SHOWN]) if rejected else "nothing of that name"
    raise BaseError(
        f"looking for {'Python ' + wanted if wanted and not places else 'Python'} in the base {name}: looked {looked}; "
        f"found {there}",
        hint="Take a base that brings CPython 3.9 or newer (`firkin bases` lists some), name its interpreter with "
        "--python /path/in/the/base, or ship this machine's with --base host.",
    )


def _programs(tree: Tree, folders: Iterable[str]) -> Iterator[str]:
    """What may be a Python, in the order in which a person's shell would find it."""
    for folder in folders:
        if not tree.is_dir(folder):
            continue
        numbered = [path for path in tree.glob(f"{folder}/python3.*") if _NAME.fullmatch(posixpath.basename(path))]
        numbered.sort(key=lambda path: int(path.rpartition(".")[2].rstrip("t")), reverse=True)
        yield from (path for path in (f"{folder}/python3", *numbered, f"{folder}/python") if _exists(tree, path))


def _exists(tree: Tree, path: str) -> bool:
    """Whether a name is there, be it a link that leads nowhere."""
    folder = tree.resolve(posixpath.dirname(path))
    if folder is None:
        return False
    place = tree.host(f"{folder}/{posixpath.basename(path)}")
    return place.is_symlink() or place.exists()


def _inspect(tree: Tree, program: str, library_path: tuple[str, ...]) -> BasePython:
    executable = tree.resolve(program)
    file = tree.host(executable) if executable else None
    if executable is None or file is None or not file.is_file():
        raise _UnfitError("leads to no file")
    try:
        elf = read_elf(file)
    except (ElfError, OSError) as error:
        raise _UnfitError(f"cannot be read: {error}") from None
    if elf is None:
        raise _UnfitError("is a script, not the interpreter itself")
    if elf.machine not in ARCHITECTURES:
        raise _UnfitError(f"is for {elf.machine}, which Lambda does not run")
    if elf.interpreter is None:
        raise _UnfitError("is linked statically and loads no extension modules")
    minor = _minor(executable, elf)
    version = (3, minor)
    if version < OLDEST:
        raise _UnfitError(f"is Python 3.{minor}, and the runtime needs 3.9 or newer")
    stdlib = _stdlib(tree, executable, f"python3.{minor}")
    search = search_path(elf, tree=tree, library_path=library_path)
    glibc, musl = _libc(tree, executable, search)
    return BasePython(
        program=program,
        executable=executable,
        version=version,
        full_version=_full_version(tree, executable, minor, search),
        stdlib=stdlib,
        machine=elf.machine,
        glibc=glibc,
        musl=musl,
        magic=_magic(tree, stdlib, minor),
    )


def _minor(executable: str, elf: Elf) -> int:
    """The minor version, by the program's name or by the library that it is linked with."""
    named = [_NAME.fullmatch(posixpath.basename(executable)), *map(_LIBPYTHON.match, elf.needed)]
    found = next(filter(None, named), None)
    if found is None:
        raise _UnfitError("has no version of CPython in its name or in that of its library")
    if found["threads"]:
        raise _UnfitError("is the free-threaded build")
    return int(found["minor"])


def _stdlib(tree: Tree, executable: str, name: str) -> str:
    prefix = posixpath.dirname(posixpath.dirname(executable))
    places = [f"{prefix.rstrip('/')}/{folder}/{name}" for folder in ("lib", "lib64")]
    for place in places:
        if tree.maybe_file(f"{place}/os.py"):
            return tree.resolve(place) or place
    raise _UnfitError(f"has no standard library: no os.py in {' or '.join(places)}")


def _full_version(tree: Tree, executable: str, minor: int, search: SearchPath) -> str:
    """`3.11.2`, which stands as a text in the program or in libpython; `3.11` when it is in neither.

    It may be the end of a longer text: linkers let `/opt/python/3.11.2` and `3.11.2` share their bytes.
    """
    text = re.compile(rb"(?<![\d.])(3\.%d\.\d{1,3}(?:(?:a|b|rc)\d+)?)\+?\0" % minor)
    libraries = [library.path for library in _libraries(executable, search) if _LIBPYTHON.match(library.soname)]
    for path in (executable, *libraries):
        if found := text.search(_content(tree, path)):
            return found[1].decode()
    return f"3.{minor}"


def _libc(tree: Tree, executable: str, search: SearchPath) -> tuple[str, str]:
    """The version of glibc and of musl; "" for the other one, and for what cannot be told."""
    if search.libc == "musl":
        found = _MUSL.search(_content(tree, search.interpreter or ""))
        return "", found[1].decode() if found else ""
    libc = next((library.path for library in _libraries(executable, search) if library.soname == "libc.so.6"), "")
    found = _GLIBC.search(_content(tree, libc)) if libc else None
    return found[1].decode() if found else "", ""


def _libraries(executable: str, search: SearchPath) -> tuple[Library, ...]:
    return closure([], search=search, main=executable).libraries


def _magic(tree: Tree, stdlib: str, minor: int) -> str:
    """The bytecode's magic number: from the import system's source, else from bytecode that is there."""
    source = tree.maybe_file(f"{stdlib}/importlib/_bootstrap_external.py")
    if source and (found := _MAGIC.search(source.read_bytes())):
        return (int(found[1]).to_bytes(2, "little") + b"\r\n").hex()
    compiled = next(tree.glob(f"{stdlib}/__pycache__/*.cpython-3{minor}.pyc"), None)
    return _content(tree, compiled)[:4].hex() if compiled else ""


def _content(tree: Tree, path: str) -> bytes:
    file = tree.maybe_file(path)
    if file is None:
        return b""
    with file.open("rb") as opened:
        return opened.read(MAX_READ_BYTES)
