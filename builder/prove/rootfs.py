"""How an image is run on this machine without a container engine: the ways, which one works here, and its command line.

    namespace   overlay of the unpacked layers in a mount namespace: read-only, uid 12345, no capabilities; the best
    chroot      a complete tree and chroot, for root where mounting is forbidden, as in most containers; uid 12345
    in place    the image's own program loader with its search path set to the image's folders; the last resort:
                absolute paths still lead to this machine

An image of another architecture runs where the kernel knows an emulator for it. Never runs anything of the image but
its entry point, and never decides what is right: `proof` does.
"""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from builder.cache import ELSEWHERE, Cache, key_of
from builder.disk import disk
from builder.elf import ElfError, Tree, read_elf
from builder.errors import ImageError
from builder.oci import Image
from builder.prove import sandbox
from builder.prove.unpacked import FOLDER_MODE, TEMPORARY_MODE, complete, unpacked

METHODS = ("namespace", "chroot", "in place")

DESCRIPTIONS: Mapping[str, str] = {
    "namespace": "in a namespace (read-only root, uid 12345, no privileges)",
    "chroot": "in a chroot (uid 12345, no privileges; without /proc, and its root file system is not read-only)",
    "in place": "in place (the image's own loader and search path; this machine allows no sandbox)",
}

CHECK_TIMEOUT_S = 10

_FILE_MODE = 0o644
_DEVICE_MODE = 0o666
_MINORS = dict(zip(sandbox.DEVICES, (3, 5, 7, 8, 9), strict=True))  # of major 1: Documentation/admin-guide/devices.txt
_EXTENSIONS = "opt/extensions"  # where Lambda looks for them
_ENGINE = "Run it with a container engine."

# Where images keep shared libraries, for the last resort.
_LIBRARIES = (
    "lib/**/*.so*",
    "lib64/*.so*",
    "usr/lib/*.so*",
    "usr/lib/*/*.so*",
    "usr/lib64/*.so*",
    "usr/local/lib/*.so*",
    "var/lang/lib/*.so*",
)


@dataclass(frozen=True, slots=True)
class Runnable:
    """A command that runs the image's entry point on this machine, its environment and folder; extensions by name."""

    method: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    extensions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contents:
    """What is to be run: folders here that lie over each other as the root, bottom first, and how it is started."""

    layers: tuple[Path, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str


@contextmanager
def runnable(image: Image, cache: Cache, *, method: str | None = None) -> Iterator[Runnable]:
    """Prepare the image for running, by the best method that works here; removed again afterwards.

    Raises ImageError for an image that cannot be run, OutputError for the disk.
    """
    with runnable_contents(contents_of(image, cache), cache, method=method) as program:
        yield program


def contents_of(image: Image, cache: Cache, known: Mapping[str, Path] | None = None) -> Contents:
    """The unpacked image, with the folders that are `known`, as of `unpacked`.

    Raises ImageError for an image that cannot be run, OutputError for the disk.
    """
    command = (*image.config.entrypoint, *image.config.cmd)
    if not command:
        raise ImageError("running the image: it has neither an entry point nor a command", hint="Build it again.")
    layers = tuple(unpacked(image, cache, known))
    return Contents(layers, command, dict(image.config.env), image.config.working_dir or "/")


@contextmanager
def runnable_contents(
    contents: Contents, cache: Cache, *, method: str | None = None, extensions: Sequence[str] = ()
) -> Iterator[Runnable]:
    """The same for folders that are there already, and for those of its extensions; in place they are left out."""
    method = method or best_method(cache)
    with cache.scratch() as scratch:
        with disk("preparing the image to run", elsewhere=ELSEWHERE):
            program = _prepared(contents, method, scratch=scratch, extensions=extensions)
        yield program


def extensions_of(layers: Sequence[Path]) -> list[str]:
    """The names of the image's external extensions, sorted: what is in their folder and is no folder itself."""
    found: dict[str, bool] = {}
    for layer in layers:
        folder = layer / _EXTENSIONS
        if folder.is_dir() and not (folder.is_symlink() or folder.parent.is_symlink()):  # which lead out of the image
            with os.scandir(folder) as entries:
                found |= {entry.name: not entry.is_dir(follow_symlinks=False) for entry in entries}
    return sorted(name for name, is_file in found.items() if is_file)


def _prepared(contents: Contents, method: str, *, scratch: Path, extensions: Sequence[str]) -> Runnable:
    temporary = None
    match method:
        case "namespace":
            root, lowers = _mountable(contents.layers, scratch)
            if extensions:  # which find what the runtime wrote to /tmp, and it what they wrote
                temporary = scratch / "tmp"
                temporary.mkdir()
                temporary.chmod(TEMPORARY_MODE)
        case "chroot":  # root's files: the sandbox's uid cannot write them
            root, lowers = complete(contents.layers, scratch / "root", place=os.link), ""
            _furnish(root)
        case _:
            return _in_place(contents, complete(contents.layers, scratch / "root", place=shutil.copy2))

    def sandboxed(folder: str, *command: str) -> tuple[str, ...]:
        return (*_sandboxed(method, root, lowers, folder, temporary=temporary), *command)

    return Runnable(
        method,
        sandboxed(contents.folder, *contents.command),
        contents.environment,
        "/",
        {name: sandboxed("/", f"/{_EXTENSIONS}/{name}") for name in extensions},
    )


def _furnish(root: Path) -> None:
    """Add what a container finds besides, as far as it goes without mounting: harmless devices and the host's names."""
    for folder in (root / "dev", root / "etc"):
        folder.mkdir(exist_ok=True)
        folder.chmod(FOLDER_MODE)
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
        root, lowers = _mountable([layer], scratch) if method == "namespace" else (layer, "")
        made = _sandboxed(method, root, lowers, "/")
        try:
            done = subprocess.run([*made, "/nothing"], capture_output=True, timeout=CHECK_TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == sandbox.NOT_STARTED


def _sandboxed(method: str, root: Path, lowers: str, folder: str, *, temporary: Path | None = None) -> list[str]:
    places = (str(root), lowers, str(temporary or ""), folder)
    return [sys.executable, "-I", "-S", str(Path(sandbox.__file__)), method, *places, "--"]


def _mountable(layers: Sequence[Path], scratch: Path) -> tuple[Path, str]:
    """An empty folder, and what to lay over each other there."""
    root, places = scratch / "root", scratch / "places"
    root.mkdir()
    for place in (places, *(places / name for name in ("tmp", "proc", "dev", "etc"))):
        place.mkdir()
        place.chmod(FOLDER_MODE)
    for name in (*(f"dev/{device}" for device in sandbox.DEVICES), *sandbox.NETWORK_FILES):
        (places / name).touch()
        (places / name).chmod(_FILE_MODE)
    return root, ":".join(_escaped(str(lower)) for lower in (places, *reversed(layers)))


def _escaped(folder: str) -> str:
    """A folder's name within the mount options of overlayfs."""
    return folder.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _in_place(contents: Contents, root: Path) -> Runnable:
    if ":" in str(root):
        raise ImageError(
            f"running the image in place: {str(root)!r} has a ':' in it, which no search path can hold",
            hint=f"Rename it, or {ELSEWHERE}.",
        )
    command, tree = contents.command, Tree(root)
    program = tree.maybe_file(command[0])
    environment = dict(contents.environment) | {
        "PYTHONHOME": str(program.parent.parent if program else root),
        "PYTHONPATH": str(root / "opt/python"),
        "LAMBDA_TASK_ROOT": str(root / "var/task"),
        "SSL_CERT_FILE": str(root / "etc/ssl/certs/ca-certificates.crt"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("LD_LIBRARY_PATH", None)  # of the image, whose folders are not there
    moved = [_moved(part, tree) for part in command]
    folder = root / contents.folder.lstrip("/")
    return Runnable("in place", (*_loader(command[0], tree), *moved), environment, str(folder))


def _moved(part: str, tree: Tree) -> str:
    """A part of the command line; where it is a file of the image, the file's place here."""
    place = tree.maybe_file(part) if part.startswith("/") else None
    return str(place or part)


def _loader(program: str, tree: Tree) -> list[str]:
    """The image's program loader with all folders of the image that hold libraries. Raises ImageError."""
    file = tree.maybe_file(program)
    try:
        elf = read_elf(file) if file else None
    except (ElfError, OSError) as error:
        raise ImageError(f"running the image in place: {program}: {error}", hint=_ENGINE) from None
    loader = tree.maybe_file(elf.interpreter) if elf and elf.interpreter else None
    if elf is None or loader is None:
        raise ImageError(f"running the image in place: {program!r} is no dynamic program", hint=_ENGINE)
    found = [file for pattern in _LIBRARIES for file in tree.root.glob(pattern)]
    libraries = ":".join(sorted({str(file.parent) for file in found}))
    cache = [] if "/ld-musl-" in str(elf.interpreter) else ["--inhibit-cache"]
    return [str(loader), *cache, "--library-path", libraries]
