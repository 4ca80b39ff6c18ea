"""builder.elf.search: the loader's configuration, read from a root folder."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.elf import Elf, Tree, search_path
from builder.elf.search import parse_conf
from tests.conftest import elsewhere

GLIBC = Elf("pie", "x86_64", 64, interpreter="/lib64/ld-linux-x86-64.so.2", needed=("libc.so.6",))
MUSL = Elf("pie", "x86_64", 64, interpreter="/lib/ld-musl-x86_64.so.1", needed=("libc.musl-x86_64.so.1",))


def write(root: Path, **files: str) -> Path:
    """Write files named with `__` for the slash, and folders where the text is empty."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("/usr/local/lib", [("folder", "/usr/local/lib")]),
        ("  /opt/lib/  # ours", [("folder", "/opt/lib")]),
        ("/", [("folder", "/")]),
        ("/lib=libc6", [("folder", "/lib")]),
        ("/with space/lib", [("folder", "/with space/lib")]),
        ("relative/lib", []),
        ("# nothing", []),
        ("hwcap 1 nosegneg", []),
        ("include /etc/ld.so.conf.d/*.conf", [("include", "/etc/ld.so.conf.d/*.conf")]),
        ("include\ta.conf b.conf", [("include", "a.conf"), ("include", "b.conf")]),
        ("include", []),
        ("/includes", [("folder", "/includes")]),
    ],
)
def test_lines_of_ld_so_conf(line, meaning):
    """Each kind of line says what ldconfig reads in it."""
    assert list(parse_conf(line)) == meaning


@given(st.text(max_size=200))
def test_any_text_is_a_configuration(text):
    """Garbage in the file is ignored, as ldconfig warns and goes on."""
    assert all(value and word in {"folder", "include"} for word, value in parse_conf(text))


def test_includes_are_followed_in_order_and_once(tmp_path):
    """Patterns are relative to the including file, sorted, and a file that includes itself ends."""
    root = tmp_path
    (root / "etc/ld.so.conf.d").mkdir(parents=True)
    (root / "etc/ld.so.conf").write_text("/first\ninclude ld.so.conf.d/*.conf\n/last\n/first\n")
    (root / "etc/ld.so.conf.d/b.conf").write_text("/b\n")
    (root / "etc/ld.so.conf.d/a.conf").write_text("/a\ninclude /etc/ld.so.conf\ninclude *.conf\n")
    assert search_path(GLIBC, tree=Tree(root)).configured == ("/first", "/a", "/b", "/last")


@pytest.mark.parametrize(
    ("folder", "lib", "default"),
    [
        (
            "usr/lib/x86_64-linux-gnu",
            "lib/x86_64-linux-gnu",
            ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"),
        ),
        ("lib64", "lib64", ("/lib64", "/usr/lib64", "/lib", "/usr/lib")),
        ("lib", "lib", ("/lib", "/usr/lib")),
    ],
)
def test_default_folders_follow_the_distribution(tmp_path, folder, lib, default):
    """Debian's multi-arch, Fedora's lib64 and plain lib are told apart by what the root holds."""
    (tmp_path / folder).mkdir(parents=True)
    search = search_path(GLIBC, tree=Tree(tmp_path))
    assert (search.lib, search.default) == (lib, default)
    assert (search.libc, search.configured, search.platform) == ("glibc", (), "x86_64")


@pytest.mark.parametrize(
    ("text", "default"),
    [
        (None, ("/lib", "/usr/local/lib", "/usr/lib")),
        ("/lib:/usr/lib\n/opt/lib\n", ("/lib", "/usr/lib", "/opt/lib")),
        ("", ()),
    ],
)
def test_musl_path_file_replaces_the_default(tmp_path, text, default):
    """Musl reads one file, split at colons and line ends, and an empty file means no folders."""
    if text is not None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/ld-musl-x86_64.path").write_text(text)
    search = search_path(MUSL, tree=Tree(tmp_path))
    assert (search.libc, search.default, search.configured) == ("musl", default, ())


@pytest.mark.parametrize("needed", ["libc.so", "libc.musl-aarch64.so.1"])
def test_a_library_tells_its_libc(tmp_path, needed):
    """Without a program at hand, a library that was linked to musl is enough."""
    search = search_path(Elf("shared", "aarch64", 64, needed=(needed,)), tree=Tree(tmp_path))
    assert (search.libc, search.interpreter) == ("musl", "/lib/ld-musl-aarch64.so.1")


def test_the_environment_is_not_asked(tmp_path, monkeypatch):
    """LD_LIBRARY_PATH of the build says nothing about the image; it counts only when given."""
    monkeypatch.setenv("LD_LIBRARY_PATH", "/from/the/shell")
    assert search_path(GLIBC, tree=Tree(tmp_path)).library_path == ()
    assert search_path(GLIBC, tree=Tree(tmp_path), library_path=["/var/lang/lib"]).library_path == ("/var/lang/lib",)


def test_folders_are_those_of_ldconfig():
    """On this machine, ldconfig scans exactly the folders that are found here."""
    ldconfig = shutil.which("ldconfig", path=f"{os.environ['PATH']}:/sbin:/usr/sbin")
    if ldconfig is None or not Path("/etc/debian_version").exists():
        elsewhere("needs Debian's ldconfig as the witness")
    said = subprocess.run([ldconfig, "-v", "-N", "-X"], capture_output=True, text=True, timeout=60, check=False)
    scanned = [line.partition(":")[0] for line in said.stdout.splitlines() if line.startswith("/")]
    search = search_path(GLIBC)
    ours = [*search.configured, *search.default]
    real = {os.path.realpath(folder) for folder in scanned if "glibc-hwcaps" not in folder}
    assert real <= {os.path.realpath(folder) for folder in ours}
    assert {os.path.realpath(folder) for folder in ours if Path(folder).is_dir()} <= real | {"/usr/lib"}
