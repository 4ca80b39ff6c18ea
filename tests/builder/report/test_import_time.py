"""Python's account of imports, as Python writes it and among other lines."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from builder.report.import_time import ImportTime, parse_import_times, slowest, total_us

LOG = """\
import time: self [us] | cumulative | imported package
import time:       100 |        100 |   json.scanner
hello from the function
import time:        50 |        150 | json
import time:       200 |        200 | re
"""


def test_modules_are_read_in_their_order_with_their_depth():
    """Other lines are passed over, the heading too."""
    times = parse_import_times(LOG)
    assert times == (
        ImportTime("json.scanner", 100, 100, 1),
        ImportTime("json", 50, 150, 0),
        ImportTime("re", 200, 200, 0),
    )
    assert total_us(times) == 350
    assert [one.module for one in slowest(times, 2)] == ["re", "json.scanner"]


def test_this_python_writes_what_is_read():
    """The real thing: json's modules are there, and json's time holds theirs."""
    done = subprocess.run(
        [sys.executable, "-S", "-X", "importtime", "-c", "import json"], capture_output=True, text=True, check=True
    )
    times = {one.module: one for one in parse_import_times(done.stderr)}
    assert times["json"].depth == 0
    assert times["json.decoder"].depth == 1
    assert times["json"].cumulative_us >= times["json.decoder"].cumulative_us


@given(st.text(max_size=300))
def test_any_log_can_be_read(text):
    """A function may write anything."""
    parse_import_times(text + "\nimport time: " + text)
