"""A zip is the same bytes every time, and holds what Lambda's unpacker needs."""

import os
import subprocess
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.oci import Entry, SourceError, UsageError, unpack_zip, write_zip


@pytest.fixture
def entries(tmp_path):
    (tmp_path / "big").write_bytes(os.urandom(3_000_000))
    return [
        Entry.file("b/run", b"#!/bin/sh\n", 0o755),
        Entry.file("a.py", b"print()\n"),
        Entry.file("big", tmp_path / "big"),
        Entry.directory("empty"),
    ]


def test_equal_entries_give_equal_bytes(entries, tmp_path, monkeypatch):
    """Whatever their order, the clock of the files, the umask or the time zone."""
    assert write_zip(entries, tmp_path / "one.zip") == 3_000_018
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    os.utime(tmp_path / "big", (1, 1))
    old = os.umask(0o077)
    try:
        write_zip(reversed(entries), tmp_path / "two.zip")
    finally:
        os.umask(old)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_what_was_written_is_unpacked_with_its_modes(entries, tmp_path):
    """By us, and by an independent unpacker."""
    write_zip(entries, tmp_path / "x.zip")
    unpack_zip(tmp_path / "x.zip", tmp_path / "ours")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.py", "b/run", "big", "empty/"]
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert (tmp_path / "ours/big").read_bytes() == (tmp_path / "big").read_bytes()
    modes = {name: (tmp_path / "ours" / name).stat().st_mode & 0o777 for name in ("a.py", "b/run", "empty")}
    assert modes == {"a.py": 0o644, "b/run": 0o755, "empty": 0o755}
    listed = subprocess.run(["python3", "-m", "zipfile", "-l", tmp_path / "x.zip"], capture_output=True, check=True)
    assert b"b/run" in listed.stdout


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (Entry.symlink("link", "a.py"), "'link': it is a link"),
        (Entry.file("a.py", b"again"), "'a.py': it is there twice"),
    ],
)
def test_links_and_names_twice_are_refused(entries, tmp_path, more, words):
    with pytest.raises(UsageError, match=words):
        write_zip([*entries, more], tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_a_file_that_is_gone_leaves_no_zip(entries, tmp_path):
    (tmp_path / "big").unlink()
    with pytest.raises(SourceError, match="adding 'big' to a zip"):
        write_zip(entries, tmp_path / "x.zip")
    assert not any(path.suffix in {".zip", ".tmp"} for path in tmp_path.iterdir())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.dictionaries(st.text("abc/é ", min_size=1, max_size=8), st.binary(max_size=50), max_size=5))
def test_any_names_come_back(tmp_path, files):
    """What an entry may be called, a zip can hold."""
    entries = []
    for name, data in files.items():
        try:
            entries.append(Entry.file(name, data))
        except UsageError:
            continue
    names = {entry.path for entry in entries}
    entries = [entry for entry in entries if not any(entry.path.startswith(f"{name}/") for name in names)]
    write_zip(entries, tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {e.path: e.source for e in entries}
