import io
import os
import tarfile
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci import Entry, SourceError, UsageError, write_tar
from builder.oci.tar_header import DIRECTORY, FILE, SYMLINK, render_header
from builder.oci.tar_writer import TarWriter, arrange

PARTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=90).filter(
    lambda part: part not in {".", ".."} and not part.startswith(".wh.")
)
PATHS = st.lists(PARTS, min_size=1, max_size=6).map("/".join)
MODES = st.integers(0, 0o7777)


def written(entries, **options):
    out = io.BytesIO()
    write_tar(entries, out, **options)
    return out.getvalue()


def members(data):
    """What Python's tarfile, the independent witness, finds."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errors="strict") as tar:
        return {info.name: (info, tar.extractfile(info).read() if info.isreg() else None) for info in tar}


@given(PATHS, st.binary(max_size=2000), MODES, st.integers(0, 8**11 - 1))
def test_tarfile_reads_back_files(path, content, mode, mtime):
    """Any name, content, mode and time is what another tar implementation reads."""
    found = members(written([Entry.file(path, content, mode)], mtime=mtime))
    info, data = found[path]
    assert (data, info.mode, info.mtime, info.size) == (content, mode, mtime, len(content))
    assert {(i.uid, i.gid, i.uname, i.gname, i.mtime) for i, _ in found.values()} == {(0, 0, "", "", mtime)}
    parents = path.split("/")[:-1]
    assert list(found) == ["/".join(parents[: n + 1]) for n in range(len(parents))] + [path]


@given(PATHS, PATHS, st.booleans())
def test_tarfile_reads_back_links(path, target, absolute):
    """Any link target is what another tar implementation reads."""
    target = "/" * absolute + target
    info, _ = members(written([Entry.symlink(path, target)]))[path]
    assert info.issym()
    assert info.linkname == target


@given(st.dictionaries(PARTS, st.binary(max_size=50), max_size=8), st.randoms())
def test_order_of_entries_does_not_matter(files, random):
    """The same entries in any order give the same bytes."""
    entries = [Entry.file(f"d/{name}", content) for name, content in files.items()]
    shuffled = entries.copy()
    random.shuffle(shuffled)
    assert written(entries) == written(shuffled)


@pytest.mark.parametrize(
    ("path", "pax"),
    [
        ("a" * 100, False),
        ("a" * 101, True),
        ("p" * 155 + "/" + "n" * 100, False),
        ("p" * 156 + "/" + "n" * 99, True),
        ("p" * 10 + "/" + "n" * 101, True),
        ("é", True),
    ],
)
def test_pax_only_where_a_name_needs_it(path, pax):
    """Names that fit the ustar fields get no extended header."""
    header = render_header(path, FILE, mode=0o644)
    assert (len(header) > 512) is pax
    assert (b"path=" in header) is pax


def test_a_long_folder_name_is_not_left_to_the_prefix():
    """The closing slash is no place to split: the name field would be empty."""
    assert b"path=" in render_header("n" * 120, DIRECTORY, mode=0o755)


@pytest.mark.parametrize("length", range(85, 110))
def test_folders_at_the_edges_of_the_name_field(length):
    """A folder's closing slash counts."""
    path = "p" * 30 + "/" + "n" * (length - 31)
    assert members(render_header(path, DIRECTORY, mode=0o755) + bytes(1024))[path][0].isdir()


def test_sizes_beyond_the_octal_field():
    """Content of 8 GiB and more has its size in a PAX record, and only then."""
    assert b"size=" not in render_header("a", FILE, mode=0o644, size=8**11 - 1)
    header = render_header("a", FILE, mode=0o644, size=8**11)
    with tarfile.open(fileobj=io.BytesIO(header + bytes(1024)), mode="r|") as tar:
        assert tar.firstmember.size == 8**11
    assert b"mtime" not in header


def test_parents_come_first_and_folders_stay_together():
    """Parents are added with 0755, come before their children, and their children directly follow."""
    entries = [Entry.file("a-b", b""), Entry.file("a/b/c", b""), Entry.directory("a/b", 0o700), Entry.file("a.b", b"")]
    assert [(e.path, e.mode) for e in arrange(entries)] == [
        ("a", 0o755),
        ("a/b", 0o700),
        ("a/b/c", 0o644),
        ("a-b", 0o644),
        ("a.b", 0o644),
    ]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([Entry.file("a", b""), Entry.directory("a")], "'a' is there twice; pass each path once"),
        ([Entry.file("a", b""), Entry.file("a/b", b"")], "'a/b' is below 'a', a file; rename one"),
        ([Entry.symlink("a", "x"), Entry.file("a/b/c", b"")], "'a/b/c' is below 'a', a symlink; rename one"),
    ],
)
def test_refuses_contradictions(entries, message):
    """A path is one thing, and only folders have children."""
    with pytest.raises(UsageError, match=f"arranging a layer: {message}"):
        written(entries)


@pytest.mark.parametrize("mtime", [-1, 8**11])
def test_refuses_times_that_do_not_fit(mtime):
    """A time that the header cannot hold is no reason for another header."""
    with pytest.raises(UsageError, match="pass seconds since 1970"):
        written([Entry.file("a", b"")], mtime=mtime)


def test_nothing_of_the_machine_gets_in(tmp_path, monkeypatch):
    """Umask, time zone, locale, source times, modes and owners leave no trace."""

    def build(name, umask, zone, mtime):
        old = os.umask(umask)
        monkeypatch.setenv("TZ", zone)
        monkeypatch.setenv("LC_ALL", zone)
        time.tzset()
        try:
            source = tmp_path / name
            source.write_bytes(b"content")
            os.utime(source, (mtime, mtime))
            return written([Entry.file("a/b", source), Entry.symlink("a/c", "b")])
        finally:
            os.umask(old)

    assert build("one", 0o022, "UTC", 1) == build("two", 0o077, "Asia/Tokyo", 2_000_000_000)


@pytest.mark.parametrize(("content", "found"), [(b"1234", "it ended 1 bytes early"), (b"123456", "it has grown")])
def test_a_file_that_changed_size(content, found):
    """A source that gives another number of bytes than its header promises is an error."""
    with pytest.raises(SourceError, match=f"writing 'a' to a tar: the file had 5 bytes, then {found}"):
        TarWriter(io.BytesIO()).stream("a", io.BytesIO(content), size=5)


def test_a_file_that_is_truncated_while_it_is_read(tmp_path):
    """The check works on real files that somebody writes to meanwhile."""
    source = tmp_path / "big"
    source.write_bytes(bytes(3 * 1024 * 1024))

    class Truncating:
        def write(self, data):
            os.truncate(source, 10)

    with pytest.raises(SourceError, match="let nothing write to it while it is packed"):
        write_tar([Entry.file("big", source)], Truncating())


def test_sources_that_cannot_be_read(tmp_path):
    """A missing file, a folder and a fifo (without waiting for a writer) are named with their place in the layer."""
    os.mkfifo(tmp_path / "fifo")
    for name, found in (("none", "No such file"), ("", "Is a directory|regular file"), ("fifo", "no regular file")):
        with pytest.raises(SourceError, match=f"adding 'a' to a layer from '{tmp_path}.*({found}).*can be read"):
            written([Entry.file("a", tmp_path / name)])


def test_symlink_headers_hold_long_targets():
    """A link target beyond its field goes into a PAX record."""
    assert len(render_header("a", SYMLINK, mode=0o777, target="t" * 100)) == 512
    assert b"linkpath=" + b"t" * 101 in render_header("a", SYMLINK, mode=0o777, target="t" * 101)
