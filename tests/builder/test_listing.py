"""Listing a folder: everything once, in order, and an end whatever the links."""

from pathlib import Path

from builder.listing import digest_of, leads_back, list_files, listed


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
