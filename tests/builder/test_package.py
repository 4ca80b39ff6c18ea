"""Where the files of an image lie in a deployment package, and what stops one."""

import os
from pathlib import Path

import pytest

from builder import package
from builder.errors import OutputError
from builder.oci import BlobStore, Entry, Image, ImageConfig
from builder.package import make_package, place_in_package, placed_list
from builder.plan import Foundation, Plan


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("var/task/app.py", "app.py"),
        ("var/task/pkg/data.json", "pkg/data.json"),
        ("var/lang/bin/python3.13", ".firkin/bin/python3.13"),
        ("var/lang/lib/python3.13/os.py", ".firkin/lib/python3.13/os.py"),
        ("opt/python/boto3/__init__.py", ".firkin/python/boto3/__init__.py"),
        ("opt/python/numpy.libs/libx.so.3", ".firkin/python/numpy.libs/libx.so.3"),
        ("var/runtime/bootstrap/loop.py", ".firkin/runtime/bootstrap/loop.py"),
        ("var/runtime/trimmed.txt", ".firkin/runtime/trimmed.txt"),
        ("lib/x86_64-linux-gnu/libc.so.6", ".firkin/libs/libc.so.6"),
        ("lib64/ld-linux-x86-64.so.2", ".firkin/libs/ld-linux-x86-64.so.2"),
        ("lib/ld-musl-x86_64.so.1", ".firkin/libs/ld-musl-x86_64.so.1"),
        ("usr/lib64/libz.so.1", ".firkin/libs/libz.so.1"),
        ("usr/share/zoneinfo/Europe/Paris", ".firkin/zoneinfo/Europe/Paris"),
        ("etc/ssl/certs/ca-certificates.crt", ".firkin/certificates.pem"),
        ("var/runtime/emulator/engine.py", None),
        ("etc/passwd", None),
        ("etc/nsswitch.conf", None),
        ("usr/lib/ssl/cert.pem", None),
    ],
)
def test_every_part_of_an_image_has_its_place(path, place):
    assert place_in_package(path) == place


@pytest.fixture
def image(cache):
    """Give an image with a function, an interpreter that only looks like one, and more files of the function."""

    def make(**files: bytes) -> Image:
        store = BlobStore(cache.blobs)
        entries = [Entry.file(f"var/task/{name.replace('__', '/')}", data) for name, data in files.items()]
        entries.append(Entry.file("var/lang/bin/python3.11", PYTHON, 0o755))
        return Image.assemble(ImageConfig("amd64"), [store.add_layer(entries)], blobs=store)

    return make


PYTHON = Path("/usr/bin/env").read_bytes()  # any program with a loader
PLAN = Plan((), "amd64", "python3.11", "app.handler", {})


def test_the_list_of_what_was_left_out_names_places_in_the_package():
    """Folders too; what is for an image only is no entry."""
    names = ": a asyncio b\n"
    told = "=why\nvar/lang/lib/python3.13/asyncio/\nopt/python/a.py\nvar/task/b.py\netc/passwd\nlib/libx.so.1\n"
    placed = "=why\n.firkin/lib/python3.13/asyncio/\n.firkin/python/a.py\nb.py\n.firkin/libs/libx.so.1\n"
    assert placed_list(names + told) == names + placed


def test_a_kept_base_is_no_package(image, cache):
    """Lambda's own system stands below a package."""
    kept = Plan((), "amd64", "python3.11", "app.handler", {}, foundation=Foundation("b", "d", kept=True, program="/p"))
    with pytest.raises(OutputError, match="the base's layers are kept") as caught:
        make_package(image(app=b""), kept, "2.36", cache)
    assert "--flatten" in caught.value.hint


@pytest.mark.parametrize("name", ["bootstrap", "bootstrap__x"])
def test_a_function_with_a_bootstrap_of_its_own_is_refused(image, cache, name):
    with pytest.raises(OutputError, match="has a 'bootstrap' of its own"):
        make_package(image(**{name: b""}), PLAN, "2.36", cache)


@pytest.mark.parametrize(("limit", "words"), [("MAX_UNZIPPED_BYTES", "unzipped"), ("MAX_ZIPPED_BYTES", "zipped")])
def test_lambdas_limits_are_errors_with_what_to_do(image, cache, monkeypatch, limit, words):
    monkeypatch.setattr(package, limit, 1024**2)
    with pytest.raises(OutputError, match=rf"it has \d\.\d MB {words}, and Lambda takes 1 MB") as caught:
        make_package(image(app=os.urandom(2 * 1024**2)), PLAN, "2.36", cache)
    assert "deploy an image" in caught.value.hint
    assert not list(cache.folder.glob("trees/packages/*"))


def test_the_limits_are_lambdas():
    assert (package.MAX_ZIPPED_BYTES, package.MAX_UNZIPPED_BYTES) == (52_428_800, 262_144_000)
