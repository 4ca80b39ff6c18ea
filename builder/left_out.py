"""What was left out of an image, as the image itself tells it: the file that the runtime reads when an import fails.

Pure: dropped paths with their reasons in, text out, and back. A folder of which nothing was kept stands for all below
it as long as one reason covers it, so the list stays short. The other reader is `bootstrap/trimmed.py`, which may
import nothing from here: the form is written down there.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cache

from builder.plan import RUNTIME, How, Plan, PlannedFile

PATH = f"{RUNTIME}/trimmed.txt"
NAMES = ": "  # how the first line begins
_MODULE_ENDS = (".py", ".so")


def with_left_out(plan: Plan) -> Plan:
    """The plan with its list, in place of an older one; without, when nothing is left out.

    It goes into the function's layer, the last one, so that the runtime's layer is the same for all functions.
    """
    *below, last = (replace(layer, files=tuple(f for f in layer.files if f.path != PATH)) for layer in plan.layers)
    dropped = {path: why for layer in plan.layers for path, why in layer.dropped.items()}
    if dropped:
        text = render_left_out((file.path for layer in (*below, last) for file in layer.files), dropped)
        why = "what was left out, for the messages of imports that fail"
        told = PlannedFile(PATH, "", why, How.CONTENT, content=text.encode("utf-8", "replace"))
        last = replace(last, files=tuple(sorted((*last.files, told), key=lambda file: file.path)))
    return replace(plan, layers=(*below, last))


def render_left_out(kept: Iterable[str], dropped: Mapping[str, str]) -> str:
    """The list: the names of its modules, then a line `=REASON` and entries for each group, folders with a slash."""
    present = {above for folder in {_folder(path) for path in kept} for above in _folders(folder)}
    reasons: dict[str, set[str]] = defaultdict(set)
    for folder, why in {(_folder(path), why) for path, why in dropped.items()}:
        for above in _folders(folder):
            reasons[above].add(why)

    @cache
    def whole(folder: str) -> str:
        """The highest folder that stands for all in this one; none as long as one of them holds what was kept."""
        return next((one for one in _folders(folder) if one not in present and len(reasons[one]) == 1), "")

    groups: dict[str, set[str]] = defaultdict(set)
    for path, why in dropped.items():
        groups[_line(why)].add(_line(whole(_folder(path)) or path))
    first = f"{NAMES}{' '.join(sorted(_module_names(dropped, present)))}\n"
    return first + "".join(
        f"={why}\n" + "".join(f"{entry}\n" for entry in sorted(groups[why])) for why in sorted(groups)
    )


def _module_names(dropped: Iterable[str], present: AbstractSet[str]) -> set[str]:
    """The last names of all dropped modules and packages that an import can look for; `present` are the folders kept.

    Nobody looks into a package that is gone itself, but perhaps into another folder that is gone: an entry of the path.
    """
    files = [path for path in dropped if path.endswith(_MODULE_ENDS)]
    packages = {f"{_folder(path)}/" for path in files if path.endswith("/__init__.py")}
    places = [*{above for folder in {_folder(path) for path in files} for above in _folders(folder)} - present]
    places += [path for path in files if not path.endswith("/__init__.py")]
    names = set()
    for place in places:
        folder, _, last = place.removesuffix("/").rpartition("/")
        if f"{folder}/" in present or f"{folder}/" not in packages:
            names.add(last.partition(".")[0])
    return {name for name in names if name.isidentifier()}


def parse_left_out(text: str) -> dict[str, str]:
    """Entries with their reasons."""
    found: dict[str, str] = {}
    why = ""
    for line in text.splitlines():
        if line.startswith("="):
            why = line[1:]
        elif line and not line.startswith(NAMES):
            found[line] = why
    return found


def _folder(path: str) -> str:
    """The folder of a path that has no superfluous slashes."""
    return path.rpartition("/")[0]


def _folders(folder: str) -> Iterator[str]:
    """A folder and those above it, the highest first, each with a slash at its end."""
    end = folder.find("/")
    while end >= 0:
        yield folder[: end + 1]
        end = folder.find("/", end + 1)
    if folder:
        yield f"{folder}/"


def _line(text: str) -> str:
    """A text as a line: a name may hold anything but a NUL and a slash."""
    return text.replace("\n", "?").replace("\r", "?")
