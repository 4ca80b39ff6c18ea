"""Writing `keep` into a pyproject.toml that a person wrote: everything else stays as it is, comments included.

tomlkit reads and writes the file; what the table means is in `config`. Never writes what it could not read back.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array, Table

from builder.config import TABLE
from builder.disk import write_whole
from builder.errors import SourceError

FILE = "pyproject.toml"


def add_keep(text: str, patterns: Iterable[str]) -> str:
    """The text of a pyproject.toml with the patterns added to [tool.build-image] keep. Raises SourceError."""
    try:
        document = tomlkit.parse(text)
        table = _table(document)
        keep = table.get("keep")
        if keep is None:
            keep = tomlkit.array().multiline(multiline=True)
            table["keep"] = keep
        if not isinstance(keep, Array):
            raise SourceError(f"reading [{TABLE}]: keep is {str(keep)!r}, not a list", hint="Give keep as a list.")
        for pattern in patterns:
            if pattern not in keep:
                keep.append(pattern)
        made = tomlkit.dumps(document)
        tomllib.loads(made)
    except (TOMLKitError, tomllib.TOMLDecodeError, ValueError) as error:
        raise SourceError(f"changing {FILE}: {error}", hint="Correct the file, or add the patterns by hand.") from None
    return made


def _table(document: tomlkit.TOMLDocument) -> Table:
    """[tool.build-image], made where it is not there."""
    holder: tomlkit.TOMLDocument | Table = document
    for name in TABLE.split("."):
        if name not in holder:
            holder[name] = tomlkit.table(is_super_table=name == "tool")
        found = holder[name]
        if not isinstance(found, Mapping):
            raise SourceError(f"reading {FILE}: {name} is {str(found)[:100]!r}, not a table", hint="Make it a table.")
        holder = found  # type: ignore[assignment]  # tomlkit's tables are of several classes with one interface
    return holder  # type: ignore[return-value]  # same


def write_keep(source: Path, patterns: Iterable[str]) -> None:
    """Add the patterns to the folder's pyproject.toml, a new one if need be. Raises SourceError or OutputError."""
    file = source / FILE
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"reading {file}: {error}", hint="The file must be readable UTF-8.") from None
    write_whole(file, add_keep(text, patterns).encode(), f"writing {file}")
