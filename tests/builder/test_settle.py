"""The trimmed image is held against the untrimmed function, with real builds of functions without dependencies."""

import json
import os
from pathlib import Path

import pytest

from builder.build import build
from builder.cache import Cache
from builder.config import Config
from builder.console import Console
from builder.describe import describe
from builder.errors import ProofError, TrimError
from builder.make import Result

pytestmark = pytest.mark.xdist_group("settle")  # which share a cache of interpreters


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """One cache for the module: interpreters are packed once for each set of their files."""
    return Cache(tmp_path_factory.mktemp("shared"), print)


@pytest.fixture
def built(write, shared: Cache, tmp_path):
    """Build `app.py` with events given as values."""

    def make(app: str, *events: object, **settings: object) -> Result:
        files = {f"events/{number}.json": json.dumps(event) for number, event in enumerate(events)}
        source = write({"app.py": app, **files})
        config = Config(source, outputs=(f"oci:{tmp_path / 'out'}",), **{"trim": "reachable", **settings})
        (result,) = build(config, shared, Console(quiet=True), environment=os.environ)
        return result

    return make


def has(result: Result, name: str) -> bool:
    return any(file.path.endswith(f"/{name}") for layer in result.prepared.plan.layers for file in layer.files)


# No reading knows it for an import: of an import by a computed name in the function all modules are kept.
IMPORT = "__builtins__['__imp' + 'ort__']"
HIDDEN = f"def handler(event, context):\n    return {IMPORT}(event.replace('-', '')).__name__"


def test_a_module_that_no_reading_finds_is_put_back(built):
    """The event fails in the trimmed image, the module comes back with its reason, and the report tells the round."""
    result = built(HIDDEN, "color-sys")
    assert has(result, "colorsys.py")
    assert not has(result, "wave.py")
    (one,) = result.rounds
    assert "No module named 'colorsys'" in one.differences[0]
    ((path, why),) = one.put_back.items()
    assert path.endswith("/colorsys.py")
    assert "event '0' lacked the module colorsys" in why
    rounds = describe(result)["trimming"]["rounds"]
    assert rounds[0]["put_back"] == {path: why}
    again = built(HIDDEN, "color-sys")
    assert (again.digest, again.rounds, again.proven.answers) == (result.digest, result.rounds, ())


def test_a_file_that_no_reading_finds_is_put_back(built):
    """A file that is opened by a path put together at run time, and nothing else of its package."""
    app = (
        "import os\ndef handler(event, context):\n    return len(open(os.path.dirname(os.__file__) + event).read()) > 9"
    )
    result = built(app, "/email/architecture.rst")
    assert has(result, "email/architecture.rst")
    assert not has(result, "email/parser.py")


def test_an_edit_that_says_nothing_else_about_other_files_is_judged_as_before(built, shared):
    """A verdict is remembered by what the function's modules say; another import makes another one."""
    verdicts = shared.folder / "records/reach"

    def judged(app: str) -> set[Path]:
        before = set(verdicts.glob("*"))
        built(app, prove=False)
        return set(verdicts.glob("*")) - before

    assert judged("import colorsys\ndef handler(event, context):\n    return 1")
    assert not judged("import colorsys\ndef handler(event, context):\n    return [event, 2]  # edited")
    assert judged("import colorsys, sched\ndef handler(event, context):\n    return 1")


STARTED = """\
import sys
def handler(event, context):
    return [sorted(sys.modules), sys.path, [str(one) for one in sys.meta_path], len(sys.path_hooks)]
"""


def test_a_trimmed_function_starts_with_what_the_untrimmed_one_starts_with(built):
    """The same modules, found by the same finders in the same places: the comparison itself would tell."""
    result = built(STARTED, 1)
    assert (len(result.proven.answers), result.rounds) == (1, ())


def test_what_is_caught_is_put_back_by_what_the_untrimmed_function_uses(built):
    """No message tells what is missing: the untrimmed function is run again and watched."""
    app = (
        f"def handler(event, context):\n    try:\n        return {IMPORT}(event.replace('-', '')).__name__\n"
        "    except ImportError:\n        return None"
    )
    assert has(built(app, "color-sys"), "colorsys.py")


def test_random_answers_are_no_difference(built):
    """What two runs of the untrimmed function do not agree on says nothing about trimming."""
    result = built("import random\ndef handler(event, context):\n    return {'r': random.random(), 'e': event}", 1)
    assert result.rounds == ()


COUNTS = """
import os
def handler(event, context):
    count = sum(len(files) for _, _, files in os.walk(os.path.dirname(os.__file__)))
"""


def test_a_difference_that_nothing_mends_fails_the_build(built, tmp_path):
    """A function that looks at what is there: it is told where it differs, and what to do; nothing is written."""
    with pytest.raises(TrimError) as caught:
        built(f"{COUNTS}    return count", 1)
    assert caught.value.exit_code == 18
    assert "event '0', response:" in str(caught.value)
    assert "where the untrimmed function gave" in str(caught.value)
    assert "--volatile" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_declared_difference_is_allowed(built):
    """`--volatile` masks it on both sides."""
    assert built(f"{COUNTS}    return f'files: {{count}}'", 1, volatile=(r"files: \d+",)).rounds == ()


def test_a_function_that_fails_with_and_without_trimming_fails_its_proof(built):
    """It is the function's own failure, and is told as such."""
    with pytest.raises(ProofError, match="ZeroDivisionError"):
        built("def handler(event, context):\n    return 1 / 0", 1)


def test_without_events_a_start_that_lacks_a_module_is_mended(built):
    """Only the start can be compared then."""
    result = built(f"wave = {IMPORT}('wa-ve'.replace('-', ''))\ndef handler(event, context): ...")
    assert has(result, "wave.py")
    assert len(result.rounds) == 1


def test_traced_keeps_what_the_events_used(built):
    """Modules of other paths of the function stay out, though they are reachable; what was used is there."""
    app = "def handler(event, context):\n    if event == 1:\n        import wave\n    else:\n        import colorsys"
    result = built(app, 1, trim="traced")
    assert has(result, "wave.pyc")
    assert not has(result, "wave.py")
    assert not has(result, "colorsys.pyc")
    assert has(built(app, 1), "colorsys.py")


def test_traced_brings_a_source_back_that_an_event_reads(built):
    """A module that comes as bytecode alone is told from its text, whoever asks for it."""
    app = (
        "import wave, inspect\ndef handler(event, context):\n"
        "    return len(getattr(inspect, event.replace('-', ''))(wave)) > 9"
    )
    result = built(app, "get-source", trim="traced")
    assert has(result, "wave.py")
    assert len(result.rounds) == 1
