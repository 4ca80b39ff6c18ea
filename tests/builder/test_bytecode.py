"""Bytecode is the same every time, and a disk that is full never makes another image."""

import marshal
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from builder import bytecode
from builder.bytecode import Compiler, Failure, Module, compile_modules
from builder.errors import InterpreterError
from tests.bootstrap.runtime_process import VERSIONS, require_python

THIS = Compiler((sys.executable,), "this Python")


def module(folder: Path, name: str, text: str) -> Module:
    (folder / f"{name}.py").write_text(text)
    return Module(str(folder / f"{name}.py"), f"/var/task/{name}.py")


def compiled(one: Module) -> bytes:
    (found,) = compile_modules([one], THIS)
    assert isinstance(found, bytes)
    return found


SETS = "def f(x):\n    return x in {'a', 'b', 'c', 'd', 1, 2.5, None}\n"


def test_the_same_source_gives_the_same_bytes_in_any_folder_and_environment(tmp_path, monkeypatch):
    made = []
    for index, seed in enumerate(("1", "2")):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        folder = tmp_path / f"folder-{index}"
        folder.mkdir()
        made.append(compile_modules([module(folder, f"m{number}", SETS) for number in range(3)], THIS))
    assert made[0] == made[1]
    assert all(isinstance(one, bytes) for one in made[0])


# What marshal writes differently where the process has the same strings: names, class names in class names, constants.
NAMES = """
class Outer:
    class Inner:
        text = 'Outer.Inner'
        def method(self, *, argument=('only here', frozenset({'nor there'})), other='Outer'):
            def closure(): return argument, self, 'Outer.Inner.method.<locals>.closure'
            return closure, lambda: 1.5, 2 ** 70, b'bytes', ...
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_compiled_before_in_the_same_process_changes_no_bytes(tmp_path, version):
    python = require_python(version)
    compiler = Compiler((python,), python)
    one, other = module(tmp_path, "one", NAMES), module(tmp_path, "other", f"{NAMES}\nx = Outer.Inner\n")
    first, second = compile_modules([one, other], compiler)
    assert compile_modules([other, one, other, one], compiler) == [second, first, second, first]


CHARACTERS = "x = ['', '[', ' ', '\\n', '\\xe9', '\\u0100', 'a', ('-', '\\0')]\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_what_somebody_interned_before_changes_no_bytes(tmp_path, version):
    """Of single characters a process has one object each, which bytecode tells to be interned or not."""
    python = require_python(version)
    one = module(tmp_path, "app", CHARACTERS)
    kept = replace(one, made=str(tmp_path / "app.pyc"))
    program = (
        "import py_compile, sys\n"
        "for number in range(-1, 300): sys.intern(chr(number) if number >= 0 else '')\n"
        "py_compile.compile(sys.argv[1], sys.argv[2])"
    )
    subprocess.run([python, "-c", program, one.source, kept.made], check=True)
    other = module(tmp_path, "other", "x = ['[', '-']\n")
    answers = compile_modules([one, kept, other, one], Compiler((python,), python))
    assert answers[0] == answers[1] == answers[3]
    assert answers[0] == compile_modules([kept], Compiler((python,), python))[0]
    assert answers[2] == compile_modules([other], Compiler((python,), python))[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_codec_that_a_source_loads_changes_no_bytes(tmp_path, version):
    """It stays, with its names: a local variable of punycode's is called `digit`."""
    compiler = Compiler((require_python(version),), version)
    one = module(tmp_path, "one", "def f():\n    digit = 1\n    return digit\n")
    other = module(tmp_path, "other", "# coding: punycode\n")
    (alone,) = compile_modules([one], compiler)
    assert compile_modules([other, one], compiler)[1] == alone


SOME = {
    "asyncio", "collections", "email", "enum.py", "importlib", "json", "logging", "typing.py", "weakref.py"
}  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_interpreter_has_compiled_for_itself_gives_the_same_bytes(tmp_path, version):
    """Of a part of its standard library, some of which the compiling process has loaded; and it is what was used."""
    python = require_python(version)
    program = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    copied = Path(subprocess.run([python, "-c", program], check=True, capture_output=True, text=True).stdout.strip())
    stdlib = shutil.copytree(copied, tmp_path / "stdlib", ignore=ignored_but(SOME))
    subprocess.run([python, "-m", "compileall", "-q", str(stdlib)], check=True)
    sources = sorted(stdlib.rglob("*.py"))
    assert len(sources) > 60
    tag = version.replace(".", "")
    plain = [Module(str(source), f"/lib/{source.name}") for source in sources]
    kept = [
        replace(one, made=f"{source.parent}/__pycache__/{source.stem}.cpython-{tag}.pyc")
        for one, source in zip(plain, sources, strict=True)
    ]
    assert all(Path(one.made).exists() for one in kept)
    compiler = Compiler((python,), python)
    assert compile_modules(kept, compiler) == compile_modules(plain, compiler)


def ignored_but(names):
    def ignored(folder, found):
        wanted = names if "python" in Path(folder).name else found
        return {name for name in found if name not in wanted or name == "__pycache__"}

    return ignored


def test_bytecode_that_was_made_before_is_used_only_if_the_interpreter_would(tmp_path):
    """Found out by making it of another source: then what comes back tells which was taken."""
    one = replace(module(tmp_path, "app", "x = 1\n"), made=str(tmp_path / "app.pyc"))
    right, other = compiled(one), compiled(replace(module(tmp_path, "app", "x = 2\n"), made=""))
    source = tmp_path / "app.py"
    source.write_text("x = 1\n")
    stat = source.stat()
    head = right[:4] + bytes(4) + int(stat.st_mtime).to_bytes(4, "little") + stat.st_size.to_bytes(4, "little")
    cases = {
        "fresh": (head + other[16:], True),
        "another time": (head[:8] + bytes(4) + head[12:] + other[16:], False),
        "another size": (head[:12] + bytes(4) + other[16:], False),
        "hash-based": (head[:4] + b"\1" + head[5:] + other[16:], False),
        "another Python": (b"1234" + head[4:] + other[16:], False),
        "cut off": (head + other[16:-5], False),
        "no head": (head[:10], False),
        "empty": (b"", False),
        "no code": (head + marshal.dumps("x = 2"), False),
        "garbage": (head + b"\xff" * 50, False),
    }
    for name, (made, taken) in cases.items():
        Path(one.made).write_bytes(made)
        assert (name, compiled(one)[16:]) == (name, (other if taken else right)[16:])
    Path(one.made).unlink()
    assert compiled(one) == right


def test_bytecode_names_the_file_in_the_image_and_never_goes_stale(tmp_path):
    data = compiled(module(tmp_path, "app", "x = 1\n"))
    assert marshal.loads(data[16:]).co_filename == "/var/task/app.py"
    assert int.from_bytes(data[4:8], "little") == 0b01  # PEP 552: hash-based, not checked


def test_bare_modules_are_compiled_without_what_only_readers_need(tmp_path):
    """Our own, which nobody asks for help; everybody else's stay as they are."""
    text = (
        '"""why"""\nx: "int"\ny: "int" = 2\n'
        'def f(a: "int" = 1, *b: "str", c: "set" = y, **d: "dict") -> "int":\n'
        '    """why"""\n    assert a, a\n    return 1 / a\n'
        "class K:\n    z: int\n    async def g(self, a: 'int') -> 'str': return 'h'\n"
    )
    found = []
    for bare in (True, False):
        names: dict[str, object] = {}
        exec(marshal.loads(compiled(replace(module(tmp_path, "app", text), bare=bare))[16:]), names)
        with pytest.raises(ArithmeticError if bare else AssertionError) as caught:
            names["f"](0)
        assert caught.traceback[-1].lineno == (6 if bare else 5)
        found.append(
            (names.get("__doc__"), names["f"].__doc__, {*names["f"].__annotations__, *names["K"].g.__annotations__})
        )
        assert (names["y"], names["f"].__defaults__, names["f"].__kwdefaults__) == (2, (1,), {"c": 2})
    assert found == [(None, None, set()), ("why", "why", {"a", "b", "c", "d", "return"})]
    assert names["f"].__code__.co_name == "f"


def test_what_does_not_compile_is_told_and_the_rest_is_compiled(tmp_path):
    bad, good = module(tmp_path, "bad", "x = 1\ny = (\n"), module(tmp_path, "good", "x = 1\n")
    failure, made = compile_modules([bad, good], THIS)
    assert (failure.source, failure.line) == (bad.source, 2)
    assert "was never closed" in failure.message
    assert isinstance(made, bytes)


@pytest.mark.parametrize("text", ["x = '\0'", "# coding: no-such\n", "x" + "=(" * 300])
def test_sources_that_are_no_text_or_too_deep_are_failures_like_others(tmp_path, text):
    one = module(tmp_path, "odd", text)
    assert [failure.source for failure in compile_modules([one], THIS)] == [one.source]


def test_the_answers_of_several_processes_come_in_the_order_of_the_modules(tmp_path, monkeypatch):
    modules = [module(tmp_path, f"m{number}", "x = (" if number == 3 else f"x = {number}\n") for number in range(5)]
    together = compile_modules(modules, THIS)
    monkeypatch.setattr(bytecode, "RUN_BYTES", 10)  # two modules
    assert compile_modules(modules, THIS) == together
    assert [index for index, found in enumerate(together) if isinstance(found, Failure)] == [3]


def test_a_source_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        compile_modules([Module(str(tmp_path / "gone.py"), "/gone.py")], THIS)


def test_names_that_are_not_utf8_are_compiled(tmp_path):
    assert compiled(module(tmp_path, os.fsdecode(b"caf\xe9"), "x = 1\n"))


def test_an_interpreter_that_fails_is_named_with_its_words(tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    fake.chmod(0o755)
    with pytest.raises(InterpreterError, match="ended with 3") as caught:
        compile_modules([module(tmp_path, "app", "")], Compiler((str(fake),), "fake"))
    assert "broken" in caught.value.details


def test_nothing_to_compile_starts_no_interpreter():
    assert compile_modules([], Compiler(("/no/such/python",), "none")) == []


def test_an_interpreter_that_prints_by_itself_is_told(tmp_path):
    """Its words would be taken for bytecode."""
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho hello, I print\n")
    fake.chmod(0o755)
    with pytest.raises(InterpreterError, match="begins with b'hello, I print"):
        compile_modules([module(tmp_path, "app", "")], Compiler((str(fake),), "fake"))


def test_the_code_is_that_of_py_compile(tmp_path):
    """The standard library's own way: equal, and with the same head."""
    one = module(tmp_path, "app", SETS)
    code = (
        "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], '/var/task/app.py', doraise=True, "
        "invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)"
    )
    subprocess.run([sys.executable, "-c", code, one.source, tmp_path / "other.pyc"], check=True)
    theirs, ours = (tmp_path / "other.pyc").read_bytes(), compiled(one)
    assert marshal.loads(theirs[16:]) == marshal.loads(ours[16:])
    assert theirs[:16] == ours[:16]
