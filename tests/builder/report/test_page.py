"""`--report`: one build on one page."""

import json
import re
import shutil
import subprocess

import pytest

from builder.errors import OutputError
from builder.plan import Plan, PlannedFile, PlannedLayer
from builder.report import check_report, write_report
from builder.report.compare import Build
from builder.report.import_time import ImportTime
from builder.report.observe import Facts
from builder.report.page import render_html
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

FACTS = Facts(
    files=({"var/lang/bin/python3.11": 5_000_000}, {"var/task/<b>.py": 100}),
    imports=(ImportTime("json.decoder", 1500, 1500, 1), ImportTime("json", 400, 1900, 0)),
    before=Build("hello@sha256:1", {"interpreter": 4_000_000}, {"var/lang/bin/python3.11": 6_000_000, "gone.py": 5}),
)

# What keeps a browser from asking the network for itself.
QUIET = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def test_the_page_tells_what_the_build_knows():
    """Layers with their sizes, events with their times, steps, what was left out and why, the largest files."""
    page = render_html(RESULT, PLAN, FACTS)
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


def test_the_page_compares_with_the_last_report():
    """By layer, and the files that made the difference, the largest first."""
    page = render_html(RESULT, PLAN, FACTS)
    assert "+1.000 MB" in page
    assert page.index("-1,000,000 bytes") < page.index("/gone.py (gone)")


def test_without_a_last_report_and_without_a_run_the_page_is_shorter():
    """No empty headings."""
    page = render_html(RESULT, PLAN, Facts(FACTS.files, (), None))
    assert "Since the last report" not in page
    assert "What the start imports" not in page


def test_names_and_warnings_cannot_add_markup():
    """What comes from the project is shown as text."""
    page = render_html(RESULT, PLAN, FACTS)
    assert "<script" not in page
    assert "var/task/&lt;b&gt;.py" in page


def test_the_page_loads_nothing():
    """It can be kept and mailed: no address, no other file."""
    assert not re.search(r"(?:src|href)=|url\(|@import|https?://", render_html(RESULT, PLAN, FACTS))


def test_json_is_what_json_prints(tmp_path):
    """FILE.json holds the object of --json, import times and the comparison with the last report."""
    write_report(tmp_path / "new" / "report.json", RESULT, PLAN, FACTS)
    value = json.loads((tmp_path / "new" / "report.json").read_bytes())
    assert RESULT.items() <= value.items()
    assert [one["module"] for one in value["imports"]] == ["json.decoder", "json"]
    assert [(one["name"], one["before"], one["after"]) for one in value["changes"]["layers"]] == [
        ("interpreter", 4_000_000, 5_000_000),
        ("function", None, 100),
    ]


def test_a_report_is_written_whole_or_not_at_all(tmp_path):
    """Where it cannot be written, nothing is left beside it."""
    (tmp_path / "report.html").mkdir()
    (tmp_path / "report.html" / "x").touch()
    with pytest.raises(OutputError, match="writing the report"):
        write_report(tmp_path / "report.html", RESULT, PLAN, FACTS)
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
    done = build_image(function(), "--report", tmp_path / "report.html", "--json", "--trim", "safe")
    assert done.code == 0, done.err
    page = (tmp_path / "report.html").read_text()
    assert json.loads(done.out)["image"] in page
    assert '<td class="path">_lambda_runtime.start</td>' in page, "import times, of the image itself"
    assert "/libc.so.6: " in page, "files in the picture"
    build_image(function(), "--report", tmp_path / "report.html", "--trim", "safe", "--drop", "smtplib.py")
    assert "/smtplib.py (gone)" in (tmp_path / "report.html").read_text()


def test_a_browser_shows_the_page(tmp_path):
    """Headless chromium renders it, each layer as a bar as wide as its share."""
    chromium = shutil.which("chromium")
    if chromium is None:
        unavailable("chromium is not installed: scripts/engines installs it")
    page = tmp_path / "report.html"
    page.write_text(render_html(RESULT, PLAN, FACTS))
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
        write_report(file, {"image": "a", "config_digest": "b", **RESULT}, PLAN, FACTS)
    assert file.stat().st_size > 100
