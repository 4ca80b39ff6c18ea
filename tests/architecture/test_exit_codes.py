"""Exit codes: one per class of failure, and the same everywhere they are told."""

import re
from pathlib import Path

from builder import errors
from builder.cli.build import EXIT_CODES
from builder.program import INTERRUPTED, TERMINATED

TOP = Path(__file__).parents[2]


def classes():
    return [
        error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, errors.BuilderError)
    ]


def test_every_class_of_failure_has_an_exit_code_of_its_own():
    """Two failures that a script may want to tell apart never share a code; 0, 2, 130 and 143 are taken."""
    codes = [error.exit_code for error in classes()]
    assert len(codes) == len(set(codes))
    assert not {0, 2, INTERRUPTED, TERMINATED} & set(codes)


def test_the_tree_in_the_docstring_is_the_tree():
    """errors.py draws each class with its code."""
    drawn = {name: int(code) for name, code in re.findall(r"── (\w+Error) +(\d+) ", errors.__doc__)}
    assert drawn == {error.__name__: error.exit_code for error in classes() if error is not errors.BuilderError}


def test_help_and_reference_list_every_exit_code():
    """`build-image --help` and the reference know all codes."""
    codes = {error.exit_code for error in classes()} | {0, 2, INTERRUPTED, TERMINATED}
    assert {int(code) for code in re.findall(r"(?m)(?:^| {2,})(\d+) {2}", EXIT_CODES)} == codes
    reference = (TOP / "docs/reference/build-image.md").read_text()
    assert {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", reference)} >= codes
