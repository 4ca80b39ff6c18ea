"""The error tree: one root, unique exit codes and wire types, and a drawing that is true."""

from __future__ import annotations

from bootstrap import errors
from bootstrap.errors import BootstrapError


def leaves(root: type[BootstrapError] = BootstrapError) -> list[type[BootstrapError]]:
    children = [c for c in root.__subclasses__() if c.__module__ == errors.__name__]
    return [leaf for child in children for leaf in leaves(child)] if children else [root]


def test_exit_codes_are_unique_and_free() -> None:
    """No two causes end the process alike, and none like an init or a snapshot error (1, 64, 65) or success."""
    codes = [leaf.exit_code for leaf in leaves() if hasattr(leaf, "exit_code")]
    assert len(codes) == 8
    assert len(set(codes) | {0, 1, 64, 65}) == len(codes) + 4


def test_wire_types_are_unique_and_kept_by_the_platform() -> None:
    """Every type begins as the platform demands, Runtime. or Function. and a capital letter."""
    types = [leaf.wire_type for leaf in leaves() if hasattr(leaf, "wire_type")]
    assert len(set(types)) == len(types) == 11
    assert all(t.startswith(("Runtime.", "Function.")) and t.partition(".")[2][0].isupper() for t in types)


def test_every_leaf_has_exactly_one_of_both() -> None:
    """An error either ends the process or travels to the platform."""
    assert all(hasattr(leaf, "exit_code") != hasattr(leaf, "wire_type") for leaf in leaves())


def test_the_drawing_shows_every_leaf() -> None:
    """The tree in the module's docstring has each class with its code or type on one line."""
    lines = errors.__doc__.splitlines()
    for leaf in leaves():
        mark = getattr(leaf, "wire_type", None) or f"exit {leaf.exit_code} "
        assert any(f"─ {leaf.__name__} " in line and mark in f"{line} " for line in lines), leaf
