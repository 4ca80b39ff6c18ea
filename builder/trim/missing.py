"""What an image lacks, out of what a failing run said; and which of the files left out would have been it. Pure.

Reads the messages of Python's import system, of open(), of the dynamic loader, and of the packages that say it in their
own words. Finds candidates only: whether they help is for the next run to show.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from builder.plan import PACKAGES

MAX_TEXT_CHARS = 2_000_000  # of a log; what is missing is named in an error, and those come late

# What is missing by its kind: the pattern's group is its name.
_MESSAGES: tuple[tuple[str, str], ...] = (
    ("module", r"No module named \\?['\"]([\w.]+)"),
    ("module", r"ModuleNotFoundError: ['\"]?([\w.]+)['\"]? "),
    ("attribute", r"cannot import name \\?['\"](\w+)\\?['\"] from (?:partially initialized module )?\\?['\"]([\w.]+)"),
    ("attribute", r"module \\?['\"]([\w.]+)\\?['\"] has no attribute \\?['\"](\w+)"),
    ("file", r"No such file or directory: \\?b?['\"]([^'\"\\]+)"),
    (
        "file",
        r"(?i)(?:cannot|could not|unable to|failed to) (?:open|find|load|read)[^/\n]{0,60}(/(?:opt|var)/[\w./+-]+)",
    ),
    ("library", r"([\w.+-]+\.so[\w.]*): cannot open shared object file"),
    ("codec", r"unknown encoding: ([\w-]+)"),
    ("zone", r"No time zone found with key ([\w/+-]+)"),
    ("distribution", r"No package metadata was found for ([\w.-]+)"),
    ("distribution", r"PackageNotFoundError: ['\"]?([\w.-]+)"),
    ("distribution", r"The '([\w.-]+)' distribution was not found"),
    ("service", r"Unknown service: \\?['\"]([\w-]+)"),
    ("service", r"Unable to load data for: ([\w/-]+)"),
)


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that a run said it lacks: a `kind` of `_MESSAGES`, and its name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def find_missing(text: str) -> list[Missing]:
    """All that a run's payload and log say is missing, each once."""
    found: dict[Missing, None] = {}
    for kind, pattern in _MESSAGES:
        for match in re.finditer(pattern, text[-MAX_TEXT_CHARS:]):
            for one in _named(kind, match):
                found[one] = None
    return list(found)


def _named(kind: str, match: "re.Match[str]") -> Iterator[Missing]:
    if kind != "attribute":
        yield Missing(kind, match[1])
        return
    # `cannot import name 'b' from 'a'` and `module 'a' has no attribute 'b'`: a.b may be a module.
    name, module = (match[1], match[2]) if match[0].startswith("cannot") else (match[2], match[1])
    yield Missing("module", f"{module}.{name}")


def candidates(missing: Missing, rest: Mapping[str, str]) -> list[str]:
    """The paths among those left out that it may be; `rest` maps them to their names as modules ("" for others)."""
    return [path for path, module in rest.items() if _fits(missing, path, module)]


def _fits(missing: Missing, path: str, module: str) -> bool:
    name = missing.name
    if missing.kind == "module":  # with the packages above it
        return bool(module) and (name == module or name.startswith(f"{module}."))
    if missing.kind == "distribution":
        return _is_metadata(path, name)
    parts = {
        "file": (f"{name.lstrip('/').rstrip('/')}/",),
        "library": (f"/{name}/",),
        "codec": ("/encodings/", "/_codecs_", "/_multibytecodec"),
        "zone": ("zoneinfo/",),
        "service": (f"/data/{name.partition('/')[0]}/",),
    }[missing.kind]
    return any(part in f"/{path}/" for part in parts)


def _is_metadata(path: str, name: str) -> bool:
    folder = path.removeprefix(f"{PACKAGES}/").partition("/")[0]
    plain = re.sub(r"[-_.]+", "-", folder.removesuffix(".dist-info").partition("-")[0]).lower()
    return folder.endswith(".dist-info") and plain == re.sub(r"[-_.]+", "-", name).lower()
