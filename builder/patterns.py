"""The one pattern language of the builder, that of `.dockerignore`: for ignored files, `keep`, `drop` and trim rules.

`*`, `?` and `[…]` stay within one part of the path, `**` spans any number of parts, a pattern that matches a folder
covers all below it, `!` takes back, the last match wins, `#` at the start of a line makes it a comment. Patterns are
anchored at the top: `*.log` means the top folder only, `**/*.log` any folder. Never touches the file system.

Source: Docker's reference of .dockerignore, Go's `filepath.Match` and `filepath.Clean`, and moby/patternmatcher for
what they leave open. Two differences: a pattern that leads out of the folder is an error here, where Docker lets it
match nothing; and `[…]` never matches a slash.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from builder.errors import SourceError

MAX_PATTERN_CHARS = 4096  # PATH_MAX: a longer pattern can match nothing
MAX_GLUED = 2  # `a**b` within a part: each multiplies the places to try
_WILD = frozenset("*?[\\")


@dataclass(frozen=True, slots=True)
class _Rule:
    """One pattern: whether it matches or takes back, its text up to the first wildcard, and its regular expression."""

    positive: bool
    literal: str
    regex: str


class Patterns:
    """An ordered set of patterns; `origin` says in messages where they were written."""

    def __init__(self, lines: Iterable[str], *, origin: str = "patterns") -> None:
        self.lines = tuple(lines)
        self.origin = origin

    @cached_property
    def _rules(self) -> tuple[_Rule, ...]:
        written = (line.strip() for line in self.lines if not line.startswith("#"))
        rules = (_parse(line, self.origin) for line in written if line)
        return tuple(rule for rule in rules if rule)

    @cached_property
    def _any(self) -> re.Pattern[str]:
        """All of them in one: most paths are matched by none, which one question tells sooner than many."""
        return re.compile("|".join(rule.regex for rule in self._rules) or "(?!)", re.DOTALL)

    @cached_property
    def _last_first(self) -> tuple[tuple[bool, re.Pattern[str]], ...]:
        """Each for itself, where one may take back what another matches."""
        if all(rule.positive for rule in self._rules):
            return ()
        return tuple((rule.positive, re.compile(rule.regex, re.DOTALL)) for rule in reversed(self._rules))

    def match(self, path: str) -> bool:
        """Whether the relative POSIX `path`, or a folder above it, is matched, later patterns overruling earlier ones.

        Raises SourceError, at the first call, for a line that is no pattern.
        """
        if not self._any.match(path):
            return False
        return next((positive for positive, regex in self._last_first if regex.match(path)), True)

    def may_take_back(self, folder: str) -> bool:
        """Whether a `!` pattern could match below `folder`, so that it must be looked into although it is matched."""
        below = folder + "/"
        return any(
            not rule.positive and (below.startswith(rule.literal) or rule.literal.startswith(below))
            for rule in self._rules
        )


def _parse(line: str, origin: str) -> _Rule | None:
    """The rule of one line, or None when it names the folder itself, which Docker ignores."""
    positive = not line.startswith("!")
    try:
        pattern = _cleaned(line if positive else line[1:].strip())
        if not pattern:
            return None
        return _Rule(positive, _literal(pattern), _regex(pattern))
    except ValueError as error:
        raise SourceError(
            f"reading {origin}: {line[:200]!r} is no pattern: {error}",
            hint="Write it as in .dockerignore, relative to the folder; a backslash makes the next character literal.",
        ) from None


def _cleaned(body: str) -> str:
    """The pattern without `.`, `..` and superfluous slashes, as Go's filepath.Clean leaves it."""
    if not body:
        raise ValueError("nothing follows the '!'")
    if len(body) > MAX_PATTERN_CHARS:
        raise ValueError(f"it has more than {MAX_PATTERN_CHARS} characters")
    parts: list[str] = []
    for part in body.split("/"):
        if part == "..":
            if not parts and not body.startswith("/"):  # above the root there is nothing: /../a is /a
                raise ValueError("it leads out of the folder")
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def exactly(path: str) -> str:
    """A pattern that matches this path, and what is below it, alone."""
    return re.sub(r"([\\*?\[\]!#])", r"\\\1", path)


def _literal(pattern: str) -> str:
    """What every match starts with: the text before the first wildcard."""
    end = next((index for index, char in enumerate(pattern) if char in _WILD), len(pattern))
    return pattern[:end]


def _regex(pattern: str) -> str:
    """The regular expression of a pattern, which also matches everything below what it names.

    What stands between two `**` is matched at its first place and never tried again (`(?>…)`): a later place leaves
    less for the rest. Without that, a pattern of many wildcards could take hours.
    """
    if pattern.startswith("**") and not _WILD & set(pattern[2:]) and pattern[2:3] not in ("", "/"):
        pattern = "**/*" + pattern[2:]  # `**.log`: as it ends, in any folder
    first, *rest = _split_at_globstars(pattern)
    if sum(not section.endswith("/") for section in rest[:-1]) > MAX_GLUED:
        raise ValueError(f"it has more than {MAX_GLUED} '**' glued to text; put them between slashes")
    out = _section(first)
    for index, section in enumerate(rest):
        inner, is_last = _section(section), index == len(rest) - 1
        if is_last:
            out += f"(?:.*/)?{inner}" if section else ".*"
        elif section.endswith("/"):
            out += f"(?>(?:.*?/)??{inner})"
        else:  # `a**b`, glued: a later place may be followed by what an earlier one is not
            out += f"(?:.*/)?{inner}"
    return out + r"(?:/.*)?\Z"


def _split_at_globstars(pattern: str) -> list[str]:
    """The texts between the `**`, each of which takes the slash after it; escapes and classes are left alone."""
    sections: list[str] = []
    start = at = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 2
        elif pattern[at] == "[":
            at = _end_of_class(pattern, at)
        elif pattern.startswith("**", at):
            if at > start or not sections:  # `**/**` says no more than `**`
                sections.append(pattern[start:at])
            at += 2
            while pattern.startswith("*", at):
                at += 1
            at += pattern.startswith("/", at)
            start = at
        else:
            at += 1
    return [*sections, pattern[start:]]


def _section(text: str) -> str:
    """The regular expression of a text without `**`; a `*` that another follows may not be tried again either."""
    out, at, closing = "", 0, ""
    while at < len(text):
        char, at = text[at], at + 1
        if char == "*":
            again = _has_star(text, at)
            out += closing + ("(?>[^/]*?" if again else "[^/]*")
            closing = ")" if again else ""
        elif char == "?":
            out += "[^/]"
        elif char == "\\":
            if at == len(text):
                raise ValueError("it ends in a '\\'")
            out, at = out + re.escape(text[at]), at + 1
        elif char == "[":
            end = _end_of_class(text, at - 1)
            out, at = out + _class(text[at : end - 1]), end
        else:
            out += re.escape(char)
    return out + closing


def _has_star(text: str, at: int) -> bool:
    """Whether a wildcard `*` follows."""
    while at < len(text):
        if text[at] == "*":
            return True
        at = at + 2 if text[at] == "\\" else _end_of_class(text, at) if text[at] == "[" else at + 1
    return False


def _end_of_class(text: str, start: int) -> int:
    """The index behind the `]` that closes the class opened at `start`."""
    at = start + 1
    while at < len(text) and text[at] != "]":
        at += 2 if text[at] == "\\" else 1
    if at >= len(text):
        raise ValueError("a '[' is not closed")
    return at + 1


def _class(body: str) -> str:
    """A character class, after Go: `^` negates, `a-z` is a range, a backslash makes the next character literal."""
    negated = body.startswith("^")
    body = body[negated:]
    out, at = "", 0

    def one() -> str:
        nonlocal at
        if at >= len(body) or body[at] == "-":
            raise ValueError("a '[' holds no characters or half a range")
        at += body[at] == "\\"
        at += 1
        return re.escape(body[at - 1])

    while at < len(body) or not out:
        low = one()
        if body[at : at + 1] == "-":
            at += 1
            high = one()
            if high[-1] < low[-1]:
                raise ValueError(f"bad character range {low}-{high}")
            low += "-" + high
        out += low
    return f"(?!/)[{'^' if negated else ''}{out}]"
