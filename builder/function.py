"""The function's folder observed: its files as they will lie in the image, and its handler.

Apart from `observe`, which loads what finds host and packages: an edit of the function needs none of that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.config import Config
from builder.errors import SourceError
from builder.handler import configured_handler
from builder.interpreter import Interpreter
from builder.listing import digest_of
from builder.plan import TASK, PlannedFile
from builder.project import SourceFile, read_files, read_ignored
from builder.trim import FUNCTION, Choice, split


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
    kept, dropped = split(found, scope=FUNCTION, prefix=TASK, choice=choice)
    if not kept:
        raise SourceError(
            f"reading the function: {config.source} holds no files for the image",
            hint="Check the folder, .dockerignore and --drop.",
        )
    handler = configured_handler(config, kept, interpreter.version)
    source = config.source.absolute()
    return Function(
        config.source,
        handler,
        tuple(_function_file(source, found[path]) for path in kept),
        {f"{TASK}/{path}": why for path, why in dropped.items()},
    )


def _function_file(source: Path, file: SourceFile) -> PlannedFile:
    place = str(source / file.path)
    try:
        digest = digest_of(place)
    except OSError as error:
        raise SourceError(
            f"reading the function: {file.path!r} cannot be read: {error.strerror}",
            hint="Make it readable, or name it in .dockerignore.",
        ) from None
    mode = 0o755 if file.executable else 0o644
    return PlannedFile(f"{TASK}/{file.path}", place, "the function", mode=mode, size=file.size, stamp=digest)
