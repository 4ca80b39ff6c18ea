"""Where a system's dynamic loader looks for libraries besides the paths written in the files themselves.

Reads the loader's configuration of one root folder into a frozen value; `loader` says in which order it is
used. The folders of ld.so.conf stand for ld.so.cache: the cache is made from them, and an unpacked image may
have none. Subfolders `glibc-hwcaps/…` are left out on purpose: which of them is used depends on the CPU, and
the machine that builds is not the one that runs; the plain folder holds a library that every CPU of the
architecture runs. It never searches, and never asks the environment: LD_LIBRARY_PATH counts only when it is
handed in.

Source: ld.so(8), ldconfig(8), glibc's elf/ldconfig.c (parse_conf), musl's ldso/dynlink.c (load_library).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from builder.elf.read import Elf
from builder.elf.tree import Tree

Libc = Literal["glibc", "musl"]

LD_SO_CONF = "/etc/ld.so.conf"
MAX_CONF_FILES = 256  # a busy desktop has some twenty
_TRIPLETS = {  # Debian's multi-arch names, https://wiki.debian.org/Multiarch/Tuples
    ("x86_64", 64): "x86_64-linux-gnu",
    ("aarch64", 64): "aarch64-linux-gnu",
    ("i386", 32): "i386-linux-gnu",
    ("arm", 32): "arm-linux-gnueabihf",
    ("s390x", 64): "s390x-linux-gnu",
}
_INTERPRETERS = {  # glibc's names, fixed by each ABI: https://sourceware.org/glibc/wiki/ABIList
    ("x86_64", 64): "/lib64/ld-linux-x86-64.so.2",
    ("aarch64", 64): "/lib/ld-linux-aarch64.so.1",
    ("i386", 32): "/lib/ld-linux.so.2",
    ("arm", 32): "/lib/ld-linux-armhf.so.3",
    ("s390x", 64): "/lib/ld64.so.1",
}
_LIB64 = frozenset({"x86_64", "aarch64", "ppc64", "s390x"})  # where Fedora, Amazon Linux and SUSE use lib64
_MUSL_DEFAULT = ("/lib", "/usr/local/lib", "/usr/lib")


@dataclass(frozen=True, slots=True)
class SearchPath:
    """One system's loader: its kind, what it accepts, and its folders (absolute inside `tree`) in order.

    `configured` comes from /etc, `default` is compiled in, `library_path` is what LD_LIBRARY_PATH will hold
    when the program runs. `lib` and `platform` are the values of $LIB and $PLATFORM. `interpreter` is the
    loader's own path.
    """

    libc: Libc
    machine: str
    bits: int
    tree: Tree
    interpreter: str | None
    default: tuple[str, ...]
    configured: tuple[str, ...] = ()
    library_path: tuple[str, ...] = ()
    lib: str = "lib"

    @property
    def platform(self) -> str:
        """AT_PLATFORM, which the kernel sets to the machine's name on x86-64 and arm64."""
        return self.machine


_THIS_MACHINE = Tree(Path("/"))


def search_path(program: Elf, *, tree: Tree = _THIS_MACHINE, library_path: Iterable[str] = ()) -> SearchPath:
    """Read the search path of the system in `tree` for `program`, or for any library of that system.

    Reads /etc/ld.so.conf with its includes, or musl's path file. What cannot be read counts as absent, as for
    the loader.
    """
    extra = tuple(library_path)
    if _is_musl(program):
        interpreter = program.interpreter or f"/lib/ld-musl-{program.machine}.so.1"
        default = _musl_folders(tree, interpreter)
        return SearchPath("musl", program.machine, program.bits, tree, interpreter, default, library_path=extra)
    lib = _lib(tree, program)
    return SearchPath(
        libc="glibc",
        machine=program.machine,
        bits=program.bits,
        tree=tree,
        interpreter=program.interpreter or _INTERPRETERS.get((program.machine, program.bits)),
        default=tuple(dict.fromkeys((f"/{lib}", f"/usr/{lib}", "/lib", "/usr/lib"))),
        configured=tuple(dict.fromkeys(_configured(tree, LD_SO_CONF, set()))),
        library_path=extra,
        lib=lib,
    )


def _is_musl(program: Elf) -> bool:
    """Decide by the loader that a program names, or by a library's libc, which only glibc calls libc.so.6."""
    if program.interpreter:
        return "/ld-musl-" in program.interpreter
    return any(name == "libc.so" or name.startswith("libc.musl-") for name in program.needed)


def _musl_folders(tree: Tree, interpreter: str) -> tuple[str, ...]:
    """Read the path file, which lies in etc beside the loader's folder and replaces the default."""
    folder, _, name = interpreter.rpartition("/")
    prefix = folder.rpartition("/")[0]
    text = tree.maybe_text(f"{prefix}/etc/{name.partition('.so')[0]}.path")
    return _MUSL_DEFAULT if text is None else tuple(part for part in text.replace("\n", ":").split(":") if part)


def _lib(tree: Tree, program: Elf) -> str:
    """Name the library folder, which is also $LIB: multi-arch where there is one, then lib64, then lib."""
    triplet = _TRIPLETS.get((program.machine, program.bits))
    if triplet and (tree.is_dir(f"/lib/{triplet}") or tree.is_dir(f"/usr/lib/{triplet}")):
        return f"lib/{triplet}"
    has_lib64 = program.machine in _LIB64 and program.bits == 64  # noqa: PLR2004 - the word size itself
    return "lib64" if has_lib64 and tree.is_dir("/lib64") else "lib"


def _configured(tree: Tree, path: str, seen: set[str]) -> Iterator[str]:
    """Yield the folders of one configuration file and of those it includes, each file once."""
    if path in seen or len(seen) >= MAX_CONF_FILES:
        return
    seen.add(path)
    for word, value in parse_conf(tree.maybe_text(path) or ""):
        if word == "folder":
            yield value
            continue
        pattern = value if value.startswith("/") else f"{path.rpartition('/')[0]}/{value}"
        for included in tree.glob(pattern):
            yield from _configured(tree, included, seen)


def parse_conf(text: str) -> Iterator[tuple[Literal["folder", "include"], str]]:
    """Yield what the lines of an ld.so.conf say: a folder, or a pattern to include. Pure; never raises."""
    for line in text.splitlines():
        said = line.partition("#")[0].strip()
        words = said.split()
        if not words or words[0] == "hwcap":  # hwcap lines mean nothing since glibc 2.37
            continue
        if words[0] == "include":
            yield from (("include", pattern) for pattern in words[1:])
        elif words[0].startswith("/"):
            folder = said.partition("=")[0].rstrip("/")  # `=libc6`: a type from libc5's time
            yield "folder", folder or "/"
