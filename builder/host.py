"""The base "host": the interpreter of this machine as the lowest layer, FROM scratch.

Looks at the machine: the standard library, the shared libraries that its ELF files name (read, never run), CA
certificates, time zones. What is kept is decided by the trim rules; what it becomes in the image is said here as
PlannedFiles. Nothing is copied yet.
"""

import os
import posixpath
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.cache import Cache
from builder.data import data_file
from builder.errors import InterpreterError
from builder.interpreter import Interpreter
from builder.libraries import Libraries, find_libraries
from builder.listing import Listed, digest_of, list_files, listed
from builder.patterns import Patterns
from builder.plan import LANG, How, PlannedFile
from builder.trim import STDLIB, Choice, split

# Other people's packages, and bytecode that is made anew.
_NOT_STDLIB = frozenset(("site-packages", "dist-packages", "__pycache__"))

CA_BUNDLE = "etc/ssl/certs/ca-certificates.crt"

# Where OpenSSL builds look for the bundle by default: Debian's and the upstream's own, the Red Hat family's, uv's Pythons.
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
    """The files of the interpreter and all that it needs. Raises InterpreterError when its standard library is not there."""
    table = tomllib.loads(data_file("images/host.toml").read_text(encoding="utf-8"))
    prefix = f"{LANG}/lib/{interpreter.name}"
    modules, dropped = _stdlib(interpreter, choice, prefix)
    executable = listed(f"{LANG}/bin/{interpreter.name}", interpreter.executable)
    stripped = choice.level != "none"
    files = [_planned(module, prefix, "standard library", stripped=stripped) for module in modules]
    files.append(
        PlannedFile(
            executable.path,
            executable.source,
            "the interpreter",
            _how(stripped),
            0o755,
            executable.size,
            executable.stamp,
        )
    )
    files += [
        PlannedFile(f"{LANG}/bin/{alias}", interpreter.name, "a usual name of the interpreter", How.LINK)
        for alias in ("python", "python3")
    ]
    roots = [module.source for module in modules if may_be_elf(module.path)]
    libraries = find_libraries(executable.source, roots, cache, also=tuple(table["dlopen"]))
    files += libraries.planned(stripped=stripped)
    files += [*_texts(table), *_data(table), *_certificates()]
    files.append(PlannedFile("tmp", "", "the one folder that may be written", How.FOLDER, 0o1777))
    return HostBase(
        tuple(files),
        {f"{prefix}/{path}": why for path, why in dropped.items()},
        libraries,
        libraries.warnings(),
    )


def _stdlib(interpreter: Interpreter, choice: Choice, prefix: str) -> tuple[list[Listed], dict[str, str]]:
    found = list_files(interpreter.stdlib, skip=_NOT_STDLIB)
    paths = {file.path: file for file in found}
    if "os.py" not in paths:
        raise InterpreterError(
            f"reading the interpreter: {interpreter.stdlib} holds no standard library",
            hint="Name a complete Python with --python.",
        )
    kept, dropped = split(paths, scope=STDLIB, prefix=prefix, choice=choice)
    return [paths[path] for path in kept], dropped


def may_be_elf(path: str) -> bool:
    return path.endswith(".so") or ".so." in posixpath.basename(path)


def _how(stripped: bool) -> How:  # noqa: FBT001 - a private translation of the one trim switch
    return How.WITHOUT_DEBUG if stripped else How.COPY


def _planned(file: Listed, prefix: str, why: str, *, stripped: bool) -> PlannedFile:
    elf = may_be_elf(file.path)
    return PlannedFile(
        f"{prefix}/{file.path}",
        file.source,
        why,
        _how(stripped and elf),
        0o755 if elf or file.executable else 0o644,
        file.size,
        file.stamp,
    )


def _texts(table: Mapping[str, object]) -> Iterable[PlannedFile]:
    rows = table.get("text", [])
    for row in rows if isinstance(rows, list) else []:
        yield PlannedFile(row["path"].lstrip("/"), "", row["why"], How.CONTENT, content=row["content"].encode())


def _data(table: Mapping[str, object]) -> Iterable[PlannedFile]:
    """Operating-system data; links inside it stay links, so that a zone's many names cost nothing."""
    rows = table.get("data", [])
    for row in rows if isinstance(rows, list) else []:
        leave = Patterns(row["leave"])
        if not os.path.isdir(row["path"]):
            continue
        for file in list_files(row["path"]):
            if leave.match(file.path):
                continue
            path = posixpath.join(row["path"].lstrip("/"), file.path)
            target = os.readlink(file.source) if os.path.islink(file.source) else ""
            if (
                target
                and not target.startswith("/")
                and not leave.match(posixpath.normpath(posixpath.join(posixpath.dirname(file.path), target)))
            ):
                yield PlannedFile(path, target, row["why"], How.LINK)
            else:
                yield PlannedFile(path, file.source, row["why"], size=file.size, stamp=file.stamp)


def _certificates() -> Iterable[PlannedFile]:
    """Certifi's bundle: the same on every machine, and without what somebody added to this one."""
    import certifi

    bundle = listed("", str(Path(certifi.where())))
    yield PlannedFile(CA_BUNDLE, bundle.source, "CA certificates, from certifi", size=bundle.size, stamp=bundle.stamp)
    for link in _CA_LINKS:
        target = posixpath.relpath(CA_BUNDLE, posixpath.dirname(link))
        yield PlannedFile(link, target, "where OpenSSL looks for the CA certificates", How.LINK)


def runtime_files(folders: Iterable[Path]) -> list[PlannedFile]:
    """The runtime layer's files: bootstrap and emulator, as installed with this builder."""
    files: list[PlannedFile] = []
    for folder in folders:
        for file in list_files(str(folder), skip=frozenset(("__pycache__",))):
            if file.path.endswith(".py"):
                path = f"var/runtime/{folder.name}/{file.path}"
                files.append(
                    PlannedFile(path, file.source, "firkin's runtime", size=file.size, stamp=digest_of(file.source))
                )
    return files
