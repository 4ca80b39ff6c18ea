from pathlib import Path

import pytest

from builder.oci import Entry, UsageError


def test_constructors():
    """Each kind has its constructor with the usual mode."""
    assert Entry.file("a/b", b"x") == Entry("a/b", "file", 0o644, source=b"x")
    assert Entry.file("a", Path("p"), 0o755) == Entry("a", "file", 0o755, source=Path("p"))
    assert Entry.directory("a") == Entry("a", "directory", 0o755)
    assert Entry.symlink("a", "/b") == Entry("a", "symlink", 0o777, target="/b")


@pytest.mark.parametrize("path", ["", "/", "/a", "a/", "a//b", ".", "./a", "a/.", "..", "a/../b", "../a"])
def test_refuses_paths_that_are_not_plainly_relative(path):
    """A path in a layer has only names in it."""
    with pytest.raises(UsageError, match="no part of a relative path; use names like 'a/b'"):
        Entry.file(path, b"")


@pytest.mark.parametrize("path", [".wh.a", "a/.wh..wh..opq", ".wh.a/b"])
def test_refuses_names_that_delete(path):
    """A file whose name is a whiteout would delete another one."""
    with pytest.raises(UsageError, match="delete files in an image; rename it"):
        Entry.file(path, b"")


@pytest.mark.parametrize(("path", "found"), [("a\0b", "NUL character"), ("a\udc80", "not UTF-8")])
def test_refuses_names_that_no_tar_can_hold(path, found):
    """A name is UTF-8 text; so is a link's target."""
    with pytest.raises(UsageError, match=f"{found}"):
        Entry.directory(path)
    with pytest.raises(UsageError, match=f"{found}"):
        Entry.symlink("link", path)


def test_refuses_an_empty_target():
    """A link points somewhere."""
    with pytest.raises(UsageError, match="adding the link 'a' to a layer: its target is empty"):
        Entry.symlink("a", "")


@pytest.mark.parametrize("mode", [-1, 0o10000, 0o100644])
def test_refuses_modes_with_more_than_permissions(mode):
    """A mode has no file type in it."""
    with pytest.raises(UsageError, match="pass permission bits only"):
        Entry.file("a", b"", mode)
