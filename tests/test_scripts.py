"""The scripts people run first."""

import os
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[1]


def test_the_demo_shows_response_digest_sizes_and_times(tmp_path):
    """scripts/demo builds, starts and invokes the hello example, and prints what the README promises."""
    done = subprocess.run(
        [TOP / "scripts" / "demo"], env=os.environ | {"BUILD_IMAGE_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'response  {"greeting": "Hello, Zo\\u00eb!"}' in done.stdout
    assert re.search(r"image     hello@sha256:[0-9a-f]{64}", done.stdout)
    assert re.findall(r"(?m)^(set up|build and prove the image|start the image|send it an event) +\d+ ms", done.stdout)
    assert re.search(r"(?m)^interpreter +\d+ +[\d.]+ MB +[\d.]+ MB +[\d.]+ s", done.stderr)
    assert "proven: 2 events" in done.stderr


def test_scripts_are_short():
    """A chore is a handful of commands; what needs more is a program."""
    lines = {
        name: sum(1 for line in (TOP / "scripts" / name).read_text().splitlines() if line and not line.startswith("#"))
        for name in ("setup", "lint", "test", "bench", "demo")
    }
    assert {name: count for name, count in lines.items() if count > 20} == {}
