"""What a registry says it wants in `WWW-Authenticate`: a list of challenges. Pure.

Grammar: RFC 9110 section 11.6.1. Several challenges may share one header. Garbage gives no challenge rather than
an error: what follows from that is the caller's word.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

MAX_CHARS: Final = 8192  # no challenge is longer; registries list scopes in it

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's word, no secret
_PARAMETER: Final = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')
_SCHEME: Final = re.compile(rf"({_TOKEN})(?:[ \t]+|$|(?=,))")
_GAP: Final = re.compile(r"[ \t,]*")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One scheme in lower case, with its parameters by their lower-case names."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Read all challenges of a response, in their order."""
    return tuple(challenge for header in headers for challenge in _parse(header[:MAX_CHARS]))


def _parse(header: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    at = _gap(header, 0)
    while at < len(header):
        parameter = _PARAMETER.match(header, at)
        scheme = _SCHEME.match(header, at)
        if parameter and found:
            name, quoted, bare = parameter.groups()
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
            found[-1][1].setdefault(name.lower(), value)
            at = _gap(header, parameter.end())
        elif scheme:
            found.append((scheme[1].lower(), {}))
            at = _gap(header, scheme.end())
        else:
            break
    return [Challenge(scheme, parameters) for scheme, parameters in found]


def _gap(text: str, at: int) -> int:
    gap = _GAP.match(text, at)
    return gap.end() if gap else at
