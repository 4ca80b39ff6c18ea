"""What the builder's tests share: a cache of their own, folders made of a table, the facts of this Python."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.cache import Cache
from builder.interpreter import Interpreter, observe_interpreter
from builder.unchanged import MOMENT_S

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_cache_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test out of the cache of whoever runs it. uv's own cache stays as it is."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("BUILD_IMAGE_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def warned() -> list[str]:
    """What the cache warned of."""
    return []


@pytest.fixture
def cache(own_cache_dir: Path, warned: list[str]) -> Cache:
    """An empty cache."""
    return Cache(own_cache_dir, warned.append)


@pytest.fixture(scope="session")
def this_python() -> Interpreter:
    """The facts of the Python that runs the tests."""
    return observe_interpreter(None)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Make a folder of files: `write({"app.py": "…"})` gives the folder, `write(files, name)` another."""

    def make(files: dict[str, str | bytes], name: str = "function") -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return folder

    return make


@pytest.fixture
def as_nobody(write: Write) -> Iterator[Write]:
    """Make a folder of which one path cannot be read: `as_nobody(files, closed)`, and be a user whom that binds."""
    opened: list[Path] = []

    def make(files: dict[str, str | bytes], closed: str) -> Path:
        folder = write(files)
        if os.geteuid() == 0:  # root reads everything; pytest's folders are root's alone
            opened.extend(above for above in folder.parents if above.stat().st_mode & 0o777 == 0o700)
            for above in opened:
                above.chmod(0o711)
        (folder / closed).chmod(0)
        if os.geteuid() == 0:
            os.seteuid(65534)
        closed_paths.append(folder / closed)
        return folder

    closed_paths: list[Path] = []
    yield make
    if os.getuid() == 0:
        os.seteuid(0)
    for path in (*opened, *closed_paths):
        path.chmod(0o700)


@pytest.fixture
def old(function):
    """A function whose files are old enough to be told apart from later changes."""
    source = function()
    subprocess.run(["find", source, "-exec", "touch", "-h", "-d", "2001-01-01", "{}", "+"], check=True)
    return source


@pytest.fixture
def build(build_image, old, tmp_path):
    """Return `build(*options, **variables)`: into the same output, once that the first build is a moment past."""
    deadline = old.stat().st_ctime + 2 * MOMENT_S

    def call(*options, **variables):
        time.sleep(max(0.0, deadline - time.time()))
        done = build_image(old, "-o", f"oci:{tmp_path}/out", *options, **variables)
        assert done.code == 0, done.err
        return done

    return call
