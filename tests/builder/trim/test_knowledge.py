"""The knowledge: rows of tables, each with a reason."""

import pytest

from builder.errors import BuilderError
from builder.trim.knowledge import matches, parse_rows, read_knowledge
from builder.trim.version import readers_digest, trimming_digest


def test_every_row_that_ships_is_well_formed():
    """All files are read; each row has its reason and something to act on."""
    rows = read_knowledge()
    assert len({row.origin for row in rows}) > 5
    for row in rows:
        assert row.why
        assert row.modules or row.files or row.when, row
        assert row.kind != "waits" or row.asks, row


@pytest.mark.parametrize(
    "text",
    [
        '[[unknown]]\nmodules = ["a"]\nwhy = "x"',
        '[[reaches]]\nmodules = ["a"]',
        '[[reaches]]\nmodul = ["a"]\nwhy = "x"',
    ],
)
def test_a_row_that_is_none_is_told_by_file_and_number(text: str):
    """What the row must be, and where it stands."""
    with pytest.raises(BuilderError, match=r"reading x\.toml: row 1 of \[\[") as caught:
        parse_rows(text, "x.toml")
    assert "trimming-knowledge.md" in caught.value.hint


def test_patterns_of_modules_match_names():
    """A name, a package with all below it, a beginning."""
    assert matches("a.b", ["a.b"])
    assert matches("a", ["a.*"])
    assert matches("a.b.c", ["a.*"])
    assert not matches("ab", ["a.*"])
    assert matches("_data_linux", ["_data_*"])
    assert not matches("b", ["a", "a.*"])


def test_results_are_of_the_code_that_made_them():
    """Two digests: of what reads, and of all that decides."""
    assert readers_digest() != trimming_digest()
    assert readers_digest() == readers_digest()
