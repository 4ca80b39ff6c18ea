"""The files that a function sees are those of all layers, as an engine stacks them."""

import pytest

from builder.lint.contents import Contents, Item
from builder.lint.tree import search_program, stack


def folder(path):
    return Item(path, "directory", 0o755, 0)


def file(path, mode=0o644):
    return Item(path, "file", mode, 1)


def link(path, target):
    return Item(path, "symlink", 0o777, 0, target)


def test_whiteouts_delete_what_is_below_and_nothing_of_their_own_layer():
    """A whiteout of a folder takes all that is in it; an opaque one keeps the folder."""
    lower = Contents(items=[folder("a"), file("a/x"), folder("b"), file("b/y")])
    upper = Contents(items=[file("b/z")], whiteouts=["a", "b/"])
    tree, findings = stack([lower, upper])
    assert sorted(tree.items) == ["b", "b/z"]
    assert findings == []


def test_a_file_in_place_of_a_folder_deletes_what_was_in_it():
    """So do engines."""
    tree, _ = stack([Contents(items=[folder("a"), file("a/x")]), Contents(items=[file("a")])])
    assert sorted(tree.items) == ["a"]


@pytest.mark.parametrize(
    ("items", "path", "target"),
    [
        ([folder("a"), file("a/x"), link("b", "a")], "b/x", "a/x"),
        ([folder("a"), file("x"), link("a/up", "../../x")], "a/up", "x"),
        ([link("a", "/b"), link("b", "a")], "a", None),
        ([link("a", "missing")], "a", None),
    ],
)
def test_links_are_followed_inside_the_image(items, path, target):
    """`..` stops at the root; circles and dead ends lead nowhere."""
    tree, _ = stack([Contents(items=items)])
    assert tree.resolve(path) == target


@pytest.mark.parametrize(
    ("command", "found"),
    [("/bin/sh", "bin/sh"), ("sh", "bin/sh"), ("./run", "task/run"), ("/bin/data", None), ("absent", None)],
)
def test_programs_are_searched_as_the_image_would(command, found):
    """By PATH, by place, or from the working folder; a file that is not executable is no program."""
    items = [folder("bin"), file("bin/sh", 0o755), file("bin/data"), folder("task"), file("task/run", 0o755)]
    tree, _ = stack([Contents(items=items)])
    assert search_program(tree, command, {"PATH": "/nowhere:/bin"}, folder="/task") == found
