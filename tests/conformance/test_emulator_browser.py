"""A real browser opens the FastAPI example in function-URL mode and reads its page: Chromium, without a screen.

The page asks the API for its rows, so that what the browser shows came through the emulator twice.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conformance.test_emulator_rie import MAIN
from tests.conftest import unavailable
from tests.ready import ready_url

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.network

TOP = Path(__file__).resolve().parents[2]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
)  # fmt: skip


@pytest.fixture
def site(web_frameworks: str) -> Iterator[str]:
    """The URL of the example, run by our runtime."""
    folder = TOP / "examples/api"
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": web_frameworks, "LAMBDA_TASK_ROOT": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    runtime = [sys.executable, "-S", str(TOP / "bootstrap/__main__.py"), "app.app"]
    command = [sys.executable, "-S", str(MAIN), "--port", "0", "--http", "--timeout", "30", "--", *runtime]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        yield ready_url(process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def test_a_browser_reads_the_page(site: str, tmp_path: Path) -> None:
    """What it shows is what the page's script made of the API's answer."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        unavailable("no Chromium: scripts/engines installs it")
    done = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000", "--dump-dom", site],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    assert "<title>5 casks</title>" in done.stdout
    rows = re.findall(r"<tr><td>(\w+)</td><td>(\d+)</td></tr>", done.stdout)
    assert rows == [("pin", "36"), ("firkin", "72"), ("kilderkin", "144"), ("barrel", "288"), ("hogshead", "432")]
