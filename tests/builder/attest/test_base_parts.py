"""A kept base's packages are named by its own database, whichever it has, and nothing outside it is read."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.attest.base_parts import base_owners, base_parts
from builder.attest.parts import Owner, debian_owners
from tests.bases import debian_base
from tests.conftest import ROOT

DPKG = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: the library
 more: of it

Package: removed
Status: deinstall ok config-files
Version: 1
"""
APK = "P:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\n\nP:zlib\nV:1.3-r0\nA:x86_64\n"
TZDATA = "Package: tzdata\nVersion: 1\nArchitecture: all\n"
DIGEST = "sha256:" + "1" * 64


def write(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "purls"),
    [
        ({"var/lib/dpkg/status": DPKG}, ["pkg:deb/linux/libc6@2.36-9%2Bdeb12u10?arch=amd64"]),
        (
            {
                "var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 1\nArchitecture: all\n",
                "etc/os-release": 'ID="debian"\n',
            },
            ["pkg:deb/debian/tzdata@1?arch=all"],
        ),
        (
            {"lib/apk/db/installed": APK, "etc/os-release": "ID=alpine\n"},
            ["pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64", "pkg:apk/alpine/zlib@1.3-r0?arch=x86_64"],
        ),
        ({}, []),
    ],
)
def test_each_database_is_read(tmp_path, files, purls):
    """Debian's, as one file or as distroless images have it, Alpine's, and none; removed packages are not there."""
    base, *parts = base_parts("ghcr.io/a/python:3", DIGEST, write(tmp_path, files))
    assert (base.purl, base.sha256) == (f"pkg:oci/python@sha256%3A{'1' * 64}", "1" * 64)
    assert [part.purl for part in parts] == purls


@pytest.mark.parametrize(
    ("lists", "found"),
    [
        ({"info/libssl3:amd64.list": "/.\n/usr/lib/x\n/usr/lib/x/libssl.so.3\n"}, True),
        ({"info/libssl3.list": "/lib/x/libssl.so.3\n"}, True),
        ({"status.d/libssl3.md5sums": "0123  usr/lib/x/libssl.so.3\n"}, True),
        ({"info/libssl3.list": "/usr/lib/x/libcrypto.so.3\n"}, False),
        ({"info/removed.list": "/usr/lib/x/libssl.so.3\n"}, False),
        ({}, False),
    ],
)
def test_a_file_that_was_taken_out_of_a_base_has_the_package_that_brought_it(tmp_path, lists, found):
    """With merged folders and without, by dpkg's lists or by distroless images' hashes; else nobody's is claimed."""
    status = "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0-1\n\n" + DPKG
    files = {f"var/lib/dpkg/{name}": text for name, text in lists.items()}
    root = write(tmp_path, {"usr/lib/x/libssl.so.3": "", "var/lib/dpkg/status": status, **files})
    (root / "lib").symlink_to("usr/lib")
    source = f"{root}/lib/x/libssl.so.3"
    owner = Owner("libssl3", "3.0-1", "amd64", "linux")
    assert base_owners([source, "/bin/sh"], root) == ({source: owner} if found else {})


def test_the_owners_in_a_base_are_dpkgs(tmp_path):
    """This machine's own database and a library of it, against what its dpkg-query says."""
    library = Path("/usr/lib/x86_64-linux-gnu/libc.so.6")
    here = Path("/var/lib/dpkg")
    lists = {f"var/lib/dpkg/info/{file.name}": file.read_text() for file in (here / "info").glob("libc*.list")}
    write(tmp_path, {"var/lib/dpkg/status": (here / "status").read_text(), str(library)[1:]: "", **lists})
    source = f"{tmp_path}{library}"
    assert base_owners([source], tmp_path)[source][:3] == debian_owners([str(library)])[str(library)][:3]


@given(text=st.text(max_size=500))
def test_any_database_can_be_read(tmp_path_factory, text):
    """It comes from strangers."""
    root = tmp_path_factory.mktemp("base")
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text(text)
    base_parts("x", DIGEST, root)


def test_a_link_out_of_the_base_is_read_inside_it(tmp_path):
    """This machine's database is none of the base's."""
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").symlink_to("/var/lib/dpkg/status")
    assert len(base_parts("x", DIGEST, tmp_path)) == 1


def test_the_names_and_versions_are_dpkgs(tmp_path):
    """This machine's own database, copied, against what its dpkg-query says."""
    write(tmp_path, {"var/lib/dpkg/status": Path("/var/lib/dpkg/status").read_text()})
    shown = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${Version} ${db:Status-Status}\n"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    installed = {tuple(line.split()[:2]) for line in shown.splitlines() if line.endswith(" installed")}
    _, *parts = base_parts("x", DIGEST, tmp_path)
    assert {(part.name, part.version) for part in parts} == installed


@pytest.mark.network
def test_an_image_on_a_base_names_it_by_its_digest_and_no_folder_of_this_machine(build_image, tmp_path):
    """In the SBOM, the provenance and the image itself: the same base elsewhere gives the same digest."""
    digests = set()
    for place in ("a", "b"):
        shutil.copytree(debian_base("amd64"), tmp_path / place)
        done = build_image(
            ROOT / "examples/hello", "--base", f"oci:{tmp_path}/{place}", "-o", f"oci:{tmp_path}/out", "--no-prove",
            "--sbom", tmp_path / "sbom.json", "--provenance", tmp_path / "provenance.json",
        )  # fmt: skip
        assert done.code == 0, done.err
        digests.add(done.out)
    assert len(digests) == 1
    sbom = (tmp_path / "sbom.json").read_text()
    (base,) = [part for part in json.loads(sbom)["components"] if part["name"] == "base"]
    assert base["version"].startswith("sha256:")
    assert str(tmp_path) not in sbom + (tmp_path / "provenance.json").read_text()
