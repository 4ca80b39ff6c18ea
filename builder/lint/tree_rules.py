"""The rules about the files of an image: what starts, what is readable, what loads. Pure; reads no file."""

import posixpath
import re
from collections.abc import Iterator, Sequence

from builder.elf import Elf
from builder.lint.contents import Contents
from builder.lint.finding import Finding
from builder.lint.tree import Tree, search_program
from builder.oci import ImageConfig

MAX_BYTES = 10 * 1000**3  # Lambda quotas: container image code package size, 10 GB uncompressed
_SHOWN = 20
_OTHERS_READ, _OTHERS_SEARCH = 0o004, 0o001
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_LOADABLE = ("executable", "pie", "shared")

# Where what the function needs lives, besides its working directory: AWS's images, ours, and usual Pythons.
_NEEDED = re.compile(r"^(?:var/task|var/runtime|var/lang|opt|function|app|usr/local/lib/python|usr/lib/python)(?:/|$)")

_MUSL_ITSELF = re.compile(r"libc\.(?:so|musl-)")  # musl's loader is its libc, whatever it is called

# Where OpenSSL builds of distributions look, and packages that bring their own.
_CA_BUNDLES = (
    "etc/ssl/certs/ca-certificates.crt",
    "etc/ssl/cert.pem",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/pki/tls/cert.pem",
    "etc/ssl/ca-bundle.pem",
)


def check_tree(tree: Tree, layers: Sequence[Contents], config: ImageConfig) -> Iterator[Finding]:
    """What is wrong with the files."""
    size = sum(contents.size for contents in layers)
    if size > MAX_BYTES:
        yield Finding("size", f"it has {size / 1e9:.2f} GB uncompressed")
    yield from _check_entrypoint(tree, config)
    yield from _check_readable(tree, config)
    yield from check_elves(tree, config)
    if not _has_certificates(tree, config) and not _speaks_no_tls(tree):
        yield Finding("ca-bundle", "none of the usual places holds a bundle")
    for path, item in tree.items.items():
        if posixpath.basename(path) == ".git" and item.kind == "directory":
            yield Finding("version-control", "a repository", f"/{path}")


def _speaks_no_tls(tree: Tree) -> bool:
    """Whether the image has a Python without `ssl`: trimming leaves both out where nothing reaches them."""
    modules = [path for path in tree.items if "/lib-dynload/" in path]
    return bool(modules) and not any("/lib-dynload/_ssl." in path for path in modules)


def _check_entrypoint(tree: Tree, config: ImageConfig) -> Iterator[Finding]:
    command = (*config.entrypoint, *config.cmd)
    if not command:
        yield Finding("entrypoint", "neither ENTRYPOINT nor CMD is set")
    elif not search_program(tree, command[0], config.env, folder=config.working_dir or "/"):
        yield Finding("entrypoint", f"{command[0]!r} is no executable file of the image")


def _check_readable(tree: Tree, config: ImageConfig) -> Iterator[Finding]:
    """Files and folders that a user who owns nothing cannot use; one finding for many of the same folder."""
    task = config.working_dir.strip("/")
    needed: list[str] = []
    others: list[str] = []
    for path, item in tree.items.items():
        wanted = _OTHERS_READ | (_OTHERS_SEARCH if item.kind == "directory" else 0)
        if item.kind not in {"file", "directory"} or item.mode & wanted == wanted:
            continue
        own = _NEEDED.match(path) or (task and (path == task or path.startswith(f"{task}/")))
        (needed if own else others).append(path)
    for path in needed[:_SHOWN]:
        yield Finding("unreadable", f"its mode is {tree.items[path].mode:04o}", f"/{path}")
    if len(needed) > _SHOWN:
        yield Finding("unreadable", f"and {len(needed) - _SHOWN} more")
    if others:
        shown = ", ".join(f"/{path}" for path in others[:5])
        yield Finding("system-unreadable", f"{len(others)}: {shown}{' …' if len(others) > 5 else ''}")  # noqa: PLR2004  as many as shown


def check_elves(tree: Tree, config: ImageConfig) -> Iterator[Finding]:
    """Programs and libraries that cannot be loaded here: another machine, a newer C library, a missing library.

    A library counts as there when a file of its name is anywhere in the image: packages load theirs by path before
    they are asked for by name, so that the loader's own order would complain too often.
    """
    machine = _MACHINES.get(config.architecture)
    names = {posixpath.basename(path) for path in tree.items}
    musl = any(name.startswith("ld-musl-") for name in names)
    lacking: dict[str, list[str]] = {}
    for path, elf in sorted(tree.elves.items()):
        if elf.kind not in _LOADABLE:
            continue
        if machine and elf.machine != machine:
            yield Finding("elf-architecture", f"it is for {elf.machine}, the image for {machine}", f"/{path}")
            continue
        if tree.glibc and elf.glibc_version and elf.glibc_version > tree.glibc:
            yield Finding(
                "elf-libc",
                f"it needs glibc {_dotted(elf.glibc_version)}, the image has {_dotted(tree.glibc)}",
                f"/{path}",
            )
        for soname in _lacking(elf, names):
            if musl and _MUSL_ITSELF.match(soname):
                continue
            lacking.setdefault(soname, []).append(path)
    for soname, paths in sorted(lacking.items()):
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        yield Finding("elf-library", f"{soname} is needed by it{more}", f"/{paths[0]}")


def _lacking(elf: Elf, names: set[str]) -> Iterator[str]:
    wanted = (*elf.needed, *([elf.interpreter] if elf.interpreter else []))
    return (soname for soname in wanted if posixpath.basename(soname) not in names)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _has_certificates(tree: Tree, config: ImageConfig) -> bool:
    places = (*_CA_BUNDLES, config.env.get("SSL_CERT_FILE", ""))
    return any(place and tree.maybe_file(place) for place in places) or any(
        path.endswith("certifi/cacert.pem") for path in tree.items
    )
