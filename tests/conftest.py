"""What several tests need of the machine, and how they do without: one rule, one sentence.

A tool that is missing skips the tests that need it, with the reason; where `CI=true` they fail instead, so that no
proof goes missing unnoticed. Factories here are functions; nothing is shared between tests but a warm build cache.
"""

import fcntl
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

from tests.bootstrap.runtime_process import VERSIONS

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 240  # below pytest's own limit, so that the command's words are seen

HANDLER = """\
def handler(event, context):
    return {"hello": event.get("name", "nobody")}
"""


CI = os.environ.get("CI") == "true"
KIND = "not for this kind of machine: "

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores it, and so would all programs that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("patient", deadline=None)  # time is measured in bench/, never asserted here
settings.load_profile("patient")


def unavailable(reason: str) -> NoReturn:
    """Skip for want of something that could be installed; with CI=true that fails."""
    pytest.skip(reason)


def elsewhere(reason: str) -> NoReturn:
    """Skip what is about another kind of machine, or a Python that this one does not have; also with CI=true."""
    pytest.skip(KIND + reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """With CI=true no proof goes missing unnoticed: a skip is a failure."""
    report = yield
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if KIND not in reason:
            report.outcome, report.longrepr = "failed", f"CI=true, and a test was skipped: {reason}"
    return report


def pytest_collection_finish():
    """What was made until here stays, and need not be looked at again."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def leaks():
    """What a module's tests leave open fails there, and not where the collector happens to come by."""
    yield
    gc.collect()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are processors: tests wait for a process, a socket or a limit much of their time."""
    processors = len(os.sched_getaffinity(0))
    return processors + processors // 2


def pytest_report_header():
    """Name the interpreters that the runtime is tried with."""
    return f"runtime: CPython {', '.join(VERSIONS)}"


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(scope="session")
def root() -> None:
    """For tests that mount, chroot or change users."""
    if os.geteuid():
        unavailable("this test mounts or changes users: run it as root")


@pytest.fixture
def small_disk(root, tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Return `small_disk(kilobytes)`: a file system of that size."""
    mounted: list[Path] = []

    def mount(size_kb: int) -> Path:
        place = tmp_path / f"disk-{len(mounted)}"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "none", place], check=True)
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture(scope="session")
def skopeo() -> str:
    """The path of skopeo."""
    return shutil.which("skopeo") or unavailable("skopeo is not installed: scripts/engines installs it")


@pytest.fixture(scope="session")
def docker() -> Callable[..., str]:
    """Return `docker(*arguments)`, which gives the client's stdout, for a Docker Engine that answers."""
    client = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else shutil.which("docker")

    def call(*arguments: str, stdin: bytes | None = None) -> str:
        environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
        done = subprocess.run(
            [client or "docker", *arguments],
            input=stdin,
            capture_output=True,
            env=environment,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    try:
        call("info", "--format", "{{.ServerVersion}}")
    except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
        unavailable(f"no Docker Engine answers: scripts/engines starts one ({str(error).strip()[:200]})")
    return call


@pytest.fixture(scope="session")
def commands() -> Path:
    """The folder with the console commands of this environment."""
    return Path(sys.executable).parent


def clean_environment(**also: str) -> dict[str, str]:
    """The environment of this process without what would steer a build."""
    steering = ("BUILD_IMAGE_", "FIRKIN_RUN_", "PYTHON", "XDG_", "AWS_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**kept, **also}


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory: pytest.TempPathFactory, commands: Path) -> Path:
    """A build cache that holds the interpreter's layer; tests may add to it and must not damage it.

    It is built once in a run: each worker process has a copy of its own.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "warm"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "image").exists():  # which is written last, at once
            source = write_function(folder / "warm")
            done = run([commands / "build-image", source, "-q", "-o", f"oci:{folder}/image"], cache=folder / "cache")
            assert done.code == 0, done.err
        shutil.copytree(folder / "cache", own / "warm-cache", symlinks=True)
    return own / "warm-cache"


def run(command: list, *, cache: Path | None = None, cwd: Path | None = None, stdin: str | None = None, **variables):
    """Run a command to its end. Keyword arguments beyond are variables of its environment."""
    environment = clean_environment(**variables)
    if cache is not None:
        environment["BUILD_IMAGE_CACHE_DIR"] = str(cache)
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        input=stdin,
        cwd=cwd,
        env=environment,
        timeout=LIMIT_S,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def build_image(commands: Path, warm_cache: Path, tmp_path: Path) -> Run:
    """Return `build_image(*arguments, cache=…, cwd=…, VARIABLE=…)`: the command as a process of its own."""

    def call(*arguments: object, cache: Path | None = None, cwd: Path | None = None, **variables: str) -> Done:
        command = [commands / "build-image", *arguments]
        return run(command, cache=cache or warm_cache, cwd=cwd or tmp_path, **variables)

    return call


@pytest.fixture
def cold_cache(warm_cache: Path, tmp_path: Path) -> Path:
    """A cache of its own with what the warm one has, but for unpacked layers: a test may damage it."""
    folder = tmp_path / "cold-cache"
    shutil.copytree(warm_cache, folder, ignore=shutil.ignore_patterns("trees", "tmp"))
    return folder


def write_function(
    folder: Path,
    code: str = HANDLER,
    *,
    events: Mapping[str, object] | None = None,
    expected: Mapping[str, object] | None = None,
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write a function's folder: app.py, its events with their answers, other files by their path."""
    given = {"app.py": code, **(files or {})}
    for name, event in (events if events is not None else {"ada": {"name": "Ada"}}).items():
        given[f"events/{name}.json"] = json.dumps(event)
    for name, answer in (expected or {}).items():
        given[f"events/expected/{name}.json"] = json.dumps(answer)
    for path, text in given.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def function(tmp_path: Path) -> Callable[..., Path]:
    """Return `function(code, name=…, events=…, expected=…, files=…)`: the folder of a small function."""

    def make(code: str = HANDLER, *, name: str = "hello", **parts: Mapping) -> Path:
        return write_function(tmp_path / name, code, **parts)

    return make


@pytest.fixture(scope="session")
def run_image(commands: Path) -> Callable[..., Path]:
    """Return `run_image(folder, code, cache, *options)`: builds a function's image, unproven, and gives its layout."""

    def make(folder: Path, code: str, cache: Path, *options: str) -> Path:
        source = write_function(folder / "fn", code, events={})
        output = folder / "image"
        command = [commands / "build-image", source, "-q", "--no-prove", "-o", f"oci:{output}", *options]
        done = run(command, cache=cache)
        assert done.code == 0, done.err
        return output

    return make


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory):
    """A real registry in plain HTTP, without authentication; tests share it under repositories of their own."""
    from tests.registries import registry as start  # noqa: PLC0415 - which imports this module

    with start(tmp_path_factory.mktemp("registry")) as running:
        yield running
