"""`--report`: one build on one page."""

import json
import re
import shutil
import subprocess

import pytest

from builder.errors import OutputError
from builder.plan import Plan, PlannedFile, PlannedLayer
from builder.report import check_report, render_html, write_report
from tests.conftest import unavailable

PYTHON = PlannedFile("var/lang/bin/python3.11", "/x", "the interpreter", size=5_000_000)
PLAN = Plan(
    layers=(
        PlannedLayer("interpreter", (PYTHON,), {"a": "tests", "b": "tests"}),
        PlannedLayer("function", (PlannedFile("var/task/<b>.py", "/y", "the function", size=100),)),
    ),
    architecture="amd64",
    python="python3.11",
    handler="app.handler",
    environment={},
)

LOWER = {"name": "interpreter", "files": 1, "size": 5_000_000, "size_uncompressed": 9_000_000, "cached": True}
UPPER = {"name": "function", "files": 1, "size": 100, "size_uncompressed": 200, "cached": False}
RESULT = {
    "image": "hello@sha256:" + "0" * 64,
    "digest": "sha256:" + "0" * 64,
    "reference": "hello:latest",
    "architecture": "amd64",
    "python": "3.11.7",
    "handler": "app.handler",
    "size": 5_000_100,
    "layers": [LOWER | {"digest": "sha256:1"}, UPPER | {"digest": "sha256:2"}],
    "proof": {
        "method": "namespace",
        "events": 1,
        "answers": [{"event": "ada", "duration_ms": 1.5, "init_ms": 20.25, "max_memory_mb": 12}],
    },
    "steps": [{"name": "prove", "seconds": 0.25}],
    "warnings": ["<script>alert(1)</script>"],
}

# What keeps a browser from asking the network for itself.
QUIET = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def test_the_page_tells_what_the_build_knows():
    """Layers with their sizes, events with their times, steps, what was left out and why, the largest files."""
    page = render_html(RESULT, PLAN)
    for text in (
        "hello:latest",
        "5.00 MB",
        "interpreter (from the cache)",
        "20.25 ms",
        "12 MB",
        "0.25 s",
        "/var/lang/bin/python3.11",
    ):
        assert text in page
    assert re.search(r"<td>tests</td><td class=\"figure\">2</td>", page)


def test_names_and_warnings_cannot_add_markup():
    """What comes from the project is shown as text."""
    page = render_html(RESULT, PLAN)
    assert "<script" not in page
    assert "var/task/&lt;b&gt;.py" in page


def test_the_page_loads_nothing():
    """It can be kept and mailed: no address, no other file."""
    assert not re.search(r"(?:src|href)=|url\(|@import|https?://", render_html(RESULT, PLAN))


def test_json_is_what_json_prints(tmp_path):
    """FILE.json holds the object of --json."""
    write_report(tmp_path / "new" / "report.json", RESULT, PLAN)
    assert json.loads((tmp_path / "new" / "report.json").read_bytes()) == RESULT


def test_a_report_is_written_whole_or_not_at_all(tmp_path):
    """Where it cannot be written, nothing is left beside it."""
    (tmp_path / "report.html").mkdir()
    (tmp_path / "report.html" / "x").touch()
    with pytest.raises(OutputError, match="writing the report"):
        write_report(tmp_path / "report.html", RESULT, PLAN)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_another_ending_is_refused_before_the_build(build_image, function, tmp_path):
    """.html or .json; anything else is exit code 8, and nothing is built."""
    with pytest.raises(OutputError, match=r"report\.txt.*neither \.html nor \.json"):
        check_report(tmp_path / "report.txt")
    done = build_image(function(), "--report", tmp_path / "report.txt")
    assert (done.code, done.out) == (8, "")
    assert not (tmp_path / "dist").exists()


def test_a_build_writes_its_report(build_image, function, tmp_path):
    """--report beside the outputs, with the numbers of that build."""
    done = build_image(function(), "--report", tmp_path / "report.html", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["image"] in (tmp_path / "report.html").read_text()


def test_a_browser_shows_the_page(tmp_path):
    """Headless chromium renders it, each layer as a bar as wide as its share."""
    chromium = shutil.which("chromium")
    if chromium is None:
        unavailable("chromium is not installed: scripts/engines installs it")
    page = tmp_path / "report.html"
    page.write_text(render_html(RESULT, PLAN))
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", *QUIET, profile, "--dump-dom", f"file://{page}"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "<h2>Layers</h2>" in done.stdout
    assert "width: 99.998%" in done.stdout


@pytest.mark.parametrize("name", ["report.html", "report.json"])
def test_somebody_elses_file_is_not_replaced_and_an_earlier_report_is(tmp_path, name):
    """A data file named by mistake stays as it is."""
    file = tmp_path / name
    file.write_text('{"name": "Ada"}')
    with pytest.raises(OutputError, match="another file is there"):
        check_report(file)
    file.unlink()
    for _ in range(2):
        write_report(file, {"image": "a", "config_digest": "b", **RESULT}, PLAN)
    assert file.stat().st_size > 100
