"""The traps of trimming: packages that import from their own tests, and packages that read their stubs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.trim import DEPENDENCIES, Choice, observe_sources, split
from builder.trim.observe import MAX_SOURCE_BYTES


def observe(folder: Path):
    paths = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    return observe_sources(folder, paths), paths


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("pkg/a.py", "from pkg.tests import helper"),
        ("pkg/a.py", "from pkg.tests.helper import x"),
        ("pkg/a.py", "import pkg.tests.helper"),
        ("pkg/a.py", "from pkg import tests"),
        ("pkg/a.py", "from . import tests"),
        ("pkg/a.py", "from .tests.helper import x"),
        ("pkg/__init__.py", "from .tests import helper"),
        ("pkg/sub/a.py", "from ..tests import helper"),
        ("pkg/sub/__init__.py", "from ..tests import helper"),
        ("pkg/a.py", "def f():\n    from pkg.tests import helper"),
        ("pkg/a.py", "import importlib\nimportlib.import_module('pkg.tests.helper')"),
        ("pkg/a.py", "import importlib\nimportlib.import_module('.tests.helper', __package__)"),
        ("pkg/sub/a.py", "import importlib\nimportlib.import_module(f'{__name__}.tests.helper'.replace('.sub.a', ''))"),
        ("other/a.py", "import pkg.tests"),
        ("pkg/a.py", "try:\n    from .tests import x\nexcept ImportError:\n    pass"),
        ("pkg/a.py", "from pkg import (\n    a,  # (of old)\n    tests,\n)"),
        ("pkg/a.py", "from pkg import a, \\\n    tests"),
    ],
)
def test_an_import_from_tests_is_seen(write, path: str, code: str):
    """However a kept module names a tests folder, the folder stays."""
    seen, paths = observe(write({path: code, "pkg/tests/helper.py": "", "unused/tests/x.py": ""}))
    assert "pkg/tests" in seen.imported
    found, dropped = split(paths, scope=DEPENDENCIES, prefix="p", choice=Choice("safe"), observed=seen)
    assert "pkg/tests/helper.py" in found
    assert "unused/tests/x.py" in dropped


@pytest.mark.parametrize(
    "code",
    [
        "", "# from .tests import helper", "'runs the tests'", "tests = 1", "x = 'tests'", "from .attests import x",
        "import mytests", "def tests(): ...", "from . import x as tests", "def broken(:  # tests", "b'pkg.tests.x'",
        "from x import (a)  # tests", "import x\ntests",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_not(write, code: str):
    """Comments, prose, other names and files that do not parse keep nothing."""
    seen, _ = observe(write({"pkg/a.py": code, "pkg/tests/helper.py": ""}))
    assert not seen.imported


def test_tests_that_are_kept_are_read_too(write):
    """A kept tests folder may import another: that one stays as well, and those that nobody kept imports go."""
    folder = write({
        "a/__init__.py": "from .tests import h", "a/tests/h.py": "from b.tests import i",
        "b/tests/i.py": "import c.tests.j",
        "c/tests/j.py": "", "d/tests/k.py": "from e.tests import l", "e/tests/l.py": "",
    })  # fmt: skip
    assert observe(folder)[0].imported == {"a/tests", "b/tests", "c/tests"}


def test_packages_that_read_their_stubs_keep_them(write):
    """lazy_loader.attach_stub reads `.pyi` files at import: the package that calls it keeps its own, others do not."""
    folder = write({
        "lazy/__init__.py": "import lazy_loader\n__getattr__, _, _ = lazy_loader.attach_stub(__name__, __file__)",
        "lazy/__init__.pyi": "from .x import y", "lazy/sub/z.pyi": "", "typed/a.pyi": "", "top.pyi": "",
        "top.py": "from lazy_loader import attach_stub",
    })  # fmt: skip
    seen, paths = observe(folder)
    found, _ = split(paths, scope=DEPENDENCIES, prefix="p", choice=Choice("safe"), observed=seen)
    assert [path for path in found if path.endswith(".pyi")] == ["lazy/__init__.pyi", "lazy/sub/z.pyi", "top.pyi"]


def test_what_cannot_be_read_is_passed_over(write):
    """A missing or monstrous module says nothing; it stops no build."""
    folder = write({"big.py": b"import a.tests\n" + b"#" * MAX_SOURCE_BYTES, "deep.py": "tests = " + "(" * 5000})
    assert not observe_sources(folder, ["big.py", "deep.py", "missing.py"]).imported


def test_reading_warns_of_nothing(write, recwarn: pytest.WarningsRecorder):
    """A package's odd escapes are not the build's business."""
    observe(write({"a.py": "x = '\\d'  # tests"}))
    assert not recwarn.list


@given(st.binary(max_size=200))
def test_any_source_is_read(tmp_path_factory: pytest.TempPathFactory, source: bytes):
    """Whatever bytes a package calls Python, reading them ends in an answer."""
    folder = tmp_path_factory.mktemp("any")
    (folder / "a.py").write_bytes(b"tests " + source)
    observe_sources(folder, ["a.py"])
