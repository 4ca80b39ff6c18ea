"""What an `if` says about the target, read without running it."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.trim.conditions import is_main_guard, outcome


def told(test: str, version: tuple[int, int] = (3, 11)) -> bool | None:
    return outcome(ast.parse(test, mode="eval").body, version)


@pytest.mark.parametrize(
    "test",
    [
        "TYPE_CHECKING", "typing.TYPE_CHECKING", "False", "0", "sys.platform == 'win32'", "os.name == 'nt'",
        "sys.platform.startswith('win')", "sys.platform in ('win32', 'cygwin')", "sys.version_info < (3, 8)",
        "sys.version_info[0] == 2", "sys.version_info.major < 3", "not True", "TYPE_CHECKING and x",
        "platform.python_implementation() == 'PyPy'", "sys.version_info[:2] < (3, 10)",
    ],
)  # fmt: skip
def test_what_never_holds_in_an_image_is_false(test: str):
    """Type checkers, other systems and older Pythons: their imports do not count."""
    assert told(test) is False
    assert told(f"not ({test})") is True


@pytest.mark.parametrize(
    "test",
    ["x", "DEBUG", "sys.version_info >= (3, 11, 4)", "sys.version_info == (3, 11)", "f()", "x or TYPE_CHECKING",
     "sys.platform == NAME", "sys.maxsize > 2", "sys.version_info > '3'", "name in platforms"],
)  # fmt: skip
def test_what_cannot_be_told_is_none(test: str):
    """Neither branch may be left out then."""
    assert told(test) is None


@given(st.tuples(st.integers(3, 3), st.integers(0, 20)), st.integers(0, 20))
def test_versions_compare_as_python_compares_them(version: tuple[int, int], minor: int):
    """For every pair of versions the answer is the interpreter's own."""
    assert told(f"sys.version_info >= (3, {minor})", version) is (version >= (3, minor))
    assert told(f"sys.version_info < (3, {minor})", version) is (version < (3, minor))


def test_the_guard_of_programs_is_known():
    """`__name__ == "__main__"` and nothing like it."""
    assert is_main_guard(ast.parse("__name__ == '__main__'", mode="eval").body)
    assert not is_main_guard(ast.parse("__name__ == 'app'", mode="eval").body)
