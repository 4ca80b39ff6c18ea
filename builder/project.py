"""The function's folder as it is on disk: its files, its sample events, its name.

Reads names and sizes, never runs the function's code. What is left out: `DEFAULT_IGNORED`, then `.dockerignore` (which
can take files back with `!`), virtual environments, image layouts and firkin's own cache wherever they are.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from builder.cache import TAG, TAG_NAME
from builder.errors import SourceError
from builder.listing import leads_back
from builder.patterns import Patterns

# What is never part of a function unless .dockerignore says `!name`: version control, caches, the build's own inputs.
# Modules in `events` are: it may be a package of the function's.
DEFAULT_IGNORED = (
    "events", "!events/**/*.py", ".git", ".hg", ".svn", "**/__pycache__", "**/*.pyc", "**/.DS_Store",
    "**/.mypy_cache", "**/.ruff_cache", "**/.pytest_cache", "**/.tox", "**/.nox", "**/.venv",
    "**/.env", "**/.env.*", "**/node_modules",
    ".github", ".gitlab-ci.yml", ".gitignore", ".dockerignore", "Dockerfile",
    "uv.lock", "pylock.toml", "pyproject.toml", "requirements.txt",
)  # fmt: skip

# A folder that holds one of these is something else than the function: a virtual environment, an image layout.
FOREIGN_MARKS = ("pyvenv.cfg", "oci-layout")

# Far more than a function has; links within a folder can multiply without end.
MAX_FILES = 200_000

MAX_NAME_CHARS = 128  # of an image's name that nobody chose; the grammar allows 255 with the registry's

DEFAULT_EVENTS = "events/*.json"
MAX_EVENT_BYTES = 6_291_556  # the platform's limit for a buffered payload (6 MiB + 100 bytes)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the folder: relative POSIX `path`, its `size` in bytes, whether its owner may execute it."""

    path: str
    size: int
    executable: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One sample event: its `name`, the JSON `body`, and the JSON answer it must get, where one is given."""

    name: str
    body: bytes
    expected: bytes | None


def check_folder(source: Path) -> None:
    """Raises SourceError unless `source` is a folder whose path can be written down."""
    if not source.exists():
        raise SourceError(
            f"reading the function: there is no folder {str(source)!r}",
            hint="Name the folder that holds the handler's file.",
        )
    if not source.is_dir():
        raise SourceError(
            f"reading the function: {str(source)!r} is not a folder",
            hint="Name the folder, not a file in it.",
        )
    _check_name(str(source.resolve()))


def read_ignored(source: Path, also: Iterable[str] = ()) -> Patterns:
    """The patterns of what stays out: the defaults, then `.dockerignore`, then `also`. Raises SourceError."""
    file = source / ".dockerignore"
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        lines = []
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"reading {file}: {error}", hint="The file must be readable UTF-8.") from None
    return Patterns((*DEFAULT_IGNORED, *lines, *also), origin=str(file))


def read_files(source: Path, ignored: Patterns) -> list[SourceFile]:
    """The function's regular files, sorted by path. Links are followed, as long as they stay within the folder.

    A link to a folder that holds it is passed over, as are sockets, pipes and devices. Raises SourceError.
    """
    top = os.path.realpath(source)
    try:
        found = list(islice(_walk(top, "", ignored, top), MAX_FILES + 1))
    except OSError as error:
        raise SourceError(
            f"reading the function: {error.filename!r} cannot be read: {error.strerror}",
            hint="Make it readable, or name it in .dockerignore.",
        ) from None
    if len(found) > MAX_FILES:
        raise SourceError(
            f"reading the function: {str(source)!r} holds more than {MAX_FILES} files and folders",
            hint="Name what is no part of the function in .dockerignore.",
        )
    return sorted((file for file in found if file is not None), key=lambda file: file.path)


def _walk(folder: str, prefix: str, ignored: Patterns, top: str) -> Iterator[SourceFile | None]:
    """The files below a folder, and None for each folder, so that folders count towards the limit too."""
    with os.scandir(folder) as scanned:
        entries = list(scanned)
    if prefix and any(entry.name in FOREIGN_MARKS or _marks_our_cache(entry) for entry in entries):
        return
    yield None
    for entry in entries:
        path = prefix + entry.name
        out = ignored.match(path)
        if out and (entry.is_symlink() or not ignored.may_take_back(path)):
            continue
        if entry.is_symlink():
            _check_link(entry.path, path, top)
        if entry.is_dir():
            if not (entry.is_symlink() and leads_back(entry.path)):
                yield from _walk(entry.path, path + "/", ignored, top)
        elif not out and entry.is_file():
            _check_name(path)
            stat = entry.stat()
            yield SourceFile(path, stat.st_size, bool(stat.st_mode & 0o100))


def _marks_our_cache(entry: os.DirEntry[str]) -> bool:
    """Whether it is the tag of a cache of ours; what others cache may be what the function needs."""
    return entry.name == TAG_NAME and entry.is_file() and Path(entry.path).read_bytes() == TAG


def _check_name(path: str) -> None:
    """Refuse a name that an image cannot hold: layers are UTF-8, and `.wh.NAME` in one deletes NAME."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise SourceError(
            f"reading the function: the name {path!r} is not UTF-8",
            hint="Rename it, or name it in .dockerignore (where '?' stands for one character).",
        ) from None
    if any(part.startswith(".wh.") for part in path.split("/")):
        raise SourceError(
            f"reading the function: {path!r} begins with '.wh.', which deletes files in an image",
            hint="Rename it, or name it in .dockerignore.",
        )


def _check_link(file: str, path: str, top: str) -> None:
    real = os.path.realpath(file)
    if not Path(real).exists():
        raise SourceError(
            f"reading the function: {path!r} is a link to {str(Path(file).readlink())!r}, which is not there",
            hint="Repair it, or name it in .dockerignore.",
        )
    if os.path.commonpath((real, top)) != top:
        raise SourceError(
            f"reading the function: {path!r} is a link out of the folder, to {real!r}",
            hint="Copy the file into the folder, or name the link in .dockerignore.",
        )


def read_events(source: Path, patterns: Iterable[str]) -> list[Event]:
    """The sample events in the order asked for, the files of a pattern by name; by default those of `events/*.json`.

    An answer is expected where `expected/NAME.json` lies beside the event. Raises SourceError when a pattern matches
    nothing, or a file is unreadable, too large or not JSON.
    """
    asked = tuple(patterns)
    files: list[Path] = []
    for pattern in asked or (DEFAULT_EVENTS,):
        found = _matching(source, pattern)
        if asked and not found:
            raise SourceError(
                f"reading sample events: nothing matches {pattern!r} in {source}",
                hint="Name files relative to the function's folder.",
            )
        files += found
    return [_read_event(file) for file in dict.fromkeys(files)]


def unread_answers(source: Path) -> list[str]:
    """What is wrong with expected answers that no event of `events/` finds, a line each."""
    events = source / "events"
    names = {file.name for file in events.glob("*.json")}
    beside = sorted(file.name for file in (source / "expected").glob("*.json"))
    inside = sorted(file.name for file in (events / "expected").glob("*.json"))
    lines = [
        f"expected/{name} is not read: the expected answer to events/{name} would be events/expected/{name}"
        for name in beside
        if name in names and name not in inside
    ]
    lines += [f"events/expected/{name} is not read: there is no events/{name}" for name in inside if name not in names]
    return lines


def _matching(source: Path, pattern: str) -> list[Path]:
    """The file of that name, else the files that match it as a pattern."""
    named = source / pattern
    if named.is_file():
        return [named]
    try:
        return sorted(file for file in source.glob(pattern) if file.is_file())
    except (ValueError, NotImplementedError):  # pathlib's words for what is no relative pattern
        return []


def _read_event(file: Path) -> Event:
    answer = file.parent / "expected" / file.name
    return Event(file.stem, _read_json(file), _read_json(answer) if answer.is_file() else None)


def _read_json(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            body = stream.read(MAX_EVENT_BYTES + 1)
        if len(body) > MAX_EVENT_BYTES:
            raise SourceError(
                f"reading sample events: {file} is larger than Lambda's {MAX_EVENT_BYTES} bytes",
                hint="Use a smaller event.",
            )
        json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"reading sample events: {file} is not JSON in UTF-8: {error}",
            hint="Correct the file, or move it elsewhere.",
        ) from None
    except OSError as error:
        raise SourceError(f"reading sample events: {file}: {error.strerror}", hint="Make the file readable.") from None
    return body


def name_of(source: Path, pyproject: Mapping[str, object]) -> str:
    """The image's name when no tag is given: the project's name, else the folder's, in the form registries accept."""
    project = pyproject.get("project", {})
    named = project.get("name") if isinstance(project, dict) else None
    text = named if isinstance(named, str) else source.resolve().name
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MAX_NAME_CHARS].strip("-") or "function"
