"""Bytecode is the same every time, and a disk that is full never makes another image."""

import marshal
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from builder import bytecode
from builder.bytecode import Compiler, Module, compile_modules
from builder.errors import InterpreterError

THIS = Compiler((sys.executable,), "this Python")


def module(folder: Path, name: str, text: str) -> Module:
    (folder / f"{name}.py").write_text(text)
    return Module(str(folder / f"{name}.py"), str(folder / f"{name}.pyc"), f"/var/task/{name}.py")


SETS = "def f(x):\n    return x in {'a', 'b', 'c', 'd', 1, 2.5, None}\n"


def test_the_same_source_gives_the_same_bytes_in_any_folder_and_environment(tmp_path, monkeypatch):
    made = []
    for index, seed in enumerate(("1", "2")):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        folder = tmp_path / f"folder-{index}"
        folder.mkdir()
        modules = [module(folder, f"m{number}", SETS) for number in range(3)]
        assert compile_modules(modules, THIS) == []
        made.append([Path(one.target).read_bytes() for one in modules])
    assert made[0] == made[1]


def test_bytecode_names_the_file_in_the_image_and_never_goes_stale(tmp_path):
    one = module(tmp_path, "app", "x = 1\n")
    compile_modules([one], THIS)
    data = Path(one.target).read_bytes()
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
        one = replace(module(tmp_path, "app", text), bare=bare)
        compile_modules([one], THIS)
        names: dict[str, object] = {}
        exec(marshal.loads(Path(one.target).read_bytes()[16:]), names)
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
    (failure,) = compile_modules([bad, good], THIS)
    assert (failure.source, failure.line) == (bad.source, 2)
    assert "was never closed" in failure.message
    assert Path(good.target).exists()
    assert not Path(bad.target).exists()


@pytest.mark.parametrize("text", ["x = '\0'", "# coding: no-such\n", "x" + "=(" * 300])
def test_sources_that_are_no_text_or_too_deep_are_failures_like_others(tmp_path, text):
    one = module(tmp_path, "odd", text)
    assert [failure.source for failure in compile_modules([one], THIS)] == [one.source]


def test_runs_are_independent_of_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(bytecode, "RUN", 2)
    modules = [module(tmp_path, f"m{number}", "x = (" if number == 3 else SETS) for number in range(5)]
    assert [failure.source for failure in compile_modules(modules, THIS)] == [modules[3].source]
    assert sum(Path(one.target).exists() for one in modules) == 4


def test_a_bytecode_file_that_cannot_be_written_is_an_error(tmp_path):
    """Left out silently, the layer would be remembered without it."""
    one = module(tmp_path, "app", "x = 1\n")
    (tmp_path / "file").touch()
    target = Module(one.source, str(tmp_path / "file/app.pyc"), one.name)
    with pytest.raises(OSError, match=r"app\.pyc|file"):
        compile_modules([target], THIS)


def test_a_source_that_is_gone_is_an_error(tmp_path):
    gone = Module(str(tmp_path / "gone.py"), str(tmp_path / "gone.pyc"), "/gone.py")
    with pytest.raises(FileNotFoundError):
        compile_modules([gone], THIS)


def test_names_that_are_not_utf8_are_compiled(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    one = module(tmp_path, name, "x = 1\n")
    assert compile_modules([one], THIS) == []
    assert Path(one.target).exists()


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


def test_the_bytes_are_those_of_py_compile(tmp_path):
    """The standard library's own way, in a process that did as little before."""
    one = module(tmp_path, "app", SETS)
    compile_modules([one], THIS)
    code = (
        "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], '/var/task/app.py', doraise=True, "
        "invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run([sys.executable, "-c", code, one.source, tmp_path / "other.pyc"], check=True, env=environment)
    assert marshal.loads((tmp_path / "other.pyc").read_bytes()[16:]) == marshal.loads(
        Path(one.target).read_bytes()[16:]
    )
    assert (tmp_path / "other.pyc").read_bytes()[:16] == Path(one.target).read_bytes()[:16]
