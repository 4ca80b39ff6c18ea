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


def make_context(function: Path, context: Path) -> None:
    """A folder for `docker build`: Dockerfile.corpus, the function without its tests, every wheel."""
    ignored = shutil.ignore_patterns("events", "*.txt", "*.md", "unseen.json")
    shutil.copytree(function, context / "function", ignore=ignored)
    for data in function.glob("*/*.txt"):  # templates are the function's
        (context / "function" / data.parent.name).mkdir(exist_ok=True)
        shutil.copy(data, context / "function" / data.parent.name)
    shutil.copy(PEERS / "awslambdaric.txt", context)
    wanted = function / "requirements.txt"
    (context / "requirements.txt").write_text(wanted.read_text() if wanted.exists() else "")
    shutil.copy(PEERS / "Dockerfile.corpus", context / "Dockerfile")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
                "--only-binary", ":all:", "-d", str(context / "wheels")]  # fmt: skip
    for file in ("awslambdaric.txt", "requirements.txt"):
        subprocess.run([*download, "-r", str(context / file)], check=True)
