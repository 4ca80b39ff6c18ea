"""Handlers with a prefix: the builder takes what the runtime takes, and finds mistakes before anything is built."""

import pytest

from builder.errors import HandlerError
from builder.handler import find_handler, module_file


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text("app = 1\n")
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "text").write_text("")
    return tmp_path


@pytest.mark.parametrize("handler", ["asgi:app.app", "wsgi:app.app", "exec:./tool", "exec:./tool a 'b c'", "exec:cat"])
def test_declared_handlers_are_taken_as_they_are(folder, handler):
    """What is asked for is what ships as the image's command."""
    assert find_handler(folder, ["app.py", "tool"], handler) == handler


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ("asgi:app.nope", "app.py defines no 'nope'"),
        ("wsgi:none.app", "there is no none.py"),
        ("run:app.app", "is not of the form module.function"),
        ("exec:", "names no command"),
        ("exec:./none", "none is no executable file"),
        ("exec:./text", "text is no executable file"),
    ],
)
def test_mistakes_are_found(folder, handler, message):
    """As for a plain handler: a wrong name is told before anything is built."""
    with pytest.raises(HandlerError, match=message):
        find_handler(folder, ["app.py", "tool", "text"], handler)


def test_an_applications_module_is_the_functions():
    """Its failure to compile is an error of the build, like any handler's."""
    assert module_file("asgi:package.app.app", ["package/app.py"]) == "package/app.py"
    assert module_file("exec:./tool", ["tool"]) is None
