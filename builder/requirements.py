"""What a build must know of requirement texts beyond handing them to uv: which other files decide what is installed.

The include graph, the wheels that lie on this machine, references that cannot be shipped, and `requires-python`.
Resolves nothing and installs nothing; what is not understood here is left to uv to judge.

Source: pip's "Requirements File Format", PEP 440 (version specifiers), PEP 508 (direct references).
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from builder.errors import DependencyError

# For what is no wheel: how the message ends, and what to do.
WHEELS_ONLY = (
    "and only wheels are installed",
    "Build a wheel of it (uv build --wheel) and name that, or copy its package into the function's folder.",
)

MAX_FILES = 100  # of one include graph; more is a mistake

_INCLUDE = re.compile(r"(?:-r|--requirements?|-c|--constraints?)[\s=]+(?P<file>.+)")
_EDITABLE = re.compile(r"(?:-e|--editable)[\s=]+(?P<place>.+)")
_FIND_LINKS = re.compile(r"(?:-f|--find-links)[\s=]+(?P<place>.+)")
_DIRECT = re.compile(r"[\w.-]+\s*(?:\[[^\]]*\])?\s*@\s*(?P<place>\S+)")
_PATH = re.compile(r"(?P<place>(?:file:|\.{0,2}/)\S+|[^\s@:]+\.whl)(?:\s.*)?")
_CLAUSE = re.compile(r"(?P<operator>~=|===?|!=|<=|>=|<|>)\s*(?P<version>\d+(?:\.\d+)*)(?P<any>\.\*)?")


def read_requirements(file: Path) -> dict[Path, str]:
    """The text of a requirements file and of those it includes, each once, by resolved path. Raises DependencyError.

    Includes by URL, or with a variable in their name, are uv's alone to read.
    """
    found: dict[Path, str] = {}
    todo = [file.resolve()]
    while todo:
        current = todo.pop()
        if current in found:
            continue
        if len(found) == MAX_FILES:
            raise DependencyError(
                f"reading dependencies: {file} includes more than {MAX_FILES} files",
                hint="Merge them: uv pip compile writes one file with everything in it.",
            )
        found[current] = read_text(current)
        todo += [(current.parent / name).resolve() for name in _included(found[current])]
    return found


def read_text(file: Path) -> str:
    """A file that takes part in declaring dependencies. Raises DependencyError."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DependencyError(
            f"reading dependencies: there is no {file}",
            hint="Another file names it: correct the name there.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DependencyError(
            f"reading dependencies: {file}: {error}", hint="The file must be readable UTF-8."
        ) from None


def lines_of(text: str) -> Iterator[str]:
    """The lines that say something: continued ones joined, without comments."""
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines():
        if said := re.sub(r"(?:^|\s)#.*", "", line).strip():
            yield said


def _included(text: str) -> Iterator[str]:
    for line in lines_of(text):
        if (found := _INCLUDE.fullmatch(line)) and is_fixed(name := found["file"].strip("'\"")):
            yield name


def is_fixed(name: str) -> bool:
    """Whether a file's name says where it is: no URL, no variable."""
    return "://" not in name and "${" not in name


def has_unseen_includes(text: str) -> bool:
    """Whether a text includes what cannot be read here, so that its own bytes do not decide what is installed."""
    includes = filter(None, map(_INCLUDE.fullmatch, lines_of(text)))
    return not all(is_fixed(include["file"]) for include in includes)


def refuse_folders(name: str, text: str) -> None:
    """Raises DependencyError for a line that names a folder or an archive of this machine."""
    for line in lines_of(text):
        place = _EDITABLE.fullmatch(line) or _local(line)
        if place and not place["place"].endswith(".whl"):
            raise DependencyError(
                f"installing {name}: {line[:200]!r} is a folder of this machine, {WHEELS_ONLY[0]}",
                hint=WHEELS_ONLY[1],
            )


def _local(line: str) -> re.Match[str] | None:
    """The match of a line that names a file or folder of this machine, in its group `place`."""
    direct = _DIRECT.match(line)
    return _PATH.fullmatch(direct["place"] if direct else line)


def local_state(file: Path, text: str) -> dict[str, str]:
    """Size and time of every wheel of this machine that a text names, itself or by its folder: part of the key."""
    state: dict[str, str] = {}
    for line in lines_of(text):
        place = _FIND_LINKS.fullmatch(line) or _local(line)
        if place and is_fixed(name := place["place"].removeprefix("file://").removeprefix("file:")):
            where = file.parent / name
            for wheel in sorted(where.glob("*.whl")) if where.is_dir() else [where]:
                if wheel.is_file():
                    stat = wheel.stat()
                    state[str(wheel)] = f"{stat.st_size} {stat.st_mtime_ns}"
    return state


def check_python(pyproject: Mapping[str, object], version: str) -> None:
    """Raises DependencyError when the project's `requires-python` leaves out the Python of that full version."""
    project = pyproject.get("project")
    wanted = project.get("requires-python") if isinstance(project, dict) else None
    if isinstance(wanted, str) and not python_fits(wanted, version):
        raise DependencyError(
            f"checking pyproject.toml: requires-python is {wanted!r}, and Python {version} would be shipped",
            hint="Name another interpreter with --python, or correct requires-python.",
        )


def python_fits(specifier: str, version: str) -> bool:
    """Whether a full version such as 3.13.1 satisfies a specifier such as `>=3.11,<4`; unknown clauses do not count."""
    numbers = [int(number) for number in re.findall(r"\d+", version)[:3]]
    return all(
        _clause_fits(clause["operator"], clause["version"], numbers, prefix=bool(clause["any"]))
        for part in specifier.split(",")
        if (clause := _CLAUSE.fullmatch(part.strip()))
    )


def _clause_fits(operator: str, wanted: str, version: list[int], *, prefix: bool) -> bool:
    bound = [int(number) for number in wanted.split(".")]
    size = max(len(bound), len(version))
    left, right = (numbers + [0] * (size - len(numbers)) for numbers in (version, bound))
    same = version[: len(bound)] == bound if prefix else left == right
    fits = {
        "==": same,
        "===": same,
        "!=": not same,
        ">=": left >= right,
        "<=": left <= right,
        ">": left > right,
        "<": left < right,
        "~=": left >= right and version[: len(bound) - 1] == bound[:-1],
    }
    return fits[operator]
