"""The other side of a comparison: a function as a careful person's Dockerfile builds it, by the Docker Engine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
# The classic builder, which needs no plugin of the client, as Debian 12's has none.
ENVIRONMENT = {**os.environ, "DOCKER_BUILDKIT": "0"}


def docker(*arguments: str) -> str:
    """The client's stdout; a failure ends the measurement."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    if done.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)[:200]}: {done.stderr[-2000:]}")
    return done.stdout.strip()


def make_context(
    function: Path,
    context: Path,
    *,
    client: Path | None = None,
    adapter: Path | None = None,
    packages: tuple[str, ...] = (),
) -> None:
    """A folder for `docker build`: Dockerfile.corpus, the function without its tests, every wheel.

    `client` holds the wheels of AWS's runtime client if they were downloaded before; an `adapter` is a folder with more
    of the function and more requirements; `packages` are Debian's, whose libraries the function needs.
    """
    ignored = shutil.ignore_patterns("events", "*.txt", "*.md", "unseen.json")
    shutil.copytree(function, context / "function", ignore=ignored)
    for data in function.glob("*/*.txt"):  # templates are the function's
        (context / "function" / data.parent.name).mkdir(exist_ok=True)
        shutil.copy(data, context / "function" / data.parent.name)
    if adapter:
        shutil.copytree(adapter, context / "function", ignore=ignored, dirs_exist_ok=True)
    shutil.copy(PEERS / "awslambdaric.txt", context)
    wanted = [folder / "requirements.txt" for folder in (function, adapter) if folder]
    (context / "requirements.txt").write_text("\n".join(file.read_text() for file in wanted if file.exists()))
    dockerfile = (PEERS / "Dockerfile.corpus").read_text()
    if packages:
        add_packages(context / "system", packages)
        dockerfile = dockerfile.replace("ENTRYPOINT", "COPY system /\nENTRYPOINT")
    (context / "Dockerfile").write_text(dockerfile)
    if client:
        shutil.copytree(client, context / "wheels")
    else:
        download_wheels(context / "awslambdaric.txt", context / "wheels")
    if (context / "requirements.txt").read_text().strip():
        download_wheels(context / "requirements.txt", context / "wheels")


def download_wheels(requirements: Path, folder: Path) -> None:
    """The wheels of a file of requirements with hashes."""
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--require-hashes", "--only-binary", ":all:", "-d", str(folder), "-r", str(requirements)], check=True,
    )  # fmt: skip


def add_packages(root: Path, packages: tuple[str, ...]) -> None:
    """What some of Debian's packages bring, without their documentation: fetched here, for a build has no network."""
    root.mkdir()
    done = subprocess.run(["apt-get", "download", *packages], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"apt-get download {' '.join(packages)}: {done.stderr[-2000:]}")
    for file in root.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(file), str(root)], check=True)
        file.unlink()
    shutil.rmtree(root / "usr/share/doc", ignore_errors=True)
