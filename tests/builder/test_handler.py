"""Finding the handler: by name, by the usual names, and every way in which it is not there."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import FunctionSyntaxError, HandlerError, SourceError
from builder.handler import _FORM, USUAL_NAMES, find_handler, module_file

DEF = "def handler(event, context): ...\n"


def find(folder: Path, asked: str | None = None, **options: object) -> str:
    files = [str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()]
    return find_handler(folder, files, asked, **options)


@pytest.mark.parametrize("name", USUAL_NAMES)
def test_each_usual_name_is_found(write, name: str):
    """The only usual name that is there is the handler, without any setting."""
    module, _, function = name.rpartition(".")
    assert find(write({f"{module}.py": f"def {function}(e, c): ...", "other.py": DEF})) == name


@pytest.mark.parametrize(
    ("files", "asked"),
    [
        ({"a.py": DEF}, "a.handler"),
        ({"p/a.py": DEF}, "p.a.handler"),
        ({"p/a.py": DEF}, "p/a.handler"),
        ({"p/__init__.py": DEF}, "p.handler"),
        ({"p/__init__.py": DEF, "p.py": ""}, "p.handler"),  # the import system prefers the package
        ({"my-function.py": DEF}, "my-function.handler"),
        ({"größe.py": "def griff(): ..."}, "größe.griff"),
    ],
)
def test_a_named_handler_is_found_where_import_would_find_it(write, files: dict[str, str], asked: str):
    """Packages, paths, hyphens: what the runtime can import is accepted as it was written."""
    assert find(write(files), asked) == asked


@pytest.mark.parametrize(
    "code",
    [
        "handler = print",
        "handler: object = print",
        "(other, [handler, *rest]) = 1, [2, 3]",
        "async def handler(e, c): ...",
        "class handler: ...",
        "from m import handler",
        "from m import x as handler",
        "import handler",
        "import handler.sub",
        "import a.b as handler",
        "from m import *",
        "if True:\n    def handler(): ...",
        "try:\n    import x\nexcept ImportError:\n    handler = None",
        "try:\n    pass\nfinally:\n    handler = None",
        "with open('x') as handler: ...",
        "for handler in (): ...",
        "while True:\n    handler = 1",
        "match 1:\n    case handler: ...",
        "if (handler := 1): ...",
        "def make():\n    global handler\n    handler = 1",
        "globals()['x'] = 1",
        "exec('x = 1')",
        "import sys\nsetattr(sys.modules[__name__], 'handler', 1)",
        "def __getattr__(name): ...",
        "# -*- coding: latin-1 -*-\nhandler = '\xe4'",
    ],
)
def test_whatever_may_bind_the_name_is_accepted(write, code: str):
    """A handler that the module could define at import is never refused: only running it would tell."""
    assert find(write({"app.py": code.encode("latin-1")}), "app.handler") == "app.handler"


@pytest.mark.parametrize(
    "code",
    [
        "",
        "def other(): ...",
        "def other():\n    handler = 1",
        "class A:\n    def handler(self): ...",
        "class A:\n    def __getattr__(self, name): ...",
        "handler",
        "print(handler)",
        "x.handler = 1",
        "import a.handler",
        "[handler for handler in ()]",
    ],
)
def test_a_module_without_the_name_is_refused(write, code: str):
    """A function that nothing at the module's top level defines is an error before anything is built."""
    with pytest.raises(HandlerError) as caught:
        find(write({"app.py": code}), "app.handler", origin="--handler")
    assert str(caught.value) == ("looking for the handler 'app.handler' (from --handler): app.py defines no 'handler'")
    assert caught.value.hint == "Define it at the top level of app.py, or name another with --handler."


def test_several_usual_names_are_ambiguous(write):
    """Two candidates are never chosen between: the error names both and both ways to say which."""
    folder = write({"app.py": DEF, "main.py": DEF})
    with pytest.raises(HandlerError) as caught:
        find(folder)
    assert str(caught.value) == f"looking for the handler in {folder}: app.handler and main.handler are all there"
    assert "--handler app.handler" in caught.value.hint
    assert 'handler = "app.handler" under [tool.build-image]' in caught.value.hint


def test_a_sure_candidate_beats_a_possible_one(write):
    """`from x import *` in one file does not make the plain definition in another ambiguous; alone it is enough."""
    assert find(write({"app.py": "from os import *", "main.py": DEF})) == "main.handler"
    assert find(write({"app.py": "from os import *"}, "alone")) == "app.handler"


def test_no_usual_name_says_what_was_looked_for_and_what_is_there(write):
    """The error lists the usual names, and which of their files exist without the function."""
    folder = write({"app.py": "def run(): ...", "x.py": DEF})
    with pytest.raises(HandlerError) as caught:
        find(folder)
    assert ", ".join(USUAL_NAMES) in str(caught.value)
    assert "(app.py is there and defines no 'handler')" in str(caught.value)
    assert "--handler module.function" in caught.value.hint


@pytest.mark.parametrize(
    "asked", ["", "handler", ".handler", "a..b", "../a.b", "/a.b", "a.b c", "a.1b", "a b.c", "a\\b.c"]
)
def test_an_ill_formed_name_is_refused(write, asked: str):
    """What is not module.function is said to be none, with the place it came from."""
    with pytest.raises(HandlerError) as caught:
        find(write({"a.py": DEF}), asked, origin="the environment, BUILD_IMAGE_HANDLER")
    assert f"{asked!r} (from the environment, BUILD_IMAGE_HANDLER) is not of the form" in str(caught.value)
    assert caught.value.hint == "For example app.handler."


def test_a_missing_module_names_the_file(write):
    """A module that is not among the files is named as a file, with the usual reasons for that."""
    folder = write({"a.py": DEF})
    with pytest.raises(HandlerError) as caught:
        find(folder, "p.q.handler")
    assert str(caught.value) == f"looking for the handler 'p.q.handler': there is no p/q.py in {folder}"
    assert ".dockerignore" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"x = 1\ndef handler(:\n", "app.py, line 2: "),
        (b"x = \0", "app.py"),
        (b"# coding: nothing\n", "app.py"),
        (b"x = " + b"(" * 1000, "app.py"),
        (b"x = '\xff'", "app.py"),
    ],
)
def test_a_syntax_error_has_its_place(write, code: bytes, message: str):
    """A file that does not parse is an error of its own class, with file, line and the line's text."""
    with pytest.raises(FunctionSyntaxError) as caught:
        find(write({"app.py": code}))
    assert str(caught.value).startswith("reading the function: " + message)
    assert caught.value.hint == "Correct it; nothing was built."


def test_the_offending_line_is_in_the_details(write):
    """The source line that does not parse is shown."""
    with pytest.raises(FunctionSyntaxError) as caught:
        find(write({"p/app.py": "def handler(:\n"}), "p.app.handler")
    assert "p/app.py, line 1" in str(caught.value)
    assert caught.value.details == "def handler(:"


def test_syntax_of_a_newer_python_is_left_to_its_compiler(write):
    """A file that this Python cannot parse is no error when a newer one will run it."""
    newer = (sys.version_info[0], sys.version_info[1] + 1)
    assert find(write({"app.py": "def handler(:"}), "app.handler", version=newer) == "app.handler"


def test_a_module_with_warnings_parses_in_silence(write, recwarn: pytest.WarningsRecorder):
    """What a compiler warns of (an odd escape) is the user's business, not the build's."""
    assert find(write({"app.py": r"x = '\d'" + "\n" + DEF})) == "app.handler"
    assert not recwarn.list


def test_a_module_that_vanished_is_an_error(tmp_path: Path):
    """A file that was listed and is gone is named, with the reason."""
    with pytest.raises(SourceError, match=r"reading the function: app\.py: No such file or directory"):
        find_handler(tmp_path, ["app.py"], None)


@given(st.text(max_size=20))
def test_the_form_never_leaves_the_folder(asked: str):
    """Whatever text is accepted as a handler names a file below the folder."""
    if _FORM.fullmatch(asked):
        file = module_file(asked, {asked.rpartition(".")[0].replace(".", "/") + ".py"})
        assert file
        assert ".." not in file.split("/")
        assert not file.startswith("/")
