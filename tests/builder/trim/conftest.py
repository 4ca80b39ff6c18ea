"""Synthetic images for the walk: modules as a table of paths and sources."""

from collections.abc import Callable, Mapping

import pytest

from builder.trim.distributions import find_distributions
from builder.trim.facts import Facts
from builder.trim.handler_roots import handler_roots
from builder.trim.index import Index, find_modules
from builder.trim.knowledge import parse_rows
from builder.trim.leftovers import Leftovers
from builder.trim.reach import Walk
from builder.trim.reached import Cause
from builder.trim.reader import read_facts
from builder.trim.rules import DEPENDENCIES, FUNCTION, RUNTIME, STDLIB

ROOTS = [
    ("var/task", FUNCTION),
    ("opt/python", DEPENDENCIES),
    ("var/lang/lib/python3.11", STDLIB),
    ("var/runtime", RUNTIME),
]
SHORT = {"task": "var/task", "opt": "opt/python", "std": "var/lang/lib/python3.11", "run": "var/runtime"}

Trim = Callable[..., set[str]]


def long(path: str) -> str:
    """`opt/a.py` → `opt/python/a.py`: tests name the four folders by one word each."""
    first, _, rest = path.partition("/")
    return f"{SHORT[first]}/{rest}"


def short(path: str) -> str:
    """The other way."""
    word = next(word for word, folder in SHORT.items() if path.startswith(folder + "/"))
    return word + path[len(SHORT[word]) :]


class Synthetic:
    """One image, walked from `handler`."""

    def __init__(self, files: Mapping[str, str], *, handler: str, rows: str, native: Mapping[str, set[str]]) -> None:
        self.paths = {path: long(path) for path in files}
        self.files = {self.paths[path]: source for path, source in files.items()}
        self.index = Index(find_modules(self.files, ROOTS))
        self.rows = parse_rows(rows, "test.toml")
        self.native = native
        self.dists = find_distributions(self.files, "opt/python", lambda path: self.files[path].encode())
        self.walk = Walk(self.index, lambda module: self.facts(module.path), self.rows, self.dists)
        self.walk.lean((path, cause) for path, cause in self.own())
        self.reached = self.walk.run(handler_roots(handler, self.index, self.dists))

    def own(self):
        for path, module in self.index.by_path.items():
            if module.scope == RUNTIME:
                yield path, Cause("runtime")

    def facts(self, path: str) -> Facts:
        if path.endswith(".so"):
            return Facts(strings=frozenset(self.native.get(short(path), ())))
        return read_facts(self.files[path].encode(), (3, 11))

    def modules(self) -> set[str]:
        return {short(path) for path in self.reached.kept}

    def data(self) -> set[str]:
        """The kept files that are no modules."""
        judge = Leftovers(self.reached, self.index, self.rows, self.dists)
        others = [path for path in self.files if path not in self.index.by_path or judge.is_data_folder(path)]
        return {short(path) for path in others if path not in self.reached.kept and judge.judge(path)[0]}


@pytest.fixture
def synthetic() -> Callable[..., Synthetic]:
    """`synthetic({"task/app.py": "import a", "opt/a.py": ""})` walks from `app.handler`."""

    def make(files: Mapping[str, str], *, handler: str = "app.handler", rows: str = "", native=None) -> Synthetic:
        return Synthetic(files, handler=handler, rows=rows, native=native or {})

    return make


@pytest.fixture
def kept(synthetic) -> Trim:
    """The modules that are reached, but for the function's own."""

    def make(files: Mapping[str, str], **options: object) -> set[str]:
        return {path for path in synthetic(files, **options).modules() if not path.startswith("task/")}

    return make
