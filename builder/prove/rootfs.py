"""How an image is run on this machine without a container engine: the ways, which one works here, and its command line.

    namespace   overlay of the unpacked layers in a mount namespace: read-only, uid 12345, no capabilities; the best
    chroot      a complete tree and chroot, for root where mounting is forbidden, as in most containers; uid 12345
    in place    the image's own program loader with its search path set to the image's folders; the last resort:
                absolute paths still lead to this machine

Unpacked layers are kept in the cache, so that a small change costs a small unpacking.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from builder.cache import Cache, disk, key_of
from builder.elf import ElfError, read_elf
from builder.errors import ImageError
from builder.oci import Image, OCIError, unpack
from builder.plan import HISTORY
from builder.prove import sandbox

METHODS = ("namespace", "chroot", "in place")

DESCRIPTIONS: Mapping[str, str] = {
    "namespace": "in a namespace (read-only root, uid 12345, no privileges)",
    "chroot": "in a chroot (uid 12345, no privileges; the root file system is not read-only here)",
    "in place": "in place (the image's own loader and search path; this machine allows no sandbox)",
}

CHECK_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Runnable:
    """A command that runs the image's entry point on this machine, with its environment and folder."""

    method: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str


@contextmanager
def runnable(image: Image, cache: Cache, *, method: str | None = None) -> Iterator[Runnable]:
    """Prepare the image for running, by the best method that works here; removed again afterwards. Raises ImageError."""
    layers = unpacked(image, cache)
    method = method or best_method(cache)
    with cache.scratch() as scratch:
        match method:
            case "namespace":
                yield _in_namespace(image, layers, scratch)
            case "chroot":
                yield _in_chroot(image, layers, scratch)
            case _:
                yield _in_place(image, layers, scratch)


def unpacked(image: Image, cache: Cache) -> list[Path]:
    """Folders that hold the unpacked image, bottom first: a folder for each layer of an image of ours, which never deletes
    what a lower layer holds; one folder for any other image.
    """
    if all(entry.created_by.startswith(HISTORY) for entry in image.config.history):
        return [_tree(replace(image, layers=(layer,)), layer.diff_id.encoded, cache) for layer in image.layers]
    return [_tree(image, image.digest.encoded, cache)]


def _tree(image: Image, key: str, cache: Cache) -> Path:
    def fill(folder: Path) -> None:
        try:
            unpack(image, folder)
        except OCIError as error:
            raise ImageError(f"unpacking the image: {error}", hint="Build or fetch the image again.") from error

    return cache.tree("layers", key, fill)


def best_method(cache: Cache) -> str:
    """The first method that works on this machine; asked once per start of the machine and user."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    key = key_of(
        "sandbox",
        boot.read_text() if boot.exists() else "",
        os.geteuid(),
        sys.executable,
        os.readlink("/proc/self/ns/mnt"),
    )
    record = cache.record("sandbox", key)
    if record is not None and record.get("method") in METHODS:
        return str(record["method"])
    method = next((name for name in METHODS[:2] if _works(name, cache)), METHODS[2])
    cache.write_record("sandbox", key, {"method": method})
    return method


def _works(method: str, cache: Cache) -> bool:
    """Whether a sandbox can be made: with an empty layer, in which no program is there to run, so that 125 or not is the answer."""
    with cache.scratch() as scratch:
        layer = scratch / "layer"
        (layer / sandbox.WORKING_FOLDER.lstrip("/")).mkdir(parents=True)
        (layer / "tmp").mkdir()
        made = _namespace_command([layer], scratch) if method == "namespace" else _sandboxed("chroot", layer, "")
        try:
            done = subprocess.run([*made, "/nothing"], capture_output=True, timeout=CHECK_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode != sandbox.CANNOT


def _sandboxed(method: str, root: Path, lowers: str) -> list[str]:
    return [sys.executable, "-I", "-S", str(Path(sandbox.__file__)), method, str(root), lowers, "--"]


def _namespace_command(layers: list[Path], scratch: Path) -> list[str]:
    root, places = scratch / "root", scratch / "places"
    root.mkdir()
    for folder in ("tmp", "proc", "dev", "etc"):
        (places / folder).mkdir(parents=True)
    for file in (*(f"dev/{device}" for device in sandbox.DEVICES), *sandbox.NETWORK_FILES):
        (places / file).touch()
    lowers = [str(folder) for folder in (places, *reversed(layers))]
    return _sandboxed(
        "namespace",
        root,
        ":".join(lower.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,") for lower in lowers),
    )


def _in_namespace(image: Image, layers: list[Path], scratch: Path) -> Runnable:
    return _entry(image, "namespace", _namespace_command(layers, scratch))


def _in_chroot(image: Image, layers: list[Path], scratch: Path) -> Runnable:
    root = _joined(layers, scratch)
    os.chmod(scratch, 0o755)  # noqa: S103, PTH101 - the unprivileged uid must pass; the cache's own folder stays closed
    return _entry(image, "chroot", _sandboxed("chroot", root, ""))


def _entry(image: Image, method: str, prefix: list[str]) -> Runnable:
    return Runnable(method, (*prefix, *image.config.entrypoint, *image.config.cmd), dict(image.config.env), "/")


def _in_place(image: Image, layers: list[Path], scratch: Path) -> Runnable:
    root = _joined(layers, scratch)
    command = (*image.config.entrypoint, *image.config.cmd)
    program = root / command[0].lstrip("/")
    try:
        elf = read_elf(program)
    except (ElfError, OSError) as error:
        raise ImageError(
            f"running the image in place: {command[0]}: {error}", hint="Run it with a container engine."
        ) from None
    if elf is None or elf.interpreter is None:
        raise ImageError(
            f"running the image in place: {command[0]!r} is no dynamic program",
            hint="Run it with a container engine.",
        )
    moved = [
        str(root / part.lstrip("/")) if (root / part.lstrip("/")).is_file() and part.startswith("/") else part
        for part in command
    ]
    libraries = sorted(
        {str(file.parent) for file in (root / "lib").glob("**/*.so*")}
        | {str(file.parent) for file in (root / "usr/lib").glob("*/*.so*")}
    )
    environment = dict(image.config.env) | {
        "PYTHONHOME": str(root / "var/lang"),
        "PYTHONPATH": str(root / "opt/python"),
        "LAMBDA_TASK_ROOT": str(root / "var/task"),
        "SSL_CERT_FILE": str(root / "etc/ssl/certs/ca-certificates.crt"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    loader = [
        str(root / elf.interpreter.lstrip("/")),
        "--inhibit-cache",
        "--library-path",
        ":".join(libraries),
    ]
    return Runnable("in place", (*loader, *moved), environment, str(root / "var/task"))


def _joined(layers: list[Path], scratch: Path) -> Path:
    """One tree out of the layers: copies, because what runs in it may write where it is not read-only."""
    root = scratch / "root"
    with disk("unpacking the image"):
        for layer in layers:
            shutil.copytree(layer, root, symlinks=True, dirs_exist_ok=True)
        (root / "tmp").mkdir(exist_ok=True)
        (root / "tmp").chmod(0o1777)
    return root
