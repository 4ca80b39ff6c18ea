"""The exit codes are a promise to scripts: unique, and the ones the command line prints."""

import re

import pytest

from builder import errors
from builder.errors import BuilderError

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, BuilderError) and value is not BuilderError
]


def test_every_class_of_failure_has_its_own_exit_code():
    """A script can tell every class of failure from every other, from usage (2), Ctrl-C (130) and our bugs (1)."""
    codes = [error.exit_code for error in CLASSES]
    assert len(set(codes)) == len(codes)
    assert not {0, 1, 2, 130, 143} & set(codes)
    assert BuilderError.exit_code == 1


def test_the_tree_that_the_module_draws_is_the_one_it_defines():
    """The picture at the top of the module names every class with its code, and nothing else."""
    drawn = dict(re.findall(r"(\w+Error)\s+(\d+)", errors.__doc__ or ""))
    assert drawn == {error.__name__: str(error.exit_code) for error in CLASSES}


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_carries_what_to_do_and_a_log(error: type[BuilderError]):
    """The message is the exception's text; hint and details stand beside it and may be empty."""
    assert (str(error("m")), error("m").hint, error("m").details) == ("m", "", "")
    full = error("m", hint="h", details="d")
    assert (str(full), full.hint, full.details) == ("m", "h", "d")
