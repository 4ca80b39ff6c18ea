"""Reads the facts of files; a program of its own, so that several of them use several cores.

stdin, a line of JSON each: first [version, names of modules], then [kind, path in the image, file] for one file, `kind`
being `source` or `native`. stdout: a line of JSON for each file, its facts as the cache holds them, null when it cannot
be read. Ends when nobody asks any more. Never writes anything else, never imports or runs what it reads.
"""

import gc
import json
import sys
from typing import TYPE_CHECKING

from builder.trim.facts import render_facts
from builder.trim.reader import read_facts

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Answer until stdin ends."""
    gc.disable()  # syntax trees hold no circles, and looking for some takes a sixth of the time
    version, modules = json.loads(sys.stdin.buffer.readline() or b"[[0, 0], []]")
    native = None
    for line in sys.stdin.buffer:
        kind, path, file = json.loads(line)
        answer: object = None
        try:
            if kind == "source":
                with open(file, "rb") as opened:  # noqa: PTH123  without the start of pathlib
                    answer = render_facts(read_facts(opened.read(), (version[0], version[1])))
            else:
                native = native or _native(modules)
                answer = native(path, file)
        except OSError:
            pass  # who asked reads it as well, and tells
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


def _native(modules: list[str]) -> "Callable[[str, str], object]":
    """What reads ELF files, loaded when there is one."""
    from pathlib import Path

    from builder.trim.binaries import inspect
    from builder.trim.facts import render_binary
    from builder.trim.native import Names

    names = Names(frozenset(modules))
    return lambda path, file: render_binary(inspect(path, Path(file), Path(file).read_bytes, names))
