"""A base image as the official slim ones are made: Debian without its documentation, and CPython in /usr/local.

The interpreter is the one that runs this, so that both sides of a comparison ship the same Python. Needs root and
debootstrap.
"""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

NAME = "firkin-bench-base"
SUITE = "bookworm"
# What CPython's own extension modules are linked to, and what python:3-slim adds to Debian's slim image.
PACKAGES = (
    "ca-certificates", "netbase", "tzdata", "libbz2-1.0", "libffi8", "liblzma5", "libncursesw6", "libreadline8",
    "libsqlite3-0", "libssl3", "libuuid1", "zlib1g", "libexpat1", "libgdbm6",
)  # fmt: skip
# What Debian's slim images and the official Python images leave out.
LEFT_OUT = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "var/cache/apt",
    "var/lib/apt/lists",
)
NOT_COPIED = shutil.ignore_patterns(
    "site-packages", "test", "tests", "idle_test", "__pycache__", "*.a", "config-*", "*.pyc", "*.pyo"
)


def make_base(scratch: Path) -> str:
    """Build the base unless the engine has it; return its name."""
    if subprocess.run(["docker", "image", "inspect", NAME], capture_output=True, check=False).returncode == 0:
        return NAME
    root = scratch / "base"
    include = f"--include={','.join(PACKAGES)}"
    _run("debootstrap", "--variant=minbase", include, SUITE, str(root))
    for folder in LEFT_OUT:
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir(parents=True)
    _add_python(root / "usr/local")
    archive = scratch / "base.tar"
    _run("tar", "-C", str(root), "-cf", str(archive), ".")
    _run("docker", "import", "--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin", str(archive), NAME)
    archive.unlink()
    shutil.rmtree(root)
    return NAME


def _add_python(prefix: Path) -> None:
    """CPython as `make install` leaves it, stripped and without tests, with the pip that comes with it."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program = Path(sys.base_prefix, "bin", version)
    shutil.copytree(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}), prefix / "lib" / version,
                    ignore=NOT_COPIED, dirs_exist_ok=True)  # fmt: skip
    (prefix / "bin").mkdir(exist_ok=True)
    shutil.copy2(program, prefix / "bin" / version)
    for library in Path(sys.base_prefix, "lib").glob("libpython3*.so*"):
        shutil.copy2(library, prefix / "lib", follow_symlinks=False)
    for file in (prefix / "bin" / version, *prefix.glob("lib/**/*.so")):
        _run("strip", "--strip-unneeded", str(file))
    for alias in ("python", "python3"):
        (prefix / "bin" / alias).symlink_to(version)
    root = str(prefix.parents[1])
    _run("chroot", root, "/sbin/ldconfig")
    _run("chroot", root, "/usr/local/bin/python3", "-m", "ensurepip", "--default-pip")
    _run("find", str(prefix), "-name", "__pycache__", "-prune", "-exec", "rm", "-rf", "{}", "+")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
