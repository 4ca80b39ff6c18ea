"""A module, file or codec that was left out of an image says so when it is missed, and nothing else changes."""

from __future__ import annotations

import json
import shutil

import pytest

from bootstrap.trimmed import Trimmed, short_name
from tests.bootstrap.recording_server import Event
from tests.bootstrap.runtime_process import ROOT, VERSIONS, require_python, run_runtime, write_function

LIST = """=nothing imports it
opt/python/pkg/gone.py
opt/python/pkg/native.cpython-311-x86_64-linux-gnu.so
opt/python/whole/
var/task/data.txt
=tests are not needed
opt/python/libx.so.3
var/lang/lib/python3.11/asyncio/
"""
MODULES = """
import sys, importlib.util
def handler(event, context):
    found = {}
    for name, code in event.items():
        try:
            exec(code, {})
        except BaseException as error:
            found[name] = [type(error).__name__, str(error), getattr(error, "name", None)]
        else:
            found[name] = "imported"
    return found
"""
KEEP = "to keep under [tool.build-image] in pyproject.toml and build again"


@pytest.fixture(params=VERSIONS)
def python(request):
    return require_python(request.param)


@pytest.fixture
def image(tmp_path):
    """Return `image(code, listed)`: a root with the runtime, a function and packages; what runs it."""
    shutil.copytree(ROOT / "bootstrap", tmp_path / "var/runtime/bootstrap", ignore=shutil.ignore_patterns("*.pyc"))
    packages = write_function(tmp_path / "opt/python", pkg__here="x = 1", nspkg__a="")
    (packages / "pkg/__init__.py").touch()

    def make(code: str, listed: str, names: str = "gone whole"):
        (tmp_path / "var/runtime/trimmed.txt").write_text(f": {names}\n{listed}")
        task = write_function(tmp_path / "var/task", app=code)

        def run(python: str, *events: object):
            return run_runtime(
                task,
                events=[Event(json.dumps(event).encode()) for event in events],
                command=[python, "-S", str(tmp_path / "var/runtime/bootstrap/__main__.py"), "app.handler"],
                environment={"PYTHONPATH": str(packages)},
            )

        return run

    return make


def answer_of(outcome, number: int = 0):
    return json.loads(outcome.answers[number].body)


def test_an_import_of_a_trimmed_module_says_so(image, python) -> None:
    """Class, name and first words are those of any failed import; then come the rule and the line for `keep`."""
    listed = "=nothing imports it\nopt/python/pkg/gone.py\nopt/python/whole/\n"
    statements = {
        "plain": "import whole",
        "below": "import whole.part",
        "sub": "import pkg.gone",
        "from": "from pkg import gone",
        "from_below": "from pkg.gone import x",
        "relative": "from pkg import here, gone",
        "by_name": "import importlib; importlib.import_module('pkg.gone')",
        "dunder": "__import__('whole')",
    }
    found = answer_of(image(MODULES, listed)(python, statements))
    rule = "it was trimmed from this image (nothing imports it). To put it back, add"
    whole, gone = f"No module named 'whole': {rule} 'whole' {KEEP}", f"{rule} 'pkg/gone.py' {KEEP}"
    for name in ("plain", "below", "dunder"):
        assert found[name] == ["ModuleNotFoundError", whole, "whole"], name
    for name in ("sub", "from_below", "by_name"):
        assert found[name] == ["ModuleNotFoundError", f"No module named 'pkg.gone': {gone}", "pkg.gone"], name
    for name in ("from", "relative"):
        kind, message, of = found[name]
        assert (kind, of) == ("ImportError", "pkg")
        assert message.startswith("cannot import name 'gone' from 'pkg' (")
        assert message.endswith(f"/opt/python/pkg/__init__.py): {gone}")


def test_of_the_list_only_the_names_are_read_when_a_module_was_never_there(image, python) -> None:
    """What tells about the list is not loaded for a name that the first line lacks, of whatever characters."""
    code = """
import sys
for name in ("never", "pkg.never", chr(0xDCE9), "pkg."):
    try:
        __import__(name)
    except ImportError:
        pass
def handler(event, context):
    return "_lambda_runtime.trimmed" in sys.modules
"""
    listed = "=nothing imports it\nopt/python/never.py\n"
    assert answer_of(image(code, listed)(python, {})) is False
    assert answer_of(image(code, listed, "gone never whole")(python, {})) is True


def test_whoever_only_asks_gets_the_usual_answer(image, python) -> None:
    """`find_spec` gives None; optional imports are passed over; what was never there fails in the usual words."""
    code = """
import importlib.util, pkgutil
try:
    import whole
except ImportError:
    whole = None
try:
    from pkg import *
    from pkg import gone
except ImportError as error:
    gone = None
def handler(event, context):
    try:
        import never
    except ImportError as error:
        words = str(error)
    return [importlib.util.find_spec("whole"), importlib.util.find_spec("pkg.gone"), whole, gone, words]
"""
    listed = "=nothing imports it\nopt/python/pkg/gone.py\nopt/python/whole/\n"
    assert answer_of(image(code, listed)(python, {})) == [None, None, None, None, "No module named 'never'"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("open(root + '/opt/python/whole/x/data.csv')", "/opt/python/whole/x/data.csv: it was trimmed"),
        ("open(root + '/opt/python/never.csv')", None),
        ("import ctypes; ctypes.CDLL('libgone.so.3')", "(libgone.so.3: it was trimmed from this image (libraries)"),
        ("'a'.encode('cp037')", "(cp037: it was trimmed from this image (codecs)"),
        ("'a'.encode('IBM037')", "(IBM037: it was trimmed"),
        ("'a'.encode('nonesuch')", None),
        ("import whole", "No module named 'whole': it was trimmed"),
        (
            "try:\n        open(root + '/opt/python/whole/a')\n    except OSError as e: raise ValueError('no') from e",
            "(/",
        ),
        ("{}['a']", None),
    ],
)
def test_a_failure_about_a_missing_file_says_so(image, code: str, words: str | None, tmp_path) -> None:
    """The error response and the log name the file, library or codec, the rule, and the line for `keep`."""
    import encodings  # noqa: PLC0415

    python = require_python("3.11") if "3.11" in VERSIONS else require_python(VERSIONS[-1])
    # The codec itself is there, on this machine: it is hidden from the process.
    hidden = (
        "import sys, encodings\nsys.modules['encodings.cp037'] = None\nencodings.__path__ = ['/nowhere/encodings']\n"
    )
    code = f"{hidden}root = __file__.partition('/var/task')[0]\ndef handler(event, context):\n    {code}\n"
    listed = (
        "=nothing imports it\nopt/python/whole/\n=libraries\nlib/libgone.so.3\n=codecs\nnowhere/encodings/cp037.py\n"
    )
    code = code.replace("'/nowhere/encodings'", "__file__.partition('/var/task')[0] + '/nowhere/encodings'")
    outcome = image(code, listed)(python, {})
    message = answer_of(outcome)["errorMessage"]
    log = outcome.stdout + outcome.stderr
    assert encodings
    if words is None:
        assert "trimmed" not in message + log
    else:
        assert words in message.replace(str(tmp_path), "")
        assert message.replace(str(tmp_path), "").endswith(KEEP + ")" * ("No module" not in message))
        assert message.splitlines()[-1] in log


def test_a_handler_that_needs_a_trimmed_module_fails_in_init_with_the_same_words(image) -> None:
    """Runtime.ImportModuleError carries the message of the import, as the log does."""
    outcome = image("import whole", "=nothing imports it\nopt/python/whole/\n")(require_python(VERSIONS[-1]), {})
    (posted,) = outcome.answers
    body = json.loads(posted.body)
    assert posted.path.endswith("/init/error")
    assert body["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'whole': it was trimmed from this image (nothing imports it)" in body["errorMessage"]
    assert body["errorMessage"] in outcome.stdout + outcome.stderr


def test_a_list_is_searched_by_file_folder_and_extension() -> None:
    """Entries are files, or folders that cover all below them; only paths under the root are looked for."""
    trimmed = Trimmed(LIST, "/root")
    assert trimmed.find("/root/opt/python/pkg/gone.py") == "opt/python/pkg/gone.py"
    assert trimmed.find("/root/opt/python/whole/a/b.txt") == "opt/python/whole/"
    assert trimmed.find("/root/opt/python/pkg/here.py") is None
    assert trimmed.find("/opt/python/pkg/gone.py") is None
    assert trimmed.find_module("pkg.native", ["/root/opt/python/pkg"]).endswith(
        "native.cpython-311-x86_64-linux-gnu.so"
    )
    assert trimmed.find_module("pkg.nat", ["/root/opt/python/pkg"]) is None
    assert trimmed.find_module("asyncio", ["/x", "/root/var/lang/lib/python3.11"]).endswith("/asyncio/")
    assert trimmed.find_library("libx.so.3") == "opt/python/libx.so.3"
    assert trimmed.find_library("x.so.3") is None
    assert "(tests are not needed)" in trimmed.sentence("opt/python/libx.so.3")
    assert "(nothing imports it)" in trimmed.sentence("opt/python/whole/")


@pytest.mark.parametrize(
    ("line", "name", "folder", "is_found"),
    [
        ("opt/python/pkg/__init__.py", "pkg", "opt/python", True),
        ("opt/python/pkg/__init__.py", "pk", "opt/python", False),
        ("opt/python/pkg/", "pkg", "opt/python", True),
        ("opt/python/", "pkg", "opt/python", True),
        ("opt/", "pkg", "opt/python", True),
        ("opt/python/pkg.py", "pkg", "opt/python", True),
        ("opt/python/pkg.py", "pkg", "var/task", False),
        ("opt/python/pkg.abi3.so", "pkg", "opt/python", True),
        ("pkg.py", "pkg", "", True),
    ],
)
def test_a_module_is_found_by_the_line_that_covers_it(line: str, name: str, folder: str, *, is_found: bool):
    """Its own, or one of a folder above."""
    trimmed = Trimmed(f"=why\n{line}\n", "/root")
    assert trimmed.find_module(name, [f"/root/{folder}".rstrip("/")]) == (line if is_found else None)
    assert trimmed.find_module("nt", [f"/root/{folder}".rstrip("/")]) == (
        line if line in {"opt/", "opt/python/"} else None
    )


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("opt/python/a/b.py", "a/b.py"),
        ("var/task/data/", "data"),
        (".firkin/python/a/b.py", "a/b.py"),
        (".firkin/lib/python3.11/asyncio/", "asyncio"),
        (".firkin/libs/libx.so.3", ".firkin/libs/libx.so.3"),
        ("var/lang/lib/python3.11/asyncio/", "asyncio"),
        ("var/lang/lib64/python3.9/lib-dynload/_x.so", "lib-dynload/_x.so"),
        ("lib/libm.so.6", "lib/libm.so.6"),
    ],
)
def test_keep_takes_names_as_its_rules_do(entry: str, name: str) -> None:
    """What the message tells to keep is a pattern that `--keep` matches."""
    assert short_name(entry) == name
