"""What is observed of the function's folder: files with modes and digests, and the handler."""

from pathlib import Path

import pytest

from builder.config import Config
from builder.errors import HandlerError, SourceError
from builder.function import observe_function
from builder.interpreter import Interpreter
from builder.plan import How
from builder.trim import Choice

APP = "def handler(event, context): ...\n"


def test_the_functions_files_go_to_var_task(write, this_python: Interpreter):
    """Every file is planned with its mode and the digest of its content, by absolute path."""
    folder = write({"app.py": APP, "bin/tool": "x", "events/e.json": "{}"})
    (folder / "bin" / "tool").chmod(0o700)
    function = observe_function(Config(folder), this_python, Choice("safe"))
    assert function.handler == "app.handler"
    assert [(file.path, file.mode, file.how) for file in function.files] == [
        ("var/task/app.py", 0o644, How.COPY),
        ("var/task/bin/tool", 0o755, How.COPY),
    ]
    assert function.files[0].source == str(folder / "app.py")
    assert len(function.files[0].stamp) == 64


def test_the_same_folder_named_otherwise_is_the_same_plan(write, this_python, monkeypatch: pytest.MonkeyPatch):
    """A relative and an absolute SOURCE give equal files: the cache knows the layer again."""
    folder = write({"app.py": APP})
    monkeypatch.chdir(folder)
    first, second = (
        observe_function(Config(Path(name)), this_python, Choice("safe")).files for name in (".", str(folder))
    )
    assert first == second


def test_a_function_without_files_is_refused(write, this_python: Interpreter):
    """A folder in which everything is ignored or dropped holds no function."""
    folder = write({".dockerignore": "**", "app.py": APP})
    with pytest.raises(SourceError, match="holds no files for the image") as caught:
        observe_function(Config(folder), this_python, Choice("safe"))
    assert caught.value.hint == "Check the folder, .dockerignore and --drop."
    with pytest.raises(SourceError, match="holds no files for the image"):
        observe_function(Config(write({"app.py": APP}, "b")), this_python, Choice("safe", drop=("**",)))


def test_a_handler_that_is_dropped_is_missing(write, this_python: Interpreter):
    """What is not shipped cannot be the handler, and the message knows where the name came from."""
    config = Config(write({"app.py": APP, "b.py": ""}), handler="app.handler", origins={"handler": "--handler"})
    with pytest.raises(HandlerError, match=r"'app\.handler' \(from --handler\): there is no app\.py") as caught:
        observe_function(config, this_python, Choice("safe", drop=("app.py",)))
    assert "--drop" in caught.value.hint


def test_an_unreadable_file_is_named(as_nobody, this_python: Interpreter):
    """A file that this user may not read stops the build, unless it is ignored."""
    folder = as_nobody({"app.py": APP, "secret": "x"}, "secret")
    with pytest.raises(SourceError, match="'secret' cannot be read: Permission denied") as caught:
        observe_function(Config(folder), this_python, Choice("safe"))
    assert ".dockerignore" in caught.value.hint
    assert len(observe_function(Config(folder), this_python, Choice("safe"), also_ignored=["secret"]).files) == 1
