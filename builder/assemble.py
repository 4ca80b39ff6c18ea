"""Plan → OCI image: each layer made once for its inputs, kept in the cache, checked whenever it is used again.

Decides nothing about what is in the image; the Plan does.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.bytecode import Failure, Module, compile_modules
from builder.cache import Cache, disk, key_of
from builder.elf import without_debug
from builder.errors import FunctionSyntaxError, OutputError, SourceError
from builder.handler import module_file
from builder.interpreter import Interpreter
from builder.oci import (
    BlobError,
    BlobStore,
    Descriptor,
    Digest,
    DiskError,
    Entry,
    History,
    Image,
    ImageConfig,
    Layer,
    OCIError,
)
from builder.oci import SourceError as ChangedError
from builder.plan import HISTORY, TASK, How, Plan, PlannedFile, PlannedLayer


@dataclass(frozen=True, slots=True)
class AssembledLayer:
    """A layer and how it came about: whether the cache had it, and the seconds it took."""

    name: str
    layer: Layer
    cached: bool
    seconds: float
    files: int


@dataclass(frozen=True, slots=True)
class Assembled:
    """The image and its layers, bottom first."""

    image: Image
    layers: tuple[AssembledLayer, ...]


def assemble(plan: Plan, interpreter: Interpreter, cache: Cache, *, say: Callable[[str], None]) -> Assembled:
    """The image of the plan. Raises FunctionSyntaxError, OutputError (disk), SourceError (files that change meanwhile)."""
    store = BlobStore(cache.blobs)
    layers = tuple(_layer(planned, plan, interpreter, cache, store, say) for planned in plan.layers)
    config = ImageConfig(
        architecture=plan.architecture,
        entrypoint=plan.entrypoint,
        cmd=plan.command,
        env=plan.environment,
        working_dir=plan.working_folder,
        history=tuple(History(created_by=HISTORY + layer.name) for layer in layers),
    )
    return Assembled(Image.assemble(config, [layer.layer for layer in layers], blobs=store), layers)


def _layer(
    planned: PlannedLayer,
    plan: Plan,
    interpreter: Interpreter,
    cache: Cache,
    store: BlobStore,
    say: Callable[[str], None],
) -> AssembledLayer:
    started = time.monotonic()
    key = key_of(
        "layer",
        interpreter.full_version,
        interpreter.magic,
        "".join(file.identity() for file in planned.files),
    )
    layer = _recorded(key, cache, store)
    cached = layer is not None
    if layer is None:
        say(f"assembling layer {planned.name}: {len(planned.files)} files")
        layer = _write(planned, plan, interpreter, cache, store)
        cache.write_record("layers", key, render_layer(layer))
    return AssembledLayer(planned.name, layer, cached, time.monotonic() - started, len(planned.files))


def _recorded(key: str, cache: Cache, store: BlobStore) -> Layer | None:
    """The layer made earlier from the same inputs, its blob read and checked; None when there is none or it was damaged."""
    record = cache.record("layers", key)
    if record is None or (layer := parse_layer(record)) is None:
        return None
    try:
        store.verify(layer.descriptor)
    except BlobError as error:
        cache.warn(f"a cached layer was not as it was left and is made again ({error})")
        return None
    return layer


def render_layer(layer: Layer) -> dict[str, object]:
    """A layer as a record of the cache."""
    return {
        "media_type": layer.descriptor.media_type,
        "digest": str(layer.descriptor.digest),
        "size": layer.descriptor.size,
        "diff_id": str(layer.diff_id),
        "size_uncompressed": layer.size_uncompressed,
    }


def parse_layer(record: dict[str, object]) -> Layer | None:
    """The layer of a record, None when it is not one."""
    match record:
        case {
            "media_type": str(media_type),
            "digest": str(digest),
            "size": int(size),
            "diff_id": str(diff_id),
            "size_uncompressed": int(uncompressed),
        }:
            try:
                return Layer(Descriptor(media_type, Digest.parse(digest), size), Digest.parse(diff_id), uncompressed)
            except OCIError:
                return None
    return None


def _write(planned: PlannedLayer, plan: Plan, interpreter: Interpreter, cache: Cache, store: BlobStore) -> Layer:
    with cache.scratch() as scratch:
        bytecode = _compile(planned, plan, interpreter, scratch)
        try:
            with disk(f"writing layer {planned.name}"):
                return store.add_layer(_entries(planned, bytecode))
        except DiskError as error:
            raise OutputError(
                f"writing layer {planned.name}: {error}", hint="Nothing was left half-written."
            ) from error
        except ChangedError as error:
            raise SourceError(
                f"reading layer {planned.name}: {error}", hint="Build again when nothing writes to it."
            ) from error


def _compile(planned: PlannedLayer, plan: Plan, interpreter: Interpreter, scratch: Path) -> dict[str, Path]:
    """Compile the layer's modules: path in the image → bytecode. Modules that do not compile are left out, the handler's is an error."""
    wanted = [file for file in planned.files if file.how is How.BYTECODE]
    targets = {file.path: scratch / f"{index}.pyc" for index, file in enumerate(wanted)}
    modules = [Module(file.source, str(targets[file.path]), "/" + _module_of(file.path)) for file in wanted]
    failures = {failure.source: failure for failure in compile_modules(modules, interpreter.executable)}
    handler = module_file(plan.handler, {_module_of(file.path).removeprefix(f"{TASK}/") for file in wanted})
    for file in wanted:
        failed = failures.get(file.source)
        if failed and _module_of(file.path) == f"{TASK}/{handler}":
            raise _syntax_error(failed, handler, interpreter)
    return {path: target for path, target in targets.items() if target.exists()}


def _module_of(path: str) -> str:
    """The module that a bytecode path belongs to: a/__pycache__/b.cpython-311.pyc → a/b.py."""
    folder, _, name = path.rpartition("/__pycache__/")
    return f"{folder}/{name.split('.')[0]}.py"


def _syntax_error(failed: Failure, handler: str | None, interpreter: Interpreter) -> FunctionSyntaxError:
    return FunctionSyntaxError(
        f"compiling the function: {handler}, line {failed.line}: {failed.message}",
        hint=f"Correct it for Python {interpreter.full_version}; nothing was built.",
    )


def _entries(planned: PlannedLayer, bytecode: dict[str, Path]) -> Iterator[Entry]:
    """The layer's entries; files are read when their turn comes."""
    for file in planned.files:
        match file.how:
            case How.LINK:
                yield Entry.symlink(file.path, file.source)
            case How.FOLDER:
                yield Entry.directory(file.path, file.mode)
            case How.CONTENT:
                yield Entry.file(file.path, file.content, file.mode)
            case How.BYTECODE:
                if file.path in bytecode:
                    yield Entry.file(file.path, bytecode[file.path], file.mode)
            case How.WITHOUT_DEBUG:
                yield Entry.file(file.path, _stripped(file), file.mode)
            case How.COPY:
                yield Entry.file(file.path, Path(file.source), file.mode)


def _stripped(file: PlannedFile) -> bytes:
    with disk(f"reading {file.source}"):
        return without_debug(Path(file.source).read_bytes())
