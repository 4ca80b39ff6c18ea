"""The parts of an image that have a name and a version: packages, interpreter, runtime, the system's libraries.

Read from what the Plan ships: a package by its METADATA, a library by the Debian package that owns its file, where
dpkg knows it. Everything that is shipped and belongs to none of these is the function's own.
"""

import csv
import hashlib
import io
import posixpath
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from builder.plan import LANG, PACKAGES, How, Plan, PlannedFile

if TYPE_CHECKING:
    from email.message import Message

_SHARED = re.compile(r"\.so(?:\.[\d.]+)?$")
_DPKG_QUERY = "/usr/bin/dpkg-query"
_DPKG_TIMEOUT_S = 30
_MERGED = ("/bin/", "/sbin/", "/lib/", "/lib64/")  # links to /usr/… since Debian 12; dpkg's lists keep the old names


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `kind` is "package", "interpreter", "runtime", "library", "base" or "base package".

    `sha256` is of the file it is (a library, a program) or of a package's RECORD, which holds the hash of each of its
    files; `purl` is a package URL; `licence` is what the package says, an SPDX expression or any words.
    """

    kind: str
    name: str
    version: str
    purl: str
    sha256: str
    licence: str = ""
    files: int = 1


class Owner(NamedTuple):
    """The system's package that a file is from, and the distribution, as package URLs name it."""

    package: str
    version: str
    architecture: str
    distribution: str = "debian"


Owners = Callable[[Iterable[str]], Mapping[str, Owner]]


def collect_parts(plan: Plan, *, python: str, firkin: str, owners: Owners | None = None) -> tuple[Part, ...]:
    """The parts of the plan, sorted; `python` is the interpreter's full version, `firkin` this program's.

    `owners` tells the system's package of a file; else this machine's dpkg does.
    """
    files = {file.path: file for layer in plan.layers for file in layer.files}
    parts = [
        *_packages(files.values()),
        *_libraries(files.values(), owners or debian_owners),
        *_interpreter(files.get(f"{LANG}/bin/{plan.python}"), python),
        Part("runtime", "firkin", firkin, f"pkg:pypi/firkin@{firkin}", ""),
    ]
    return tuple(sorted(parts, key=lambda part: (part.kind, part.name, part.version)))


def _packages(files: Iterable[PlannedFile]) -> Iterator[Part]:
    metadata = re.compile(rf"^{PACKAGES}/[^/]+\.dist-info/METADATA$")
    for file in files:
        if not metadata.match(file.path):
            continue
        headers = HeaderParser().parsestr(Path(file.source).read_text(encoding="utf-8", errors="replace"))
        name = re.sub(r"[-_.]+", "-", str(headers.get("Name", ""))).lower()  # PyPA's normalised name
        version = str(headers.get("Version", ""))
        record = Path(file.source).with_name("RECORD")
        body = record.read_bytes() if record.is_file() else b""
        count = sum(1 for _ in csv.reader(io.StringIO(body.decode("utf-8", "replace"))))
        digest = hashlib.sha256(body).hexdigest() if body else ""
        yield Part("package", name, version, f"pkg:pypi/{name}@{version}", digest, _licence(headers), count)


def _licence(headers: "Message[str, str]") -> str:
    """The licence as the package states it: the expression, else the classifiers, else one line of the old field."""
    if expression := str(headers.get("License-Expression", "")).strip():
        return expression
    classifiers = [str(one).rpartition(" :: ")[2] for one in headers.get_all("Classifier", []) if "License ::" in one]
    old = str(headers.get("License", "")).strip()
    return " AND ".join(sorted(set(classifiers))) or (old if "\n" not in old else "")


def _interpreter(program: PlannedFile | None, python: str) -> Iterator[Part]:
    if program is not None:
        yield Part("interpreter", "cpython", python, f"pkg:generic/cpython@{python}", _sha256(program.source))


def _libraries(files: Iterable[PlannedFile], owners: Owners) -> Iterator[Part]:
    """Shared libraries of the system: those that no package and no interpreter brought."""
    found = {
        file.source: posixpath.basename(file.path)
        for file in files
        if file.how in {How.COPY, How.WITHOUT_DEBUG} and _SHARED.search(file.path) and _is_systems(file)
    }
    known = owners(found)
    for source, soname in found.items():
        owner = known.get(source)
        purl = f"pkg:generic/{soname}"
        if owner:
            purl = f"pkg:deb/{owner.distribution}/{owner.package}@{owner.version}?arch={owner.architecture}"
        yield Part("library", soname, owner.version if owner else "", purl.replace("+", "%2B"), _sha256(source))


def _is_systems(file: PlannedFile) -> bool:
    return file.path.startswith(("lib/", "lib64/", "usr/lib/"))


def _sha256(source: str) -> str:
    with Path(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def debian_owners(sources: Iterable[str]) -> dict[str, Owner]:
    """File of this machine → its Debian package; empty where there is no dpkg."""
    names = {name: source for source in sources for name in _dpkg_names(source)}
    owners = dict(_owners(_query("--search", *names), names))
    if not owners:
        return {}
    packages = sorted({package for package, _ in owners.values()} | {f"{p}:{a}" for p, a in owners.values() if a})
    shown = _query("--show", "--showformat=${binary:Package}\t${Package}\t${Version}\t${Architecture}\n", *packages)
    versions: dict[str, Owner] = {}
    for line in shown.splitlines():
        full, package, version, architecture = line.split("\t")
        versions[full] = versions[package] = Owner(package, version, architecture)
    found = {source: versions.get(f"{p}:{a}" if a else p) or versions.get(p) for source, (p, a) in owners.items()}
    return {source: owner for source, owner in found.items() if owner}


def _dpkg_names(source: str) -> list[str]:
    """The names under which dpkg may list a file: its own and its target's, each with and without /usr."""
    names = {source, str(Path(source).resolve())}
    short = {name.removeprefix("/usr") for name in names if name.removeprefix("/usr").startswith(_MERGED)}
    return sorted(names | short)


def _owners(answer: str, names: dict[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Lines of `package[:arch][, …]: /path`."""
    for line in answer.splitlines():
        packages, colon, path = line.partition(": ")
        if colon and path in names:
            package, _, architecture = packages.split(",")[0].strip().partition(":")
            yield names[path], (package, architecture)


def _query(*arguments: str) -> str:
    """What dpkg-query answers; for files that nobody owns it complains as well, which is no error here."""
    try:
        done = subprocess.run(
            [_DPKG_QUERY, *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_DPKG_TIMEOUT_S, check=False, env={"LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
