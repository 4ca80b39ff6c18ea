"""Which files of time zones an image needs no second time, or at `traced` not at all. Pure.

The system's lie in /usr/share/zoneinfo, where C and Python look first; the package tzdata is what Python asks for those
that are not there.
"""

from collections.abc import Collection, Mapping

from builder.plan import PACKAGES
from builder.trace import Asked
from builder.trim.reached import Reached

SYSTEM = "usr/share/zoneinfo/"
SHADOWED = "the system has this time zone, and Python looks there first"
FOR_PEOPLE = "a table of time zones that Python does not read"
UNUSED = "no sample event used a time zone"

_PACKAGE = f"{PACKAGES}/tzdata/zoneinfo/"
_UTC = frozenset({"", "UTC", ":UTC", "UTC0"})
_TABLES = frozenset({"tzdata.zi", "zone.tab", "zone1970.tab", "zonenow.tab", "iso3166.tab", "leapseconds"})
# What makes Python look elsewhere, or for the package itself.
_ELSEWHERE = frozenset({"reset_tzpath", "PYTHONTZPATH", "tzdata"})


def without_zones(
    paths: Collection[str], reached: Reached, used: Asked | None, environment: Mapping[str, str]
) -> dict[str, str]:
    """Paths that go, with the reason."""
    gone: dict[str, str] = {}
    if not (_ELSEWHERE & (reached.own_words | environment.keys())):
        for path in paths:
            name = path.removeprefix(_PACKAGE)
            if name in _TABLES:
                gone[path] = FOR_PEOPLE
            elif name != path and not name.endswith(".py") and SYSTEM + name in paths:
                gone[path] = SHADOWED
    zones = (f"/{SYSTEM}", f"/{_PACKAGE}")
    is_utc = environment.get("TZ", "") in _UTC  # C reads the zone's file itself
    if used is not None and is_utc and not any(name.startswith(zones) for name in used.files):
        gone |= {path: UNUSED for path in paths if path.startswith(SYSTEM)}
    return gone
