"""What a run of the function tells: writes outside /tmp, by the words of the system. Pure."""

import re
from collections.abc import Iterator

from builder.lint.finding import Finding

# EROFS as Python, and programs of C, word it; with the path where it follows.
_READ_ONLY = re.compile(r"Read-only file system(?:: '([^'\n]{1,200})')?")
_SHOWN = 20


def check_log(log: str) -> Iterator[Finding]:
    """A finding for each path that could not be written; a write that failed silently is not in a log."""
    paths = dict.fromkeys(found[1] or "" for found in _READ_ONLY.finditer(log))
    for path in list(paths)[:_SHOWN]:
        yield Finding("writes-outside-tmp", "the proof's log says: Read-only file system", path)
