"""Adding to keep in a file that a person wrote: everything else stays."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import SourceError
from builder.pyproject import add_keep, write_keep

WRITTEN = """\
# the project
[project]
name = "casks"   # short

[tool.build-image]
trim = "traced"
keep = [
    "data/**",  # read by name
]

[tool.ruff]
"""


def test_comments_order_and_layout_stay() -> None:
    """Only lines are added."""
    made = add_keep(WRITTEN, ["a/b.py", "data/**", "c"])
    assert tomllib.loads(made)["tool"]["build-image"]["keep"] == ["data/**", "a/b.py", "c"]
    lines = made.splitlines()
    assert [line for line in WRITTEN.splitlines() if line in lines] == WRITTEN.splitlines()


@pytest.mark.parametrize("text", ["", "[project]\nname = 'x'\n", "[tool.ruff]\n", "[tool.build-image]\n"])
def test_what_is_missing_is_made(text: str) -> None:
    """No file, no table, no list: each is added, and the rest reads as before."""
    made = tomllib.loads(add_keep(text, ["x"]))
    assert made["tool"]["build-image"].pop("keep") == ["x"]
    before = tomllib.loads(text)
    before.setdefault("tool", {}).setdefault("build-image", {})
    assert made == before


@given(st.lists(st.text(), max_size=3, unique=True))
def test_any_pattern_comes_back(patterns: list[str]) -> None:
    """A file may be called anything."""
    kept = tomllib.loads(add_keep("", patterns))["tool"]["build-image"]["keep"]
    assert kept == patterns


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.build-image\n", "changing pyproject.toml"),
        ("[tool.build-image]\nkeep = 'x'\n", "keep is 'x', not a list"),
        ("tool = {}\n", "Inline tables cannot contain a table"),
        ("tool = 3\n", "tool is '3', not a table"),
    ],
)
def test_a_file_that_cannot_take_it_is_refused(text: str, words: str, tmp_path: Path) -> None:
    """The message says what was found, and the file is as it was."""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(SourceError, match=words):
        write_keep(tmp_path, ["x"])
    assert (tmp_path / "pyproject.toml").read_text() == text


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    """Bytes that are no text are somebody else's file."""
    (tmp_path / "pyproject.toml").write_bytes(b"\xff")
    with pytest.raises(SourceError, match="reading "):
        write_keep(tmp_path, ["x"])
