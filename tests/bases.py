"""Bases for tests, since no image registry is asked: root file systems made of Debian's packages, and images of them.

Made once and kept under `.peers/`, shared by the worker processes; complete or absent, never half.
"""

import contextlib
import fcntl
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from builder.errors import InterpreterError
from builder.interpreter import observe_interpreter
from builder.oci import BlobStore, Entry, Image, ImageConfig, write_layout
from tests.conftest import ROOT, elsewhere, unavailable

PEERS = ROOT / ".peers"
PATH = "/usr/local/bin:/usr/bin:/bin"
LIMIT_S = 240

HERE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
FOREIGN = "arm64" if HERE == "amd64" else "amd64"


def entries_of(tree: Path) -> list[Entry]:
    """A folder as the entries of one layer."""
    found = []
    for folder, folders, files in os.walk(tree):
        for path in (Path(folder, name) for name in folders + files):
            name = str(path.relative_to(tree))
            if path.is_symlink():
                found.append(Entry.symlink(name, str(path.readlink())))
            elif path.is_dir():
                found.append(Entry.directory(name))
            elif path.is_file():
                found.append(Entry.file(name, path, path.stat().st_mode & 0o755))
    return sorted(found, key=lambda entry: entry.path)


def write_base(layout: Path, *layers: list[Entry], architecture: str = "amd64", **config: object) -> Path:
    """Write an image of these layers as a layout."""
    store = BlobStore(layout.with_name(layout.name + "-store"))
    values = {"env": {"PATH": PATH}, "cmd": ("python3",)} | config
    made = [store.add_layer(entries) for entries in layers]
    image = Image.assemble(ImageConfig(architecture, **values), made, blobs=store)
    write_layout(image, layout, ref_name="latest")
    shutil.rmtree(store.folder)
    return layout


def debian_tree(architecture: str) -> Path:
    """A root file system with Debian's Python, of any architecture."""

    def make(folder: Path) -> None:
        subprocess.run(
            [ROOT / "scripts/debian-base", architecture, folder],
            check=True, capture_output=True, text=True, timeout=LIMIT_S,
        )  # fmt: skip

    return made(f"debian-{architecture}-dpkg", make)


def debian_base(architecture: str) -> Path:
    """The same as an image layout, with a label, a user and a variable as bases have them."""
    tree = debian_tree(architecture)
    labels = {"vendor": "example", "org.opencontainers.image.title": "a base"}
    env = {"PATH": PATH, "LANG": "C.UTF-8", "GPG_KEY": "0"}
    return made(
        f"debian-{architecture}-dpkg-image",
        lambda layout: write_base(layout, entries_of(tree), architecture=architecture, labels=labels, env=env),
    )


def made(name: str, make: Callable[[Path], object]) -> Path:
    """What `make(place)` makes, kept under `.peers/NAME`."""
    place = PEERS / name
    with _lock(name):
        if not place.exists():
            try:
                make(place)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
                shutil.rmtree(place, ignore_errors=True)
                unavailable(f"making {name}: {error} {getattr(error, 'stderr', '') or ''}"[:2000])
    return place


@contextlib.contextmanager
def _lock(name: str) -> Iterator[None]:
    PEERS.mkdir(exist_ok=True)
    with (PEERS / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def musl_base() -> Path:
    """An image layout with a CPython on musl, which scripts/engines compiles."""
    tree = PEERS / "musl"
    if not tree.exists():
        unavailable("there is no Python on musl: scripts/engines compiles it")
    return made("musl-image", lambda layout: write_base(layout, entries_of(tree), architecture=HERE))


def aws_like_base() -> Path:
    """A base laid out as AWS's own: Python in /var/lang, found through LD_LIBRARY_PATH, a package, another's runtime.

    Its Python is one of this machine's whose libpython is a shared library.
    """
    try:
        python = observe_interpreter("3.13")
    except InterpreterError as error:
        elsewhere(str(error))
    folder = Path(python.executable).parent.parent
    system = [entry for entry in entries_of(debian_tree(HERE)) if "python3" not in entry.path]
    lang = {f"bin/{python.name}": Path(python.executable), f"lib/lib{python.name}.so.1.0": None}
    for name in (path.relative_to(folder).as_posix() for path in Path(python.stdlib).rglob("*") if path.is_file()):
        if not re.search(r"/(__pycache__|test|tests|idlelib|config-[^/]*|ensurepip|site-packages)/|tkinter", name):
            lang[name] = folder / name
    ours = [Entry.file(f"var/lang/{name}", file or folder / name, 0o755) for name, file in lang.items()]
    ours += [
        Entry.symlink("var/lang/bin/python3", python.name),
        Entry.file(f"var/lang/lib/{python.name}/site-packages/company.py", b"NAME = 'the base'\n"),
        Entry.file("var/runtime/bootstrap", b"#!/bin/sh\n", 0o755),
    ]
    env = {
        "LANG": "en_US.UTF-8",
        "TZ": ":/etc/localtime",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/opt/lib",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
    }
    return made(
        f"aws-like-{python.full_version}", lambda layout: write_base(layout, system, ours, architecture=HERE, env=env)
    )
