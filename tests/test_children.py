"""What a function starts inside the image."""

import json

import pytest

pytestmark = pytest.mark.network

STARTS_PROGRAMS = """\
import subprocess
import sys


def handler(event, context):
    import_it = [sys.executable, "-c", "import charset_normalizer; print(charset_normalizer.__name__)"]
    outputs = (subprocess.run(command, capture_output=True, text=True) for command in (import_it, ["normalizer", "-h"]))
    return [(done.returncode, (done.stdout + done.stderr).split("\\n")[0][:18]) for done in outputs]
"""


def test_programs_that_a_function_starts_find_the_dependencies(function, build_image):
    """A child interpreter imports the function's packages, and console scripts are on PATH and work."""
    source = function(
        STARTS_PROGRAMS,
        files={"requirements.txt": "charset-normalizer==3.4.3\n"},
        events={"go": {}},
        expected={"go": [[0, "charset_normalizer"], [0, "usage: normalizer "]]},
    )
    done = build_image(source, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["proof"]["events"] == 1
