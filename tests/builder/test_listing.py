"""Listing a folder: everything once, in order, and an end whatever the links."""

from pathlib import Path

import pytest

from builder import listing
from builder.elf import Tree
from builder.errors import BaseError
from builder.listing import digest_of, leads_back, list_files, list_inside, listed


def test_files_are_listed_by_path_with_size_and_mode(write):
    """A listing is sorted by path and tells size, executability and the time of change in nanoseconds."""
    folder = write({"b": "12345", "a/c": "", "a.txt": "x", "skip/x": "", "z/skip/y": ""})
    (folder / "b").chmod(0o755)
    found = list_files(str(folder), skip=frozenset({"skip"}))
    assert [file.path for file in found] == ["a.txt", "a/c", "b"]
    assert (found[2].size, found[2].executable, found[0].executable) == (5, True, False)
    assert found[2].stamp == str((folder / "b").stat().st_mtime_ns)
    assert found[2].source == str(folder / "b")


def test_links_are_followed_and_circles_end(write):
    """A link is what it leads to; dead links, and links to a folder that holds them, are not there."""
    folder = write({"a/f": "x", "b/g": "y"})
    (folder / "file").symlink_to("a/f")
    (folder / "dead").symlink_to("nowhere")
    (folder / "self").symlink_to(".")
    (folder / "root").symlink_to("/")
    (folder / "a" / "up").symlink_to("..")
    (folder / "a" / "b").symlink_to("../b")
    (folder / "b" / "a").symlink_to("../a")
    paths = [file.path for file in list_files(str(folder))]
    assert paths == ["a/b/g", "a/f", "b/a/f", "b/g", "file"]


def test_leading_back_counts_the_way_that_was_walked(write):
    """Two links in two folders that lead to each other are seen at the second step."""
    folder = write({"a/f": "", "b/g": ""})
    (folder / "a" / "b").symlink_to("../b")
    (folder / "b" / "a").symlink_to("../a")
    assert not leads_back(str(folder / "a" / "b"))
    assert leads_back(str(folder / "a" / "b" / "a"))


def test_a_digest_tells_content_from_content(tmp_path: Path):
    """The digest is SHA-256 of the bytes, whatever size and time say."""
    file = tmp_path / "f"
    file.write_bytes(b"abc")
    assert digest_of(str(file)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert listed("p", str(file)).size == 3


def test_a_tree_of_others_is_listed_as_a_process_inside_it_would_see_it(write, tmp_path):
    """Absolute links start at the tree's root; what leads out of it or in circles is not there."""
    (tmp_path / "secret").write_text("precious")
    root = write({"lib/a.py": "a", "lib/sub/b.py": "b", "etc/c.py": "c", "lib/__pycache__/x": ""}, "root")
    for name, target in (
        ("lib/c.py", "/etc/c.py"), ("lib/out.py", str(tmp_path / "secret")), ("lib/up.py", "../../secret"),
        ("lib/up", ".."), ("lib/self", "."), ("lib/sub/again", "/lib/sub"), ("lib/etc", "/etc"), ("link", "lib"),
    ):  # fmt: skip
        (root / name).symlink_to(target)
    found = list_inside(Tree(root), "/link", skip=frozenset({"__pycache__"}))
    assert [file.path for file in found] == ["a.py", "c.py", "etc/c.py", "sub/b.py"]
    assert found[1].source == str(root / "etc/c.py")
    assert list_inside(Tree(root), "/nowhere") == []


def test_links_that_multiply_are_ended(write, monkeypatch):
    """Sixteen folders that link to each other have more paths than anybody can walk."""
    monkeypatch.setattr(listing, "MAX_VISITS", 2000)
    root = write({f"d{number}/f": "" for number in range(16)}, "root")
    for one in range(16):
        for other in range(16):
            (root / f"d{one}" / f"to{other}").symlink_to(f"/d{other}")
    with pytest.raises(BaseError, match="more than 2000 files and folders, links followed"):
        list_inside(Tree(root), "/")
