"""A base as a build needs it: its layers in the cache, its files unpacked, its Python found.

What is in the base is found once and remembered by its digest. Never runs anything of it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from builder.bases.choice import REGISTRY, BaseName
from builder.bases.fetch import Asked, fetch_base
from builder.bases.inherit import inherited_environment, inherited_labels, inherited_user
from builder.bases.known import maybe_known, python_folders
from builder.bases.packages import own_packages
from builder.bases.python import BasePython, find_python
from builder.cache import Cache, key_of
from builder.console import Console
from builder.elf import Tree
from builder.errors import BaseError, ImageError
from builder.interpreter import ARCHITECTURES, Interpreter
from builder.oci import Image
from builder.plan import LANG, Foundation
from builder.prove.unpacked import unpacked_base

FACTS = 1  # raised when what is recorded of a base changes


@dataclass(frozen=True, slots=True)
class Base:
    """A base that is there: `image` with its layers in the cache, `tree` with its files, its Python.

    With `kept`, its layers stay under ours; else only files of it are taken.
    """

    name: BaseName
    image: Image
    tree: Path
    python: BasePython
    interpreter: Interpreter
    kept: bool

    @property
    def foundation(self) -> Foundation:
        """What the Plan holds of it."""
        config = self.image.config
        return Foundation(
            name=str(self.name),
            digest=str(self.image.digest),
            kept=self.kept,
            program=self.python.program if self.kept else f"/{LANG}/bin/{self.interpreter.name}",
            environment=inherited_environment(config, kept=self.kept),
            user=inherited_user(config, kept=self.kept),
            variant=config.variant,
            labels=inherited_labels(config),
            has_packages=self.kept and bool(own_packages(Tree(self.tree), self.python.stdlib)),
        )


def observe_base(
    asked: Asked, cache: Cache, console: Console, *, python: str | None, flatten: bool, environment: Mapping[str, str]
) -> Base:
    """The base, with the Python asked for (a version, or a path in the base). Raises what `fetch_base` raises."""
    image = fetch_base(asked, cache, console, environment=environment)
    _check_platform(asked, image)
    try:
        tree = unpacked_base(image, cache)
    except ImageError as error:
        raise BaseError(f"reading the base {asked.name}: {error.__cause__}", hint="Take another base.") from error
    found = _found(asked.name, image, tree, python, cache)
    if ARCHITECTURES[found.machine] != image.config.architecture:
        raise BaseError(
            f"reading the base {asked.name}: it says it is for {image.config.architecture}, and its Python "
            f"{found.program} is for {ARCHITECTURES[found.machine]}",
            hint="Make the base again for one platform.",
        )
    return Base(asked.name, image, tree, found, _interpreter(found, tree, image), kept=not flatten)


def _check_platform(asked: Asked, image: Image) -> None:
    config = image.config
    found = f"{config.os}/{config.architecture}"
    if config.os != "linux" or config.architecture not in ARCHITECTURES.values():
        raise BaseError(
            f"reading the base {asked.name}: it is for {found}", hint="Lambda runs linux/amd64 and linux/arm64 only."
        )
    if asked.platform and found != asked.platform:
        raise BaseError(
            f"reading the base {asked.name}: it is for {found}, and {asked.platform} was asked for",
            hint=f"Name a base for {asked.platform}, or leave --platform out.",
        )


def _found(name: BaseName, image: Image, tree: Path, python: str | None, cache: Cache) -> BasePython:
    """The Python of the base, remembered by the files that it was found in and what was asked for."""
    config = image.config
    path = [folder for folder in config.env.get("PATH", "").split(":") if folder.startswith("/")]
    library_path = _library_path(image)
    known = maybe_known(name.target) if name.kind == REGISTRY else None
    folders = [*([known.python] if known and known.python else []), *path, *python_folders()]
    diff_ids = [str(layer.diff_id) for layer in image.layers]
    key = key_of("base python", FACTS, diff_ids, folders, library_path, python)
    record = cache.record("bases", key)
    if record is not None:
        return BasePython(**{**record, "version": tuple(record["version"])})  # type: ignore[arg-type]  # as it was written
    try:
        found = find_python(Tree(tree), name=str(name), folders=folders, wanted=python, library_path=library_path)
    except BaseError as error:
        raise BaseError(str(error), hint=known.notes if known and not known.python else error.hint) from error
    cache.write_record("bases", key, {**asdict(found), "version": list(found.version)})
    return found


def _library_path(image: Image) -> tuple[str, ...]:
    return tuple(folder for folder in image.config.env.get("LD_LIBRARY_PATH", "").split(":") if folder.startswith("/"))


def _interpreter(found: BasePython, tree: Path, image: Image) -> Interpreter:
    return Interpreter(
        executable=found.executable,
        version=found.version,
        full_version=found.full_version,
        stdlib=found.stdlib,
        machine=found.machine,
        glibc=found.glibc,
        magic=found.magic,
        implementation="cpython",
        gil=True,
        musl=found.musl,
        root=str(tree),
        library_path=_library_path(image),
    )
