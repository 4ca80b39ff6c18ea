"""An interpreter with all that it needs as the lowest layer, FROM scratch.

It is this machine's (the base "host"), or that of a base that is flattened.

Looks at the machine, or at the base's files and never out of them: the standard library, the shared libraries that its
ELF files name (read, never run), CA certificates, time zones. What is kept is decided by the trim rules; what it
becomes in the image is said here as PlannedFiles. Nothing is copied yet.
"""

import os
import posixpath
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.cache import Cache
from builder.data import data_file
from builder.elf import Tree
from builder.errors import InterpreterError
from builder.interpreter import Interpreter
from builder.libraries import Libraries, find_libraries
from builder.listing import Listed, digest_of, list_files, list_inside, listed
from builder.patterns import Patterns
from builder.plan import LANG, PACKAGES, RUNTIME, How, PlannedFile
from builder.trim import STDLIB, Choice, split

# Other people's packages, and bytecode that is made anew.
_NOT_STDLIB = frozenset(("site-packages", "dist-packages", "__pycache__"))

CA_BUNDLE = "etc/ssl/certs/ca-certificates.crt"

# Where bases keep their certificates: Debian and Alpine, the Red Hat family with Amazon Linux, Alpine's own.
_BASE_BUNDLES = (f"/{CA_BUNDLE}", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")

_ONE_LIBRARY = (2, 34)  # glibc since then has NSS's files and dns in libc itself, says its NEWS

# Where OpenSSL looks for the bundle by default, as built by Debian, upstream, the Red Hat family, and for uv's Pythons.
# Links from there make `ssl` find it whatever libssl was built with, and no variable needs to be set.
_CA_LINKS = ("usr/lib/ssl/cert.pem", "usr/local/ssl/cert.pem", "etc/pki/tls/cert.pem", "etc/ssl/cert.pem")


@dataclass(frozen=True, slots=True)
class HostBase:
    """The lowest layer as planned: files, what the trim rules left out, the libraries it brings, and what is amiss."""

    files: tuple[PlannedFile, ...]
    dropped: Mapping[str, str]
    libraries: Libraries
    warnings: tuple[str, ...]


def observe_host(interpreter: Interpreter, choice: Choice, cache: Cache) -> HostBase:
    """The files of the interpreter and all that it needs. Raises InterpreterError when it is not whole or readable."""
    try:
        return _observe_host(interpreter, choice, cache)
    except OSError as error:
        raise InterpreterError(
            f"reading the interpreter: {error.filename!r}: {error.strerror}",
            hint="It must be readable to be shipped: repair it, or name another with --python.",
        ) from None


def _observe_host(interpreter: Interpreter, choice: Choice, cache: Cache) -> HostBase:
    table = tomllib.loads(data_file("images/host.toml").read_text(encoding="utf-8"))
    prefix = f"{LANG}/{interpreter.library_folder}/{interpreter.name}"
    stripped = choice.level != "none"
    modules, dropped = _stdlib(interpreter, choice, prefix)
    roots = [f"{interpreter.stdlib}/{module.path}" for module in modules if may_be_elf(module.path)]
    libraries = find_libraries(interpreter, roots, cache, also=_opened(table, interpreter))
    data, absent = _data(table, interpreter)
    files = [
        *_programs(interpreter, stripped=stripped),
        *(_planned(module, prefix, stripped=stripped) for module in modules),
        *libraries.planned(stripped=stripped),
        *_texts(table),
        *data,
        *_certificates(interpreter.tree()),
        *_package_paths(interpreter, prefix),
        PlannedFile("tmp", "", "the one folder that may be written", How.FOLDER, 0o1777),
    ]
    all_dropped = {f"{prefix}/{path}": why for path, why in dropped.items()}
    return HostBase(tuple(files), all_dropped, libraries, (*libraries.warnings(), *absent))


def _opened(table: Mapping[str, list[str]], interpreter: Interpreter) -> tuple[str, ...]:
    """What the interpreter's libc and its libraries open by name."""
    numbers = [int(number) for number in interpreter.glibc.split(".")] if interpreter.glibc else [0]
    early = numbers[0] > 0 and tuple(numbers) < _ONE_LIBRARY
    return (*table["dlopen"], *(table["dlopen_before_2_34"] if early else []))


def _below(interpreter: Interpreter, folder: str, *, skip: frozenset[str] = frozenset()) -> list[Listed]:
    """The files of a folder of the interpreter's root."""
    return list_inside(interpreter.tree(), folder, skip=skip) if interpreter.of_base else list_files(folder, skip=skip)


def _programs(interpreter: Interpreter, *, stripped: bool) -> list[PlannedFile]:
    """The interpreter's program and its usual names."""
    program = listed(f"{LANG}/bin/{interpreter.name}", interpreter.place)
    how = How.WITHOUT_DEBUG if stripped else How.COPY
    return [
        PlannedFile(program.path, program.source, "the interpreter", how, 0o755, program.size, program.stamp),
        *(
            PlannedFile(f"{LANG}/bin/{alias}", interpreter.name, "a usual name of the interpreter", How.LINK)
            for alias in ("python", "python3")
        ),
    ]


def _stdlib(interpreter: Interpreter, choice: Choice, prefix: str) -> tuple[list[Listed], dict[str, str]]:
    found = _below(interpreter, interpreter.stdlib, skip=_NOT_STDLIB)
    paths = {file.path: file for file in found}
    if "os.py" not in paths:
        raise InterpreterError(
            f"reading the interpreter: {interpreter.stdlib} holds no standard library",
            hint="Name a complete Python with --python.",
        )
    kept, dropped = split(paths, scope=STDLIB, prefix=prefix, choice=choice)
    return [paths[path] for path in kept], dropped


def _package_paths(interpreter: Interpreter, prefix: str) -> list[PlannedFile]:
    """Path files for `site`, which the runtime starts without: what a function starts finds the dependencies too."""
    folders = [f"{prefix}/site-packages"]
    debians = "python3/dist-packages"  # where Debian's `site` looks instead
    if interpreter.tree().is_dir(posixpath.join(posixpath.dirname(interpreter.stdlib), debians)):
        folders.append(f"{LANG}/{interpreter.library_folder}/{debians}")
    why = "programs that a function starts, console scripts among them, find the dependencies"
    return [
        PlannedFile(f"{folder}/opt.pth", "", why, How.CONTENT, content=f"/{PACKAGES}\n".encode()) for folder in folders
    ]


def may_be_elf(path: str) -> bool:
    """Whether a file is named like a shared library or an extension module."""
    return path.endswith(".so") or ".so." in posixpath.basename(path)


def _planned(file: Listed, prefix: str, *, stripped: bool) -> PlannedFile:
    elf = may_be_elf(file.path)
    how = How.WITHOUT_DEBUG if stripped and elf else How.COPY
    mode = 0o755 if elf or file.executable else 0o644
    return PlannedFile(f"{prefix}/{file.path}", file.source, "standard library", how, mode, file.size, file.stamp)


def _texts(table: Mapping[str, object]) -> Iterable[PlannedFile]:
    rows = table.get("text", [])
    for row in rows if isinstance(rows, list) else []:
        yield PlannedFile(row["path"].lstrip("/"), "", row["why"], How.CONTENT, content=row["content"].encode())


def _data(table: Mapping[str, object], interpreter: Interpreter) -> tuple[list[PlannedFile], list[str]]:
    """Operating-system data, and a warning for each that is not there."""
    files: list[PlannedFile] = []
    absent: list[str] = []
    rows = table.get("data", [])
    for row in rows if isinstance(rows, list) else []:
        if interpreter.tree().is_dir(row["path"]):
            leave = Patterns(row["leave"])
            whole = frozenset(filter(str.isalpha, row["leave"]))  # folders that need not be looked into
            files += (
                _datum(file, row["path"].lstrip("/"), row["why"], leave)
                for file in _below(interpreter, row["path"], skip=whole)
                if not leave.match(file.path)
            )
        else:
            where = "in the base" if interpreter.of_base else "on this machine"
            absent.append(f"{row['path']} is not {where} and not in the image ({row['why']})")
    return files, absent


def _datum(file: Listed, prefix: str, why: str, leave: Patterns) -> PlannedFile:
    """One file of data; a link within what is kept stays one, so that a time zone's many names cost nothing."""
    path = posixpath.join(prefix, file.path)
    if os.path.islink(file.source):  # noqa: PTH114  a thousand of them
        target = os.readlink(file.source)  # noqa: PTH115  as above
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), target))
        if not inside.startswith(("/", "../")) and not leave.match(inside):
            return PlannedFile(path, target, why, How.LINK)
    return PlannedFile(path, file.source, why, size=file.size, stamp=file.stamp)


def _certificates(tree: Tree) -> Iterable[PlannedFile]:
    """The bundle of a base, where it has one: what its makers added belongs to it.

    Else certifi's: the same on every machine, and without what somebody added to this one.
    """
    own = next(filter(None, map(tree.maybe_file, _BASE_BUNDLES)), None) if tree.root != Path("/") else None
    if own is None:
        import certifi

        own = Path(certifi.where())
    bundle, why = (
        listed("", str(own)),
        "CA certificates, " + ("from certifi" if "certifi" in own.parts else "the base's"),
    )
    yield PlannedFile(CA_BUNDLE, bundle.source, why, size=bundle.size, stamp=bundle.stamp)
    for link in _CA_LINKS:
        target = posixpath.relpath(CA_BUNDLE, posixpath.dirname(link))
        yield PlannedFile(link, target, "where OpenSSL looks for the CA certificates", How.LINK)


def runtime_files(folders: Iterable[Path]) -> list[PlannedFile]:
    """The runtime layer's files: the modules in the folders of bootstrap and emulator."""
    files: list[PlannedFile] = []
    for folder in folders:
        for file in list_files(str(folder), skip=frozenset(("__pycache__",))):
            if file.path.endswith(".py"):
                path = f"{RUNTIME}/{folder.name}/{file.path}"
                files.append(
                    PlannedFile(path, file.source, "firkin's runtime", size=file.size, stamp=digest_of(file.source))
                )
    return files
