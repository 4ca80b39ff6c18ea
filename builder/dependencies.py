"""The function's dependencies: which file declares them, and a folder with them installed for the target's Python.

uv resolves and installs; only wheels are taken, because nothing of a package may run on the build machine. Hashes are
checked wherever the file has them. Never changes the project: no lock is written or updated.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.cache import Cache, key_of
from builder.errors import BaseError, DependencyError
from builder.installed import MAX_BYTES, check_size, clean_installed, linked_packages
from builder.interpreter import Interpreter, uv_program
from builder.oci.aside import empty_folder
from builder.plan import LANG
from builder.requirements import (
    WHEELS_ONLY,
    has_unseen_includes,
    lines_of,
    local_state,
    read_requirements,
    read_text,
    refuse_folders,
)

# Where dependencies are declared, the most exact first.
DECLARATIONS = ("uv.lock", "pylock.toml", "requirements.txt", "pyproject.toml")

# What `uv pip install --python-platform` takes as ARCHITECTURE-manylinux_2_N; a test asks uv.
_UV_GLIBC_MINORS = (17, 28, *range(31, 41))
_OLDEST_MUSL = (1, 2)  # uv's musl platform stands for musllinux_1_2

INSTALL_TIMEOUT_S = 1800  # hundreds of megabytes over a slow line
MAX_LOG_CHARS = 20_000
MAX_WRITTEN_BYTES = 2 * MAX_BYTES  # into its cache, and from there into the folder where it cannot link
_LOOK_S = 0.25  # how often what uv has written is looked at: a bomb writes less than 1 GB meanwhile

# Settings of uv that change what is installed, and so belong to the key.
_UV_SETTINGS = re.compile(r"UV_(?!CACHE_DIR|NO_PROGRESS|OFFLINE|LINK_MODE|CONCURRENT|HTTP_|INDEX_\w+_(?:USER|PASS))\w+")

# What a person's shell may hold for another Python than the target's.
_NOT_FOR_UV = frozenset(
    ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "UV_PYTHON", "UV_TARGET", "UV_PREFIX")
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """The file that declares the dependencies, the texts that decide what is installed, and whether that is exact.

    `inputs` maps a name to its text. `cacheable` is false when it includes what cannot be read here.
    """

    file: Path
    inputs: Mapping[str, str]
    locked: bool
    cacheable: bool = True


def find_declaration(source: Path, pyproject: Mapping[str, object]) -> Declaration | None:
    """The declaration that counts, or None when the function has no dependencies. Raises DependencyError."""
    folder = source.absolute()  # uv runs in that folder
    file = next((folder / name for name in DECLARATIONS if (folder / name).is_file()), None)
    if file is None:
        return None
    settings = _settings(folder, pyproject)
    match file.name:
        case "requirements.txt":
            return _from_requirements(file, settings)
        case "pyproject.toml":
            return _from_pyproject(file, pyproject, settings)
        case _:
            text = read_text(file)
            wheels = [f"./{place}" for place in re.findall(r"""path = ["']([^"'\n]+\.whl)["']""", text)]
            state = local_state(file, "\n".join(wheels))
            return Declaration(file, {file.name: text, **settings, **state}, locked=True)


def _settings(folder: Path, pyproject: Mapping[str, object]) -> dict[str, str]:
    """The project's own words to uv, which change what is installed: three tables of pyproject.toml, and uv.toml."""
    tool = pyproject.get("tool")
    uv = tool.get("uv") if isinstance(tool, dict) else None
    texts = {"pyproject.toml": repr((pyproject.get("project"), pyproject.get("dependency-groups"), uv))}
    for above in (folder, *folder.parents):
        if (above / "uv.toml").is_file():
            texts["uv.toml"] = read_text(above / "uv.toml")
            break
    return texts


def _from_requirements(file: Path, settings: Mapping[str, str]) -> Declaration | None:
    texts = read_requirements(file)
    if not any(True for text in texts.values() for _ in lines_of(text)):
        return None
    inputs = dict(settings)
    for path, text in texts.items():
        refuse_folders(path.name, text)
        inputs |= {str(path): text, **local_state(path, text)}
    return Declaration(
        file,
        inputs,
        locked=any("--hash=" in text for text in texts.values()),
        cacheable=not any(has_unseen_includes(text) for text in texts.values()),
    )


def _from_pyproject(file: Path, pyproject: Mapping[str, object], settings: Mapping[str, str]) -> Declaration | None:
    project, tool = pyproject.get("project", {}), pyproject.get("tool", {})
    dynamic = project.get("dynamic", []) if isinstance(project, dict) else []
    poetry = tool.get("poetry", {}) if isinstance(tool, dict) else {}
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        raise DependencyError(
            "reading pyproject.toml: the dependencies are dynamic, and finding them would run the project's build",
            hint="Lock them: uv lock, or uv pip compile pyproject.toml -o requirements.txt.",
        )
    if isinstance(project, dict) and (declared := project.get("dependencies")):
        refuse_folders(file.name, "\n".join(map(str, declared)) if isinstance(declared, list) else "")
        return Declaration(file, settings, locked=False)
    if isinstance(poetry, dict) and set(poetry.get("dependencies", {})) - {"python"}:
        raise DependencyError(
            "reading pyproject.toml: the dependencies stand under [tool.poetry], which uv does not read",
            hint="Write requirements.txt (poetry export), or move them to [project] dependencies.",
        )
    return None


def install(
    declaration: Declaration,
    interpreter: Interpreter,
    cache: Cache,
    *,
    offline: bool,
    environment: Mapping[str, str],
    program: str = "",
) -> tuple[Path, str]:
    """The folder with the dependencies installed, and the key of what is in it. Raises DependencyError.

    `program` is the interpreter's path in the image, for console scripts.
    """
    program = program or f"/{LANG}/bin/{interpreter.name}"
    settings = {name: value for name, value in environment.items() if _UV_SETTINGS.fullmatch(name)}
    key = key_of(
        "dependencies", declaration.file.name, dict(declaration.inputs), sorted(settings.items()),
        interpreter.full_version, interpreter.machine, interpreter.glibc, interpreter.musl, program,
    )  # fmt: skip
    if not declaration.cacheable:
        key = key_of(key, os.urandom(16).hex())
    uv = _Uv(declaration, interpreter, offline=offline, environment=environment)

    def fill(folder: Path) -> None:
        uv.install(uv.requirements(folder.parent), folder)
        check_size(folder, declaration.file.name)
        clean_installed(folder, program)

    return cache.tree("dependencies", key, fill), key


def target_options(interpreter: Interpreter) -> list[str]:
    """Options of uv for the Python of a base: its version, and the platform whose wheels its libc can load.

    uv knows some versions of glibc by name: the newest that is not newer than the base's is taken. Raises BaseError.
    """
    if interpreter.musl:
        if _numbers(interpreter.musl) < _OLDEST_MUSL:
            raise BaseError(
                f"choosing wheels for the base: its musl is {interpreter.musl}, wheels are made for 1.2 and newer",
                hint="Take a newer base.",
            )
        platform = f"{interpreter.machine}-unknown-linux-musl"
    else:
        own = _numbers(interpreter.glibc or "2.17")
        fitting = [minor for minor in _UV_GLIBC_MINORS if (2, minor) <= own]
        if not fitting:
            raise BaseError(
                f"choosing wheels for the base: its glibc is {interpreter.glibc}, wheels are made for 2.17 and newer",
                hint="Take a newer base.",
            )
        platform = f"{interpreter.machine}-manylinux_2_{fitting[-1]}"
    return ["--python-version", interpreter.full_version, "--python-platform", platform]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


class _Uv:
    """uv, run for one declaration and one interpreter."""

    def __init__(
        self, declaration: Declaration, interpreter: Interpreter, *, offline: bool, environment: Mapping[str, str]
    ) -> None:
        self.file = declaration.file
        self.locked = declaration.locked
        self.offline = offline
        self.interpreter = interpreter
        self.common = ["--quiet", "--no-python-downloads"]
        self.common += ["--python", sys.executable if interpreter.of_base else interpreter.executable]
        self.target = target_options(interpreter) if interpreter.of_base else []
        self.common += ["--offline"] if offline else []
        self.environment = {name: value for name, value in environment.items() if name not in _NOT_FOR_UV}

    def requirements(self, scratch: Path) -> Path:
        """The file to install from; uv.lock is first exported, without the project itself and its groups."""
        if self.file.name != "uv.lock":
            return self.file
        exported = scratch / "requirements.txt"
        self._run(
            "export", *self.common, "--locked", "--no-default-groups", "--no-emit-project", "--no-editable",
            "--no-header", "--format", "requirements.txt", "--output-file", str(exported),
        )  # fmt: skip
        refuse_folders(self.file.name, read_text(exported))
        return exported

    def install(self, requirements: Path, folder: Path) -> None:
        """Install wheels, and nothing else, into the folder.

        What is locked comes from uv's cache where all of it is there: uv would ask the index about each package all the
        same, once what it was told is some minutes old.
        """
        asked = [
            "pip", "install", *self.common, *self.target, "--only-binary", ":all:", "--no-compile-bytecode",
            "--target", str(folder), "--requirements", str(requirements),
        ]  # fmt: skip
        if self.locked and not self.offline and self._failure(*asked, "--offline", "--require-hashes") is None:
            return
        empty_folder(folder)
        self._run(*asked, "--require-hashes" if self.file.name == "uv.lock" else "--verify-hashes")
        for package in linked_packages(folder):
            raise DependencyError(
                f"installing {self.file.name}: {package} is a link to a folder here, {WHEELS_ONLY[0]}",
                hint=WHEELS_ONLY[1],
            )

    def _run(self, *arguments: str) -> None:
        log = self._failure(*arguments)
        if log is not None:
            from builder.uv_errors import explain, without_secrets  # a table of regular expressions

            raise explain(self.file.name, self.interpreter.described, without_secrets(log)[-MAX_LOG_CHARS:])

    def _failure(self, *arguments: str) -> str | None:
        """What uv said when it failed, None when it did not."""
        with subprocess.Popen(
            [uv_program(), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
            env=self.environment, cwd=self.file.parent,
        ) as process:  # fmt: skip
            try:
                log = _watched(process, self.file.name)
            except BaseException:
                process.kill()
                raise
        return log if process.returncode else None


def _watched(process: "subprocess.Popen[str]", name: str) -> str:
    """What uv says on stderr until it ends; raises DependencyError when it takes too long or writes too much."""
    deadline = time.monotonic() + INSTALL_TIMEOUT_S
    while True:
        try:
            return process.communicate(timeout=min(_LOOK_S, INSTALL_TIMEOUT_S))[1]
        except subprocess.TimeoutExpired:
            written = _written_bytes(process.pid)
        if time.monotonic() > deadline:
            raise DependencyError(
                f"installing {name}: uv did not finish within {INSTALL_TIMEOUT_S} s",
                hint="Check the network and the package index.",
            )
        if written > MAX_WRITTEN_BYTES:
            raise DependencyError(
                f"installing {name}: uv has unpacked {written / 1e9:.1f} GB and was stopped; no image holds that much",
                hint="One of the packages is a zip bomb, or far too large. `uv cache prune` frees what lies there now.",
            )


def _written_bytes(pid: int) -> int:
    """How many bytes a running process has written so far; 0 where the system does not tell. Source: proc(5), `io`."""
    try:
        told = re.search(r"^wchar: (\d+)", Path(f"/proc/{pid}/io").read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(told[1]) if told else 0
