"""Images of every kind for these tests: well-made ones, and ones with layers that this library would never write."""

import gzip
import io
import os
import random
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from builder.oci import BlobStore, Digest, Entry, Image, ImageConfig, Layer, media_types
from tests.conftest import unavailable


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "store")


@pytest.fixture
def make_image(store):
    """Give an image of these lists of entries, one for each layer."""

    def make(*layers, **config):
        values = {"cmd": ("app.handler",), "env": {"PATH": "/bin"}, "labels": {"a": "b"}} | config
        made = [store.add_layer(entries) for entries in layers]
        return Image.assemble(ImageConfig("amd64", **values), made, blobs=store)

    return make


@pytest.fixture
def image(make_image):
    """Give a small image with two layers."""
    return make_image(
        [Entry.file("lib/data", random.Random(0).randbytes(200_000)), Entry.symlink("lib/link", "data")],
        [Entry.file("task/app.py", b"print()\n"), Entry.directory("task/empty")],
    )


@pytest.fixture
def image_of_tars(store):
    """Give an image whose layers are these tars, whatever is in them."""

    def make(*tars):
        layers = [
            Layer(store.add(gzip.compress(tar, 1, mtime=0), media_type=media_types.LAYER_GZIP), Digest.of(tar))
            for tar in tars
        ]
        return Image.assemble(ImageConfig("amd64"), layers, blobs=store)

    return make


@pytest.fixture
def tar_of():
    """Give a tar, made by Python's tarfile, of `(name, kind, content or target)` and optional header fields."""
    kinds = {
        "file": tarfile.REGTYPE,
        "directory": tarfile.DIRTYPE,
        "symlink": tarfile.SYMTYPE,
        "hardlink": tarfile.LNKTYPE,
        "fifo": tarfile.FIFOTYPE,
        "character device": tarfile.CHRTYPE,
        "block device": tarfile.BLKTYPE,
    }

    def make(*members, form=tarfile.PAX_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as tar:
            for name, kind, *rest in members:
                info = tarfile.TarInfo(name)
                info.type = kinds[kind]
                info.mode = 0o755 if kind == "directory" else 0o644
                if kind in {"symlink", "hardlink"}:
                    info.linkname = rest.pop(0)
                data = rest.pop(0) if rest and isinstance(rest[0], bytes) else b""
                info.size = len(data)
                for field, value in (rest[0] if rest else {}).items():
                    setattr(info, field, value)
                tar.addfile(info, io.BytesIO(data))
        return out.getvalue()

    return make


@pytest.fixture
def tree_of():
    """Give what is in a folder: path → directory, content or link target; the test's own eyes."""

    def look(folder):
        found = {}
        for root, folders, files in os.walk(folder):
            for path in (Path(root, name) for name in folders + files):
                key = str(path.relative_to(folder))
                if path.is_symlink():
                    found[key] = f"-> {path.readlink()}"
                else:
                    found[key] = "/" if path.is_dir() else path.read_bytes()
        return found

    return look


@pytest.fixture
def skopeo():
    """Run skopeo, the independent witness for layouts and archives."""
    if shutil.which("skopeo") is None:
        unavailable("skopeo is not installed: scripts/engines installs it")
    return lambda *args: (
        subprocess.run(["skopeo", *map(str, args)], check=True, capture_output=True, text=True, timeout=60).stdout
    )


@pytest.fixture
def docker():
    """Run docker against the default daemon, the independent witness for archives."""
    found = shutil.which("docker")
    if not found or subprocess.run([found, "info"], capture_output=True, timeout=20, check=False).returncode:
        unavailable("no Docker Engine answers: scripts/engines starts one")
    return lambda *args: (
        subprocess.run(["docker", *map(str, args)], check=True, capture_output=True, text=True, timeout=60).stdout
    )
