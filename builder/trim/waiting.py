"""Imports that happen once somebody asks for a name: those of rows of `waits`, and those of a module's `__getattr__`.

The half of the walk that remembers who has asked for what. Pure; follows imports through the walk, and reads no module.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from builder.trim.facts import Facts, Import
from builder.trim.index import Module
from builder.trim.knowledge import Row, matches
from builder.trim.reached import Cause
from builder.trim.rules import FUNCTION, STDLIB

if TYPE_CHECKING:
    from builder.trim.reach import Walk


class Waiting:
    """What waits in one walk; `rows` are those of `waits`."""

    def __init__(self, walk: "Walk", rows: Sequence[Row]) -> None:
        self._walk = walk
        self._rows = [(row, tops_of(row.when)) for row in rows]
        self._pending: dict[Row, list[tuple[Module, Module]]] = defaultdict(list)  # importers and what waits
        self._released: set[Row] = set()
        self._guarded: dict[str, list[tuple[Module, Import]]] = defaultdict(list)
        self._starred: dict[str, str] = {}  # modules of which all names are imported → who does
        self._mentioned: dict[str, str] = {}  # name → the path that mentioned it first, of function and dependencies
        self._mentioned_below: dict[str, str] = {}  # of the standard library, which asks no other package for names
        self._any_name = ""  # the function's module that asks for attributes of computed names
        self._held: set[str] = set()  # first parts of what the function or a dependency imports, so that it may ask it

    # what waits

    def has_to_wait(self, importer: Module, module: Module) -> bool:
        """Whether an import happens only for those who ask for certain names, and nobody has so far."""
        for row in self._walk.rows_of(importer, "waits"):
            is_inside = matches(importer.name, row.modules)  # it is there already, and needs its own
            if row not in self._released and not is_inside and matches(module.name, row.modules):
                self._pending[row].append((importer, module))
                return True
        return False

    def wait(self, module: Module, one: Import) -> None:
        """An import of a module's `__getattr__`, which happens once somebody else asks for one of its names."""
        if starred := self._starred.get(module.path):
            self._walk.follow(module, one, Cause("loaded by the `import *` of", starred))
            return
        for guard in one.guards:
            asked = self._mentioned.get(guard) or (self._any_name if self._is_held(module.name) else "")
            if not asked and module.scope == STDLIB:
                asked = self._mentioned_below.get(guard, "")
            if asked and asked != module.path:
                self._walk.follow(module, one, Cause(f"{guard!r}, used in /{asked}, is loaded by", module.path))
                return
        for guard in one.guards:
            self._guarded[guard].append((module, one))

    # who asks

    def ask(self, module: Module, facts: Facts) -> None:
        """Let go of what waits for a name that a module of the function or of a dependency uses."""
        self._release(module, facts)
        self._ask_first(facts.mentions | facts.strings, self._mentioned, module.path)
        self._note_any_name(module, facts)

    def ask_below(self, module: Module, facts: Facts) -> None:
        """The same of a module of the standard library, whose names count for itself alone."""
        self._ask_first(facts.mentions, self._mentioned_below, module.path, below=True)

    def ask_for_all(self, package: Module, by: str) -> None:
        """Let go of all that a package loads when it is asked: `import *` asks for every name."""
        self._starred.setdefault(package.path, by)
        for waiting in list(self._guarded.values()):
            for owner, one in waiting:
                if owner.path == package.path:
                    self._walk.follow(owner, one, Cause("loaded by the `import *` of", by))

    def _release(self, module: Module, facts: Facts) -> None:
        """Let go of the imports that waited for a name which the module uses."""
        imported = _imported(module, facts)
        names = facts.mentions | facts.strings | {f"@{trait}" for trait in facts.traits}
        names |= {f"import {top}" for top in imported}
        starred = tops_of(one.module for one in facts.imports if "*" in one.names and not one.level)
        for row, family in self._rows:
            asked = not names.isdisjoint(row.asks) or family & starred or _may_ask(row, module, facts)
            knows = module.scope == FUNCTION or row.anywhere or (row.count and bool(family & imported))
            is_deaf = module.name.partition(".")[0] in family or matches(module.name, row.unless)
            if asked and knows and not is_deaf:
                self._let_go(row, module.path)

    def _let_go(self, row: Row, by: str) -> None:
        """Let the imports happen that waited for the row's names."""
        if row not in self._released:
            self._released.add(row)
            for importer, waiting in self._pending.pop(row, []):
                self._walk.keep(waiting, Cause(f"its names are used in /{by}; imported by", importer.path))

    def _note_any_name(self, module: Module, facts: Facts) -> None:
        """Ask for all names once the function puts one together: those of all that somebody can ask.

        Of what only the standard library imports, nobody has the module whose attributes these would be.
        """
        is_first = not self._any_name and module.scope == FUNCTION and "attributes" in facts.traits
        new = _imported(module, facts) - self._held
        self._held |= new
        if is_first:
            self._any_name = module.path
        if not self._any_name or not (new or is_first):
            return
        for row, family in self._rows:
            if any(map(_is_name, row.asks)) and any(map(self._is_held, family)):
                self._let_go(row, self._any_name)
        for name in sorted(self._guarded):
            waiting = self._guarded.pop(name)
            held = [(owner, one) for owner, one in waiting if self._is_held(owner.name)]
            if rest := [pair for pair in waiting if pair not in held]:
                self._guarded[name] = rest
            for owner, one in held:
                self._walk.follow(owner, one, Cause(f"{name!r}, used in /{self._any_name}, is loaded by", owner.path))

    def _is_held(self, name: str) -> bool:
        """Whether the function can have the module, or what is in it: it or a dependency imports the package."""
        top = name.partition(".")[0]
        return top in self._walk.telling or top in self._held

    def _ask_first(self, names: frozenset[str], mentioned: dict[str, str], by: str, *, below: bool = False) -> None:
        """Remember who mentioned each name first; ask for those that imports wait for, in the order of their names."""
        mentioned.update(dict.fromkeys(names - mentioned.keys(), by))
        for name in sorted(names & self._guarded.keys()):
            if mentioned[name] == by:
                self._ask(name, by, below=below)

    def _ask(self, name: str, by: str, *, below: bool = False) -> None:
        """Let go of the imports that wait for a name, but for those of the module itself that mentions it.

        From `below`, the standard library, only its own.
        """
        waiting = self._guarded.pop(name)
        other = [(owner, one) for owner, one in waiting if owner.path == by or (below and owner.scope != STDLIB)]
        for owner, one in waiting:
            if (owner, one) not in other:
                self._walk.follow(owner, one, Cause(f"{name!r}, used in /{by}, is loaded by", owner.path))
        if other:
            self._guarded[name] = other
            if all(owner.path == by for owner, _ in other):
                (self._mentioned_below if below else self._mentioned).pop(name, None)  # so far only by itself


def _imported(module: Module, facts: Facts) -> set[str]:
    """First parts of the names that a module imports; of compiled code, of those that it may."""
    named = facts.strings if module.is_native else facts.asked
    return tops_of([*(one.module for one in facts.imports), *named])


def _may_ask(row: Row, module: Module, facts: Facts) -> bool:
    """Whether compiled code names a module of which others ask by attributes: those of compiled code are not read."""
    return row.anywhere and module.is_native and any(matches(name, row.when) for name in facts.strings)


def _is_name(ask: str) -> bool:
    """Whether a row asks for an attribute, and not for an import or for a trait."""
    return not ask.startswith(("import ", "@"))


def tops_of(names: Iterable[str]) -> set[str]:
    """The first parts of dotted names."""
    return {name.partition(".")[0] for name in names}
