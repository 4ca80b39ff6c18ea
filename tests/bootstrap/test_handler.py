"""From `app.handler` to the function, and every way to miss it."""

from __future__ import annotations

import sys

import pytest

from bootstrap.errors import (
    BuiltInModuleConflictError,
    FunctionError,
    HandlerNotFoundError,
    ImportModuleError,
    MalformedHandlerNameError,
    UserCodeSyntaxError,
)
from bootstrap.handler import resolve_handler
from tests.bootstrap.runtime_process import write_function


@pytest.fixture
def function(tmp_path, monkeypatch):
    """A folder on the module path; modules imported from it are forgotten afterwards."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("fk_app.handler", "fk_app"),
        ("fk_pkg.fk_app.handler", "fk_pkg__fk_app"),
        ("fk_src/fk_app.handler", "fk_src__fk_app"),
        ("fk_a/fk_b/fk_c.handler", "fk_a__fk_b__fk_c"),
        ("fk_a/fk_b.fk_d.handler", "fk_a__fk_b__fk_d"),
    ],
)
def test_dots_and_slashes_name_modules(function, name, file) -> None:
    """Folders may be separated by dots or slashes, with or without __init__.py."""
    write_function(function, **{file: "def handler(event, context): return event"})
    assert resolve_handler(name)("e", None) == "e"


UNABLE = "Unable to import module "


@pytest.mark.parametrize(
    ("name", "source", "error", "message"),
    [
        ("fk_app", "", MalformedHandlerNameError, "Bad handler 'fk_app': found no module and function. "),
        (".handler", "", MalformedHandlerNameError, "Bad handler '.handler': "),
        ("./fk_app.handler", "", MalformedHandlerNameError, "Bad handler './fk_app.handler': "),
        ("fk_app.nope", "x = 1", HandlerNotFoundError, "Handler 'nope' missing on module 'fk_app'"),
        ("fk_app.", "x = 1", HandlerNotFoundError, "Handler '' missing on module 'fk_app'"),
        ("sys.exit", "", BuiltInModuleConflictError, "Cannot use built-in module sys as a handler module"),
        ("fk_none.handler", "", ImportModuleError, UNABLE + "'fk_none': No module named 'fk_none'"),
        ("fk/none.handler", "", ImportModuleError, UNABLE + "'fk/none': No module named 'fk'"),
        ("fk_app.handler", "import fk_no", ImportModuleError, UNABLE + "'fk_app': No module named 'fk_no'"),
        ("fk_app.handler", "from sys import nope", ImportModuleError, UNABLE + "'fk_app': cannot import"),
        ("fk_app.handler", "def (", UserCodeSyntaxError, "Syntax error in module 'fk_app': "),
    ],
)
def test_each_way_to_miss_it_has_its_type_and_message(function, name, source, error, message) -> None:
    """The types are the platform's, the messages those that people find when they search."""
    write_function(function, fk_app=source)
    with pytest.raises(FunctionError) as caught:
        resolve_handler(name)
    assert type(caught.value) is error
    assert str(caught.value).startswith(message)


def test_a_syntax_error_shows_file_and_line(function) -> None:
    """The stack trace of a syntax error is the place itself, in awslambdaric's format."""
    write_function(function, fk_app="ok = 1\ndef (\n")
    with pytest.raises(UserCodeSyntaxError) as caught:
        resolve_handler("fk_app.handler")
    assert caught.value.stack_trace == (f'  File "{function}/fk_app.py" Line 2\n    def (\n',)


def test_other_exceptions_pass_unchanged(function) -> None:
    """What the module raises by itself keeps its class."""
    write_function(function, fk_app="raise LookupError('mine')")
    with pytest.raises(LookupError, match="mine"):
        resolve_handler("fk_app.handler")
