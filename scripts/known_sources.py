"""Writes tables of builder/trim/known_sources that are missing: for this Python, or with `all` for each one here."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from builder.errors import InterpreterError
from builder.interpreter import OLDEST, find_executable
from builder.trim.known_sources import place_of, write_known_facts

NEWEST_MINOR = 14
LEFT_OUT = {"site-packages", "__pycache__", "test", "tests", "idlelib", "idle_test", "lib2to3", "turtledemo"}
ASK = "import json, sys, sysconfig; print(json.dumps([sys.version_info[:2], sysconfig.get_path('stdlib')]))"


def pythons(*, every: bool) -> Iterator[str]:
    """The interpreters to take the sources of."""
    yield sys.executable
    for minor in range(OLDEST[1], NEWEST_MINOR + 1) if every else ():
        with suppress(InterpreterError):
            yield find_executable(f"3.{minor}") or sys.executable


def sources(folder: Path) -> Iterator[bytes]:
    """The modules that an image may get."""
    for file in sorted(folder.rglob("*.py")):
        if not LEFT_OUT.intersection(file.relative_to(folder).parts):
            yield file.read_bytes()


def main() -> None:
    """A table for each minor version."""
    for python in pythons(every="all" in sys.argv[1:]):
        asked = subprocess.run([python, "-I", "-c", ASK], capture_output=True, check=True)
        version, folder = json.loads(asked.stdout)
        version = (version[0], version[1])
        if not place_of(version).exists():
            place = write_known_facts(version, sources(Path(folder)))
            print(f"{place.name}: {place.stat().st_size} bytes, from {folder}", file=sys.stderr)


if __name__ == "__main__":
    main()
