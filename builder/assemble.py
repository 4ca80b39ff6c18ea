"""Plan → OCI image: each layer made once for its inputs, kept in the cache, checked whenever it is used again.

Decides nothing about what is in the image; the Plan does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from builder.ahead import Ahead
from builder.bases.compiler import Choice, running
from builder.bytecode import FORMAT, Failure, Module, compile_modules, processes
from builder.cache import Cache, key_of, mark_used
from builder.disk import disk
from builder.elf import read_without_debug
from builder.errors import FunctionSyntaxError
from builder.handler import module_file
from builder.interpreter import Interpreter
from builder.layer_records import parse_layer
from builder.layer_writer import AssembledLayer, check_unchanged, layer_writer
from builder.oci import (
    BlobError,
    BlobStore,
    DiskError,
    Entry,
    History,
    Image,
    ImageConfig,
    Layer,
)
from builder.oci.gzip_writer import COMPRESSOR
from builder.plan import HISTORY, RUNTIME, TASK, How, Plan, PlannedFile, PlannedLayer, is_alone, source_of

# What an image is built on. Source: image-spec v1.1, annotations.md.
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"

# Of each environment's memory 70 kB, with Python 3.14 some 200. Not the emulator, whose usage is a docstring.
_BARE = f"{RUNTIME}/bootstrap/"
_EMULATOR = f"{RUNTIME}/emulator/"


@dataclass(frozen=True, slots=True)
class Assembled:
    """The image and its layers, bottom first."""

    image: Image
    layers: tuple[AssembledLayer, ...]


def assemble(
    plan: Plan, interpreter: Interpreter, cache: Cache, *, say: Callable[[str], None], compiler: Choice | None = None,
    base: Image | None = None, ahead: Ahead | None = None, below: Sequence[AssembledLayer] = (),
) -> Assembled:  # fmt: skip
    """The image of the plan; `compiler` says who compiles, else `interpreter` does; `base` is what the plan keeps.

    `ahead` reads what is written while the next layer is made; it is done when the image is. `below` are layers of
    ours that are in the cache and not in the plan; nobody has looked at their blobs yet. Raises
    FunctionSyntaxError, OutputError (disk), SourceError (files that cannot be packed, or change meanwhile) and
    InterpreterError (a Python that cannot compile).
    """
    compiler = compiler or Choice(interpreter)
    press = _Press(Packer(plan, interpreter, compiler, cache), BlobStore(cache.blobs), say, ahead)
    keys = [_key(planned, press) for planned in plan.layers]
    with ThreadPoolExecutor() as pool:  # reading and hashing leave the interpreter to each other
        recorded = list(pool.map(lambda key: _recorded(key, press), keys))
    with _compiling(plan.layers, recorded, press) as compiled:
        layers = (*below, *_layers(plan, keys, recorded, compiled, press))
    if ahead:
        ahead.settle()
    created = datetime.fromtimestamp(plan.created_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ours = (History(created_by=HISTORY + layer.name, created=created) for layer in layers)
    history = (*(_kept_history(base) if base else ()), *ours)
    foundation = plan.foundation
    config = ImageConfig(
        architecture=plan.architecture,
        variant=foundation.variant if foundation else "",
        entrypoint=plan.entrypoint,
        cmd=plan.command,
        env=plan.environment,
        working_dir=plan.working_folder,
        user=foundation.user if foundation else "",
        labels=plan.labels,
        created=created,
        history=history,
    )
    made = (*(_kept_layers(base) if base else ()), *layers)
    annotations = {BASE_DIGEST: foundation.digest} if foundation else {}
    if foundation and not foundation.is_local:  # the same base in another folder gives the same image
        annotations[BASE_NAME] = foundation.name
    image = Image.assemble(config, [layer.layer for layer in made], blobs=press.store, annotations=annotations)
    return Assembled(image, made)


def _kept_layers(base: Image) -> tuple[AssembledLayer, ...]:
    """The layers of a base that is kept, which are in the store already."""
    return tuple(
        AssembledLayer(f"base {number}", layer, cached=True, seconds=0.0, files=0)
        for number, layer in enumerate(base.layers, start=1)
    )


def _kept_history(base: Image) -> tuple[History, ...]:
    """The base's own history where it fits its layers, else a line for each."""
    history = base.config.history
    if sum(not entry.empty_layer for entry in history) == len(base.layers):
        return history
    return tuple(History(created_by=f"base layer {number}") for number in range(1, len(base.layers) + 1))


@dataclass(frozen=True, slots=True)
class Packer:
    """What turns planned files into entries: the plan, and who compiles for which interpreter."""

    plan: Plan
    interpreter: Interpreter
    compiler: Choice
    cache: Cache

    @contextmanager
    def packed(self) -> Iterator[dict[str, list[Entry]]]:
        """Each layer's entries by its name, for another writer; files are read when they are written.

        Afterwards, raises SourceError when a file has changed meanwhile; else as `assemble`.
        """
        yield {planned.name: list(_entries(planned, _compile(planned, self))) for planned in self.plan.layers}
        for planned in self.plan.layers:
            check_unchanged(planned)


@dataclass(frozen=True, slots=True)
class _Press:
    """What every layer of one image is made with."""

    packer: Packer
    store: BlobStore
    say: Callable[[str], None]
    ahead: Ahead | None = None

    @property
    def cache(self) -> Cache:
        return self.packer.cache


def _key(planned: PlannedLayer, press: _Press) -> str:
    return key_of(
        "layer",
        COMPRESSOR,  # another one gives other bytes for the same files
        press.packer.plan.dense,
        FORMAT,
        press.packer.interpreter.full_version,
        press.packer.interpreter.magic,
        press.packer.compiler.identity,
        "".join(file.identity() for file in planned.files),
    )


Bytecode = Mapping[str, bytes]  # path in the image → what is there


@contextmanager
def _compiling(
    layers: Sequence[PlannedLayer], recorded: Sequence[Layer | None], press: _Press
) -> Iterator[list["Future[Bytecode] | None"]]:
    """The bytecode of the layers that have to be made, each compiled while the one before is written."""
    waiting = ThreadPoolExecutor(2, "compile")  # two layers, so that no core is idle at the end of one
    try:
        with processes() as pool:
            yield [
                None if known else waiting.submit(_compile, planned, press.packer, pool)
                for planned, known in zip(layers, recorded, strict=True)
            ]
    finally:
        waiting.shutdown(cancel_futures=True)


def _layers(
    plan: Plan,
    keys: Sequence[str],
    recorded: Sequence[Layer | None],
    compiled: Sequence["Future[Bytecode] | None"],
    press: _Press,
) -> list[AssembledLayer]:
    """Each layer as it was recorded, or made now."""
    with layer_writer(press.store, press.cache, dense=plan.dense, ahead=press.ahead) as writer:
        for planned, key, known, bytecode in zip(plan.layers, keys, recorded, compiled, strict=True):
            if known:
                writer.keep(planned, known)
            else:
                press.say(f"assembling layer {planned.name}: {len(planned.files)} files")
                writer.begin(planned, key, partial(_made_entries, planned, bytecode))
        return writer.finish()


def _made_entries(planned: PlannedLayer, compiled: "Future[Bytecode] | None") -> Iterator[Entry]:
    return _entries(planned, compiled.result() if compiled else {})


def _recorded(key: str, press: _Press) -> Layer | None:
    """The layer of the same inputs, its blob read and checked; None when there is none, or a damaged one."""
    record = press.cache.record("layers", key)
    if record is None or (layer := parse_layer(record)) is None:
        return None
    try:
        press.store.verify(layer.descriptor)
    except (BlobError, DiskError) as error:
        press.cache.warn(f"a cached layer was not as it was left and is made again ({error})")
        return None
    mark_used(press.store.path(layer.descriptor.digest))
    return layer


def _compile(planned: PlannedLayer, packer: Packer, pool: ThreadPoolExecutor | None = None) -> Bytecode:
    """Compile the layer's modules.

    Modules that do not compile are left out; the handler's is an error.
    """
    wanted = [file for file in planned.files if file.how is How.BYTECODE]
    if not wanted or not packer.compiler.possible:
        return {}
    modules = [
        Module(
            file.source,
            "/" + source_of(file.path),
            bare=file.path.startswith(_BARE),
            made=_made(file, packer.interpreter),
        )
        for file in wanted
    ]
    with running(packer.compiler, packer.interpreter, packer.cache) as compiler:
        made = compile_modules(modules, compiler, pool=pool)
    handler = module_file(packer.plan.handler, {source_of(file.path).removeprefix(f"{TASK}/") for file in wanted})
    for file, found in zip(wanted, made, strict=True):
        if isinstance(found, Failure) and source_of(file.path) == f"{TASK}/{handler}":
            raise FunctionSyntaxError(
                f"compiling the function: {handler}, line {found.line}: {found.message}",
                hint=f"Correct it for Python {packer.interpreter.full_version}; nothing was built.",
            )
    return {file.path: found for file, found in zip(wanted, made, strict=True) if not isinstance(found, Failure)}


def _made(file: PlannedFile, interpreter: Interpreter) -> str:
    """Where there may be bytecode of a module that nobody edits: of the standard library, and of our emulator."""
    fixed = interpreter.is_stdlib(file.source) or file.path.startswith(_EMULATOR)
    return interpreter.bytecode_file(file.source) if fixed else ""


def _entries(planned: PlannedLayer, bytecode: Bytecode) -> Iterator[Entry]:
    """The layer's entries; files are read when their turn comes."""
    paths = {file.path for file in planned.files}
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
                elif is_alone(file.path) and source_of(file.path) not in paths:  # it does not compile, or nobody can
                    yield Entry.file(source_of(file.path), Path(file.source), file.mode)
            case How.WITHOUT_DEBUG:
                yield Entry.file(file.path, _stripped(file), file.mode)
            case How.COPY:
                yield Entry.file(file.path, Path(file.source), file.mode)


def _stripped(file: PlannedFile) -> bytes:
    with disk(f"reading {file.source}"):
        return read_without_debug(Path(file.source))
