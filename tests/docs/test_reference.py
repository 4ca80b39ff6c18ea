"""The generated parts of the reference are those that the code gives."""

import runpy
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
REFERENCE = runpy.run_path(str(TOP / "scripts" / "reference.py"))


@pytest.mark.parametrize("page", sorted(REFERENCE["PARTS"]))
def test_generated_parts_are_up_to_date(page):
    """After a change of options, exit codes or trim rules somebody has run scripts/reference.py."""
    assert (TOP / "docs" / "reference" / page).read_text() == REFERENCE["rendered"](page)
