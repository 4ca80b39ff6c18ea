"""The Plan: which file goes to which layer, how, and why. Pure: values in, values out, nothing is looked at.

The image mirrors AWS's own base images, so that people find what they know:

    /var/lang (and /lib… for its shared libraries)   interpreter and standard library   layer 1
    /var/runtime                                      bootstrap, emulator                layer 2
    /opt/python                                       dependencies                       layer 3
    /var/task                                         the function                       layer 4
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

LANG = "var/lang"
RUNTIME = "var/runtime"
PACKAGES = "opt/python"
TASK = "var/task"
_STDLIB_DEPTH = 4  # of what is in var/lang/lib/python3.11
SCRIPT = f"{RUNTIME}/bootstrap/__main__.py"

HISTORY = "firkin: "  # what the history of each of our layers begins with


class How(StrEnum):
    """What is done to a file on its way into the image."""

    COPY = "copy"
    CONTENT = "content"  # the bytes are in the plan
    LINK = "link"  # a symbolic link; `source` is its target
    FOLDER = "folder"
    BYTECODE = "bytecode"  # compiled from `source`
    WITHOUT_DEBUG = "without debug information"


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file of the image. `path` is relative to its root; `size` (bytes) and `stamp` are the source's.

    `stamp` is a digest or a time of change. With another `how` than COPY, `source` is what that says. `via` is the file
    that leads to this one, where trimming knows it.
    """

    path: str
    source: str
    why: str
    how: How = How.COPY
    mode: int = 0o644
    size: int = 0
    stamp: str = ""
    content: bytes = b""
    via: str = ""

    def identity(self) -> str:
        """What decides the bytes of this file: the layer's cache key is made of these lines."""
        return (
            f"{self.path}\0{self.how}\0{self.mode:o}\0{self.source}\0{self.size}\0{self.stamp}\0{self.content.hex()}\n"
        )


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """One layer: its files in order of path, and what was left out, with the reason."""

    name: str
    files: tuple[PlannedFile, ...]
    dropped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Foundation:
    """The base that an image is built on, and what the image takes over from it.

    `name` is what was asked for, `digest` its manifest's. Its layers are `kept` under ours, or only files were taken
    out of it. `program` starts its Python in the image. `has_packages` when it is kept with packages of its own.
    """

    name: str
    digest: str
    kept: bool
    program: str
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    variant: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    has_packages: bool = False

    @property
    def is_local(self) -> bool:
        """Whether the name is of a place on this machine, which says nothing elsewhere and is not published."""
        return self.name.startswith(("oci:", "tar:", "docker:"))

    @property
    def pinned(self) -> str:
        """The base by its digest, as FROM takes it: a base that is in no registry has only its own name."""
        name = self.name.partition(":")[2] if self.is_local else self.name
        return name if self.is_local or "@" in name else f"{name}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole image before it is assembled: layers, bottom first, and how it is started.

    `rest` are files that the function would find without trimming: the proof compares with them in place.
    `dense` asks for the smallest layers, however long they take to make. `foundation` is None for an image FROM scratch
    that ships this machine's interpreter. `script` is the runtime's `__main__`, source or bytecode, with which that is
    started.
    """

    layers: tuple[PlannedLayer, ...]
    architecture: str
    python: str
    handler: str
    environment: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    created_s: int = 0  # seconds since 1970: SOURCE_DATE_EPOCH, where it is set
    rest: tuple[PlannedFile, ...] = ()
    foundation: Foundation | None = None
    dense: bool = False
    script: str = SCRIPT

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """The command that runs the runtime; the handler follows as CMD.

        A kept base may have packages of its own, which only `site` finds; those of a user's home are never meant.
        """
        if self.foundation and self.foundation.kept:
            return (self.foundation.program, "-s", f"/{self.script}")
        return (f"/{LANG}/bin/{self.python}", "-S", f"/{self.script}")

    @property
    def command(self) -> tuple[str, ...]:
        """CMD: the handler, as in AWS's images."""
        return (self.handler,)

    @property
    def working_folder(self) -> str:
        """The function's folder, where the runtime starts."""
        return f"/{TASK}"


def make_layer(
    name: str,
    files: Iterable[PlannedFile],
    *,
    python: str,
    compiled: bool,
    dropped: Mapping[str, str] | None = None,
) -> PlannedLayer:
    """A layer of the files, sorted, each path once, with bytecode beside every module where `compiled` says so."""
    unique = {file.path: file for file in files}
    if compiled:
        for file in list(unique.values()):
            if file.path.endswith(".py") and file.how is How.COPY:
                made = bytecode_of(file, python)
                unique.setdefault(made.path, made)
    return PlannedLayer(name, tuple(unique[path] for path in sorted(unique)), dict(dropped or {}))


def bytecode_of(file: PlannedFile, python: str) -> PlannedFile:
    """The compiled form of a module, where the import system of that Python looks for it."""
    folder, name = posixpath.split(file.path)
    tag = "cpython-" + python.removeprefix("python").replace(".", "")
    path = f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
    return _compiled(file, path, "bytecode, compiled ahead: a read-only image could not keep it")


def script_bytecode(script: PlannedFile) -> PlannedFile:
    """The compiled form of a script, to be started instead of it."""
    why = "the start, compiled ahead: of a script Python keeps no bytecode, and its compiler would stay in memory"
    return _compiled(script, f"{script.path}c", why)


def _compiled(file: PlannedFile, path: str, why: str) -> PlannedFile:
    return replace(file, path=path, how=How.BYTECODE, mode=0o644, why=why)


def short_name(path: str) -> str:
    """A path of an image as the patterns of `keep` may name it: relative to the folder it was installed in.

    `bootstrap/trimmed.py` has the same for its messages, as it imports nothing of the builder.
    """
    for folder in (PACKAGES, TASK):
        if path.startswith(f"{folder}/"):
            return path[len(folder) + 1 :]
    parts = path.split("/", _STDLIB_DEPTH) if path.startswith(f"{LANG}/") else []
    return parts[-1] if len(parts) > _STDLIB_DEPTH and parts[-2].startswith("python") else path


def source_of(bytecode: str) -> str:
    """The module that a path of bytecode belongs to: a/__pycache__/b.cpython-311.pyc and a/b.pyc → a/b.py."""
    folder, cached, name = bytecode.rpartition("/__pycache__/")
    return f"{folder}/{name.split('.')[0]}.py" if cached else bytecode.removesuffix("c")


def is_alone(bytecode: str) -> bool:
    """Whether a path of bytecode is where Python looks for a module of which there is no source."""
    return "/__pycache__/" not in bytecode


def image_environment() -> dict[str, str]:
    """The environment of every image, in the names and values of AWS's own."""
    return {
        "PATH": f"/{LANG}/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin:/{PACKAGES}/bin",
        "LAMBDA_TASK_ROOT": f"/{TASK}",
        "LAMBDA_RUNTIME_DIR": f"/{RUNTIME}",
        "TZ": ":UTC",
    }


def without(files: Iterable[PlannedFile], present: Iterable[PlannedLayer]) -> Iterator[PlannedFile]:
    """The files that no layer below holds already."""
    there = {file.path for layer in present for file in layer.files}
    return (file for file in files if file.path not in there)
