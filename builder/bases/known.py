"""The bases we know, as data: images/*.toml. Reads them; never fetches one.

What they say comes from documentation, named in `sources`, and only steers where a Python is looked for first and what
is said about a base. What is in an image is always looked up in the image.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from builder.data import data_file


@dataclass(frozen=True, slots=True)
class KnownBase:
    """One base: how it is called, where its Python lives (`python`, a folder; "" for none), libc, notes and sources."""

    name: str
    reference: str
    tags: tuple[str, ...]
    python: str
    libc: str
    notes: str
    sources: tuple[str, ...]

    @property
    def example(self) -> str:
        """A name that can be given to --base."""
        return f"{self.reference}:{self.tags[0]}" if self.tags else self.reference

    def describe(self) -> dict[str, object]:
        """The base as JSON."""
        return {
            "name": self.name,
            "reference": self.reference,
            "tags": list(self.tags),
            "python": self.python or None,
            "libc": self.libc,
            "notes": self.notes,
            "sources": list(self.sources),
        }


@cache
def known_bases() -> tuple[KnownBase, ...]:
    """All of them, `host` first, then by name."""
    found = [_parse(tomllib.loads(file.read_text(encoding="utf-8"))) for file in data_file("images").glob("*.toml")]
    return tuple(sorted(found, key=lambda base: (base.reference != "host", base.name)))


def _parse(table: Mapping[str, object]) -> KnownBase:
    def texts(key: str) -> tuple[str, ...]:
        value = table.get(key, [])
        return tuple(map(str, value)) if isinstance(value, list) else ()

    return KnownBase(
        name=str(table["name"]),
        reference=str(table["reference"]),
        tags=texts("tags"),
        python=str(table.get("python", "")),
        libc=str(table["libc"]),
        notes=str(table["notes"]),
        sources=texts("sources"),
    )


def maybe_known(reference: str) -> KnownBase | None:
    """The known base that an image's name belongs to, whatever its tag or digest."""
    name = reference.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    bare = head if colon and "/" not in tag else name
    short = bare.removeprefix("docker.io/").removeprefix("library/")
    candidates = [base for base in known_bases() if short == base.reference.partition(":")[0]]
    exact = [base for base in candidates if _takes(base, tag if bare != name else "latest")]
    return next(iter(exact or candidates), None)


def _takes(base: KnownBase, tag: str) -> bool:
    return any(tag == known or tag.startswith(f"{known}-") for known in base.tags)


def python_folders() -> Iterable[str]:
    """Where known bases keep their Python."""
    return dict.fromkeys(base.python for base in known_bases() if base.python)


def render_bases(bases: Sequence[KnownBase]) -> str:
    """The bases as a table for people, each with its notes in a line below."""
    rows = [("BASE", "PYTHON", "LIBC"), *((base.example, base.python or "none", base.libc) for base in bases)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}".rstrip() for row in rows]
    notes = ["", *(f"    {base.notes}" for base in bases)]
    return "".join(f"{line}\n{note}\n" if note else f"{line}\n" for line, note in zip(lines, notes, strict=True))
