"""The function's folder as it is on disk: its files, its sample events, its name.

Reads names and sizes, never runs the function's code. What is left out: `DEFAULT_IGNORED`, then `.dockerignore`
(which can take files back with `!`), virtual environments and image layouts wherever they are.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.errors import SourceError
from builder.patterns import Patterns

# What is never part of a function unless .dockerignore says `!name`: version control, caches, the build's own inputs.
DEFAULT_IGNORED = (
    ".git", ".hg", ".svn", "**/__pycache__", "**/*.pyc", "**/.DS_Store", "**/.mypy_cache", "**/.ruff_cache",
    "**/.pytest_cache", "**/.tox", "**/.nox", "**/.venv", "**/node_modules", ".github", ".gitlab-ci.yml", ".gitignore",
    ".dockerignore", "Dockerfile", "events", "uv.lock", "pylock.toml", "pyproject.toml", "requirements.txt",
)  # fmt: skip

# A folder that holds one of these is something else than the function: a virtual environment, an image layout.
FOREIGN_MARKS = ("pyvenv.cfg", "oci-layout")

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
    """Raises SourceError unless `source` is a folder that can be listed."""
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


def read_ignored(source: Path, also: Iterable[str] = ()) -> Patterns:
    """The patterns of what stays out: the defaults, then `.dockerignore`, then `also`."""
    file = source / ".dockerignore"
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        lines = []
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"reading {file}: {error}", hint="The file must be readable UTF-8.") from None
    return Patterns((*DEFAULT_IGNORED, *lines, *also))


def read_files(source: Path, ignored: Patterns) -> list[SourceFile]:
    """The function's files, sorted by path; links are followed, as long as they stay within the folder."""
    top = os.path.realpath(source)
    return sorted(_walk(top, "", ignored, top), key=lambda file: file.path)


def _walk(folder: str, prefix: str, ignored: Patterns, top: str) -> Iterator[SourceFile]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(
            f"reading the function: {folder!r} cannot be listed: {error.strerror}",
            hint="Make it readable, or ignore it.",
        ) from None
    if prefix and any(entry.name in FOREIGN_MARKS for entry in entries):
        return
    for entry in entries:
        path = prefix + entry.name
        out = ignored.match(path)
        if out and not ignored.has_exceptions:
            continue
        if entry.is_symlink():
            _check_link(entry.path, path, top) if not out else None
        if entry.is_dir():
            if not (entry.is_symlink() and _leads_back(entry.path, folder)):
                yield from _walk(entry.path, path + "/", ignored, top)
        elif not out and entry.is_file():
            stat = entry.stat()
            yield SourceFile(path, stat.st_size, bool(stat.st_mode & 0o100))


def _leads_back(link: str, folder: str) -> bool:
    """Whether a link to a folder names one that holds the link itself, so that following it would never end."""
    real = os.path.realpath(link)
    return os.path.commonpath((real, os.path.realpath(folder))) == real


def _check_link(file: str, path: str, top: str) -> None:
    real = os.path.realpath(file)
    if not os.path.exists(real):
        raise SourceError(
            f"reading the function: {path!r} is a link to {os.readlink(file)!r}, which is not there",
            hint="Repair or ignore it.",
        )
    if os.path.commonpath((real, top)) != top:
        raise SourceError(
            f"reading the function: {path!r} is a link out of the folder, to {real!r}",
            hint="Copy the file into the folder, or name the link in .dockerignore.",
        )


def read_events(source: Path, patterns: Iterable[str]) -> list[Event]:
    """The sample events: the given files or patterns (default `events/*.json`), sorted by name, each with its expected answer.

    An answer is expected where `expected/NAME.json` lies beside the event. Raises SourceError when a named file is
    missing, too large or not JSON.
    """
    asked = tuple(patterns)
    files: list[Path] = []
    for pattern in asked or ("events/*.json",):
        found = [Path(pattern)] if Path(pattern).is_absolute() else sorted(source.glob(pattern))
        if asked and not any(file.is_file() for file in found):
            raise SourceError(
                f"reading sample events: nothing matches {pattern!r} in {source}",
                hint="Name files relative to the function's folder.",
            )
        files += [file for file in found if file.is_file()]
    return [_read_event(file) for file in dict.fromkeys(files)]


def _read_event(file: Path) -> Event:
    answer = file.parent / "expected" / file.name
    return Event(file.stem, _read_json(file), _read_json(answer) if answer.is_file() else None)


def _read_json(file: Path) -> bytes:
    try:
        if file.stat().st_size > MAX_EVENT_BYTES:
            raise SourceError(
                f"reading sample events: {file} is larger than Lambda's {MAX_EVENT_BYTES} bytes",
                hint="Use a smaller event.",
            )
        body = file.read_bytes()
        json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"reading sample events: {file} is not JSON: {error}",
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
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "function"
