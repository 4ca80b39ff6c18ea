"""The step that looks at the world: interpreter, dependencies, the function's files; and the Plan made of what it saw.

What is seen is turned into PlannedFiles here; which file goes where and what is trimmed is decided by pure functions
(`plan`, `trim`). Never writes outside the cache.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.cache import Cache
from builder.config import Config
from builder.data import runtime_folder
from builder.dependencies import Declaration, find_declaration, install
from builder.errors import SourceError
from builder.handler import find_handler
from builder.host import HostBase, may_be_elf, runtime_files
from builder.interpreter import Interpreter
from builder.libraries import find_libraries
from builder.listing import digest_of, list_files
from builder.plan import (
    PACKAGES,
    TASK,
    Plan,
    PlannedFile,
    PlannedLayer,
    image_environment,
    make_layer,
    without,
)
from builder.project import read_files, read_ignored
from builder.trim import DEPENDENCIES, FUNCTION, Choice, Observed, observe_sources, split


@dataclass(frozen=True, slots=True)
class Function:
    """The function's folder as read: its handler and its files."""

    source: Path
    handler: str
    files: tuple[PlannedFile, ...]
    dropped: Mapping[str, str]


def observe_function(
    config: Config, interpreter: Interpreter, choice: Choice, *, also_ignored: Iterable[str] = ()
) -> Function:
    """The files of the function, and its handler. Raises SourceError, HandlerError or FunctionSyntaxError."""
    found = {file.path: file for file in read_files(config.source, read_ignored(config.source, also_ignored))}
    if not found:
        raise SourceError(
            f"reading the function: {config.source} holds no files for the image",
            hint="Check the folder and .dockerignore.",
        )
    kept, dropped = split(found, scope=FUNCTION, prefix=TASK, choice=choice)
    handler = find_handler(
        config.source,
        kept,
        config.handler,
        origin=config.origins.get("handler", ""),
        version=interpreter.version,
    )
    files = tuple(
        PlannedFile(
            f"{TASK}/{path}", source, "the function", mode=0o755 if found[path].executable else 0o644,
            size=found[path].size, stamp=digest_of(source),
        )
        for path in kept
        for source in [str(config.source / path)]
    )  # fmt: skip
    return Function(config.source, handler, files, {f"{TASK}/{path}": why for path, why in dropped.items()})


@dataclass(frozen=True, slots=True)
class Packages:
    """The installed dependencies: where they lie, where they are declared, and their files as planned."""

    folder: Path
    declaration: Declaration
    files: tuple[PlannedFile, ...]
    dropped: Mapping[str, str]
    warnings: tuple[str, ...]


def observe_packages(
    config: Config, interpreter: Interpreter, choice: Choice, cache: Cache, *,
    function: Function, pyproject: Mapping[str, object], environment: Mapping[str, str],
) -> Packages | None:  # fmt: skip
    """The dependencies, installed if they are not yet, and the system's libraries that they need. None when there are none."""
    declaration = find_declaration(config.source, pyproject)
    if declaration is None:
        return None
    folder, key = install(declaration, interpreter, cache, offline=config.offline, environment=environment)
    found = {file.path: file for file in list_files(str(folder))}
    seen = _observed(folder, found, key, cache) if choice.level != "none" else Observed()
    own = observe_sources(config.source, [file.path.removeprefix(f"{TASK}/") for file in function.files])
    seen = Observed(seen.imported | own.imported, seen.stub_loaders)
    kept, dropped = split(found, scope=DEPENDENCIES, prefix=PACKAGES, choice=choice, observed=seen)
    files = [
        PlannedFile(
            f"{PACKAGES}/{path}",
            file.source,
            "dependency",
            mode=0o755 if file.executable else 0o644,
            size=file.size,
            stamp=file.stamp,
        )
        for path in kept
        for file in [found[path]]
    ]
    libraries = find_libraries(
        interpreter.executable,
        [found[path].source for path in kept if may_be_elf(path)],
        cache,
        inside=str(folder),
    )
    files += libraries.planned(stripped=False)
    warnings = libraries.warnings()
    if not declaration.locked:
        warnings += (
            f"{declaration.file.name} gives no hashes: its versions are those of the first build in this cache; lock them to be sure",
        )
    return Packages(
        folder,
        declaration,
        tuple(files),
        {f"{PACKAGES}/{path}": why for path, why in dropped.items()},
        warnings,
    )


def _observed(folder: Path, paths: Iterable[str], key: str, cache: Cache) -> Observed:
    """What the packages' sources say, remembered: the folder under a key does not change."""
    record = cache.record("observed", key)
    if record is not None:
        imported, stubs = record.get("imported"), record.get("stub_loaders")
        if isinstance(imported, list) and isinstance(stubs, list):
            return Observed(frozenset(imported), frozenset(stubs))
    seen = observe_sources(folder, paths)
    cache.write_record("observed", key, {"imported": sorted(seen.imported), "stub_loaders": sorted(seen.stub_loaders)})
    return seen


def make_plan(
    config: Config, interpreter: Interpreter, base: HostBase, function: Function, packages: Packages | None
) -> Plan:
    """The Plan of the whole image."""
    python, compiled = interpreter.name, config.trim != "none"
    layers: list[PlannedLayer] = []

    def add(name: str, files: Iterable[PlannedFile], dropped: Mapping[str, str]) -> None:
        layers.append(make_layer(name, without(files, layers), python=python, compiled=compiled, dropped=dropped))

    add("interpreter", base.files, base.dropped)
    add("runtime", runtime_files(runtime_folder(package) for package in ("bootstrap", "emulator")), {})
    if packages is not None:
        add("dependencies", packages.files, packages.dropped)
    add("function", function.files, function.dropped)
    return Plan(
        layers=tuple(layers),
        architecture=interpreter.architecture,
        python=python,
        handler=function.handler,
        environment=image_environment(),
        warnings=base.warnings + (packages.warnings if packages else ()),
    )
