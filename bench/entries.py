"""A base of very many empty files, made on the fly, and what a build on it says: `python -m bench.entries [MILLIONS]`.

The long form of the tests of limits: the bomb is whole, 10 million entries unless told. It must end with an error that
names the limit, in bounded memory, and leave nothing in the cache's folder for work in progress.
"""

import gzip
import hashlib
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

MOST_BYTES = 500_000_000
BASE = 15  # the exit code of a base that cannot be built on
BATCH = 10_000


def write_bomb(layout: Path, entries: int) -> None:
    """An image layout with one layer of that many empty files; the layer is never on the disk unpacked."""
    header = bytearray(tarfile.TarInfo("f/000000000").tobuf())
    zeros = sum(header) - sum(header[148:156]) + 8 * 32  # the checksum counts its own field as blanks
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)
    plain = hashlib.sha256()
    with gzip.open(blobs / "layer", "wb", 1) as out:
        for begin in range(0, entries, BATCH):
            batch = bytearray()
            for number in range(begin, min(begin + BATCH, entries)):
                digits = b"%09d" % number
                header[2:11] = digits
                header[148:156] = b"%06o\0 " % (zeros + sum(digits) - 9 * 48)
                batch += header
            plain.update(batch)
            out.write(batch)
        plain.update(bytes(1024))
        out.write(bytes(1024))
    with (blobs / "layer").open("rb") as file:
        layer = _entry(blobs, hashlib.file_digest(file, "sha256").hexdigest(), "image.layer.v1.tar+gzip", "layer")
    config = {"architecture": "amd64", "os": "linux", "config": {},
              "rootfs": {"type": "layers", "diff_ids": [f"sha256:{plain.hexdigest()}"]}}  # fmt: skip
    manifest = {"schemaVersion": 2, "config": _put(blobs, config, "image.config.v1+json"), "layers": [layer]}
    index = {"schemaVersion": 2, "manifests": [_put(blobs, manifest, "image.manifest.v1+json")]}
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _put(blobs: Path, value: dict[str, object], kind: str) -> dict[str, object]:
    data = json.dumps(value).encode()
    (blobs / "new").write_bytes(data)
    return _entry(blobs, hashlib.sha256(data).hexdigest(), kind, "new")


def _entry(blobs: Path, digest: str, kind: str, name: str) -> dict[str, object]:
    """The descriptor of a blob, which gets the name of its digest."""
    size = (blobs / name).stat().st_size
    (blobs / name).rename(blobs / digest)
    return {"mediaType": f"application/vnd.oci.{kind}", "digest": f"sha256:{digest}", "size": size}


def main() -> int:
    """Make it, build on it, tell."""
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_bomb(folder / "bomb", int(millions * 1e6))
        (folder / "fn").mkdir()
        (folder / "fn/app.py").write_text("def handler(event, context):\n    return event\n")
        command = [str(Path(sys.executable).parent / "build-image"), "fn", "--base", "oci:bomb", "-o", "oci:out"]
        environment = {**os.environ, "BUILD_IMAGE_CACHE_DIR": str(folder / "cache")}
        started = time.monotonic()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        spent = time.monotonic() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        left = list((folder / "cache/tmp").iterdir())
        print(done.stderr.strip())
        print(f"{millions:g} million entries: exit code {done.returncode}, {spent:.1f} s, at most {peak / 1e6:.0f} MB")
        return 0 if (done.returncode, left) == (BASE, []) and peak < MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
