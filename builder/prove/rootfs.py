"""How an image is run on this machine without a container engine: the ways, which one works here, and its command line.

    namespace   overlay of the unpacked layers in a mount namespace: read-only, uid 12345, no capabilities; the best
    chroot      a complete tree and chroot, for root where mounting is forbidden, as in most containers; uid 12345
    in place    the image's own program loader with its search path set to the image's folders; the last resort:
                absolute paths still lead to this machine

Unpacked layers are kept in the cache, so that a small change costs a small unpacking. Never runs anything of the image
but its entry point, and never decides what is right: `proof` does.
"""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from builder.cache import ELSEWHERE, Cache, key_of
from builder.disk import advice, disk
from builder.elf import ElfError, read_elf
from builder.errors import ImageError, OutputError
from builder.oci import DiskError, Image, OCIError, unpack
from builder.plan import HISTORY
from builder.prove import sandbox

METHODS = ("namespace", "chroot", "in place")

DESCRIPTIONS: Mapping[str, str] = {
    "namespace": "in a namespace (read-only root, uid 12345, no privileges)",
    "chroot": "in a chroot (uid 12345, no privileges; without /proc, and its root file system is not read-only)",
    "in place": "in place (the image's own loader and search path; this machine allows no sandbox)",
}

CHECK_TIMEOUT_S = 10

_FOLDER_MODE = 0o755  # of what uid 12345 must pass, whatever the umask
_FILE_MODE = 0o644
_DEVICE_MODE = 0o666
_TEMPORARY_MODE = 0o1777
_MINORS = dict(zip(sandbox.DEVICES, (3, 5, 7, 8, 9), strict=True))  # of major 1: Documentation/admin-guide/devices.txt
_ENGINE = "Run it with a container engine."


@dataclass(frozen=True, slots=True)
class Runnable:
    """A command that runs the image's entry point on this machine, with its environment and folder."""

    method: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str


@contextmanager
def runnable(image: Image, cache: Cache, *, method: str | None = None) -> Iterator[Runnable]:
    """Prepare the image for running, by the best method that works here; removed again afterwards.

    Raises ImageError for an image that cannot be run, OutputError for the disk.
    """
    command = (*image.config.entrypoint, *image.config.cmd)
    if not command:
        raise ImageError("running the image: it has neither an entry point nor a command", hint="Build it again.")
    method = method or best_method(cache)
    with cache.scratch() as scratch:
        with disk("preparing the image to run", elsewhere=ELSEWHERE):
            program = _prepared(image, command, method, cache=cache, scratch=scratch)
        yield program


def _prepared(image: Image, command: tuple[str, ...], method: str, *, cache: Cache, scratch: Path) -> Runnable:
    folder = image.config.working_dir or "/"
    match method:
        case "namespace":
            prefix = _namespace_command(unpacked(image, cache), scratch, folder)
        case "chroot":
            root = _complete(image, cache, scratch, place=os.link)  # root's files: the sandbox's uid cannot write them
            _furnish(root)
            prefix = _sandboxed("chroot", root, "", folder)
        case _:
            return _in_place(image, command, _complete(image, cache, scratch, place=shutil.copy2))
    return Runnable(method, (*prefix, *command), dict(image.config.env), "/")


def unpacked(image: Image, cache: Cache) -> list[Path]:
    """Folders that hold the unpacked image, bottom first.

    A folder for each layer of an image of ours, which never deletes what a lower layer holds; one folder for any other.
    """
    history = [entry for entry in image.config.history if not entry.empty_layer]
    ours = len(history) == len(image.layers) and all(entry.created_by.startswith(HISTORY) for entry in history)
    if ours:
        return [_tree(replace(image, layers=(layer,)), layer.diff_id.encoded, cache) for layer in image.layers]
    return [_tree(image, image.digest.encoded, cache)]


def _tree(image: Image, key: str, cache: Cache) -> Path:
    return cache.tree("layers", key, lambda folder: _unpack(image, folder))


def _unpack(image: Image, folder: Path) -> None:
    try:
        unpack(image, folder)
    except DiskError as error:
        hint = advice(error.errno, elsewhere=ELSEWHERE) or "Nothing was left half-written."
        raise OutputError(f"unpacking the image: {error}", hint=hint) from error
    except OCIError as error:
        raise ImageError(f"unpacking the image: {error}", hint="Build or fetch the image again.") from error


def _complete(image: Image, cache: Cache, scratch: Path, *, place: Callable[[str, str], object]) -> Path:
    """The whole image in one folder of its own. `place(source, target)` links or copies one file."""
    root = scratch / "root"
    root.mkdir()
    root.chmod(_FOLDER_MODE)
    for layer in unpacked(image, cache):
        _join(str(layer), str(root), place)
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(_TEMPORARY_MODE)
    return root


def _join(source: str, target: str, place: Callable[[str, str], object]) -> None:
    """Put all that is in one real folder into another, where nothing of the same name may be, unless both are folders.

    A layer could bring a link out of the image, and another a file of that name: nothing is written through it.
    """
    with os.scandir(source) as entries:
        for entry in entries:
            there = f"{target}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if not os.path.lexists(there):
                    os.mkdir(there)  # noqa: PTH102 - a text, as scandir gives it, thousands of times
                    shutil.copymode(entry.path, there)
                elif os.path.islink(there) or not os.path.isdir(there):  # noqa: PTH112, PTH114 - same
                    raise _overlapping(there)
                _join(entry.path, there, place)
            elif os.path.lexists(there):
                raise _overlapping(there)
            elif entry.is_symlink():
                os.symlink(os.readlink(entry.path), there)  # noqa: PTH115, PTH211 - same
            else:
                place(entry.path, there)


def _overlapping(path: str) -> ImageError:
    return ImageError(f"unpacking the image: two of its layers hold {path!r}", hint=_ENGINE)


def _furnish(root: Path) -> None:
    """Add what a container finds besides, as far as it goes without mounting: harmless devices and the host's names."""
    for folder in (root / "dev", root / "etc"):
        folder.mkdir(exist_ok=True)
        folder.chmod(_FOLDER_MODE)
    for name, minor in _MINORS.items():
        with contextlib.suppress(OSError):  # a container may forbid devices
            os.mknod(root / "dev" / name, _DEVICE_MODE | stat.S_IFCHR, os.makedev(1, minor))
            (root / "dev" / name).chmod(_DEVICE_MODE)
    for name in sandbox.NETWORK_FILES:
        with contextlib.suppress(OSError):
            (root / name).write_bytes(Path("/", name).read_bytes())
            (root / name).chmod(_FILE_MODE)


def best_method(cache: Cache) -> str:
    """The first method that works on this machine; asked once per start of the machine, user and namespace."""
    key = key_of(
        "sandbox",
        _read("/proc/sys/kernel/random/boot_id"),
        _link("/proc/self/ns/mnt"),
        _link("/proc/self/ns/user"),
        os.geteuid(),
        _capabilities(),
        sys.executable,
    )
    record = cache.record("sandbox", key)
    if record is not None and record.get("method") in METHODS:
        return str(record["method"])
    method = next((name for name in METHODS[:2] if _works(name, cache)), METHODS[2])
    cache.write_record("sandbox", key, {"method": method})
    return method


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii")
    except OSError:
        return ""


def _link(file: str) -> str:
    try:
        return str(Path(file).readlink())
    except OSError:
        return ""


def _capabilities() -> str:
    """The effective capabilities of this process, which decide what root may do."""
    return next((line for line in _read("/proc/self/status").splitlines() if line.startswith("CapEff:")), "")


def _works(method: str, cache: Cache) -> bool:
    """Whether a sandbox can be made: with an empty layer, in which no program is there to be started."""
    with cache.scratch() as scratch, disk("trying a sandbox", elsewhere=ELSEWHERE):
        layer = scratch / "layer"
        (layer / "tmp").mkdir(parents=True)
        made = (
            _namespace_command([layer], scratch, "/") if method == "namespace" else _sandboxed(method, layer, "", "/")
        )
        try:
            done = subprocess.run([*made, "/nothing"], capture_output=True, timeout=CHECK_TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == sandbox.NOT_STARTED


def _sandboxed(method: str, root: Path, lowers: str, folder: str) -> list[str]:
    return [sys.executable, "-I", "-S", str(Path(sandbox.__file__)), method, str(root), lowers, folder, "--"]


def _namespace_command(layers: list[Path], scratch: Path, folder: str) -> list[str]:
    root, places = scratch / "root", scratch / "places"
    root.mkdir()
    for place in (places, *(places / name for name in ("tmp", "proc", "dev", "etc"))):
        place.mkdir()
        place.chmod(_FOLDER_MODE)
    for name in (*(f"dev/{device}" for device in sandbox.DEVICES), *sandbox.NETWORK_FILES):
        (places / name).touch()
        (places / name).chmod(_FILE_MODE)
    lowers = ":".join(_escaped(str(lower)) for lower in (places, *reversed(layers)))
    return _sandboxed("namespace", root, lowers, folder)


def _escaped(folder: str) -> str:
    """A folder's name within the mount options of overlayfs."""
    return folder.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _in_place(image: Image, command: tuple[str, ...], root: Path) -> Runnable:
    if ":" in str(root):
        raise ImageError(
            f"running the image in place: {str(root)!r} has a ':' in it, which no search path can hold",
            hint=f"Rename it, or {ELSEWHERE}.",
        )
    environment = dict(image.config.env) | {
        "PYTHONHOME": str(root / "var/lang"),
        "PYTHONPATH": str(root / "opt/python"),
        "LAMBDA_TASK_ROOT": str(root / "var/task"),
        "SSL_CERT_FILE": str(root / "etc/ssl/certs/ca-certificates.crt"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    moved = [_moved(part, root) for part in command]
    folder = root / image.config.working_dir.lstrip("/")
    return Runnable("in place", (*_loader(command[0], root), *moved), environment, str(folder))


def _moved(part: str, root: Path) -> str:
    """A part of the command line; where it is a file of the image, the file's place here."""
    place = root / part.lstrip("/")
    return str(place) if part.startswith("/") and place.is_file() else part


def _loader(program: str, root: Path) -> list[str]:
    """The image's program loader with all folders of the image that hold libraries. Raises ImageError."""
    try:
        elf = read_elf(root / program.lstrip("/"))
    except (ElfError, OSError) as error:
        raise ImageError(f"running the image in place: {program}: {error}", hint=_ENGINE) from None
    if elf is None or elf.interpreter is None:
        raise ImageError(f"running the image in place: {program!r} is no dynamic program", hint=_ENGINE)
    found = [*(root / "lib").glob("**/*.so*"), *(root / "usr/lib").glob("*/*.so*")]
    libraries = sorted({str(file.parent) for file in found})
    return [str(root / elf.interpreter.lstrip("/")), "--inhibit-cache", "--library-path", ":".join(libraries)]
