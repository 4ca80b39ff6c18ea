"""Cross-origin resource sharing as a function URL does it from its configuration. Pure.

The configuration has the members of the Lambda API's `Cors`: AllowOrigins, AllowMethods, AllowHeaders, ExposeHeaders,
AllowCredentials, MaxAge. With it, a preflight is answered here and the function never sees it; to other requests'
answers the headers are added, in place of the function's own of the same names: twice the same header is refused by
browsers. What a browser does with all this is the Fetch standard's, "CORS protocol".

It decides on headers only: whether a request is served does not depend on its origin.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from .errors import UsageError
from .http1_response import Response
from .invoke_api import is_header_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ANY = "*"
_LISTS = ("AllowOrigins", "AllowMethods", "AllowHeaders", "ExposeHeaders")
_MAX_AGE_LIMIT_S = 86_400  # the Lambda API's
_PREFIX = "access-control-"

Headers = tuple[tuple[str, str], ...]


class Cors(NamedTuple):
    """One configuration. An empty list allows nothing; `*` in it allows all. `max_age_s` 0: not cached."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age_s: int = 0


def parse_cors(text: str, *, source: str) -> Cors:
    """A configuration as JSON, or `*` for everything from everywhere. `source` is named in a `UsageError`."""
    if text.strip() == _ANY:
        return Cors((_ANY,), (_ANY,), (_ANY,))
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _wrong(source, text, 'give a JSON object, e.g. {"AllowOrigins": ["https://example.com"]}, or *')
    unknown = sorted(set(value) - {*_LISTS, "AllowCredentials", "MaxAge"})
    if unknown:
        raise _wrong(source, ", ".join(unknown), f"known are {', '.join(_LISTS)}, AllowCredentials, MaxAge")
    max_age_s = value.get("MaxAge", 0)
    if type(max_age_s) is not int or not 0 <= max_age_s <= _MAX_AGE_LIMIT_S:
        raise _wrong(source, f"MaxAge {max_age_s!r}", f"give seconds from 0 to {_MAX_AGE_LIMIT_S}")
    credentials = value.get("AllowCredentials", False)
    if not isinstance(credentials, bool):
        raise _wrong(source, f"AllowCredentials {credentials!r}", "give true or false")
    origins, methods, headers, exposed = (_texts(value, name, source) for name in _LISTS)
    return Cors(origins, methods, headers, exposed, credentials, max_age_s)


def _texts(value: Mapping[str, object], name: str, source: str) -> tuple[str, ...]:
    found = value.get(name, [])
    if not isinstance(found, list) or not all(isinstance(text, str) and is_header_value(text) for text in found):
        raise _wrong(source, f"{name} {found!r}", "give a list of texts, each on one line")
    return tuple(found)


def _wrong(source: str, found: str, advice: str) -> UsageError:
    return UsageError(f"reading {source}: found {found[:200]!r}; {advice}")


def answer_preflight(cors: Cors, method: str, headers: Mapping[str, str]) -> Response | None:
    """The answer to a preflight, None if the request is none: that needs OPTIONS, an origin and a method asked for."""
    origin, wanted = headers.get("origin"), headers.get("access-control-request-method")
    if method != "OPTIONS" or origin is None or wanted is None:
        return None
    vary = ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
    allowed = _allowed_origin(cors, origin)
    if allowed is None:
        return Response(200, (vary,))
    asked = headers.get("access-control-request-headers", "")
    answer = [("Access-Control-Allow-Origin", allowed), *_credentials(cors), vary]
    methods = _shown(cors.allow_methods, wanted)
    if methods:
        answer.append(("Access-Control-Allow-Methods", methods))
    names = _shown(cors.allow_headers, asked)
    if names:
        answer.append(("Access-Control-Allow-Headers", names))
    if cors.max_age_s:
        answer.append(("Access-Control-Max-Age", str(cors.max_age_s)))
    return Response(200, tuple(answer))


def add_headers(cors: Cors, origin: str | None, headers: Sequence[tuple[str, str]]) -> Headers:
    """The headers of an answer with those that its origin needs, in place of the function's own."""
    ours = tuple(pair for pair in headers if not pair[0].lower().startswith(_PREFIX))
    allowed = None if origin is None else _allowed_origin(cors, origin)
    if allowed is None:
        return (*ours, ("Vary", "Origin"))
    exposed = ", ".join(cors.expose_headers)
    more = (("Access-Control-Expose-Headers", exposed),) if exposed else ()
    return (*ours, ("Access-Control-Allow-Origin", allowed), *_credentials(cors), *more, ("Vary", "Origin"))


def _allowed_origin(cors: Cors, origin: str) -> str | None:
    """What to say to this origin; itself rather than `*` where credentials are allowed, as the standard wants."""
    if origin in cors.allow_origins:
        return origin
    if _ANY in cors.allow_origins:
        return origin if cors.allow_credentials else _ANY
    return None


def _credentials(cors: Cors) -> Headers:
    return (("Access-Control-Allow-Credentials", "true"),) if cors.allow_credentials else ()


def _shown(allowed: Sequence[str], asked: str) -> str:
    """The list as a header; for `*` what was asked for, since browsers take `*` literally beside credentials."""
    return asked if _ANY in allowed else ", ".join(allowed)
