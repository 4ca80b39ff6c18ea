"""Installed distributions: which files are whose, and which entry points they declare.

Read from their `*.dist-info` folders; nothing is imported. Source: "Recording installed projects" and "Entry points
specification" of packaging.python.org.
"""

import configparser
import csv
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Distribution:
    """One distribution: its normalized `name`, its dist-info `folder`, its `files` and entry points, as image paths.

    `groups` maps a group to its entries: (name, "module:attribute").
    """

    name: str
    folder: str
    files: frozenset[str]
    groups: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


def normalized(name: str) -> str:
    """A distribution's name as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find_distributions(paths: Iterable[str], root: str, read: Callable[[str], bytes]) -> list[Distribution]:
    """The distributions below `root`; `read` gives the bytes of a path."""
    there = set(paths)
    folders = sorted({posixpath.dirname(path) for path in there if path.endswith(".dist-info/METADATA")})
    return [_distribution(folder, root, there, read) for folder in folders if posixpath.dirname(folder) == root]


def _distribution(folder: str, root: str, there: set[str], read: Callable[[str], bytes]) -> Distribution:
    name = normalized(posixpath.basename(folder).removesuffix(".dist-info").partition("-")[0])
    return Distribution(
        name,
        folder,
        frozenset(_recorded(f"{folder}/RECORD", root, there, read)),
        parse_entry_points(read(path).decode("utf-8", "replace"))
        if (path := f"{folder}/entry_points.txt") in there
        else {},
    )


def _recorded(record: str, root: str, there: set[str], read: Callable[[str], bytes]) -> Iterable[str]:
    if record not in there:
        return
    for row in csv.reader(read(record).decode("utf-8", "replace").splitlines()):
        if row:
            path = posixpath.normpath(posixpath.join(root, row[0].removeprefix("../../")))
            if path in there:
                yield path


def parse_entry_points(text: str) -> dict[str, tuple[tuple[str, str], ...]]:
    """The groups of an entry_points.txt; empty for a file that cannot be read as one."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {
        group: tuple((name, value.partition("[")[0].strip()) for name, value in parser.items(group))
        for group in parser.sections()
    }
