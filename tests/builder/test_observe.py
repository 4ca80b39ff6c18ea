"""Folder and interpreter as one Plan: which file goes to which layer, what is trimmed, what is warned of."""

import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.cache import Cache
from builder.config import Config, read_pyproject
from builder.elf import Tree
from builder.errors import DependencyError
from builder.function import observe_function
from builder.host import observe_host
from builder.interpreter import Interpreter
from builder.observe import UNLOCKED, Packages, make_plan, moved, observe_packages
from builder.plan import How, Plan, PlannedFile, make_layer
from builder.trim import Choice
from tests.conftest import unavailable

APP = "def handler(event, context): ...\n"
Observe = Callable[..., Packages | None]


@pytest.fixture
def packages(this_python: Interpreter, cache: Cache) -> Observe:
    """Observe a folder's packages: `packages(folder, trim="safe", keep=…)`."""

    def run(folder: Path, *, trim: str = "safe", keep: tuple[str, ...] = ()) -> Packages | None:
        config, choice = Config(folder, trim=trim, keep=keep), Choice(trim, keep)
        function = observe_function(config, this_python, choice)
        environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        return observe_packages(
            config,
            this_python,
            choice,
            cache,
            function=function,
            pyproject=read_pyproject(folder),
            environment=environment,
        )

    return run


@pytest.fixture
def planned(this_python: Interpreter, cache: Cache, packages: Observe) -> Callable[..., Plan]:
    """The whole Plan of a folder."""

    def run(folder: Path, trim: str = "safe") -> Plan:
        config, choice = Config(folder, trim=trim), Choice(trim)
        function = observe_function(config, this_python, choice)
        found = packages(folder, trim=trim)
        return make_plan(config, this_python, observe_host(this_python, choice, cache), function, found)

    return run


def test_a_function_alone_needs_no_packages(write, packages: Observe, planned):
    """Without dependencies there is no layer for them."""
    folder = write({"app.py": APP})
    assert packages(folder) is None
    plan = planned(folder)
    assert [layer.name for layer in plan.layers] == ["interpreter", "runtime", "function"]


@pytest.mark.parametrize(("trim", "end"), [("safe", ".pyc"), ("none", ".py")])
def test_the_runtime_is_started_by_its_bytecode_where_there_is_some(write, planned, trim, end):
    """What ENTRYPOINT names is in the image, whatever is compiled."""
    plan = planned(write({"app.py": APP}), trim=trim)
    assert plan.script == f"var/runtime/bootstrap/__main__{end}"
    (runtime,) = [layer for layer in plan.layers if layer.name == "runtime"]
    assert plan.script in {file.path for file in runtime.files}


def test_a_python_that_the_project_leaves_out_stops_the_build(write, packages: Observe):
    """requires-python counts also when there are no dependencies."""
    folder = write({"app.py": APP, "pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.99"'})
    with pytest.raises(DependencyError, match=r"requires-python is '>=3\.99'"):
        packages(folder)


@pytest.mark.network
def test_dependencies_are_planned_trimmed_and_warned_of(write, planned):
    """Installed files go to /opt/python, what is trimmed has its reason, and missing hashes are said."""
    plan = planned(write({"app.py": APP, "requirements.txt": "markupsafe==3.0.2"}))
    layer = plan.layers[2]
    assert [layer.name for layer in plan.layers] == ["interpreter", "runtime", "dependencies", "function"]
    paths = {file.path for file in layer.files}
    assert {"opt/python/markupsafe/__init__.py", "opt/python/MarkupSafe-3.0.2.dist-info/METADATA"} <= paths
    assert any(path.startswith("opt/python/markupsafe/__pycache__/__init__.cpython-") for path in paths)
    assert layer.dropped["opt/python/markupsafe/_speedups.pyi"] == "type stubs, read by type checkers"
    assert UNLOCKED.format("requirements.txt") in plan.warnings
    below = {file.path for file in plan.layers[0].files}
    assert not paths & below


@pytest.mark.network
def test_level_none_keeps_all_and_keep_keeps_some(write, packages: Observe):
    """Nothing is trimmed without a level, and a pattern keeps what the level would drop."""
    folder = write({"app.py": APP, "requirements.txt": "markupsafe==3.0.2"})
    stub = "opt/python/markupsafe/_speedups.pyi"
    assert packages(folder, trim="none").dropped == {}
    assert stub in {file.path for file in packages(folder, trim="none").files}
    assert stub in {file.path for file in packages(folder, keep=("**/*.pyi",)).files}


@pytest.mark.network
def test_tests_that_the_function_imports_are_kept(write, packages: Observe):
    """The function's own imports make exceptions too; what was observed is remembered."""
    files = {"app.py": APP, "requirements.txt": "iniconfig==2.0.0\n./pkg-1-py3-none-any.whl"}
    folder = write(files)
    _wheel(folder / "pkg-1-py3-none-any.whl")
    assert "opt/python/pkg/tests/__init__.py" in packages(folder).dropped
    assert "opt/python/pkg/tests/__init__.py" in packages(folder).dropped
    (folder / "app.py").write_text("from pkg.tests import x\n" + APP)
    assert "opt/python/pkg/tests/__init__.py" in {file.path for file in packages(folder).files}


def _wheel(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr("pkg/tests/__init__.py", "")
        wheel.writestr("pkg-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: pkg\nVersion: 1\n")
        wheel.writestr(
            "pkg-1.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("pkg-1.dist-info/RECORD", "")


def test_libraries_that_the_function_itself_needs_are_planned(write, packages: Observe):
    """A compiled module in the function's own folder brings the system's libraries it needs, or a warning."""
    gcc = shutil.which("gcc")
    if gcc is None:
        unavailable("gcc is not installed: scripts/engines installs it")
    folder = write({"app.py": APP})
    (folder / "empty.c").write_text("int x;")
    for name in ("libown.so", "libnowhere.so"):
        subprocess.run([gcc, "-shared", "-nostdlib", "-o", name, "empty.c"], cwd=folder, check=True)
    link = [gcc, "-shared", "-o", "native.so", "empty.c", "-Wl,--no-as-needed", "-lgcc_s", "-L.", "-Wl,-rpath,$ORIGIN"]
    subprocess.run([*link, "-lown", "-lnowhere"], cwd=folder, check=True)
    (folder / "libnowhere.so").unlink()
    found = packages(folder)
    names = {Path(file.path).name for file in found.files}
    assert "libgcc_s.so.1" in names
    assert "libown.so" not in names
    assert found.warnings == (
        "libnowhere.so, needed by task/native.so, is not on this machine; what loads it will fail",
    )


def test_the_plan_compiles_only_when_it_trims(write, planned):
    """Level none ships the files as they are; level safe adds bytecode, because a read-only image could not keep it."""
    folder = write({"app.py": APP})
    safe, plain = planned(folder), planned(folder, "none")
    assert [file.path for file in safe.layers[-1].files if file.how is How.BYTECODE]
    assert not [file.path for layer in plain.layers for file in layer.files if file.how is How.BYTECODE]
    assert safe.handler == plain.handler == "app.handler"


def test_on_a_kept_base_files_go_where_its_links_lead(tmp_path: Path):
    """A folder in a layer would replace the link, and what is behind it would be gone."""
    for folder in ("usr/local/opt", "data", "var"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "opt").symlink_to("usr/local/opt")
    (tmp_path / "var/task").symlink_to("/data")
    (tmp_path / "var/runtime").write_text("a file, as AWS's own runtime has one of that name")
    paths = ("opt/python/a.py", "opt/python/b/c.py", "var/task/app.py", "var/runtime/bootstrap/x.py")
    layer = make_layer("l", [PlannedFile(path, "", "") for path in paths], python="python3.11", compiled=False)
    (found,) = moved([layer], Tree(tmp_path))
    assert [file.path for file in found.files] == [
        "data/app.py", "usr/local/opt/python/a.py", "usr/local/opt/python/b/c.py", "var/runtime/bootstrap/x.py",
    ]  # fmt: skip
