"""What a running function asked for (FIRKIN_TRACE), out of its log, as patterns for `keep`.

Text in, names out; a plan and names in, patterns out. Only what the plan leaves out becomes a pattern: the rest is in
the image anyway. Never changes anything: `pyproject` writes the patterns down.
"""

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from builder.errors import SourceError
from builder.patterns import Patterns, exactly
from builder.plan import How, Plan, is_alone, short_name, source_of

_LINE = re.compile(r'\{"firkinTrace": ?"(?P<kind>module|file|library)", ?"name": ?(?P<name>"(?:[^"\\]|\\.)*")\}')

_ENDS = re.compile(r"(?:/__init__)?(?:\.pyc?|\.so|\.(?:cpython-|abi3)[\w.-]*\.so)$")


@dataclass(frozen=True, slots=True)
class Asked:
    """Names of modules, absolute paths of files, and file names of libraries that a function asked for."""

    modules: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Addition:
    """One pattern for `keep`: what it stands for, and why that would have been left out."""

    pattern: str
    path: str
    why: str


def read_log(file: Path | None, container: str | None, stdin: BinaryIO) -> str:
    """The log to look into: a file, `-` for stdin, or a container's. Raises SourceError or DockerError."""
    if file is None:
        from builder.daemon import container_log

        return container_log(container or "")
    try:
        data = stdin.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise SourceError(f"reading the log: {file}: {error.strerror}", hint="Make the file readable.") from None
    return data.decode("utf-8", "replace")


def parse_trace(text: str, *, origin: str = "the log") -> Asked:
    """What the lines of a log name, whatever stands before or after them, also within a JSON text.

    Raises SourceError for a log without any.
    """
    names: dict[str, set[str]] = {"module": set(), "file": set(), "library": set()}
    for line in text.splitlines():
        if "firkinTrace" in line:
            found = _LINE.search(line) or _LINE.search(line.replace('\\"', '"').replace("\\\\", "\\"))
            if found:
                names[found["kind"]].add(json.loads(found["name"]))
    if not any(names.values()):
        raise SourceError(
            f"reading {origin}: it holds no line of a trace",
            hint="Run the function with FIRKIN_TRACE=1 in its environment.",
        )
    return Asked(frozenset(names["module"]), frozenset(names["file"]), frozenset(names["library"]))


def additions(plan: Plan, asked: Asked, keep: Iterable[str] = (), *, sources: bool = False) -> list[Addition]:
    """The patterns that keep what was asked for and the plan leaves out, in order of the path.

    `keep` are the patterns there are: what they match needs no other. With `sources`, those of modules that come as
    bytecode alone are among what is left out.
    """
    bare = frozenset[str]() if sources else sources_left_out(plan)
    dropped = {path: why for layer in plan.layers for path, why in layer.dropped.items() if path not in bare}
    there = Patterns(keep, origin="keep")
    found = sorted(set(_dropped_of(asked, dropped)))
    wanted = (Addition(exactly(short_name(path)), path, dropped[path]) for path in found)
    return [one for one in wanted if not (there.lines and (there.match(one.path) or there.match(short_name(one.path))))]


def sources_left_out(plan: Plan) -> frozenset[str]:
    """The sources of the modules that come as bytecode alone."""
    bytecode = (file.path for layer in plan.layers for file in layer.files if file.how is How.BYTECODE)
    return frozenset(source_of(path) for path in bytecode if is_alone(path))


def _dropped_of(asked: Asked, dropped: Mapping[str, str]) -> Iterator[str]:
    """The dropped paths that were asked for. A folder that was listed asks for all in it, but not for those below."""
    files = {path.lstrip("/") for path in asked.files}
    for path in dropped:
        name = module_name(path)
        if (
            (name and name in asked.modules)
            or path in files
            or posixpath.basename(path) in asked.libraries
            or (not name and posixpath.dirname(path) in files)
        ):
            yield path


def module_name(path: str) -> str:
    """The name under which a file of an image is imported, "" for what is no module."""
    if not _ENDS.search(path) or "__pycache__" in path:
        return ""
    return _ENDS.sub("", short_name(path).removeprefix("lib-dynload/")).replace("/", ".")
