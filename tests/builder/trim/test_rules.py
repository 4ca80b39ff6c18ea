"""The trim rules: what each level drops, what an observed exception keeps, and that a person has the last word."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder import trim
from builder.errors import SourceError
from builder.trim import DEPENDENCIES, FUNCTION, LEVELS, STDLIB, Choice, Observed, split
from builder.trim.rules import read_rules

SAFE = Choice("safe")


def kept(path: str, scope: str = DEPENDENCIES, choice: Choice = SAFE, observed: Observed = Observed()) -> bool:  # noqa: B008 - frozen and empty
    prefix = "var/lang/lib/python3.11" if scope == STDLIB else "opt/python"
    found, dropped = split([path], scope=scope, prefix=prefix, choice=choice, observed=observed)
    assert set(found) | set(dropped) == {path}
    assert all(dropped.values())
    return found == [path]


def test_the_exports_are_sorted_and_there():
    """The package's public surface is its `__all__`."""
    assert sorted(trim.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name)) == trim.__all__
    assert all(hasattr(trim, name) for name in trim.__all__)


def test_the_table_is_well_formed():
    """Every row has a known scope, patterns that parse, a reason, and an exception that exists."""
    table = tomllib.loads((Path(trim.__file__).parent / "safe.toml").read_text())
    assert set(table) == {"rule"}
    for row in table["rule"]:
        assert set(row) <= {"scope", "match", "why", "unless"}
        assert row["scope"] in (STDLIB, DEPENDENCIES, FUNCTION)
        assert row.get("unless", "imported") in ("imported", "stub-loader")
        assert row["why"]
        assert row["match"]
    for rule in read_rules("safe"):
        rule.match.match("x")
    assert read_rules("none") == ()
    assert LEVELS == ("none", "safe", "reachable", "traced")
    assert [rule.why for rule in read_rules("reachable")] == [rule.why for rule in read_rules("safe")]


@pytest.mark.parametrize(
    "path",
    [
        "test/test_os.py", "unittest/test/x.py", "lib2to3/tests/x.py", "idlelib/idle.py", "turtledemo/x.py",
        "tkinter/x.py",
        "lib-dynload/_testcapi.cpython-311-x86_64-linux-gnu.so", "lib-dynload/_tkinter.so", "lib-dynload/readline.so",
        "config-3.11-x86_64-linux-gnu/libpython3.11.a", "ensurepip/_bundled/pip.whl", "venv/__init__.py",
        "pydoc_data/topics.py", "turtle.py", "EXTERNALLY-MANAGED", "sitecustomize.py",
    ],
)  # fmt: skip
def test_safe_drops_of_the_standard_library(path: str):
    """Tests, the editor, what needs a terminal, a display or a compiler: no function reads it."""
    assert not kept(path, STDLIB)
    assert kept(path, STDLIB, Choice("none"))


@pytest.mark.parametrize(
    "path",
    [
        "os.py", "unittest/mock.py", "doctest.py", "pydoc.py", "lib-dynload/_ssl.so", "ctypes/util.py", "tempfile.py",
        "encodings/idna.py", "zoneinfo/__init__.py", "test.py", "testing/x.py", "sqlite3/dbapi2.py",
        "asyncio/test_utils.py", "_sysconfigdata__linux_x86_64-linux-gnu.py",
    ],
)  # fmt: skip
def test_safe_keeps_of_the_standard_library(path: str):
    """What a function may import stays, whatever its name resembles."""
    assert kept(path, STDLIB)


@pytest.mark.parametrize(
    ("path", "stays"),
    [
        ("pandas/tests/x.py", False),
        ("tests/x.py", False),
        ("a/stubs.pyi", False),
        ("numpy/core/include/numpy/x.h", False),
        ("a/lib.a", False),
        ("share/man/man1/x.1", False),
        ("a-1.dist-info/METADATA", True),
        ("a-1.dist-info/entry_points.txt", True),
        ("a/test/x.py", True),  # often a module of its own, such as django.test
        ("a/testing/x.py", True),
        ("a/tests.py", True),
        ("a/py.typed", True),
        ("numpy.libs/libopenblas.so", True),
        ("botocore/data/s3/service-2.json.gz", True),
        ("bin/tool", True),
    ],
)
def test_safe_and_dependencies(path: str, *, stays: bool):
    """Tests, stubs, headers and manuals go; metadata, data and what merely resembles a test stay."""
    assert kept(path) is stays
    assert kept(path, choice=Choice("none"))


def test_no_rule_touches_the_function():
    """A person's own files are theirs: no level drops them."""
    for path in ("tests/x.py", "a.pyi", "x.h"):
        assert kept(path, FUNCTION)


def test_an_observed_exception_keeps_what_it_names_and_no_more():
    """An imported tests folder stays, with all below it; the next package's goes. The same for stubs."""
    observed = Observed(imported=frozenset({"a/tests"}), stub_loaders=frozenset({"lazy"}))
    assert kept("a/tests/deep/x.py", observed=observed)
    assert not kept("ab/tests/x.py", observed=observed)
    assert not kept("a/b/tests/x.py", observed=observed)
    assert not kept("a/tests/x.pyi", observed=observed)
    assert kept("lazy/sub/__init__.pyi", observed=observed)
    assert not kept("other/__init__.pyi", observed=observed)
    assert not kept("lazy/tests/x.py", observed=observed)


@pytest.mark.parametrize("name", ["a/tests", "a/tests/**", "**/tests", "opt/python/a/tests", "/opt/python/a/tests"])
def test_keep_and_drop_overrule_the_level(name: str):
    """Patterns name a file from the dependencies' folder or the image's root, and win; drop wins over keep."""
    assert kept("a/tests/x.py", choice=Choice("safe", keep=(name,)))
    assert not kept("a/tests/x.py", choice=Choice("none", drop=(name,)))
    assert not kept("a/tests/x.py", choice=Choice("none", keep=(name,), drop=(name,)))


def test_a_drop_says_that_it_was_asked_for():
    """The reason of every dropped file is in the plan."""
    _, dropped = split(["a", "b/tests/c"], scope=DEPENDENCIES, prefix="p", choice=Choice("safe", drop=("a",)))
    assert dropped == {"a": "asked for with drop", "b/tests/c": "the package's own tests"}


@pytest.mark.parametrize(
    ("choice", "origin"), [(Choice("none", keep=("[",)), "keep"), (Choice("none", drop=("[",)), "drop")]
)
def test_a_broken_pattern_is_named_with_its_setting(choice: Choice, origin: str):
    """What is no pattern says in which of the two settings it stands."""
    with pytest.raises(SourceError, match=rf"reading {origin}: '\[' is no pattern"):
        kept("a", choice=choice)


@given(st.lists(st.text("at/es", min_size=1, max_size=12).map(lambda p: p.strip("/") or "a"), unique=True))
def test_every_path_is_kept_or_dropped_once(paths: list[str]):
    """Nothing is lost and nothing appears; the order of what is kept is the given one."""
    found, dropped = split(paths, scope=DEPENDENCIES, prefix="p", choice=Choice("safe", keep=("a*",), drop=("t*",)))
    assert [path for path in paths if path in found] == found
    assert sorted([*found, *dropped]) == sorted(paths)
