"""Which state of this package a remembered result is from: the digest of the sources that decided it.

A number that somebody has to raise is forgotten; a result of older code would then live on in caches.
"""

import hashlib
from functools import cache
from pathlib import Path

READERS = (
    "binaries.py", "calls.py", "conditions.py", "facts.py", "lines.py", "native.py", "notes.py", "reader.py",
    "words.py",
)  # fmt: skip  # what facts depend on
_FOLDER = Path(__file__).parent


@cache
def readers_digest() -> str:
    """Changes when files are read otherwise."""
    return _digest([_FOLDER / name for name in READERS])


@cache
def trimming_digest() -> str:
    """Changes when anything of trimming does, the knowledge included."""
    return _digest([*sorted(_FOLDER.glob("*.py")), *sorted(_FOLDER.glob("knowledge/*.toml"))])


def _digest(files: list[Path]) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
