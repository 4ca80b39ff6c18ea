"""The one pattern language of the builder, that of `.dockerignore`: for ignored files, `keep`, `drop` and trim rules.

Source: Docker's documentation of .dockerignore and Go's `path.Match`. `*`, `?` and `[…]` stay within one part of the path,
`**` spans any number of parts, a pattern that matches a folder covers all below it, `!` takes back, the last match wins,
`#` starts a comment line. Patterns are anchored at the top: `*.log` means the top folder only, `**/*.log` any folder.
Never touches the file system.
"""

import re
from collections.abc import Iterable
from functools import cached_property

from builder.errors import SourceError


class Patterns:
    """An ordered set of patterns; `match(path)` for a relative POSIX path says whether the last word on it is yes."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)

    @cached_property
    def _rules(self) -> tuple[tuple[bool, re.Pattern[str]], ...]:
        cleaned = (line.strip() for line in self.lines)
        return tuple(_rule(line) for line in cleaned if line and not line.startswith("#"))

    @cached_property
    def has_exceptions(self) -> bool:
        """Whether a pattern takes files back, so that a matched folder must still be looked into."""
        return any(not positive for positive, _ in self._rules)

    def match(self, path: str) -> bool:
        """Whether `path`, or a folder above it, is matched, later patterns overruling earlier ones."""
        for positive, pattern in reversed(self._rules):
            if pattern.match(path):
                return positive
        return False


def _rule(line: str) -> tuple[bool, re.Pattern[str]]:
    positive = not line.startswith("!")
    body = line if positive else line[1:].strip()
    parts = [part for part in body.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise SourceError(
            f"reading patterns: {line!r} leaves the folder",
            hint="Write patterns relative to the folder, without '..'.",
        )
    try:
        return positive, re.compile(_regex(parts))
    except re.error as error:
        raise SourceError(
            f"reading patterns: {line!r} is no pattern: {error}",
            hint="Close every '[' with a ']', and write a literal one as '\\['.",
        ) from None


def _regex(parts: list[str]) -> str:
    """The regular expression of one pattern, which also matches everything below what it names."""
    out = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            out += ".*" if last else "(?:[^/]+/)*"
        else:
            out += _part(part) + ("" if last else "/")
    return out + r"(?:/.*)?\Z"


def _part(part: str) -> str:
    """One part between slashes, after Go's path.Match; `**` inside a part counts as `*`."""
    out = ""
    i = 0
    while i < len(part):
        char = part[i]
        i += 1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "\\" and i < len(part):
            out += re.escape(part[i])
            i += 1
        elif char == "[":
            end = part.find("]", i + 1)
            if end < 0:
                raise re.error("a '[' is not closed")
            body = part[i:end]
            negated = body[:1] in ("^", "!")
            out += ("[^/" if negated else "[") + re.sub(r"([\[\]&~|\\])", r"\\\1", body[negated:]) + "]"
            i = end + 1
        else:
            out += re.escape(char)
    return out
