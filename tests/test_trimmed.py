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
