"""An installed folder keeps nothing of the machine that installed it, and its records stay true."""

import base64
import csv
import hashlib
import os
from pathlib import Path

import pytest

from builder.installed import clean_installed, linked_packages

PYTHON = "/var/lang/bin/python3.11"
SHELL = b"#!/bin/sh\n'''exec' '/home/me/my env/bin/python' \"$0\" \"$@\"\n' '''\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"#!/home/me/bin/python\nbody\n", b"#!/var/lang/bin/python3.11\nbody\n"),
        (b"#!/home/me/bin/python3.12 -E\nbody", b"#!/var/lang/bin/python3.11\nbody"),
        (b"#!/usr/bin/env python3\nbody", b"#!/var/lang/bin/python3.11\nbody"),
        (SHELL + b"body\n", b"#!/var/lang/bin/python3.11\nbody\n"),
        (b"#!/bin/sh\nexec python x\n", b"#!/bin/sh\nexec python x\n"),
        (b"\x7fELF python\n", b"\x7fELF python\n"),
        (b"", b""),
    ],
)
def test_python_scripts_name_the_images_python(write, before: bytes, after: bytes):
    """Whatever form the installer gave the first lines, the script starts the image's interpreter; others stay."""
    folder = write({"bin/tool": before})
    (folder / "bin" / "tool").chmod(0o755)
    clean_installed(folder, PYTHON)
    assert (folder / "bin" / "tool").read_bytes() == after
    assert (folder / "bin" / "tool").stat().st_mode & 0o777 == 0o755


def test_what_tells_of_this_machine_is_gone_and_records_stay_true(write):
    """Notes and caches of the installation go, with their rows; a relocated script has its new hash and size."""
    record = (
        'a/__init__.py,sha256=x,0\n"a/b,c.py",sha256=y,0\na/__pycache__/m.cpython-311.pyc,,\n'
        "bin/tool,sha256=old,1\na-1.dist-info/RECORD,,\na-1.dist-info/REQUESTED,sha256=z,0\n"
        "a-1.dist-info/direct_url.json,,\na-1.dist-info/INSTALLER,sha256=i,2\n"
    )
    folder = write({
        ".lock": "", "a/__init__.py": "", "a/b,c.py": "", "a/__pycache__/m.cpython-311.pyc": "",
        "bin/tool": "#!/x/python\n",
        "a-1.dist-info/RECORD": record, "a-1.dist-info/REQUESTED": "", "a-1.dist-info/direct_url.json": "{}",
        "a-1.dist-info/INSTALLER": "uv", "a-1.dist-info/uv_cache.json": "{}",
    })  # fmt: skip
    clean_installed(folder, PYTHON)
    left = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    assert left == [
        "a-1.dist-info/INSTALLER", "a-1.dist-info/RECORD", "a/__init__.py", "a/b,c.py", "bin/tool",
    ]  # fmt: skip
    with (folder / "a-1.dist-info" / "RECORD").open(newline="") as file:
        rows = {row[0]: row[1:] for row in csv.reader(file)}
    assert set(rows) == set(left)
    body = (folder / "bin" / "tool").read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
    assert rows["bin/tool"] == [f"sha256={digest}", str(len(body))]
    assert rows["a/b,c.py"] == ["sha256=y", "0"]


def test_files_shared_with_uvs_cache_are_not_changed(write, tmp_path: Path):
    """The installer may hard-link: a changed file is a new one, and the other name keeps the old bytes."""
    folder = write({"bin/tool": "#!/x/python\n", "a-1.dist-info/RECORD": "bin/tool,sha256=old,1\ngone,,\n"})
    for name in ("bin/tool", "a-1.dist-info/RECORD"):
        os.link(folder / name, tmp_path / Path(name).name)
    clean_installed(folder, PYTHON)
    assert (tmp_path / "tool").read_text() == "#!/x/python\n"
    assert (tmp_path / "RECORD").read_text() == "bin/tool,sha256=old,1\ngone,,\n"
    assert "gone" not in (folder / "a-1.dist-info" / "RECORD").read_text()


def test_a_record_without_changes_is_left_alone(write):
    """A record that is true keeps its bytes, whatever its line ends."""
    folder = write({"a.py": "", "a-1.dist-info/RECORD": "a.py,sha256=x,0\r\na-1.dist-info/RECORD,,\r\n"})
    clean_installed(folder, PYTHON)
    assert (folder / "a-1.dist-info" / "RECORD").read_bytes() == b"a.py,sha256=x,0\r\na-1.dist-info/RECORD,,\r\n"


def test_links_to_folders_are_noticed(write):
    """A package that is only a link ("editable") is named; one from a wheel of this machine is not."""
    folder = write({
        "mylib-1.dist-info/direct_url.json": '{"url": "file:///x", "dir_info": {"editable": true}}',
        "whl-1.dist-info/direct_url.json": '{"url": "file:///x.whl", "archive_info": {}}',
    })  # fmt: skip
    assert linked_packages(folder) == ["mylib"]
