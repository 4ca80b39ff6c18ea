"""The function's dependencies: which file declares them, and a folder with them installed for the target's Python.

uv resolves and installs; only wheels are taken, because nothing of a package may run on the build machine. Hashes are
checked wherever the file has them. Never changes the project: no lock is written or updated.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.cache import Cache, key_of
from builder.errors import BuilderError, DependencyError
from builder.interpreter import Interpreter, uv_program
from builder.plan import LANG

# Where dependencies are declared, the most exact first.
DECLARATIONS = ("uv.lock", "pylock.toml", "requirements.txt", "pyproject.toml")

INSTALL_TIMEOUT_S = 1800
MAX_LOG_CHARS = 20_000

# What uv leaves in a target folder about this machine; it would make two builds differ.
_MACHINE_FILES = (
    ".lock",
    "**/*.dist-info/direct_url.json",
    "**/*.dist-info/REQUESTED",
    "**/*.dist-info/uv_cache.json",
)

# Settings of uv that change what is installed, and so belong to the key.
_UV_SETTINGS = re.compile(r"UV_(?!CACHE_DIR|NO_PROGRESS|OFFLINE|LINK_MODE|CONCURRENT)\w+|PIP_(?:EXTRA_)?INDEX_URL")

_LOCAL = re.compile(r"(?:-e\s|--editable|\.{0,2}/|file:|[\w.-]+(?:\[[^\]]*\])?\s*@\s*(?:file:|\.{0,2}/))")
_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)[\s=]+(?P<file>\S+)")


@dataclass(frozen=True, slots=True)
class Declaration:
    """The file that declares the dependencies, the bytes that decide what is installed, and whether that is exact.

    `cacheable` is false when it names folders of this machine, whose content may change under the same text.
    """

    file: Path
    inputs: Mapping[str, str]
    locked: bool
    cacheable: bool = True


def find_declaration(source: Path, pyproject: Mapping[str, object]) -> Declaration | None:
    """The declaration that counts, or None when the function has no dependencies."""
    for name in DECLARATIONS:
        file = source.absolute() / name  # uv runs in that folder
        if not file.is_file():
            continue
        text = _read(file)
        if name == "pyproject.toml":
            return _from_pyproject(file, text, pyproject)
        if name == "requirements.txt":
            inputs = dict(_with_includes(file, text))
            lines = [line.strip() for body in inputs.values() for line in body.splitlines()]
            if not any(line and not line.startswith("#") for line in lines):
                return None
            return Declaration(file, inputs, "--hash=" in text, not any(_LOCAL.match(line) for line in lines))
        return Declaration(
            file, {name: text, "pyproject.toml": _read(source / "pyproject.toml", missing="")}, locked=True
        )
    return None


def _from_pyproject(file: Path, text: str, pyproject: Mapping[str, object]) -> Declaration | None:
    project = pyproject.get("project", {})
    if not isinstance(project, dict) or not project.get("dependencies"):
        return None
    return Declaration(file, {file.name: text}, locked=False, cacheable="@ file:" not in text)


def _read(file: Path, *, missing: str | None = None) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise DependencyError(
            f"reading dependencies: there is no {file}",
            hint="Another file includes it: correct the name there.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DependencyError(
            f"reading dependencies: {file}: {error}", hint="The file must be readable UTF-8."
        ) from None


def _with_includes(file: Path, text: str, seen: tuple[Path, ...] = ()) -> Iterator[tuple[str, str]]:
    """A requirements file and those it includes, each once: name → text."""
    yield str(file.name if not seen else file), text
    for line in text.splitlines():
        found = _INCLUDE.match(line.strip())
        if found and "://" not in found["file"]:
            inner = file.parent / found["file"]
            if inner not in seen and inner != file:
                yield from _with_includes(inner, _read(inner), (*seen, file))


def install(
    declaration: Declaration,
    interpreter: Interpreter,
    cache: Cache,
    *,
    offline: bool,
    environment: Mapping[str, str],
) -> tuple[Path, str]:
    """The folder with the dependencies installed, and the key of what is in it. Raises DependencyError."""
    settings = {name: value for name, value in environment.items() if _UV_SETTINGS.fullmatch(name)}
    key = key_of(
        "dependencies", declaration.file.name, dict(declaration.inputs), sorted(settings.items()),
        interpreter.version, interpreter.machine, interpreter.glibc, interpreter.gil,
    )  # fmt: skip
    if not declaration.cacheable:
        key = key_of(key, os.urandom(16).hex())

    def fill(folder: Path) -> None:
        _run_uv(declaration, interpreter, folder, offline=offline, environment=environment)
        _clean(folder, interpreter)

    return cache.tree("dependencies", key, fill), key


def _run_uv(
    declaration: Declaration,
    interpreter: Interpreter,
    folder: Path,
    *,
    offline: bool,
    environment: Mapping[str, str],
) -> None:
    requirements = declaration.file
    common = ["--quiet", *(["--offline"] if offline else [])]
    if declaration.file.name == "uv.lock":
        requirements = folder.parent / "requirements.txt"
        export = [
            uv_program(), "export", *common, "--frozen", "--no-dev", "--no-emit-project", "--no-emit-workspace", "--no-header",
            "--python", interpreter.executable, "--project", str(declaration.file.parent), "--format", "requirements.txt",
            "--output-file", str(requirements),
        ]  # fmt: skip
        _checked(export, declaration, interpreter, environment)
    command = [
        uv_program(), "pip", "install", *common, "--only-binary", ":all:", "--target", str(folder),
        "--python", interpreter.executable, "--no-python-downloads", "--requirements", str(requirements),
        *(["--require-hashes"] if declaration.file.name == "uv.lock" else ["--verify-hashes"]),
    ]  # fmt: skip
    _checked(command, declaration, interpreter, environment)


def _checked(
    command: list[str], declaration: Declaration, interpreter: Interpreter, environment: Mapping[str, str]
) -> None:
    clean = {
        name: value for name, value in environment.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
    }
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
            env=clean,
            cwd=declaration.file.parent,
        )
    except subprocess.TimeoutExpired:
        raise DependencyError(
            f"installing {declaration.file.name}: uv did not finish within {INSTALL_TIMEOUT_S} s",
            hint="Check the package index.",
        ) from None
    if done.returncode:
        raise explain(declaration.file.name, interpreter.described, without_secrets(done.stderr[-MAX_LOG_CHARS:]))


def without_secrets(text: str) -> str:
    """Text with the credentials taken out of the URLs in it."""
    return re.sub(r"(://)[^/@\s]+@", r"\1****@", text)


# What uv says → what to do. Tried in order; a named group `package` goes into the message.
_CAUSES: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"Because (?:only )?(?P<package>\S+?)(?:[=<>!~]\S+)? (?:has no (?:usable )?wheels|has no wheels with a matching)"),
        "no wheel of {package} fits {target}",
        "Pick a version of {package} that has a wheel for it, or another --python; only wheels are installed, nothing is compiled.",
    ),
    (
        re.compile(r"(?:Distribution|Package) `(?P<package>[^`=]+)[^`]*` can't be installed because it (?:doesn't have|has no)"),
        "no wheel of {package} fits {target}",
        "Pick a version of {package} that has a wheel for it, or another --python; only wheels are installed, nothing is compiled.",
    ),
    (
        re.compile(r"Hash mismatch for `(?P<package>[^`]+)`"),
        "the file of {package} does not have the hash the lock gives",
        "Somebody changed the file or the lock: find out who, then lock again.",
    ),
    (
        re.compile(r"Because (?P<package>\S+) was not found in the (?:package registry|cache)"),
        "{package} was not found",
        "Check the spelling and the package index; with --offline it must be in uv's cache.",
    ),
    (
        re.compile(r"network was disabled|Network connectivity is disabled|network is disabled"),
        "a package is not in uv's cache, and --offline forbids to fetch it",
        "Build once without --offline.",
    ),
    (
        re.compile(r"error sending request|dns error|tcp connect error|Could not connect|client error \(Connect\)"),
        "the package index could not be reached",
        "Check the network and uv's index settings; a build whose dependencies are cached needs neither.",
    ),
    (
        re.compile(r"No space left on device"),
        "the disk is full",
        "Free some space, or put the cache elsewhere with BUILD_IMAGE_CACHE_DIR.",
    ),
)  # fmt: skip


def explain(name: str, target: str, log: str) -> BuilderError:
    """Uv's complaint as an error that names the package, the target and what to do; its own words are the details."""
    flat = re.sub(r"\s+", " ", log)
    for pattern, message, hint in _CAUSES:
        if found := pattern.search(flat):
            package = found.groupdict().get("package", "")
            return DependencyError(
                f"installing {name}: {message.format(package=package, target=target)}",
                hint=hint.format(package=package),
                details=log,
            )
    return DependencyError(
        f"installing {name}: uv could not do it for {target}",
        hint="Correct the file as uv says.",
        details=log,
    )


def _clean(folder: Path, interpreter: Interpreter) -> None:
    """Take out what differs between machines, let scripts name the image's Python, and forget their recorded hashes."""
    for pattern in _MACHINE_FILES:
        for file in folder.glob(pattern):
            file.unlink()
    for cached in list(folder.glob("**/__pycache__")):
        shutil.rmtree(cached)
    scripts = folder / "bin"
    for script in sorted(scripts.iterdir()) if scripts.is_dir() else ():
        _relocate(script, interpreter)
    for record in folder.glob("*.dist-info/RECORD") if scripts.is_dir() else ():
        _rewrite(record, re.sub(rb"(?m)^((?:\.\./)*bin/[^,\n]*),[^,\n]*,[^,\n]*$", rb"\1,,", record.read_bytes()))


def _relocate(script: Path, interpreter: Interpreter) -> None:
    """Let a console script's first line name the interpreter of the image."""
    body = script.read_bytes()
    first, newline, rest = body.partition(b"\n")
    if first.startswith(b"#!") and b"python" in first:
        _rewrite(script, f"#!/{LANG}/bin/{interpreter.name}".encode() + newline + rest)


def _rewrite(file: Path, body: bytes) -> None:
    """Replace a file by a new one: the old one may be shared with uv's cache."""
    mode = file.stat().st_mode
    file.unlink()
    file.write_bytes(body)
    file.chmod(mode)
