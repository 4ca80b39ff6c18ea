"""The functions of the corpus as images of both sides, unpacked, with their sizes. Never measures time.

The Dockerfile side has what a careful person adds: an adapter where AWS's runtime client cannot call the application,
Debian's package of a library that a wheel expects of the system.
"""

import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from bench.base import NAME as BASE
from bench.build import BIN, environment
from bench.dockerfile import PEERS, docker, download_wheels, make_context
from bench.platform import running

TOP = Path(__file__).parents[1]
CORPUS = TOP / "tests" / "conformance" / "corpus"
UNPROVEN = ("none", "safe")  # the proof changes nothing of these, and an image without bytecode compiles in each run
PACKAGES = {"lightgbm": ("libgomp1",)}
_OPENED = re.compile(r'openat\(AT_FDCWD, "(?P<path>[^"]+)"[^=]*\) += \d+|execve\("(?P<program>[^"]+)"')


@dataclass
class Image:
    """One way to make one function's image: `root` is where it is unpacked, `command` and `variables` start it.

    `handler` is the argument of its entry point where it is not the image's own.
    """

    size: int = 0
    files: int = 0
    root: Path = Path()
    command: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    tag: str = ""
    handler: str = ""
    next_ms: list[float] = field(default_factory=list)
    run_ms: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)


class Sizes:
    """Bytes of layers compressed by gzip at level 6, as a push does: each is compressed once, for all images."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._lock = threading.Lock()

    def of(self, diff_id: str, stream: io.BufferedReader) -> int:
        """Of a layer, which is read only if it is new."""
        with self._lock:
            known = self._known.get(diff_id)
        if known is None:
            known = compressed(stream)
            with self._lock:
                self._known[diff_id] = known
        return known


def share(shared: Path, sizes: Sizes) -> None:
    """Make what all functions' Dockerfile images have in common: the client's wheels, the base unpacked."""
    shared.mkdir()
    download_wheels(PEERS / "awslambdaric.txt", shared / "client")
    unpack_saved(BASE, shared / "base", shared / "saved.tar", sizes)


def dockerfile_image(name: str, scratch: Path, sizes: Sizes, shared: Path) -> Image:
    """The function as a careful person's Dockerfile makes it; `shared` is what `share` made."""
    context = scratch / "context"
    adapter = PEERS / "adapters" / name
    handler = "adapted.handler" if adapter.exists() else ""
    make_context(CORPUS / name, context, client=shared / "client", adapter=adapter if handler else None,
                 packages=PACKAGES.get(name, ()))  # fmt: skip
    tag = f"firkin-bench-{name}"
    docker("build", "--quiet", "--build-arg", f"BASE={BASE}", "--tag", tag, str(context))
    root = scratch / "dockerfile"
    size = unpack_saved(tag, root, scratch / "saved.tar", sizes, below=shared / "base")
    shutil.rmtree(context)
    command = ("python3", "-m", "awslambdaric", handler or "app.handler")
    return Image(size, count_files(root), root, command, {"PATH": "/usr/local/bin:/usr/bin:/bin"}, tag, handler)


def unpack_saved(tag: str, root: Path, file: Path, sizes: Sizes, *, below: Path | None = None) -> int:
    """Unpack an engine's image, none of whose layers takes anything away; return its layers' compressed bytes.

    `below` holds the first layer, unpacked before: its files are linked.
    """
    docker("save", "--output", str(file), tag)
    if below:
        subprocess.run(["cp", "--archive", "--link", str(below), str(root)], check=True)
    else:
        root.mkdir()
    total = 0
    with tarfile.open(file) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        diff_ids = json.load(archive.extractfile(manifest["Config"]))["rootfs"]["diff_ids"]
        for number, (layer, diff_id) in enumerate(zip(manifest["Layers"], diff_ids, strict=True)):
            total += sizes.of(diff_id, archive.extractfile(layer))
            if number or not below:
                unpack(archive.extractfile(layer), root)
    file.unlink()
    return total


def unpack(layer: io.BufferedReader, root: Path) -> None:
    """Unpack an archive over a folder; files that are there are replaced, never written to."""
    with subprocess.Popen(["tar", "-C", str(root), "-xf", "-"], stdin=subprocess.PIPE) as unpacking:
        shutil.copyfileobj(layer, unpacking.stdin, 1 << 20)
    if unpacking.returncode:
        raise RuntimeError(f"unpacking a layer into {root}: tar ended with {unpacking.returncode}")


def compressed(stream: io.BufferedReader) -> int:
    """Bytes of a stream after gzip at level 6."""
    press, total = zlib.compressobj(6, wbits=31), 0
    while piece := stream.read(1 << 20):
        total += len(press.compress(piece))
    return total + len(press.flush())


def count_files(root: Path) -> int:
    """Regular files and links below a folder."""
    return sum(len(files) + sum(Path(above, name).is_symlink() for name in folders)
               for above, folders, files in os.walk(root))  # fmt: skip


def our_image(name: str, level: str, scratch: Path, cache: Path, *, tag: str = "") -> tuple[Image, dict]:
    """The function as `build-image` makes it at one level, and what it told; in the engine, too, if it has a `tag`."""
    source = scratch / "function"
    if not source.exists():
        folder = CORPUS / name if (CORPUS / name).exists() else TOP / "examples" / name
        shutil.copytree(folder, source, ignore=shutil.ignore_patterns("unseen.json"))
    root = scratch / level
    command = [str(BIN / "build-image"), str(source), "--trim", level, "--json", "-q", "-o", f"rootfs:{root}"]
    command += ["--no-prove"] if level in UNPROVEN else []
    command += ["-o", "docker", "-t", tag] if tag else []
    done = subprocess.run(command, env=environment(cache), cwd=scratch, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"at `{level}`: {done.stderr.strip()[-2000:]}")
    told = json.loads(done.stdout)
    (python,) = (path for path in (root / "var/lang/bin").iterdir() if path.name.startswith("python3."))
    start = (f"/var/lang/bin/{python.name}", "-S", "/var/runtime/bootstrap/__main__.pyc", "app.handler")
    variables = {"PATH": "/var/lang/bin:/usr/bin:/bin", "LAMBDA_TASK_ROOT": "/var/task"}
    if not (root / start[2].lstrip("/")).exists():  # as at level `none`
        start = (*start[:2], "/var/runtime/bootstrap/__main__.py", start[3])
    return Image(told["size"], count_files(root), root, start, variables, tag), told


def inside(image: Image) -> list[str]:
    """The command that starts an unpacked image."""
    return ["unshare", "--root", str(image.root), "--wd", "/var/task", *image.command]


def floor(image: Image, event: bytes, scratch: Path) -> tuple[int, int]:
    """Gzip bytes and number of the files that the kernel saw opened, from the start to the first response."""
    record = scratch / "opened"
    command = ["strace", "-f", "-qq", "-e", "trace=openat,execve", "-o", str(record), *inside(image)]
    with running(command, Path("/"), **image.variables) as runtime:
        runtime.invoke(event)
    names = {found["path"] or found["program"] for found in _OPENED.finditer(record.read_text(errors="replace"))}
    files = sorted(
        {file for name in names if (file := image.root / name.lstrip("/")).is_file() and not outside(file, image)}
    )
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=6, dereference=True) as archive:
        for file in files:
            archive.add(file, str(file.relative_to(image.root)))
    return len(stream.getvalue()), len(files)


def outside(file: Path, image: Image) -> bool:
    """Whether a path is of the machine's /proc or /dev, or leads out of the image."""
    return file.relative_to(image.root).parts[0] in {"proc", "dev"} or not file.resolve().is_relative_to(image.root)
