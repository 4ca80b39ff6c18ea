"""A folder of installed packages made independent of the machine that installed them.

Takes out what uv notes about this machine, lets console scripts name the image's Python, and keeps each RECORD true to
what is there. Never changes a file in place: it may be a hard link into uv's cache.

Source: the "Recording installed projects" and "Binary distribution format" specifications of packaging.python.org.
"""

import base64
import csv
import hashlib
import io
import json
import os
import re
import shutil
from pathlib import Path

from builder.errors import DependencyError

# More than twice what Lambda takes: trimming may make an image of it that fits, beyond that nothing will.
MAX_BYTES = 25_000_000_000
MAX_FILES = 2_000_000

# What uv leaves in a target folder about this machine; it would make two builds differ.
MACHINE_FILES = (
    ".lock",
    "*.dist-info/direct_url.json",
    "*.dist-info/REQUESTED",
    "*.dist-info/uv_build.json",
    "*.dist-info/uv_cache.json",
)

# A script's start: the interpreter's path, or, where that is too long or has a space in it, a text that is shell and
# Python at once. Source: distlib's and uv's script templates.
_SHEBANG = re.compile(rb"#![^\n]*python[^\n]*\n")
_SHELL_SHEBANG = re.compile(rb"#!/bin/sh\n'''exec' [^\n]*python[^\n]* \"\$0\" \"\$@\"\n' '''\n")


def check_size(folder: Path, name: str) -> None:
    """Refuse what no image can hold, before anything reads it: a wheel may unpack to far more than it weighs.

    `name` is the file that asked for the packages. Raises DependencyError, which names the largest.
    """
    sizes: dict[str, int] = {}
    files = 0
    for top, _, names in os.walk(folder):
        part = Path(top).relative_to(folder).parts[:1]
        for one in names:
            key = part[0] if part else one
            sizes[key] = sizes.get(key, 0) + os.lstat(os.path.join(top, one)).st_size  # noqa: PTH118  many files
        files += len(names)
    total = sum(sizes.values())
    if total > MAX_BYTES or files > MAX_FILES:
        largest = sorted(sizes, key=lambda key: -sizes[key])[:3]
        told = ", ".join(f"{key} ({sizes[key] / 1e6:,.0f} MB)" for key in largest)
        raise DependencyError(
            f"installing {name}: the packages unpack to {total / 1e9:.1f} GB in {files} files, which no image holds "
            f"(Lambda takes 10 GB)",
            hint=f"Leave out what is not needed; the largest are {told}.",
        )


def clean_installed(folder: Path, python: str) -> None:
    """Make the folder the same wherever it was installed; `python` is the interpreter's path in the image.

    Raises OSError.
    """
    for pattern in MACHINE_FILES:
        for file in folder.glob(pattern):
            file.unlink()
    for cached in list(folder.rglob("__pycache__")):
        shutil.rmtree(cached)
    scripts = folder / "bin"
    relocated = [script for script in scripts.iterdir() if _relocate(script, python)] if scripts.is_dir() else []
    hashes = {f"bin/{script.name}": script for script in relocated}
    for record in folder.glob("*.dist-info/RECORD"):
        _correct(record, folder, hashes)


def linked_packages(folder: Path) -> list[str]:
    """The names of packages that are only links to a folder of this machine ("editable"), as direct_url.json tells."""
    found = []
    for note in sorted(folder.glob("*.dist-info/direct_url.json")):
        told = json.loads(note.read_bytes())
        if told.get("dir_info", {}).get("editable"):
            found.append(note.parent.name.partition("-")[0])
    return found


def _relocate(script: Path, python: str) -> bool:
    """Let a Python script name the interpreter of the image; tells whether it was one."""
    if not script.is_file():
        return False
    body = script.read_bytes()
    start = _SHELL_SHEBANG.match(body) or _SHEBANG.match(body)
    if start is None:
        return False
    _rewrite(script, f"#!{python}\n".encode() + body[start.end() :])
    return True


def _correct(record: Path, folder: Path, hashes: dict[str, Path]) -> None:
    """Drop the rows of files that are gone, and give relocated scripts their new hash and size."""
    rows = list(csv.reader(io.StringIO(record.read_text(encoding="utf-8"), newline="")))
    kept: list[list[str]] = []
    for row in rows:
        if not row or not (folder / row[0]).exists():
            continue
        script = hashes.get(row[0].removeprefix("../../"))
        kept.append([row[0], *_hash_and_size(script.read_bytes())] if script else row)
    if kept != rows:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(kept)
        _rewrite(record, text.getvalue().encode())


def _hash_and_size(body: bytes) -> tuple[str, str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
    return f"sha256={digest}", str(len(body))


def _rewrite(file: Path, body: bytes) -> None:
    mode = file.stat().st_mode
    file.unlink()
    file.write_bytes(body)
    file.chmod(mode)
