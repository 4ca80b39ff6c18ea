"""Every example answers its sample events exactly, with the releases it pins and nothing else installed.

The examples are the first code a newcomer copies, and the functions the builder is shown with. Each handler
runs in an interpreter of its own, isolated from this environment (`-I -S`), with only its requirements and
its folder on the path, as in an image; a web application is run by the runtime, under the emulator.
Nothing here imports an example or writes into its folder.
"""

import asyncio
import base64
import functools
import hashlib
import json
import re
import struct
import subprocess
import sys
import tomllib
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import uv
from packaging.requirements import Requirement

from emulator import Emulator, Settings

TOP = Path(__file__).parents[2]
ROOT = TOP / "examples"
EXAMPLES = ["api", "csv-report", "hello", "thumbnail"]
PINNED = [name for name in EXAMPLES if (ROOT / name / "requirements.txt").exists()]
EVENTS = sorted(path for name in EXAMPLES for path in (ROOT / name / "events").glob("*.json"))
HTTP_EVENTS = [path for path in EVENTS if '"rawPath"' in path.read_text(encoding="utf-8")]
S3_EVENTS = [path for path in EVENTS if '"Records"' in path.read_text(encoding="utf-8")]

# argv: the folders to import from, the function's last; stdin: the event; stdout: the answer, as strict JSON.
CALL = """
import json, sys
sys.path[:0] = reversed(sys.argv[1:])
from app import handler
answer = handler(json.load(sys.stdin.buffer), None)
sys.stdout.buffer.write(json.dumps(answer, allow_nan=False).encode())
"""

Invoke = Callable[[str, object], subprocess.CompletedProcess[bytes]]


def load(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def event(name: str):
    """Load the sample event called `example/event`."""
    example, stem = name.split("/")
    return load(ROOT / example / "events" / f"{stem}.json")


def label(path: Path) -> str:
    return f"{path.parents[1].name}/{path.stem}"


def case(name: str, *values: object, of: str):
    """Make a row `name` of a table; the rows of one example share a worker, so that it installs once."""
    network = [pytest.mark.network] if of in PINNED else []
    return pytest.param(of, *values, id=name, marks=[pytest.mark.xdist_group(f"example-{of}"), *network])


def install(name: str, target: Path) -> None:
    """Install the example's requirements into the folder, as wheels; uv's cache makes it quick."""
    uv_install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"]
    source = ["--requirements", str(ROOT / name / "requirements.txt")]
    command = [*uv_install, *source, "--python", sys.executable, "--target", str(target)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr


def web_application(name: str) -> str | None:
    """The handler that pyproject.toml names, if it is no function called `handler`."""
    file = ROOT / name / "pyproject.toml"
    table = tomllib.loads(file.read_text()) if file.exists() else {}
    return table.get("tool", {}).get("build-image", {}).get("handler")


def run_under_the_emulator(name: str, handler: str, target: Path, data: bytes) -> subprocess.CompletedProcess[bytes]:
    """One call of a web application by our runtime."""
    command = [sys.executable, "-S", str(TOP / "bootstrap/__main__.py"), handler]
    environment = {
        "PATH": "/usr/bin", "PYTHONPATH": str(target), "LAMBDA_TASK_ROOT": str(ROOT / name),
        "PYTHONPYCACHEPREFIX": f"{target}/.pycache",
    }  # fmt: skip

    async def story() -> subprocess.CompletedProcess[bytes]:
        async with Emulator(Settings(command, environment, cwd=str(ROOT / name), timeout_s=60)) as emulator:
            outcome = await emulator.invoke(data)
        code = 0 if outcome.function_error is None else 1
        return subprocess.CompletedProcess(command, code, outcome.payload, outcome.log)

    return asyncio.run(story())


@pytest.fixture(scope="session")
def invoke(tmp_path_factory: pytest.TempPathFactory) -> Invoke:
    """Return `invoke(example, event)`: one call in a fresh interpreter, installing what it needs before."""

    @functools.cache
    def dependencies(name: str) -> Path:
        target = tmp_path_factory.mktemp(name)
        if name in PINNED:
            install(name, target)
        return target

    def call(name: str, event: object) -> subprocess.CompletedProcess[bytes]:
        target = dependencies(name)
        handler = web_application(name)
        if handler is not None:
            return run_under_the_emulator(name, handler, target, json.dumps(event).encode())
        python = [sys.executable, "-I", "-S", "-X", f"pycache_prefix={target}/.pycache", "-c", CALL]
        command = [*python, str(target), str(ROOT / name)]
        data = json.dumps(event).encode()
        return subprocess.run(command, input=data, check=False, capture_output=True, env={}, timeout=60)

    return call


# --- the answers ---


@pytest.mark.parametrize(("name", "path"), [case(label(path), path, of=path.parents[1].name) for path in EVENTS])
def test_an_event_gets_its_expected_answer(invoke: Invoke, name: str, path: Path):
    """The handler's answer equals events/expected/NAME.json as a JSON value."""
    done = invoke(name, load(path))
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == load(path.parent / "expected" / path.name)


def png(*chunks: bytes) -> bytes:
    """Frame chunks, each its type and its data, as a PNG file."""
    framed = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def png_of(width: int, height: int) -> bytes:
    """Build a PNG that claims so many pixels and holds none: its data unpacks to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png(b"IHDR" + header, b"IDAT" + zlib.compress(b""), b"IEND")


def png_event(data: bytes | None = None, *, size: str = "24"):
    """Change the image or the size in the sample request."""
    sample = event("thumbnail/png")
    body = sample["body"] if data is None else base64.b64encode(data).decode()
    return sample | {"body": body, "queryStringParameters": {"size": size}}


@pytest.mark.parametrize(
    ("name", "request_event", "reason"),
    [
        case("large", png_event(png_of(5_000, 5_000)), "more than 24000000 pixels", of="thumbnail"),
        case("bomb", png_event(png_of(60_000, 60_000)), "more than 24000000 pixels", of="thumbnail"),
        case("no pixels", png_event(png_of(8, 8)), "not a complete JPEG or PNG", of="thumbnail"),
        case("cut header", png_event(png_of(8, 8)[:20]), "not a complete JPEG or PNG", of="thumbnail"),
        case("short header", png_event(png(b"IHDR12345")), "not a complete JPEG or PNG", of="thumbnail"),
        case("empty", png_event(b""), "not a complete JPEG or PNG", of="thumbnail"),
        case("size 0", png_event(size="0"), "size is '0'", of="thumbnail"),
        case("not ASCII", png_event(size="²"), "size is '²'", of="thumbnail"),
        case("5,000 digits", png_event(size="9" * 5_000), "size is '999", of="thumbnail"),
    ],
)
def test_the_thumbnail_refuses_what_it_cannot_serve(invoke: Invoke, name: str, request_event, reason: str):
    """Bad images, decompression bombs and bad sizes are the sender's mistake: 400 and a reason, no crash."""
    done = invoke(name, request_event)
    assert done.returncode == 0, done.stderr.decode()
    answer = json.loads(done.stdout)
    assert answer["statusCode"] == 400
    assert reason in json.loads(answer["body"])["message"]


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        case("part of a cent", "1,2026-01-05,EU,x,1,1.005", "has more than two decimals", of="csv-report"),
        case("no units", "1,2026-01-05,EU,x,,1.00", "ValueError", of="csv-report"),
        case("other date", "1,05.01.2026,EU,x,1,1.00", "doesn't match format", of="csv-report"),
    ],
)
def test_the_report_refuses_cells_it_would_have_to_guess(invoke: Invoke, name: str, row: str, reason: str):
    """A cell that does not parse fails the invocation: no wrong sum is ever reported."""
    notification = event("csv-report/object-created")
    header = notification["Records"][0]["content"].splitlines()[0]
    notification["Records"][0]["content"] = f"{header}\n{row}\n"
    done = invoke(name, notification)
    assert done.returncode == 1
    assert reason in done.stderr.decode()


# --- the folders ---


def test_every_example_is_tested():
    """A new folder under examples/ enters the tests by its name here."""
    assert sorted(path.parent.name for path in ROOT.glob("*/app.py")) == EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_events_and_expected_answers_pair_up(name: str):
    """Every example has events, every event an expected answer, and no answer lacks its event."""
    folder = ROOT / name / "events"
    events = {path.name for path in folder.glob("*.json")}
    assert events
    assert events == {path.name for path in (folder / "expected").iterdir()}


@pytest.mark.parametrize("name", PINNED)
def test_requirements_are_pinned_hashed_and_name_no_index(name: str):
    """requirements.txt installs the same bytes for everyone, from whichever index they use."""
    text = (ROOT / name / "requirements.txt").read_text()
    statements = re.sub(r"#.*|\\\n", "", text).split("\n")
    for statement in filter(None, map(str.strip, statements)):
        assert re.match(r"[a-z0-9-]+==\S+( ; [^-]+)?(\s+--hash=sha256:[0-9a-f]{64})+$", statement), statement
    assert "://" not in text


@pytest.mark.parametrize("name", PINNED)
def test_requirements_satisfy_the_pyproject(name: str):
    """What pyproject.toml asks for is what requirements.txt pins: neither was edited without the other."""
    project = tomllib.loads((ROOT / name / "pyproject.toml").read_text())["project"]
    locked = (ROOT / name / "requirements.txt").read_text()
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", locked, re.MULTILINE))
    for wanted in map(Requirement, project["dependencies"]):
        assert wanted.specifier.contains(pins[wanted.name])


# --- the events ---


@pytest.mark.parametrize("path", HTTP_EVENTS, ids=label)
def test_an_http_event_is_what_api_gateway_sends(path: Path):
    """Payload format 2.0: fields agree with each other, as they do in an event that the gateway made.

    Source: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs".
    """
    sample = load(path)
    context = sample["requestContext"]
    body = sample.get("body", "")
    data = base64.b64decode(body, validate=True) if sample["isBase64Encoded"] else body.encode()
    assert sample["version"] == "2.0"
    assert sample["rawPath"] == context["http"]["path"]
    assert sample["routeKey"] == context["routeKey"]
    assert sample["rawQueryString"] == urlencode(sample.get("queryStringParameters", {}))
    assert sample["headers"].get("content-length", "0") == str(len(data))
    assert sample["headers"]["host"] == context["domainName"]
    assert all(name == name.lower() for name in sample["headers"])
    moment = datetime.fromtimestamp(context["timeEpoch"] // 1000, UTC)
    assert context["time"] == moment.strftime("%d/%b/%Y:%H:%M:%S +0000")


@pytest.mark.parametrize("path", S3_EVENTS, ids=label)
def test_an_s3_event_describes_the_content_it_carries(path: Path):
    """The object's size and eTag (MD5, as for an upload in one part) are those of the added `content`.

    Source: Amazon S3 user guide, "Event message structure", version 2.1.
    """
    for record in load(path)["Records"]:
        described, data = record["s3"]["object"], record["content"].encode()
        assert record["eventVersion"] == "2.1"
        assert described["size"] == len(data)
        assert described["eTag"] == hashlib.md5(data, usedforsecurity=False).hexdigest()
        assert datetime.fromisoformat(record["eventTime"]).utcoffset() == timedelta(0)
