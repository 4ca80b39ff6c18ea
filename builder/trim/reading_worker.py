"""Reads the facts of files; a program of its own, so that several of them use several cores.

stdin, a line of JSON each: first [version, names of modules], then [kind, path in the image, file] for one file, `kind`
being `source` or `native`. stdout: a line of JSON for each file, its facts as the cache holds them, null when it cannot
be read. Ends when nobody asks any more. Never writes anything else, never imports or runs what it reads.
"""

import gc
import json
import sys
from contextlib import suppress
from pathlib import Path

from builder.trim.binaries import inspect
from builder.trim.facts import render_binary, render_facts
from builder.trim.native import Names
from builder.trim.reader import read_facts


def main() -> None:
    """Answer until stdin ends."""
    gc.disable()  # syntax trees hold no circles, and looking for some takes a sixth of the time
    version, modules = json.loads(sys.stdin.buffer.readline() or b"[[], []]")
    names = Names(frozenset(modules))
    for line in sys.stdin.buffer:
        kind, path, name = json.loads(line)
        file = Path(name)
        answer: object = None
        with suppress(OSError):  # who asked reads it as well, and tells
            if kind == "source":
                answer = render_facts(read_facts(file.read_bytes(), (version[0], version[1])))
            else:
                answer = render_binary(inspect(path, file, file.read_bytes, names))
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
