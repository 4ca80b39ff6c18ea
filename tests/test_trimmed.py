"""What a built image says when it lacks something: seen through the proof, which runs the image."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.bootstrap.recording_server import Event
from tests.bootstrap.runtime_process import run_runtime
from tests.conftest import Run, unavailable

CODE = """\
def handler(event, context):
    try:
        import extra
    except ImportError as error:
        if event["passes over it"]:
            return "without"
        raise
"""


def test_a_build_that_dropped_too_much_says_what_and_how_to_keep_it(build_image: Run, function: Callable[..., Path]):
    """The module's absence is the function's to handle; if it does not, the proof's message names rule and remedy."""
    events = {"handled": {"passes over it": True}}
    source = function(CODE, files={"extra.py": "", "data/a.txt": "x"}, events=events)
    arguments = [source, "-o", "oci:out", "--drop", "extra.py", "--drop", "data"]
    done = build_image(*arguments)
    assert done.code == 0, done.err
    (source / "events/raises.json").write_text('{"passes over it": false}')
    done = build_image(*arguments)
    assert done.code == 7
    assert "No module named 'extra': it was trimmed from this image (asked for with drop)" in done.err
    assert "take what drops 'extra.py' out of drop under [tool.build-image] in pyproject.toml" in done.err


TELLS = """\
def handler(event, context):
    try:
        return __import__(event["module"]) and "there"
    except ImportError as error:
        return str(error)
"""


def test_an_image_and_a_package_say_the_same_of_the_function_and_the_standard_library(build_image: Run, function):
    """Both are proven to give these words, the one from /var/lang, the other from below the function's folder."""
    words = (
        "No module named {0!r}: it was trimmed from this image (asked for with drop). To put it back, take what drops "
    )
    words += "'{0}.py' out of drop under [tool.build-image] in pyproject.toml and build again"
    names = ("extra", "colorsys")
    source = function(
        TELLS,
        files={"extra.py": ""},
        events={name: {"module": name} for name in names},
        expected={name: words.format(name) for name in names},
    )
    done = build_image(source, "-o", "oci:out", "-o", "zip:out.zip", "--drop", "extra.py", "--drop", "colorsys.py")
    assert done.code == 0, done.err
    assert "proven as a zip too" in done.err


STARTS = """\
import json
try:
    import never_there, simplejson
except ImportError:
    pass
def handler(event, context):
    return json.dumps(event)
"""
CALL = re.compile(r"^\d+ +(\w+)\(", re.MULTILINE)


def test_what_is_trimmed_starts_with_no_more_system_calls(build_image: Run, function, tmp_path):
    """Counted from the start of the program to one event's answer; a file that is not there is asked for once."""
    if shutil.which("strace") is None:
        unavailable("strace is not installed: scripts/engines installs it")
    source = function(STARTS, events={})
    counts = {}
    for level in ("safe", "reachable"):
        root, record = tmp_path / level, tmp_path / f"{level}.calls"
        done = build_image(source, "--no-prove", "--trim", level, "-o", f"rootfs:{root}")
        assert done.code == 0, done.err
        (python,) = (root / "var/lang/bin").glob("python3.[0-9]*")
        program = [f"/var/lang/bin/{python.name}", "-S", "/var/runtime/bootstrap/__main__.py", "app.handler"]
        inside = ["unshare", "--root", str(root), "--wd", "/var/task", *program]
        command = ["strace", "-f", "-o", str(record), *inside]
        outcome = run_runtime(tmp_path, events=[Event(b"{}")], command=command)
        assert json.loads(outcome.answers[0].body) == "{}"
        counts[level] = Counter(CALL.findall(record.read_text(errors="replace")))
    reading = {"openat", "newfstatat", "fstat", "stat", "read", "getdents64", "readlink"}
    assert sum(counts["reachable"][name] for name in reading) <= sum(counts["safe"][name] for name in reading)
    assert counts["reachable"].total() <= counts["safe"].total()
