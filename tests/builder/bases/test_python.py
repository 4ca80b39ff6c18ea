"""The Python of a base is found by reading, and what is found is what that Python says of itself."""

import json
import platform
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.bases.python import find_python
from builder.elf import Tree
from builder.errors import BaseError, InterpreterError
from builder.interpreter import observe_interpreter
from tests.bases import debian_tree
from tests.conftest import elsewhere, unavailable

ASK = (
    "import importlib.util, json, platform, sys, sysconfig; print(json.dumps([platform.python_version(), "
    "sysconfig.get_path('stdlib'), importlib.util.MAGIC_NUMBER.hex()]))"
)


@pytest.mark.parametrize("asked", [None, "/usr/bin/python3", "3.9", "3.10", "3.12", "3.13"])
def test_what_is_read_is_what_the_python_says(asked):
    """Every Python of this machine, seen as a base: version, standard library, bytecode format, libc."""
    try:
        known = observe_interpreter(asked)
    except InterpreterError as error:
        elsewhere(str(error))
    found = find_python(Tree(Path("/")), name="this machine", folders=[], wanted=known.executable)
    said = json.loads(subprocess.run([known.executable, "-I", "-c", ASK], capture_output=True, check=True).stdout)
    assert [found.full_version, found.magic] == [said[0], said[2]]
    assert Path(found.stdlib).samefile(said[1])
    assert (found.machine, found.glibc, found.musl) == (platform.machine(), known.glibc, "")


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_a_base_of_any_architecture_is_read(architecture):
    """Nothing is run, so an arm64 base is read on x86-64 as on arm64."""
    found = find_python(Tree(debian_tree(architecture)), name="debian", folders=["/usr/bin"], wanted=None)
    assert found.program == "/usr/bin/python3"
    assert found.executable == f"/usr/bin/python{found.version[0]}.{found.version[1]}"
    assert found.full_version.startswith("3.")
    assert found.full_version.count(".") == 2
    assert found.machine == {"amd64": "x86_64", "arm64": "aarch64"}[architecture]
    assert found.glibc.startswith("2.")
    assert len(found.magic) == 8


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program for this machine that is as good as an interpreter for those who only read."""
    gcc = shutil.which("gcc") or unavailable("gcc is not installed: scripts/engines installs it")
    folder = tmp_path_factory.mktemp("program")
    (folder / "p.c").write_text('const char *version = "3.11.4"; int main(void) { return version[0]; }')
    subprocess.run([gcc, "-o", folder / "python", folder / "p.c"], check=True, timeout=60)
    return folder / "python"


@pytest.fixture
def base(tmp_path: Path, program: Path) -> Callable[..., Tree]:
    """Return `base(files)`: a tree of files; a value of None is the program, "-> x" a link."""

    def make(files: dict[str, str | None]) -> Tree:
        for name, content in files.items():
            place = tmp_path / "base" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                shutil.copy(program, place)
            elif content.startswith("-> "):
                place.symlink_to(content[3:])
            else:
                place.write_text(content)
        return Tree(tmp_path / "base")

    return make


MAGIC = "MAGIC_NUMBER = (3495).to_bytes(2, 'little') + b'\\r\\n'\n"


def stdlib(folder: str) -> dict[str, str | None]:
    return {f"{folder}/os.py": "", f"{folder}/importlib/_bootstrap_external.py": MAGIC}


@pytest.mark.parametrize(
    ("files", "folders", "wanted", "called", "place"),
    [
        ({"usr/bin/python3.11": None, **stdlib("usr/lib/python3.11")}, [], None, "/usr/bin/python3.11", "usr/bin"),
        (
            {"var/lang/bin/python3.11": None, "var/lang/bin/python3": "-> python3.11",
             **stdlib("var/lang/lib/python3.11")},
            ["/var/lang/bin"], None, "/var/lang/bin/python3", "var/lang/bin",
        ),
        (
            {"usr/bin/python3.11": None, "opt/venv/bin/python3": "-> /usr/bin/python3.11",
             **stdlib("usr/lib64/python3.11")},
            ["/opt/venv/bin"], None, "/opt/venv/bin/python3", "usr/bin",
        ),
        (
            {"usr/bin/python3": "#!/bin/sh\n", "usr/bin/python3.11": None, "usr/local/bin/python3": "-> gone",
             **stdlib("usr/lib/python3.11")},
            [], None, "/usr/bin/python3.11", "usr/bin",
        ),
        (
            {"usr/bin/python3.11": None, "usr/bin/python3.8": None, **stdlib("usr/lib/python3.11")},
            [], "3.11", "/usr/bin/python3.11", "usr/bin",
        ),
        (
            {"x/bin/python3.11": None, **stdlib("x/lib/python3.11")},
            [], "/x/bin/python3.11", "/x/bin/python3.11", "x/bin",
        ),
    ],
)  # fmt: skip
def test_the_one_that_a_shell_would_find_is_taken(base, files, folders, wanted, called, place):
    """PATH first, `python3` before numbers, links followed inside the base, what cannot be used passed over."""
    found = find_python(base(files), name="b", folders=folders, wanted=wanted)
    assert (found.program, found.executable) == (called, f"/{place}/python3.11")
    assert (found.full_version, found.magic) == ("3.11.4", "a70d0d0a")


@pytest.mark.parametrize(
    ("files", "wanted", "words"),
    [
        ({}, None, "found nothing of that name"),
        ({"usr/bin/python3": "#!/bin/sh\n"}, None, "/usr/bin/python3 is a script, not the interpreter itself"),
        ({"usr/bin/python3": "-> /etc/alternatives/gone"}, None, "/usr/bin/python3 leads to no file"),
        ({"usr/bin/python3": "-> ../../../../../../usr/bin/env"}, None, "leads to no file"),
        ({"usr/bin/python3.11": None}, None, "has no standard library: no os.py in /usr/lib/python3.11"),
        ({"usr/bin/python3.8": None}, None, "is Python 3.8, and the runtime needs 3.9 or newer"),
        ({"usr/bin/python3.13t": None}, None, "is the free-threaded build"),
        ({"usr/bin/python3": None}, None, "has no version of CPython in its name"),
        ({"usr/bin/python3": "\x7fELF"}, None, "cannot be read"),
        ({"usr/bin/python3.11": None, **stdlib("usr/lib/python3.11")}, "3.12", "is Python 3.11.4"),
        ({}, "/opt/python3", "looked at /opt/python3; found /opt/python3 leads to no file"),
    ],
)
def test_what_was_looked_for_and_what_was_found_is_told(base, files, wanted, words):
    (base({"etc/os-release": ""}).root / "x").touch()
    with pytest.raises(BaseError, match=r"looking for Python.* in the base oci:b: looked") as caught:
        find_python(base(files), name="oci:b", folders=["/bin"], wanted=wanted)
    assert words in str(caught.value)
    assert "--base host" in caught.value.hint


def test_nothing_outside_the_base_is_taken_for_its_python(base):
    """A link to this machine's Python is a link into the base, where there is none."""
    tree = base(
        {"usr/bin/python3.11": f"-> {Path('/usr/bin/env').resolve()}", "usr/lib": f"-> {sysconfig.get_path('stdlib')}"}
    )
    with pytest.raises(BaseError):
        find_python(tree, name="b", folders=[], wanted=None)
