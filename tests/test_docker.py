"""The images against an independent container engine: run as strangers, they answer as their events expect.

Everything is loaded from this machine; nothing is pulled.
"""

import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from builder.invoke import endpoint
from builder.patterns import Patterns
from builder.prove.proof import same_json

pytestmark = pytest.mark.docker

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ["api", "csv-report", "hello", "thumbnail"]
CONFINED = ("--rm", "--read-only", "--tmpfs", "/tmp", "--user", "12345", "--cap-drop", "ALL")


@contextmanager
def running(docker: Callable[..., str], image: str) -> Iterator[str]:
    """The URL of a container that is as confined as a container can be."""
    container = docker("run", "--detach", *CONFINED, "--publish", "127.0.0.1::8080", image).strip()
    try:
        port = docker("port", container, "8080").strip().rpartition(":")[2]
        yield f"http://127.0.0.1:{port}"
    except httpx.HTTPError as error:
        raise AssertionError(f"{error}; its log: {docker('logs', container)}") from error
    finally:
        docker("kill", container)


def post(url: str, body: bytes) -> httpx.Response:
    """Send an event, once the container listens."""
    deadline = time.monotonic() + 30
    with httpx.Client(trust_env=False, timeout=30) as client:
        while True:
            try:
                return client.post(endpoint(url), content=body)
            except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def answers(url: str, example: str) -> dict[str, tuple[int, bool]]:
    """For each event: the status, and whether the answer is the expected one."""
    found = {}
    for file in sorted((EXAMPLES / example / "events").glob("*.json")):
        response = post(url, file.read_bytes())
        expected = json.loads((file.parent / "expected" / file.name).read_bytes())
        found[file.stem] = (response.status_code, same_json(response.json(), expected) or response.text)
    return found


def right(example: str) -> dict[str, tuple[int, bool]]:
    return {file.stem: (200, True) for file in (EXAMPLES / example / "events").glob("*.json")}


@pytest.fixture
def built(build_image, docker, request) -> Iterator[Callable[..., dict]]:
    """Return `built(example, *outputs)`, which builds an example and gives what --json says; its image is removed."""
    references: list[str] = []

    def build(example: str, *outputs: str) -> dict:
        tag = f"firkin-test-{os.getpid()}/{example}:{len(references)}"
        references.append(tag)
        asked = [part for output in outputs for part in ("-o", output)]
        done = build_image(EXAMPLES / example, "-q", "--json", "-t", tag, *asked)
        assert done.code == 0, done.err
        return json.loads(done.out)

    yield build
    for tag in references:
        if docker("images", "--quiet", tag).strip():
            docker("rmi", "--force", tag)


def example(name: str):
    """A row for an example; its dependencies come from the package index, once for each worker."""
    marks = [] if name == "hello" else [pytest.mark.network]
    return pytest.param(name, marks=[*marks, pytest.mark.xdist_group("docker")])


@pytest.mark.parametrize("name", [example(name) for name in NAMES])
def test_an_example_answers_in_the_engine_as_expected(built, docker, name):
    """Read-only, as some uid, without capabilities."""
    result = built(name, "docker")
    image = docker("image", "inspect", "--format", "{{.Id}}", result["reference"]).strip()
    assert image in {result["config_digest"], result["digest"]}
    with running(docker, result["reference"]) as url:
        assert answers(url, name) == right(name)


@pytest.mark.xdist_group("docker")
def test_the_tar_file_loads_and_answers(built, docker, tmp_path):
    result = built("hello", f"tar:{tmp_path}/image.tar")
    assert result["reference"] in docker("load", "--input", f"{tmp_path}/image.tar")
    with running(docker, result["reference"]) as url:
        assert answers(url, "hello") == right("hello")


@pytest.mark.xdist_group("docker")
def test_a_load_replaces_what_had_the_name(build_image, function, docker):
    source = function()
    tag = f"firkin-test-{os.getpid()}/again"
    try:
        first = json.loads(build_image(source, "-q", "--json", "-t", tag, "--load").out)
        (source / "app.py").write_text("def handler(event, context):\n    return 1\n")
        second = json.loads(build_image(source, "-q", "--json", "-t", tag, "--load").out)
        found = docker("image", "inspect", "--format", "{{.Id}}", tag).strip()
        assert found in {second["config_digest"], second["digest"]}
        assert first["config_digest"] != second["config_digest"]
        docker("rmi", "--force", first["config_digest"])
    finally:
        docker("rmi", "--force", tag)


def test_no_engine_has_its_exit_code_and_an_advice(build_image, function):
    done = build_image(function(), "-o", "docker", DOCKER_HOST="unix:///nowhere.sock")
    assert (done.code, done.out) == (9, "")
    assert "reaching the Docker Engine at unix:///nowhere.sock: No such file or directory\n" in done.err
    assert "tar:FILE" in done.err


# --- .dockerignore: what `docker build` copies is what we ship ---

# One thing is left out, on which engines differ: whether an exception that begins with a wildcard is looked for in
# folders that are ignored. Docker 20.10 does not; newer BuildKits do (onlyPrefixExcludeExceptions in fsutil's
# filter.go), and so do we: ["*", "!**/*.md"] keeps other/README.md.

FILES = (
    "a", "a.log", "b.log", ".hidden", "README.md", "with space", "[x]", "x", "#hash", "!bang", "back\\slash", "é.txt",
    "dir/a", "dir/a.log", "dir/.hidden", "dir/sub/a", "dir/sub/a.log", "dir/sub/deep/a", "dir/sub/deep/b.log",
    "other/a", "other/sub/a.log", "other/README.md", "a.d/x", "a.d/y.log", "ab", "abc", "a-b", "A",
)  # fmt: skip

IGNORED = (
    ["a"], ["/a"], ["./a"], ["a/"], ["dir"], ["dir/"], ["/dir/"], ["dir/*"], ["dir/**"], ["*"], ["**"], ["*.log"],
    ["**/*.log"], ["**/a"], ["*/a"], ["*/*/a"], ["dir/**/a"], ["**/sub"], ["**/sub/**"], ["a?"], ["?"], ["[ab]"],
    ["[a-c]"], ["[^a]"], ["a[!b]"], ["\\[x\\]"], ["[[]x]"], ["\\#hash"], ["#hash"], ["\\!bang"], ["!bang"],
    ["with space"],
    ["  a  "], ["", "a", ""], [".*"], ["**/.*"], ["*", "!a"], ["*", "!dir"], ["*", "!dir/sub/a"], ["dir", "!dir/sub"],
    ["**/*.log", "!dir/**/*.log"], ["!a", "a"], ["a", "!a", "a"], ["dir/sub/..", "!dir/a"],
    ["dir//sub"], ["dir/./sub"], ["A"], ["é*"], ["a.d"], ["a.*"], ["back\\\\slash"], ["*", "!*"], ["**/**"],
    ["dir/**/"],
    ["a**"], ["**a"], ["d**r/a"], ["dir/s*b/**/a"], ["*/**/a.log"], ["! a", "*"], ["*", "! a"], ["\ufeffa"],
)  # fmt: skip


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("context")
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY . /\nCMD ["/x"]\n')
    return folder


def copied(docker: Callable[..., str], context: Path) -> set[str] | str:
    """The files that the engine copies, or its complaint."""
    try:
        image = docker("build", "--no-cache", "--quiet", str(context)).strip()
    except AssertionError as error:
        return str(error)
    container = docker("create", image).strip()
    try:
        archive = context.parent / f"{os.getpid()}.tar"
        docker("export", "--output", str(archive), container)
        with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
            return {member.name for member in tar if member.isfile()} & set(FILES)
    finally:
        docker("rm", container)
        docker("rmi", "--force", image)


@pytest.mark.xdist_group("dockerignore")
@pytest.mark.parametrize("lines", IGNORED, ids=" | ".join)
def test_dockerignore_means_what_docker_build_takes_it_for(docker, context, lines):
    (context / ".dockerignore").write_text("\n".join(lines) + "\n", encoding="utf-8")
    wanted = copied(docker, context)
    patterns = Patterns((context / ".dockerignore").read_text(encoding="utf-8-sig").splitlines())
    assert {name for name in FILES if not patterns.match(name)} == wanted
