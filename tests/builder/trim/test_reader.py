"""What a source says about other files, read by its syntax tree."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.trim.facts import FALLBACK, MAIN, Facts, Import, parse_facts, render_facts
from builder.trim.lines import read_lines
from builder.trim.reader import NOT_ASCII, read_facts

VERSION = (3, 11)


def facts(source: str) -> Facts:
    return read_facts(source.encode(), VERSION)


def imported(source: str) -> set[tuple[int, str, tuple[str, ...]]]:
    return {(one.level, one.module, one.names) for one in facts(source).imports}


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("import a.b", (0, "a.b", ())),
        ("from a import b, c as d", (0, "a", ("b", "c"))),
        ("from . import b", (1, "", ("b",))),
        ("from ..a import *", (2, "a", ("*",))),
        ("try:\n    import a\nexcept ImportError:\n    a = None", (0, "a", ())),
        ("def f():\n    import a", (0, "a", ())),
        ("class C:\n    import a", (0, "a", ())),
        ("if x:\n    import a", (0, "a", ())),
        ("import importlib\nimportlib.import_module('a.b')", (0, "a.b", ())),
        ("from __future__ import annotations", (0, "__future__", ())),
        ("import_module('.b', __package__)", (1, "b", ())),
        ("NAME = 'a.b'\n__import__(NAME)", (0, "a.b", ())),
        ("__import__('a', globals(), locals(), ['b'])", (0, "a", ("b",))),
        ("match x:\n    case 1:\n        import a", (0, "a", ())),
        ("with x:\n    import a", (0, "a", ())),
        ("async def f():\n    async for x in y:\n        import a", (0, "a", ())),
        ("if sys.version_info >= (3, 8):\n    import a\nelse:\n    import b", (0, "a", ())),
    ],
)
def test_an_import_is_seen_wherever_it_stands(source: str, seen: tuple[int, str, tuple[str, ...]]):
    """Statements and calls with a constant name, in any block that may run."""
    assert seen in imported(source)


@pytest.mark.parametrize(
    "source",
    [
        "if TYPE_CHECKING:\n    import a",
        "if typing.TYPE_CHECKING:\n    pass\nelif sys.platform == 'win32':\n    import a",
        "if __name__ == '__main__':\n    import a",
        "if sys.version_info >= (3, 8):\n    pass\nelse:\n    import a",
        "'import a'",
        "x = 1 if True else __import__('a')",
    ],
)
def test_an_import_that_never_runs_is_not_seen(source: str):
    """For type checkers, other systems, other Pythons, and when run as a program."""
    assert not imported(source)


def test_deferred_and_guarded_imports_are_marked():
    """In functions; in a module's `__getattr__`, by the names asked for; as a fallback; in a `main()`."""
    found = facts(
        "def f():\n    import a\n"
        "def __getattr__(name):\n    if name in ('x', 'y'):\n        import b\n    import c\n"
        "try:\n    import d\nexcept ImportError:\n    import e\n"
        "def main():\n    import g\n"
    ).imports
    by_name = {one.module: one for one in found}
    assert by_name["a"] == Import(0, "a", deferred=True)
    assert by_name["b"].guards == ("x", "y")
    assert by_name["c"].guards == ("",)
    assert by_name["e"].guards == (FALLBACK, "d")
    assert by_name["g"].guards == (MAIN,)
    assert by_name["d"] == Import(0, "d")


@pytest.mark.parametrize(
    ("source", "prefix"),
    [
        ("import_module(f'a.b.{x}')", "a.b."),
        ("import_module('a.' + x)", "a."),
        ("__import__('a.%s' % x)", "a."),
        ("import_module('a.{}'.format(x))", "a."),
        ("import_module(f'.{x}', __name__)", "."),
        ("import_module(f'{__name__}.{x}')", "@."),
        ("import_module(__package__ + '.' + x)", "@."),
        ("__import__(f'{__spec__.parent}.{x}')", "@."),
        ("import_module('.'.join(('a', x)))", "a."),
        ("P = 'a.'\nimport_module(P + x)", "a."),
    ],
)
def test_the_constant_beginning_of_a_computed_name_is_seen(source: str, prefix: str):
    """All that begins so may be imported, and nothing else: it does not count as wholly computed."""
    found = facts(source)
    assert found.prefixes == {prefix}
    assert "imports" not in found.traits


@pytest.mark.parametrize(
    ("source", "trait"),
    [
        ("import_module(name)", "imports"),
        ("__import__(f'{x}.y')", "imports"),
        ("def __getattr__(name): ...", "lazy"),
        ("lazy.attach(__name__, submodules=['a'])", "lazy"),
        ("pkgutil.walk_packages(__path__)", "walks"),
        ("entry_points(group='g')", "entries"),
        ("importlib.metadata.version(name)", "metadata"),
        ("importlib.metadata.files('x')", "records"),
        ("data.decode(encoding)", "decodes"),
        ("open(f, encoding=enc)", "decodes"),
        ("codecs.lookup(name)", "decodes"),
        ("if name in {'utf-8', 'ascii'}:\n    name = other\n    data.decode(name)", "decodes"),
        ("if name in {'utf-8', x}:\n    data.decode(name)", "decodes"),
        ("if name in {'utf-8', 'ascii'}: ...\ndata.decode(name)", "decodes"),
        ("if name in {'utf-8', 'ascii'}: ...\nelse:\n    data.decode(name)", "decodes"),
        ("str(data, enc)", "decodes"),
        ("ctypes.CDLL('libx.so')", "opens"),
        ("boto3.client(name)", "services"),
        ("session.resource(service_name=name)", "services"),
    ],
)
def test_what_a_module_does_besides_importing_is_a_trait(source: str, trait: str):
    """Each kind of thing that leads on without an import statement."""
    assert trait in facts(source).traits


@pytest.mark.parametrize(
    "source", ["if name in {'utf-8', 'ascii'}:\n    data.decode(name)", "if x == 'ascii':\n    unquote(y, encoding=x)",
               "data.decode('utf-8')", "data.decode()", "open(f, encoding='utf-8')", "open(f, encoding=None)",
               "table.lookup(x)", "boto3.client('s3')", "import_module('a')"]
)  # fmt: skip
def test_constants_make_no_trait(source: str):
    """What names its target exactly keeps that alone."""
    assert not facts(source).traits & {"decodes", "services", "imports"}


def test_names_among_constants_are_collected():
    """Modules, codecs, services, distributions and libraries, but no docstrings and no annotations."""
    found = facts(
        '"""a.docstring"""\n'
        "x: 'an.annotation' = 'a.module:attribute'\n"
        "data.encode('Shift-JIS')\n"
        "boto3.client('s3'); boto3.resource(service_name='sqs')\n"
        "version('My.Package')\n"
        "CDLL('/opt/lib/libgeos_c.so.1'); find_library('proj')\n"
        "try_import('lonely')\n"
    )
    assert "a.module:attribute" in found.strings
    assert not {"a.docstring", "an.annotation"} & found.strings
    assert found.codecs == {"shift_jis"}
    assert found.services == {"s3", "sqs"}
    assert found.dists == {"My.Package"}
    assert found.libraries >= {"libgeos_c.so.1", "proj"}
    assert found.asked == {"lonely"}


def test_codecs_that_a_template_calls_for_are_collected():
    """A text may be code of another language that calls Python's methods."""
    found = facts("render('{{ x.encode(\\'cp437\\') }} {{ y.decode( \"Shift-JIS\" ) }} {{ z.encode(w) }}' + 200 * 'x')")
    assert found.codecs == {"cp437", "shift_jis"}


def test_defined_and_mentioned_names_are_collected():
    """What `a.b` in a string can mean, and what sets a lazy import off."""
    found = facts("from a import b as c\nimport d.e\nx = y = 1\ndef f(): z.attribute\nclass K: pass")
    assert found.defines >= {"c", "d", "x", "y", "f", "K"}
    assert found.mentions >= {"b", "attribute"}


def test_other_characters_are_noted():
    """A traceback that shows such a line needs the table of characters."""
    assert NOT_ASCII in facts("x = 'ä'").mentions
    assert NOT_ASCII not in facts("x = 'a'").mentions


def test_syntax_of_a_newer_python_is_read_by_its_lines():
    """Every import line counts, more rather than less."""
    found = read_facts(b"import a.b, c\nfrom ..d import (e, f)\nlet x = 'g.h'\n", VERSION)
    assert {(one.level, one.module) for one in found.imports} == {(0, "a.b"), (0, "c"), (2, "d")}
    assert "g.h" in found.strings
    assert "decodes" in found.traits


_NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
_DOTTED = st.lists(_NAMES, min_size=1, max_size=3).map(".".join)


@given(st.lists(_DOTTED, max_size=5), st.text(max_size=30))
def test_any_statement_is_read_the_same_by_tree_and_by_lines(modules: list[str], text: str):
    """For plain imports the two readers agree, and a string never turns into one."""
    source = "".join(f"import {name}\n" for name in modules) + f"x = {text!r}\n"
    try:
        ast.parse(source)
    except SyntaxError:  # a keyword among the names
        return
    found = {one.module for one in read_facts(source.encode(), VERSION).imports}
    assert found == set(modules)
    assert found <= {one.module for one in read_lines(source.encode()).imports}


@given(st.binary(max_size=200))
def test_garbage_gives_facts_and_no_error(source: bytes):
    """Whatever a file holds, reading it ends."""
    assert isinstance(read_facts(source, VERSION), Facts)


@given(st.binary(max_size=80))
def test_facts_survive_the_cache(source: bytes):
    """What is remembered is what was read."""
    found = read_facts(b"import os, a.b\nfrom . import c\nx = 'd.e'\n" + source, VERSION)
    assert parse_facts(render_facts(found)) is not None
    assert parse_facts(__import__("json").loads(__import__("json").dumps(render_facts(found)))) == found


@pytest.mark.parametrize("value", [None, [], [[], "x"], {"a": 1}, [[1], *[""] * 10], [[[0]], *[""] * 10]])
def test_what_are_no_facts_is_none(value: object):
    """A damaged entry is read anew."""
    assert parse_facts(value) is None
