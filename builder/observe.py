"""The step that looks at the world: interpreter, dependencies, the function's files; and the Plan made of what it saw.

What is seen is turned into PlannedFiles here; which file goes where and what is trimmed is decided by pure functions
(`plan`, `trim`). Never writes outside the cache.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from builder.cache import Cache
from builder.config import Config
from builder.data import runtime_folder
from builder.dependencies import find_declaration, install
from builder.elf import Tree
from builder.function import Function
from builder.host import HostBase, may_be_elf, runtime_files
from builder.interpreter import Interpreter
from builder.libraries import find_libraries
from builder.listing import Listed, list_files
from builder.plan import (
    PACKAGES,
    SCRIPT,
    TASK,
    Foundation,
    Plan,
    PlannedFile,
    PlannedLayer,
    image_environment,
    make_layer,
    script_bytecode,
    without,
)
from builder.requirements import check_python
from builder.trim import DEPENDENCIES, Choice, Observed, observe_sources, split

UNLOCKED = "{} gives no hashes: its versions are those of the first build in this cache; lock them to be sure"


@dataclass(frozen=True, slots=True)
class Packages:
    """What lies between interpreter and function: installed dependencies, and libraries of the system."""

    files: tuple[PlannedFile, ...]
    dropped: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def own(self) -> tuple[PlannedFile, ...]:
        """Without libraries of the system: a kept base has them already."""
        return tuple(file for file in self.files if file.path.startswith(f"{PACKAGES}/"))


def observe_packages(
    config: Config, interpreter: Interpreter, choice: Choice, cache: Cache, *,
    function: Function, pyproject: Mapping[str, object], environment: Mapping[str, str], program: str = "",
) -> Packages | None:  # fmt: skip
    """The dependencies, installed if they are not yet, and the system's libraries that they and the function need.

    None when there are neither. Raises DependencyError, and InterpreterError for libraries that cannot be read.
    """
    check_python(pyproject, interpreter.full_version)
    native = [file.source for file in function.files if may_be_elf(file.path)]
    files, warnings = _libraries(interpreter, native, cache, at=(TASK, str(config.source.absolute())))
    declaration = find_declaration(config.source, pyproject)
    if declaration is None:
        return Packages(tuple(files), warnings=warnings) if native else None
    folder, key = install(
        declaration, interpreter, cache, offline=config.offline, environment=environment, program=program
    )
    found = {file.path: file for file in list_files(str(folder))}
    seen = _observed(folder, found, key, cache) if choice.level != "none" else Observed()
    own = observe_sources(config.source, [file.path.removeprefix(f"{TASK}/") for file in function.files])
    seen = Observed(seen.imported | own.imported, seen.stub_loaders)
    kept, dropped = split(found, scope=DEPENDENCIES, prefix=PACKAGES, choice=choice, observed=seen)
    roots = [found[path].source for path in kept if may_be_elf(path) or _may_be_program(found[path])]
    needed, amiss = _libraries(interpreter, roots, cache, at=(PACKAGES, str(folder)))
    if not declaration.locked:
        amiss += (UNLOCKED.format(declaration.file.name),)
    return Packages(
        (*(_package_file(found[path]) for path in kept), *files, *needed),
        {f"{PACKAGES}/{path}": why for path, why in dropped.items()},
        warnings + amiss,
    )


def _may_be_program(file: Listed) -> bool:
    return file.executable and not file.path.endswith(".py")


def _package_file(file: Listed) -> PlannedFile:
    mode = 0o755 if file.executable else 0o644
    return PlannedFile(
        f"{PACKAGES}/{file.path}", file.source, "dependency", mode=mode, size=file.size, stamp=file.stamp
    )


def _libraries(
    interpreter: Interpreter, roots: list[str], cache: Cache, *, at: tuple[str, str]
) -> tuple[list[PlannedFile], tuple[str, ...]]:
    """The system's libraries that the files need, and a warning for each that is not there."""
    if not roots:
        return [], ()
    libraries = find_libraries(interpreter, roots, cache, at=at)
    return libraries.planned(stripped=False), libraries.warnings()


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
    config: Config, interpreter: Interpreter, base: HostBase | None, function: Function, packages: Packages | None, *,
    foundation: Foundation | None = None, warnings: Iterable[str] = (), can_compile: bool = True,
) -> Plan:  # fmt: skip
    """The Plan of the whole image; without a `base` of files the layers of the `foundation` stay under ours."""
    python, compiled = interpreter.name, config.trim != "none" and can_compile
    kept = base is None
    layers: list[PlannedLayer] = []

    def add(name: str, files: Iterable[PlannedFile], dropped: Mapping[str, str]) -> None:
        layers.append(make_layer(name, without(files, layers), python=python, compiled=compiled, dropped=dropped))

    if base is not None:
        add("interpreter", base.files, base.dropped)
    runtime = runtime_files(runtime_folder(package) for package in ("bootstrap", "emulator"))
    scripts = [script_bytecode(file) for file in runtime if compiled and file.path == SCRIPT]
    add("runtime", [*runtime, *scripts], {})
    if packages is not None:
        add("dependencies", packages.own if kept else packages.files, packages.dropped)
    add("function", function.files, function.dropped)
    return Plan(
        layers=tuple(layer for layer in layers if layer.files),
        architecture=interpreter.architecture,
        python=python,
        handler=function.handler,
        environment=foundation.environment if foundation else image_environment(),
        warnings=(*(base.warnings if base else ()), *(packages.warnings if packages else ()), *warnings),
        foundation=foundation,
        script=scripts[0].path if scripts else SCRIPT,
    )


def moved(layers: Iterable[PlannedLayer], tree: Tree) -> list[PlannedLayer]:
    """The layers with their folders where the base's links lead.

    A folder in a layer replaces a link of that name: a base whose /opt is a link would lose what is behind it.
    """
    places: dict[str, str] = {}

    def place(folder: str) -> str:
        if folder not in places:
            above, _, name = folder.rpartition("/")
            inside = f"/{place(above)}/{name}" if above else f"/{name}"
            found = tree.resolve(inside)
            places[folder] = (found if found and tree.is_dir(found) else inside).strip("/")
        return places[folder]

    def at(file: PlannedFile) -> PlannedFile:
        folder, _, name = file.path.rpartition("/")
        return replace(file, path=f"{place(folder)}/{name}")

    found = [replace(layer, files=tuple(map(at, layer.files))) for layer in layers]
    return [replace(layer, files=tuple(sorted(layer.files, key=lambda file: file.path))) for layer in found]
