"""Waiting for an emulator that was started as a program to say where it serves.

Not the first line of its stderr: it may have a word about the memory limit before.
"""

import re
import subprocess


def ready_url(process: subprocess.Popen) -> str:
    """The URL of the emulator's line "ready"; stderr is a pipe, of text or of bytes."""
    said = []
    for line in process.stderr:
        said.append(line if isinstance(line, str) else line.decode())
        if found := re.search(r"^emulator: ready, .*(http://\S+)$", said[-1]):
            return found[1]
    raise AssertionError("it ended without being ready: " + "".join(said))


def ready_port(process: subprocess.Popen) -> int:
    """The port of that URL."""
    return int(re.search(r":(\d+)/", ready_url(process))[1])
