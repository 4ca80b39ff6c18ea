"""builder.elf.tree: paths are looked up inside the root, as a process there would, and never outside."""

import pytest

from builder.elf.tree import MAX_LINKS, Tree


@pytest.fixture
def tree(tmp_path):
    """Make a root beside a file that must never be seen."""
    (tmp_path / "outside").write_text("outside")
    root = tmp_path / "root"
    (root / "usr/lib").mkdir(parents=True)
    (root / "etc/conf.d").mkdir(parents=True)
    (root / "usr/lib/liba.so.1.2").write_text("a")
    return Tree(root)


@pytest.mark.parametrize(
    ("link", "target", "asked", "resolved"),
    [
        ("lib", "usr/lib", "/lib/liba.so.1.2", "/usr/lib/liba.so.1.2"),
        ("lib", "/usr/lib", "/lib/liba.so.1.2", "/usr/lib/liba.so.1.2"),
        ("usr/lib/liba.so", "liba.so.1.2", "/usr/lib/liba.so", "/usr/lib/liba.so.1.2"),
        ("usr/lib/liba.so", "../../../../../usr/lib/liba.so.1.2", "/usr/lib/liba.so", "/usr/lib/liba.so.1.2"),
        ("deep", "usr/lib", "/deep/../lib/./liba.so.1.2", "/usr/lib/liba.so.1.2"),
        ("a", "a", "/a", None),
        ("gone", "/nowhere", "/gone", None),
        ("x", "usr", "/x/lib/absent", None),
    ],
)
def test_links_are_followed_inside_the_root(tree, link, target, asked, resolved):
    """Absolute links start at the root, dots stop there, circles and ends are None."""
    (tree.root / link).symlink_to(target)
    assert tree.resolve(asked) == resolved


@pytest.mark.parametrize("target", ["../outside", "/../outside", "../../../../../../etc/passwd", "/etc/passwd"])
def test_nothing_outside_is_seen(tree, target):
    """A hostile image cannot point the build at the builder's own files."""
    (tree.root / "evil").symlink_to(target)
    assert tree.maybe_file("/evil") is None
    assert tree.maybe_text("/evil") is None


def test_a_long_chain_of_links_ends(tree):
    """The kernel follows forty links, and so does the tree."""
    (tree.root / "0").write_text("end")
    for number in range(1, MAX_LINKS + 2):
        (tree.root / str(number)).symlink_to(str(number - 1))
    assert tree.resolve(f"/{MAX_LINKS}") == "/0"
    assert tree.resolve(f"/{MAX_LINKS + 1}") is None


def test_glob_is_sorted_and_sees_files_only(tree):
    """Included configuration files come in the order in which the C library's glob gives them."""
    for name in ("b.conf", "a.conf", ".hidden.conf", "c.txt"):
        (tree.root / "etc/conf.d" / name).write_text("")
    (tree.root / "etc/conf.d/folder.conf").mkdir()
    assert list(tree.glob("/etc/conf.d/*.conf")) == ["/etc/conf.d/a.conf", "/etc/conf.d/b.conf"]
    assert list(tree.glob("/etc/*/b.conf")) == ["/etc/conf.d/b.conf"]
    assert list(tree.glob("/absent/*.conf")) == []


def test_a_folder_is_no_file(tree):
    """What is looked up as a file must be one."""
    assert tree.maybe_file("/usr/lib") is None
    assert tree.is_dir("/usr/lib")
    assert not tree.is_dir("/usr/lib/liba.so.1.2")
    assert not tree.is_dir("/absent")


def test_folders_of_this_machine_stand_at_other_places(tree, tmp_path):
    """Packages that a layer will add are seen where they will be, whether the tree has that folder or not."""
    (tmp_path / "packages/own").mkdir(parents=True)
    (tmp_path / "packages/own/m.so").write_text("m")
    (tmp_path / "packages/link.so").symlink_to("/usr/lib/liba.so.1.2")
    seen = Tree(tree.root, {"/opt/python": tmp_path / "packages"})
    assert seen.maybe_file("/opt/python/own/m.so") == tmp_path / "packages/own/m.so"
    assert seen.maybe_file("/opt/python/link.so") == tree.root / "usr/lib/liba.so.1.2"
    assert seen.is_dir("/opt/python")
    assert seen.maybe_file("/opt/pythons/own/m.so") is None
    assert seen.maybe_file("/usr/lib/liba.so.1.2") == tree.root / "usr/lib/liba.so.1.2"
