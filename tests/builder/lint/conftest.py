"""Images with one fault each, made by hand, because this project's writer makes none of them."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from builder.cache import Cache
from builder.lint import lint_each, open_subjects

KINDS = {
    "dir": tarfile.DIRTYPE,
    "file": tarfile.REGTYPE,
    "link": tarfile.SYMTYPE,
    "hard": tarfile.LNKTYPE,
    "fifo": tarfile.FIFOTYPE,
}
OCI = "application/vnd.oci.image"

# The smallest image with nothing to say about: a handler, a program to start, certificates.
CLEAN = (
    ("etc", "dir"),
    ("etc/ssl", "dir"),
    ("etc/ssl/cert.pem", "file", b"certificates"),
    ("var", "dir"),
    ("var/runtime", "dir"),
    ("var/runtime/bootstrap", "file", b"#!/bin/true\n", {"mode": 0o755}),
    ("var/task", "dir"),
    ("var/task/app.py", "file", b"def handler(event, context):\n    return event\n"),
)
CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "config": {"Entrypoint": ["/var/runtime/bootstrap"], "Cmd": ["app.handler"], "WorkingDir": "/var/task"},
}


def tar(*members: tuple) -> bytes:
    """A tar of `(name, kind, content or target, fields of the header)`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, *rest in members:
            info = tarfile.TarInfo(name)
            info.type = KINDS[kind]
            info.mode = 0o755 if kind == "dir" else 0o644
            data = b""
            for value in rest:
                if isinstance(value, bytes):
                    data = value
                elif isinstance(value, str):
                    info.linkname = value
                else:
                    for field, given in value.items():
                        setattr(info, field, given)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Layout:
    """An image layout being written, with whatever is wrong with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes, kind: str, **more: object) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data), **more}

    def manifest(
        self, layers: list[bytes], *, config: dict | None = None, family: str = OCI, kinds: list[str] | None = None
    ) -> dict[str, object]:
        diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
        body = {**(config or CONFIG), "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        kinds = kinds or [f"{OCI}.layer.v1.tar+gzip"] * len(layers)
        packed = [gzip.compress(one, 1) if "gzip" in kind else one for one, kind in zip(layers, kinds, strict=True)]
        value = {
            "schemaVersion": 2,
            "mediaType": f"{family}.manifest.v1+json",
            "config": self.blob(json.dumps(body).encode(), f"{OCI}.config.v1+json"),
            "layers": [self.blob(data, kind) for data, kind in zip(packed, kinds, strict=True)],
        }
        return self.blob(json.dumps(value).encode(), value["mediaType"])

    def index(self, *entries: dict[str, object]) -> bytes:
        return json.dumps({"schemaVersion": 2, "manifests": list(entries)}).encode()

    def write(self, *entries: dict[str, object]) -> str:
        (self.folder / "index.json").write_bytes(self.index(*entries))
        return f"oci:{self.folder}"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A layout to fill."""
    return Layout(tmp_path / "layout")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A cache that must have nothing to warn of."""

    def warn(text: str) -> None:
        raise AssertionError(text)

    return Cache(tmp_path / "cache", warn)


@pytest.fixture
def found(cache: Cache):
    """Return `found(name)`: pairs of rule and place, as `firkin lint` finds them."""
    return lambda name: [(one.rule, one.place) for one in lint_each(open_subjects(name), cache)]
