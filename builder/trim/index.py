"""The modules of an image by name: where `import` would find them, and what lies below a package.

Built from paths alone. One name may stand for several files (the function's `calendar.py` hides the standard
library's): all of them count, because which one is meant depends on the order of `sys.path` at run time.
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from builder.trim.rules import FUNCTION

_EXTENSION = re.compile(r"(?P<name>[^./]+)\.(?:cpython-[^.]+|abi3)\.so")
_PART = re.compile(r"[^\W\d][\w-]*")  # a module that is imported by a computed name may have a hyphen in its own
_PLAIN = re.compile(r"(?P<name>[^./]+)\.(?:so|pyc)")


@dataclass(frozen=True, slots=True)
class Module:
    """One module: its dotted `name`, its file's `path` in the image, the `scope` it belongs to (see `rules`)."""

    name: str
    path: str
    scope: str
    is_package: bool

    @property
    def package(self) -> str:
        """What relative imports start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def is_native(self) -> bool:
        """Whether it is compiled code."""
        return self.path.endswith(".so")


class Index:
    """All modules of an image."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.by_path: Mapping[str, Module] = {module.path: module for module in modules}
        self._by_name: dict[str, list[Module]] = defaultdict(list)
        self._children: dict[str, list[Module]] = defaultdict(list)
        self._packages: set[str] = set()  # namespace packages among them
        for module in self.by_path.values():
            self._by_name[module.name].append(module)
            parent = module.name.rpartition(".")[0]
            self._children[parent].append(module)
            while parent and parent not in self._packages:
                self._packages.add(parent)
                parent = parent.rpartition(".")[0]

    def find(self, name: str) -> Sequence[Module]:
        """The files of that name; empty for what is no module of the image, and for namespace packages."""
        return self._by_name.get(name, ())

    def knows(self, name: str) -> bool:
        """Whether the name is a module or a package, namespace packages included."""
        return name in self._by_name or name in self._packages

    def names(self) -> Iterable[str]:
        """All names of modules."""
        return self._by_name

    def starting(self, prefix: str) -> Iterator[Module]:
        """The modules whose names begin with a text; `a.b.` gives all that lies below `a.b`."""
        for name, modules in self._by_name.items():
            if name.startswith(prefix):
                yield from modules

    def longest(self, name: str) -> str:
        """The longest beginning of a dotted name that is a module or package; empty when there is none."""
        while name and not self.knows(name):
            name = name.rpartition(".")[0]
        return name


def find_modules(paths: Iterable[str], roots: Sequence[tuple[str, str]]) -> Iterator[Module]:
    """The modules among paths. `roots` are folders of `sys.path` with their scopes; the deepest that fits counts."""
    ordered = sorted(roots, key=lambda root: -len(root[0]))
    for path in paths:
        for folder, scope in ordered:
            if path.startswith(folder + "/"):
                found = module_of(path[len(folder) + 1 :])
                if found:
                    yield Module(found[0], path, scope, found[1])
                break


def script_of(path: str, head: bytes) -> Module | None:
    """A program without a module's name as a module of no importable name: what its imports lead to, it needs.

    `head` is how the file begins; None for what no Python runs.
    """
    first = head.partition(b"\n")[0]
    if not first.startswith(b"#!") or b"python" not in first:
        return None
    return Module(f"the program {path.replace('.', '_')}", path, FUNCTION, is_package=False)


def module_of(path: str) -> tuple[str, bool] | None:
    """The dotted name of a file relative to its root, and whether it is a package; None for what is no module."""
    folder, file = posixpath.split(path)
    if folder.endswith("__pycache__"):
        return None
    if file.endswith(".py"):
        name = file[:-3]
    else:
        match = _EXTENSION.fullmatch(file) or _PLAIN.fullmatch(file)
        if match is None:
            return None
        name = match["name"]
    parts = [*(folder.split("/") if folder else ()), name]
    if name == "__init__":
        parts.pop()
    if not parts or not all(_PART.fullmatch(part) for part in parts):
        return None
    return ".".join(parts), name == "__init__"
