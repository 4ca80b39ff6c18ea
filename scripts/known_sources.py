"""Writes tables of builder/trim/known_sources that lack a source: for this Python, or with `all` for each one here."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from builder.data import runtime_folder
from builder.errors import InterpreterError
from builder.interpreter import OLDEST, find_executable
from builder.trim.known_sources import known_facts, name_of, write_known_facts

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
    """The modules that an image may get: of the standard library in a folder, and the runtime's."""
    for top in (folder, runtime_folder("bootstrap"), runtime_folder("emulator")):
        for file in sorted(top.rglob("*.py")):
            if not LEFT_OUT.intersection(file.relative_to(top).parts):
                yield file.read_bytes()


def main() -> None:
    """A table for each minor version."""
    for python in pythons(every="all" in sys.argv[1:]):
        asked = subprocess.run([python, "-I", "-c", ASK], capture_output=True, check=True)
        version, folder = json.loads(asked.stdout)
        version = (version[0], version[1])
        wanted = list(sources(Path(folder)))
        if not known_facts(version).keys() >= set(map(name_of, wanted)):
            place = write_known_facts(version, wanted)
            print(f"{place.name}: {place.stat().st_size} bytes, from {folder}", file=sys.stderr)


if __name__ == "__main__":
    main()
