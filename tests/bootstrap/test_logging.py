"""`logging` in a function: the platform's format from the first line, paid for only by those who use it."""

from __future__ import annotations

import json
import re

import pytest

from bootstrap.logs import render_line
from tests.bootstrap.recording_server import REQUEST_ID, Event
from tests.bootstrap.runtime_process import VERSIONS, require_python, run_runtime, write_function

TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture(params=VERSIONS)
def python(request):
    return require_python(request.param)


def output_of(tmp_path, source: str, **more) -> str:
    return run_runtime(write_function(tmp_path, app=source), **more).stdout


def test_records_have_the_platforms_format(tmp_path, python) -> None:
    """At import and in the handler, on the root logger and below, with the invocation's id once there is one."""
    source = """
import logging
logging.warning("cold %s", "start")
logging.basicConfig(level=logging.DEBUG)
def handler(event, context):
    logging.getLogger("a.b").error("in handler")
    logging.info("not shown: the level is still WARNING")
"""
    lines = output_of(tmp_path, source, python=python).splitlines()
    assert re.fullmatch(rf"\[WARNING\]\t{TIME}\t\tcold start", lines[0])
    assert re.fullmatch(rf"\[ERROR\]\t{TIME}\t{REQUEST_ID}\tin handler", lines[1])
    assert len(lines) == 2


def test_a_late_import_gets_the_handler_too(tmp_path, python) -> None:
    """Imported inside the handler, `logging` is the same; its loader is again the standard one."""
    source = """
def handler(event, context):
    import sys
    before = "logging" in sys.modules
    import logging
    logging.critical("late")
    loaders = [logging.__loader__, logging.__spec__.loader]
    return [before, *(type(loader).__name__ for loader in loaders), len(logging.root.handlers)]
"""
    outcome = run_runtime(write_function(tmp_path, app=source), events=[Event(), Event()], python=python)
    first, second = (json.loads(answer.body) for answer in outcome.answers)
    assert first == [False, "SourceFileLoader", "SourceFileLoader", 1]
    assert second == [True, *first[1:]]
    assert outcome.stdout.count("[CRITICAL]\t") == 2


@pytest.mark.parametrize(("level", "shown"), [("DEBUG", 4), ("TRACE", 4), ("info", 3), ("FATAL", 1), ("nonsense", 2)])
def test_the_platform_may_name_the_level(tmp_path, level, shown) -> None:
    """AWS_LAMBDA_LOG_LEVEL sets the root level; a name that is none changes nothing."""
    source = """
import logging
def handler(event, context):
    for write in (logging.debug, logging.info, logging.error, logging.critical): write("x")
"""
    output = output_of(tmp_path, source, environment={"AWS_LAMBDA_LOG_LEVEL": level})
    assert len(output.splitlines()) == shown


def test_a_module_of_the_functions_own_named_logging_is_left_alone(tmp_path) -> None:
    """A logging.py in the function is the function's; the runtime does not touch it."""
    source = "import logging\ndef handler(event, context): return [logging.mine, sorted(vars(logging))[-1]]"
    write_function(tmp_path, logging="mine = 1", app=source)
    (answer,) = run_runtime(tmp_path).answers
    assert json.loads(answer.body) == [1, "mine"]


def test_a_record_that_cannot_be_formatted_is_loggings_own_affair(tmp_path) -> None:
    """Wrong arguments are reported on standard error by `logging`, and the invocation goes on."""
    source = "import logging\ndef handler(event, context):\n    logging.error('%d', 'x')\n    return 1"
    outcome = run_runtime(write_function(tmp_path, app=source))
    assert outcome.answers[0].body == b"1"
    assert "--- Logging error ---" in outcome.stderr


def test_output_is_in_order_and_complete(tmp_path) -> None:
    """What was printed comes before the error it led to, also without a line end."""
    source = "def handler(event, context):\n    print('first')\n    print('partial', end='')\n    raise OSError('then')"
    assert output_of(tmp_path, source).startswith("first\npartial[ERROR] OSError: then\r")


@pytest.mark.parametrize(
    "change", ["sys.stdout.close()", "sys.stdout = None", "sys.stdout = object()", "import os; os.close(1)"]
)
def test_a_function_may_do_anything_to_its_output(tmp_path, change) -> None:
    """A function that breaks standard output still gets its answers and its errors out."""
    source = f"import sys\ndef handler(event, context):\n    {change}\n    return 1 // event"
    outcome = run_runtime(write_function(tmp_path, app=source), events=[Event(b"1"), Event(b"0")])
    assert [answer.path.rpartition("/")[2] for answer in outcome.answers][:1] == ["response"]
    assert outcome.answers[0].body == b"1"


def test_exit_and_quit_exist_without_site(tmp_path, python) -> None:
    """-S leaves out `site`, which makes these two; functions use them all the same."""
    for name in ("exit", "quit"):
        source = f"def handler(event, context): {name}(4)"
        assert run_runtime(write_function(tmp_path, app=source), python=python).exit_code == 4


@pytest.mark.parametrize(
    ("epoch_s", "time"), [(0, "1970-01-01T00:00:00.000Z"), (1764000000.9996, "2025-11-24T16:00:00.999Z")]
)
def test_lines_without_logging_look_the_same(epoch_s, time) -> None:
    """The runtime's own records have the same fields and the same UTC time."""
    assert render_line("WARNING", "m", epoch_s=epoch_s, request_id="id") == f"[WARNING]\t{time}\tid\tm\n"
