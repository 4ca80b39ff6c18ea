"""What a report needs beyond the result: the image's real files, import times in the real image, and the last build."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import emulator
from builder.cache import Cache, key_of
from builder.errors import ImageError
from builder.lint import Subject, read_layers
from builder.make import Result
from builder.prove import runnable, settings_for
from builder.prove.start import start
from builder.report.compare import Build
from builder.report.import_time import VARIABLE, ImportTime, parse_import_times

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Facts:
    """`files` holds path → bytes for each layer, lowest first; `before` is the last build that had a report."""

    files: tuple[Mapping[str, int], ...]
    imports: tuple[ImportTime, ...]
    before: Build | None


def observe(result: Result, cache: Cache) -> Facts:
    """Look at the image that was built; remember it for the next report of the same function."""
    image = result.assembled.image
    layers = read_layers(Subject.of(image, result.name), cache)
    files = tuple({item.path: item.size for item in layer.items if item.size} for layer in layers)
    imports = _import_times(result, cache) if result.prepared.config.prove else ()
    key = key_of("last", str(result.prepared.config.source.resolve()))
    before = _load(cache.record("last", key))
    sizes = {made.name: made.layer.descriptor.size for made in result.assembled.layers}
    flat = {path: size for layer in files for path, size in layer.items()}
    cache.write_record("last", key, {"image": result.name, "layers": sizes, "files": flat})
    return Facts(files, imports, before)


def _load(record: Mapping[str, object] | None) -> Build | None:
    if record is None:
        return None
    return Build(
        cast("str", record["image"]),
        cast("Mapping[str, int]", record["layers"]),
        cast("Mapping[str, int]", record["files"]),
    )


def _import_times(result: Result, cache: Cache) -> tuple[ImportTime, ...]:
    """One more start of the image, with Python telling what it loads; nothing when it cannot be run."""
    try:
        with runnable(result.assembled.image, cache) as program:
            told = replace(program, environment={**program.environment, VARIABLE: "1"})
            started = asyncio.run(start(settings_for(told), timeout_s=TIMEOUT_S))
    except (ImageError, emulator.EmulatorError, OSError):
        return ()
    return parse_import_times(started.log)
