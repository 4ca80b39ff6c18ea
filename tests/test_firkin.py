"""`firkin run` and `firkin invoke` as their users meet them: a function is started, asked, and gone after Ctrl-C."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.agents import write_image_with_agent
from tests.conftest import run

CODE = """\
import os, time
import helper


def handler(event, context):
    if event == "fail":
        raise ValueError("as asked")
    if event == "hang":
        time.sleep(1000)
    if event == "exit":
        os._exit(3)
    print("its log", flush=True)
    return {"event": event, "uid": os.getuid(), "help": helper.TEXT, "secret": os.environ.get("MY_SECRET"),
            "region": os.environ["AWS_REGION"], "memory": context.memory_limit_in_mb}
"""
FILES = {"helper.py": "TEXT = 'é'\n"}


class Serving:
    """A running `firkin run`."""

    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        self.process = process
        self.log = log
        self.port = self._port()

    def _port(self) -> int:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = re.search(r"ready: (?:POST|open) http://127\.0\.0\.1:(\d+)/", self.log.read_text())
            if found:
                return int(found[1])
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.01)
        raise AssertionError(self.log.read_text())

    def end(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=30)


@pytest.fixture
def serve(commands: Path, warm_cache: Path, tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    """Return `serve(target, *arguments, VARIABLE=…)`, which starts `firkin run` on a free port."""
    started: list[Serving] = []

    def start(target: object, *arguments: str, **variables: str) -> Serving:
        log = tmp_path / f"log-{len(started)}"
        environment = {**os.environ, "BUILD_IMAGE_CACHE_DIR": str(warm_cache), **variables}
        with log.open("wb") as file:
            process = subprocess.Popen(
                [commands / "firkin", "run", str(target), "--port", "0", *arguments],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, cwd=tmp_path,
            )  # fmt: skip
        started.append(Serving(process, log))
        return started[-1]

    yield start
    for serving in started:
        serving.end(signal.SIGTERM)


@pytest.fixture
def invoke(commands: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Return `invoke(port, *arguments, stdin=…)`: `firkin invoke` to its end."""

    def call(port: int, *arguments: object, stdin: str = "") -> subprocess.CompletedProcess:
        command = [commands / "firkin", "invoke", *map(str, arguments), "--port", str(port)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)

    return call


def targets(build_image, source: Path) -> list[object]:
    done = build_image(source, "-q", "--no-prove", "-o", "oci:image", "-o", "tar:image.tar")
    assert done.code == 0, done.err
    return [source, "oci:image", "tar:image.tar"]


def test_the_runtimes_own_variables_reach_a_folders_function(function, serve, invoke):
    """How it serves several events at once is chosen by one, as docs/how-to has it."""
    code = "import threading\n\ndef handler(event, context):\n    return threading.current_thread().name\n"
    serving = serve(function(code), FIRKIN_CONCURRENCY="threads", AWS_LAMBDA_MAX_CONCURRENCY="2")
    assert json.loads(invoke(serving.port).stdout) != "MainThread"


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["folder", "oci", "tar"])
def test_a_folder_and_both_kinds_of_images_answer_the_same(build_image, function, serve, invoke, kind, tmp_path):
    target = targets(build_image, function(CODE, files=FILES))[kind]
    serving = serve(target, "--memory", "256", MY_SECRET="x", AWS_REGION="us-east-1")
    (tmp_path / "event.json").write_text('"from a file"')
    for arguments, stdin, event in (
        ((tmp_path / "event.json",), "", "from a file"),
        (("-",), '"from stdin"', "from stdin"),
        (('"as text"',), "", "as text"),
        ((), "", {}),
    ):
        done = invoke(serving.port, *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        uid = answer.pop("uid")
        assert answer == {"event": event, "help": "é", "secret": None, "region": "us-east-1", "memory": "256"}
        assert done.stderr == ""
    assert uid == (os.getuid() if kind == 0 else 12345)
    assert "its log" in serving.log.read_text()
    assert ("running oci:image in a" in serving.log.read_text()) == (kind == 1)


def test_a_function_error_is_printed_and_has_its_exit_code(function, serve, invoke):
    serving = serve(function(CODE, files=FILES), "--timeout", "1")
    for event, words in (
        ('"fail"', "as asked"),
        ('"hang"', "timed out after 1.00 seconds"),
        ('"exit"', "exit status 3"),
    ):
        done = invoke(serving.port, event)
        assert done.returncode == 11
        assert words in done.stdout
        assert done.stderr.startswith("error: the function answered with an error")
    assert invoke(serving.port).returncode == 0, "it is there again after a crash"


def test_the_url_that_run_prints_can_be_given_to_invoke(function, serve, commands):
    serving = serve(function())
    url = re.search(r"POST (\S+)", serving.log.read_text())[1]
    done = subprocess.run([commands / "firkin", "invoke", "--url", url], capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"hello": "nobody"})


def test_nobody_there_has_its_exit_code(invoke):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        done = invoke(unused.getsockname()[1])
    assert (done.returncode, done.stdout) == (12, "")
    assert "firkin run" in done.stderr


def test_an_event_that_is_none_is_refused(invoke):
    done = invoke(1, "no-such-file.json")
    assert (done.returncode, done.stdout) == (3, "")
    assert "neither a file nor JSON" in done.stderr


def children(pid: int) -> list[int]:
    """The processes below one, however deep."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *children(int(child))]
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("kind", [0, 1], ids=["folder", "oci"])
def test_ctrl_c_ends_it_and_leaves_no_process_and_no_file(
    build_image, function, serve, invoke, warm_cache, number, kind
):
    target = targets(build_image, function(CODE, files=FILES))[kind]
    before = set((warm_cache / "tmp").iterdir())
    serving = serve(target)
    assert invoke(serving.port).returncode == 0
    below = children(serving.process.pid)
    assert below
    assert serving.end(number) == 0
    assert [pid for pid in below if Path(f"/proc/{pid}").exists()] == []
    assert set((warm_cache / "tmp").iterdir()) == before
    assert "Traceback" not in serving.log.read_text()


def test_a_killed_run_takes_the_sandboxed_function_along(build_image, function, serve, invoke):
    """Nobody is there to clean up, so the kernel does: also a handler that is in the middle of something."""
    serving = serve(targets(build_image, function(CODE, files=FILES))[1])
    assert invoke(serving.port).returncode == 0
    below = children(serving.process.pid)
    serving.end(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in below) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [pid for pid in below if Path(f"/proc/{pid}").exists()] == []


def firkin(commands: Path, warm_cache: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "BUILD_IMAGE_CACHE_DIR": str(warm_cache), **variables}
    return subprocess.run(
        [commands / "firkin", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


def test_a_port_that_is_taken_is_a_usage_error_that_says_so(commands, warm_cache, function):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = firkin(commands, warm_cache, "run", function(), "--port", taken.getsockname()[1])
    assert done.returncode == 2
    assert "with --port or --host" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("target", "code", "words"),
    [
        ("nowhere", 3, "there is no folder"),
        ("oci:nowhere", 10, "reading oci:nowhere"),
        ("tar:nowhere", 10, "reading tar:nowhere"),
        ("oci:", 3, "neither oci:DIR nor tar:FILE"),
        ("docker:hello", 3, "docker run -p 8080:8080 hello"),
        ("ghcr.io/team/hello:1", 3, "docker run -p 8080:8080 ghcr.io/team/hello:1"),
    ],
)
def test_what_cannot_be_run_is_told(commands, warm_cache, target, code, words):
    done = firkin(commands, warm_cache, "run", target)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "fn/app.py"], 3, "Name the function's folder: fn;"),
        (["run", "oci:fn"], 3, "for a function's folder say fn."),
        (["run", "oci:fn", "--handler", "a.b"], 3, "for a function's folder say fn."),
        (["run", "tar:x", "--handler", "a.b"], 2, "--handler is about a function's folder; tar:x is an image"),
        (["run", "fn", "--host", ""], 2, "0.0.0.0 or :: for all of them"),
        (["run", "fn", "--cors", "*"], 2, "it needs --http"),
        (["run", "fn", "--port", "x"], 2, "Invalid value for '--port'"),
        (["run", "fn", "--host", "nosuch.invalid", "--port", "0"], 2, "listening on 'nosuch.invalid'"),
        (["run", "tar:image.tar", "--reload"], 10, "reading tar:image.tar"),
        (["invoke", "--url", "http://127.0.0.1:1", "--port", "1"], 2, "give one of them"),
        (["invoke", "--url", "127.0.0.1:1"], 12, "invoking http://127.0.0.1:1: "),
        (["invoke", "{'a': 1}"], 3, "double quotes"),
    ],
)
def test_what_newcomers_type(commands, warm_cache, function, tmp_path, arguments, code, words):
    function(name="fn")
    done = run([commands / "firkin", *arguments], cache=warm_cache, cwd=tmp_path)
    assert (done.code, done.out) == (code, ""), done.err
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_damaged_image_is_told(build_image, function, commands, warm_cache, tmp_path):
    source = function("def handler(event, context):\n    return 'never unpacked before'\n")
    build_image(source, "-q", "--no-prove", "-o", "oci:image")
    index = json.loads((tmp_path / "image/index.json").read_text())
    manifest = tmp_path / "image/blobs/sha256" / index["manifests"][0]["digest"].partition(":")[2]
    last = json.loads(manifest.read_text())["layers"][-1]["digest"].partition(":")[2]
    blob = tmp_path / "image/blobs/sha256" / last
    data = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    done = firkin(commands, warm_cache, "run", f"oci:{tmp_path}/image")
    assert done.returncode == 10, done.stderr
    assert "sha256:" in done.stderr


def test_build_is_build_image(commands, warm_cache, function, tmp_path, build_image):
    source = function()
    done = firkin(commands, warm_cache, "build", source, "-q", "-o", f"oci:{tmp_path}/one")
    assert done.returncode == 0, done.stderr
    assert done.stdout == build_image(source, "-q", "-o", "oci:two").out


def test_settings_of_the_function_come_from_the_builds_variables_and_table(
    commands, warm_cache, function, serve, invoke
):
    source = function(files={"other.py": "def handler(event, context):\n    return 'other'\n"})
    serving = serve(source, BUILD_IMAGE_HANDLER="other.handler")
    assert json.loads(invoke(serving.port).stdout) == "other"
    (source / "pyproject.toml").write_text('[tool.build-image]\nhandler = "other.handler"\ntag = "x"\n')
    assert json.loads(invoke(serve(source).port).stdout) == "other"
    done = firkin(commands, warm_cache, "run", source, BUILD_IMAGE_HANDLER="no.such")
    assert (done.returncode, "from the environment, BUILD_IMAGE_HANDLER" in done.stderr) == (4, True)


def test_an_image_without_its_kind_is_told_how_to_say_it(commands, warm_cache, tmp_path):
    """`firkin run dist/hello` of a layout or an archive: a sentence with the right spelling."""
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout/oci-layout").write_text("{}")
    (tmp_path / "image.tar").touch()
    for place, spelled in (("layout", "oci:layout"), ("image.tar", "tar:image.tar")):
        done = run([commands / "firkin", "run", place, "--port", "0"], cache=warm_cache, cwd=tmp_path)
        assert (done.code, spelled in done.err) == (3, True), done.err


def fetch(port: int, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    response = httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, trust_env=False, timeout=30)
    return response.status_code, response.content, response.headers


PAGE = """\
import os, time


def handler(event, context):
    time.sleep(float(event.get("queryStringParameters", {}).get("sleep", 0)))
    return {"statusCode": 200, "headers": {"content-type": "text/html"}, "body": f"<p>VERSION {os.getpid()}</p>"}
"""


def test_a_function_is_a_web_site(function, serve):
    """With --http a browser can open it, from other sites too if they may."""
    serving = serve(function(PAGE.replace("VERSION", "one")), "--http", "--cors", "*")
    status, body, headers = fetch(serving.port, "/", Origin="https://a.example")
    assert (status, body[:6], headers["content-type"]) == (200, b"<p>one", "text/html")
    assert headers["access-control-allow-origin"] == "*"
    assert serving.end() == 0


def test_an_edit_is_found_by_the_next_event(function, serve):
    """With --reload, while the event under way is finished by the old code."""
    source = function(PAGE.replace("VERSION", "one"))
    serving = serve(source, "--http", "--reload", "--timeout", "30")
    assert fetch(serving.port, "/")[1].startswith(b"<p>one")
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(fetch, serving.port, "/?sleep=3")
        time.sleep(0.3)
        (source / "app.py").write_text(PAGE.replace("VERSION", "two"))
        (source / "requirements.txt").write_text("")
        deadline = time.monotonic() + 30
        while not fetch(serving.port, "/")[1].startswith(b"<p>two"):
            assert time.monotonic() < deadline, serving.log.read_text()
        assert not slow.done()
        assert slow.result()[1].startswith(b"<p>one")
    said = serving.log.read_text()
    assert "changed: app.py, requirements.txt; the next event finds it. To install what requirements.txt says" in said


def test_an_edit_that_does_not_work_is_seen_at_once_and_mended_by_the_next(function, serve):
    """Without waiting for an event."""
    source = function(PAGE.replace("VERSION", "one"))
    serving = serve(source, "--http", "--reload")
    assert fetch(serving.port, "/")[0] == 200
    (source / "app.py").write_text("import nothing_of_that_name\n")
    deadline = time.monotonic() + 30
    while "nothing_of_that_name" not in serving.log.read_text():
        assert time.monotonic() < deadline, serving.log.read_text()
        time.sleep(0.02)
    assert fetch(serving.port, "/")[0] == 502
    (source / "app.py").write_text(PAGE.replace("VERSION", "two"))
    while fetch(serving.port, "/")[0] != 200:
        assert time.monotonic() < deadline, serving.log.read_text()


def test_what_run_cannot_do(commands, warm_cache, function, build_image, tmp_path):
    """An image has no files to watch, and the Invoke API no browsers."""
    done = build_image(function(), "-q", "--no-prove", "-o", "oci:image")
    assert done.code == 0, done.err
    done = firkin(commands, warm_cache, "run", f"oci:{tmp_path}/image", "--reload")
    assert (done.returncode, "--reload needs a function's folder" in done.stderr) == (2, True)
    done = firkin(commands, warm_cache, "run", function(), "--cors", "*")
    assert (done.returncode, "--cors: it needs --http" in done.stderr) == (2, True)


def test_extensions_of_an_image_are_started(run_image, warm_cache, serve, invoke, tmp_path):
    """And it says so; an option leaves them out."""
    plain = run_image(tmp_path, CODE.replace("import helper", ""), warm_cache, "--trim", "safe")  # the agent needs more
    image = write_image_with_agent(plain, tmp_path / "more")
    serving = serve(f"oci:{image}")
    assert invoke(serving.port, '"fail"').returncode == 11
    assert serving.end() == 0
    said = serving.log.read_text()
    assert "with its extensions (agent); --no-extensions leaves them out" in said
    assert re.findall(r"^agent 12345 / True (\w+)$", said, re.MULTILINE) == ["INVOKE", "SHUTDOWN"]
    serving = serve(f"oci:{image}", "--no-extensions")
    assert invoke(serving.port, '"fail"').returncode == 11
    assert "agent" not in serving.log.read_text()
