"""`build-image init`: a table to begin with, that is valid and says what the command line says."""

import tomllib

import pytest

from builder.cli.build import build_command
from builder.config import LISTS, STRINGS, parse_table
from builder.errors import SourceError
from builder.init import EXAMPLES, Setting, init, render_table
from tests.conftest import run

SETTINGS = [Setting("handler", "The handler.", "app.handler"), Setting("keep", "Files to keep.", ["a b/*"])]


def test_the_table_is_valid_with_every_line_uncommented():
    """Each example is a value that its key takes."""
    text = render_table([Setting(key, "help", example, given=True) for key, example in EXAMPLES.items()])
    assert parse_table(tomllib.loads(text)).keys() == {{**STRINGS, **LISTS}[key] for key in EXAMPLES}


def test_every_setting_of_the_table_has_an_example():
    """What can be written there is shown; only what takes one value anyhow is not."""
    assert {*STRINGS, *LISTS} - EXAMPLES.keys() <= {"platform", "insecure-registry"}


def test_a_file_that_is_there_is_added_to(tmp_path):
    """Nothing of it changes, and the handler that is there is set."""
    before = '[project]\nname = "x"  # a comment'
    (tmp_path / "pyproject.toml").write_text(before)
    (tmp_path / "main.py").write_text("def handler(event, context): ...\n")
    assert init(tmp_path, SETTINGS) == "main.handler"
    text = (tmp_path / "pyproject.toml").read_text()
    assert text.startswith(before + "\n")
    assert tomllib.loads(text)["tool"]["build-image"] == {"handler": "main.handler"}


def test_a_table_that_is_there_is_left_alone(tmp_path):
    """An error says so."""
    (tmp_path / "pyproject.toml").write_text("[tool.build-image]\n")
    with pytest.raises(SourceError, match="already"):
        init(tmp_path, SETTINGS)
    assert (tmp_path / "pyproject.toml").read_text() == "[tool.build-image]\n"


@pytest.mark.parametrize("command", [["build-image", "init"], ["firkin", "init", "."]])
def test_the_command_writes_a_table_that_builds(commands, tmp_path, command):
    """In a folder with a function: the file is written, and its help texts are the command line's."""
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return event\n")
    done = run([commands / command[0], *command[1:]], cwd=tmp_path)
    assert done.code == 0, done.err
    assert "with the handler app.handler" in done.err
    text = (tmp_path / "pyproject.toml").read_text()
    (keep,) = [parameter.help for parameter in build_command.params if parameter.name == "keep"]
    assert f"# {keep}\n# keep = " in text


def test_a_folder_called_init_is_built_by_its_path(build_image, function, tmp_path):
    """`build-image init` means the folder where there is one."""
    function(name="init")
    done = build_image("init", "--plan", cwd=tmp_path)
    assert '"function"' in done.out
