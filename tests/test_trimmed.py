"""What a built image says when it lacks something: seen through the proof, which runs the image."""

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Run

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
