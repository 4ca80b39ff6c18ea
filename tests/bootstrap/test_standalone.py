"""Starting without a platform: the emulator is put in front of the same command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.standalone import emulator_command
from tests.bootstrap.runtime_process import VERSIONS, clean_environment, require_python

SCRIPT = "/var/runtime/bootstrap/__main__.py"
BOOTSTRAP = Path(__file__).parents[2] / "bootstrap"


@pytest.mark.parametrize(
    ("original", "argument_count", "runtime"),
    [
        (["python3", "-S", SCRIPT, "app.handler"], 1, ["-S", SCRIPT, "app.handler"]),
        (["python3", "-S", SCRIPT], 0, ["-S", SCRIPT]),
        (["python3", "bootstrap/__main__.py", "a.b"], 1, [SCRIPT, "a.b"]),
        (["python3", "/var/runtime/bootstrap", "a.b"], 1, [SCRIPT, "a.b"]),
        (["python3", "-m", "bootstrap", "a.b"], 1, [SCRIPT, "a.b"]),
        (["python3", "-mbootstrap", "a.b"], 1, [SCRIPT, "a.b"]),
        (["python3", "-Sm", "bootstrap", "a.b", "-m"], 2, ["-S", SCRIPT, "a.b", "-m"]),
        (["python3", "-Smbootstrap"], 0, ["-S", SCRIPT]),
        (["python3", "-X", "dev", "-W", "error", SCRIPT, "a.b"], 1, ["-X", "dev", "-W", "error", SCRIPT, "a.b"]),
    ],
)
def test_the_runtime_command_survives(original, argument_count, runtime) -> None:
    """Flags and arguments stay; whatever named the program becomes the script's path."""
    front = ["/var/runtime/emulator/__main__.py", "--host", "0.0.0.0"]
    command = emulator_command(original, argument_count, script=SCRIPT, front=front)
    assert command == [sys.executable, "-S", *front, "--", sys.executable, *runtime]


def image_folder(tmp_path: Path, *, emulator: str | None) -> Path:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    (runtime / "bootstrap").symlink_to(BOOTSTRAP)
    if emulator is not None:
        (runtime / "emulator").mkdir()
        (runtime / "emulator" / "__main__.py").write_text(emulator)
    return runtime


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", ["script", "module"])
def test_without_a_platform_the_emulator_is_started(version, form, tmp_path) -> None:
    """The process becomes the emulator, which is given the runtime's own command line, flags included."""
    python = require_python(version)
    runtime = image_folder(tmp_path, emulator="import sys; print(*sys.argv[1:], sep='\\n')")
    script = str(runtime / "bootstrap" / "__main__.py")
    program = [script] if form == "script" else ["-m", "bootstrap"]
    process = subprocess.run(
        [python, "-S", "-W", "ignore", *program, "app.handler"],
        cwd=tmp_path,
        env=clean_environment(PYTHONPATH=str(runtime)),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    host, command = process.stdout.splitlines()[:3], process.stdout.splitlines()[3:]
    assert host == ["--host", "0.0.0.0", "--"]
    assert Path(command[0]).samefile(python)
    assert command[1:] == ["-S", "-W", "ignore", script, "app.handler"]


@pytest.mark.parametrize(("host", "flags"), [("", ["--host", "0.0.0.0", "--"]), ("127.0.0.1", ["--"])])
def test_it_listens_everywhere_unless_told(host, flags, tmp_path) -> None:
    """A container is reached by its own interface; elsewhere the variable of the emulator's option counts."""
    runtime = image_folder(tmp_path, emulator="import sys; print(*sys.argv[1:], sep='\\n')")
    process = subprocess.run(
        [sys.executable, "-S", str(runtime / "bootstrap" / "__main__.py"), "app.handler"],
        env=clean_environment(EMULATOR_HOST=host),
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert process.stdout.split()[: len(flags)] == flags


def test_without_an_emulator_the_message_says_what_to_do(tmp_path) -> None:
    """An image without an emulator ends with its own exit code and names both ways out."""
    script = image_folder(tmp_path, emulator=None) / "bootstrap" / "__main__.py"
    process = subprocess.run(
        [sys.executable, "-S", str(script), "app.handler"],
        cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert process.returncode == 72
    assert "AWS_LAMBDA_RUNTIME_API is not set" in process.stderr
    assert f"{tmp_path}/runtime/emulator/__main__.py" in process.stderr
    assert "Traceback" not in process.stderr


def test_no_handler_ends_with_a_usage_error(tmp_path) -> None:
    """Without any handler the process ends before it looks for a platform."""
    process = subprocess.run(
        [sys.executable, "-S", str(BOOTSTRAP / "__main__.py")],
        cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (process.returncode, process.stdout) == (2, "")
    assert "Looking for the handler" in process.stderr
