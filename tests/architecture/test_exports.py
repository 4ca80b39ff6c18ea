"""Public surfaces: a package says what it offers in a sorted `__all__`."""

import ast
import importlib
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PACKAGES = sorted(
    ".".join(file.parent.relative_to(TOP).parts)
    for top in ("bootstrap", "builder", "emulator")
    for file in (TOP / top).rglob("__init__.py")
)

# Programs, run by their commands; their modules are imported one by one.
PROGRAMS = {"bootstrap", "builder"}


def rank(symbol):
    kind = 0 if symbol.isupper() else 1 if symbol[0].isupper() else 2
    return kind, symbol


@pytest.mark.parametrize("name", [name for name in PACKAGES if name not in PROGRAMS])
def test_libraries_list_what_they_export(name):
    """`__all__` is sorted (constants, classes, the rest), has no repetition, and every name in it is there."""
    package = importlib.import_module(name)
    assert list(package.__all__) == sorted(set(package.__all__), key=rank)
    assert [symbol for symbol in package.__all__ if not hasattr(package, symbol)] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_say_why_they_exist(name):
    """Every package has a docstring."""
    assert (importlib.import_module(name).__doc__ or "").strip()


def test_every_module_says_why_it_exists():
    """Every module has a docstring, which ruff checks for public ones only."""
    silent = [
        str(file.relative_to(TOP))
        for top in ("bootstrap", "builder", "emulator")
        for file in sorted((TOP / top).rglob("*.py"))
        if not ast.get_docstring(ast.parse(file.read_bytes()))
    ]
    assert silent == []
