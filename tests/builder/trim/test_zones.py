"""Files of time zones: those of the package tzdata that the system has, and those of the system that no event used."""

import pytest

from builder.trace import Asked
from builder.trim.reached import Reached
from builder.trim.zones import FOR_PEOPLE, SHADOWED, UNUSED, without_zones

SYSTEM = "usr/share/zoneinfo/Europe/Berlin"
PACKAGE = "opt/python/tzdata/zoneinfo"
PATHS = {SYSTEM, f"{PACKAGE}/Europe/Berlin", f"{PACKAGE}/Mars/Base", f"{PACKAGE}/__init__.py", f"{PACKAGE}/zone.tab"}
GONE = {f"{PACKAGE}/Europe/Berlin": SHADOWED, f"{PACKAGE}/zone.tab": FOR_PEOPLE}


def test_a_zone_of_the_package_that_the_system_has_goes():
    """Python looks there first; what only the package has stays, and where there are no zones of a system all do."""
    assert without_zones(PATHS, Reached(), None, {}) == GONE
    assert without_zones(PATHS - {SYSTEM}, Reached(), None, {}) == {f"{PACKAGE}/zone.tab": FOR_PEOPLE}


@pytest.mark.parametrize(
    ("words", "environment"), [({"reset_tzpath"}, {}), ({"tzdata"}, {}), (set(), {"PYTHONTZPATH": "/x"})]
)
def test_who_looks_elsewhere_keeps_both(words, environment):
    """The function, or the image's environment."""
    assert without_zones(PATHS, Reached(own_words=words), None, environment) == {}


def test_traced_zones_of_the_system_stay_where_one_was_used():
    """By Python, whose opening of files is seen; C reads the zone that TZ names, which is not."""
    assert without_zones(PATHS, Reached(), Asked(), {"TZ": ":UTC"}) == {**GONE, SYSTEM: UNUSED}
    assert without_zones(PATHS, Reached(), Asked(files=frozenset({f"/{SYSTEM}"})), {"TZ": ":UTC"}) == GONE
    assert without_zones(PATHS, Reached(), Asked(), {"TZ": "Europe/Berlin"}) == GONE
