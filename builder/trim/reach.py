"""What can be reached from the handler: a walk over modules, along all that their facts and the knowledge say.

Pure: facts and paths in, kept files with their causes out. Where reading is in doubt, it follows: a module too many
costs some bytes, one too few costs an event. Standard library modules are trusted to import by statements alone, and
the knowledge tells where they do not; in everybody else's, strings that name modules count too.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence

from builder.trim.distributions import Distribution
from builder.trim.facts import FALLBACK, MAIN, Facts, Import
from builder.trim.hints import asks_for_services, follow_hints, follow_strings
from builder.trim.index import Index, Module
from builder.trim.knowledge import Row, matches
from builder.trim.reached import Cause, Reached
from builder.trim.rules import DEPENDENCIES, FUNCTION, STDLIB
from builder.trim.sourceless import READERS

ENCODINGS = "encodings"


class Walk:
    """One walk. `facts` reads a module's facts when it is first reached; `ahead` is told what it will be asked for."""

    def __init__(
        self, index: Index, facts: Callable[[Module], Facts], rows: Sequence[Row],
        distributions: Sequence[Distribution], *, traced: bool = False,
        ahead: Callable[[Iterable[str]], None] | None = None,
    ) -> None:  # fmt: skip
        self.index = index
        self.facts = facts
        self.distributions = distributions
        self.groups = {group for dist in distributions for group in dist.groups}
        self.found = Reached()
        self._ahead = ahead
        self._announced: set[str] = set()
        rows = [row for row in rows if (traced or not row.traced) and all(map(index.find, row.given))]
        self._traced = traced  # the roots are all that was used: only what runs when they are imported is added
        self._queue: deque[tuple[Module, bool]] = deque()
        self._full: set[str] = set()  # paths that more than the runtime's own closure reaches
        self._lean = False  # while a module is read that only that closure reaches
        self._guarded: dict[str, list[tuple[Module, Import]]] = defaultdict(list)
        self._starred: dict[str, str] = {}  # modules of which all names are imported → who does
        self._waits = [row for row in rows if row.kind == "waits"]
        self._pending: dict[Row, list[tuple[Module, Module]]] = defaultdict(list)  # importers and what waits
        self._released: set[Row] = set()
        self._any_name = ""  # the function's module that asks for attributes of computed names
        self._held: set[str] = set()  # first parts of what the function or a dependency imports, so that it may ask it
        self._late: dict[Row, str] = {}  # rows about codecs that depend on what is asked for anywhere, and a path
        # What is mentioned and imported by the function, and by packages whose use of codecs is not known.
        self._asking: list[tuple[frozenset[str], frozenset[str]]] = []
        self._mentioned: dict[str, str] = {}  # name → the path that mentioned it first, of function and dependencies
        self._mentioned_below: dict[str, str] = {}  # of the standard library, which asks no other package for names
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._everywhere: list[Row] = []
        for row in rows:
            for pattern in row.when:
                everywhere = pattern == "*" and row.kind == "reaches"
                (self._everywhere if everywhere else self._rows[pattern.partition(".")[0]]).append(row)
        self.tops = {name.partition(".")[0] for name in index.names()}
        # Names without a dot that are told from words: those of the function and of its dependencies.
        self.telling = {
            name for name in self.tops if any(one.scope != STDLIB for one in index.find(name)) or not index.find(name)
        }

    def run(self, roots: Iterable[tuple[str, Cause]]) -> Reached:
        """Follow everything from the roots, given by path."""
        for path, cause in roots:
            self.keep(self.index.by_path[path], cause)
        self.drain()
        for row, path in self._late.items():
            family = _tops(row.when)
            if any(
                family & _tops(imported) and not mentions.isdisjoint(row.asks) for mentions, imported in self._asking
            ):
                self.all_codecs(Cause(f"{row.why}:", path))
        self.drain()
        self.found.own = self.found.kept.keys() - self._full
        return self.found

    def drain(self) -> None:
        """Read what has been reached, until nothing new is."""
        while self._queue:
            self._announce()
            module, self._lean = self._queue.popleft()
            if not self._lean or module.path not in self._full:
                self._read(module)
        self._lean = False

    def _announce(self) -> None:
        """Tell all paths whose facts will be asked for, before the first of them is."""
        if self._ahead and self._queue[0][0].path not in self._announced:
            new = {module.path for module, _ in self._queue} - self._announced
            self._announced |= new
            self._ahead(new)

    def keep(self, module: Module, cause: Cause) -> None:
        """Keep one module, with the packages above it. In full, unless only the runtime's closure has reached it."""
        if module.path in (self.found.kept if self._lean else self._full):
            return
        if not self._lean:
            self._full.add(module.path)
        self.found.kept.setdefault(module.path, cause)
        self.found.names.add(module.name)
        self._queue.append((module, self._lean))
        parent = module.name.rpartition(".")[0]
        if parent:
            self.name(parent, Cause("holds", module.path))

    def lean(self, roots: Iterable[tuple[str, Cause]]) -> None:
        """Follow what the interpreter's start and firkin's runtime need: their code is known, and tested as a whole.

        There, imports within functions of the standard library do not count, but for rows of the knowledge.
        """
        self._lean = True
        for path, cause in roots:
            self.keep(self.index.by_path[path], cause)
        self.drain()

    def name(self, name: str, cause: Cause, *, importer: Module | None = None) -> None:
        """Keep what a dotted name stands for."""
        for module in self.index.find(name):
            if importer is None or not (self.is_optional(importer, module.name) or self.has_to_wait(importer, module)):
                self.keep(module, cause)
        parent = name.rpartition(".")[0]
        if parent and not self.index.find(name):
            self.name(parent, cause, importer=importer)

    # one module

    def _read(self, module: Module) -> None:
        facts = self.facts(module)
        by = Cause("imported by", module.path)
        for one in facts.imports:
            if (module.scope == STDLIB and self._is_for_others(one)) or (self._traced and self._is_later(module, one)):
                continue
            if one.guards and one.guards[0] not in {"", MAIN, FALLBACK}:
                self._wait(module, one)
            else:
                self._import(module, one, by)
        if self._lean or not self._traced:
            self._lead_on(module, facts)
        self._note(module, facts)
        self._apply_rows(module, facts)

    def _lead_on(self, module: Module, facts: Facts) -> None:
        """Follow what is no statement."""
        for codec in sorted(facts.codecs):
            self.name(f"{ENCODINGS}.{codec}", Cause("names the codec:", module.path), importer=module)
        if module.scope in {FUNCTION, DEPENDENCIES}:
            follow_hints(self, module, facts)
        elif module.is_native and all(row.count for row in self.rows_of(module, "names")):
            follow_strings(self, module, facts.strings)

    def _is_for_others(self, one: Import) -> bool:
        """Whether an import of the standard library is for another use of the module, or for another Python."""
        if one.guards[:1] == (FALLBACK,) and one.guards[1:]:
            return all(self.index.find(name) for name in one.guards[1:])
        return one.guards == (MAIN,) or ((self._lean or self._traced) and one.deferred)

    @staticmethod
    def _is_later(module: Module, one: Import) -> bool:
        """Whether an import does not happen when its module is imported."""
        return module.scope in {FUNCTION, DEPENDENCIES} and (one.deferred or bool(one.guards))

    def _import(self, module: Module, one: Import, cause: Cause) -> None:
        base = self.base(module, one.level, one.module.partition(":")[0])
        if base is None:
            return
        if base:
            self.name(base, cause, importer=module)
        for name in one.names:
            if name == "*":
                self._star(module, base, cause)
            else:
                whole = f"{base}.{name}" if base else name
                if self.index.knows(whole):
                    self.name(whole, cause, importer=module)

    def _star(self, module: Module, base: str, cause: Cause) -> None:
        """`from package import *` takes the submodules that `__all__` names."""
        for package in self.index.find(base):
            if module.scope in {FUNCTION, DEPENDENCIES}:
                self._starred.setdefault(package.path, module.path)
                for guard in list(self._guarded):
                    for owner, one in self._guarded[guard]:
                        if owner.path == package.path:
                            self._import(owner, one, Cause("loaded by the `import *` of", module.path))
            if package.is_package and package.path.endswith(".py"):
                for text in sorted(self.facts(package).strings):
                    if self.index.find(f"{base}.{text}"):
                        self.name(f"{base}.{text}", cause, importer=module)

    @staticmethod
    def base(module: Module, level: int, name: str) -> str | None:
        """The absolute name of an import; None when it leads out of the top package."""
        if not level:
            return name
        parts = module.package.split(".") if module.package else []
        if level - 1 > len(parts):
            return None
        return ".".join([*parts[: len(parts) - level + 1], *([name] if name else [])])

    def has_to_wait(self, importer: Module, module: Module) -> bool:
        """Whether an import happens only for those who ask for certain names, and nobody has so far."""
        for row in self.rows_of(importer, "waits"):
            is_inside = matches(importer.name, row.modules)  # it is there already, and needs its own
            if row not in self._released and not is_inside and matches(module.name, row.modules):
                self._pending[row].append((importer, module))
                return True
        return False

    def _release(self, module: Module, facts: Facts) -> None:
        """Let go of the imports that waited for a name which the module uses."""
        imported = _imported(module, facts)
        names = facts.mentions | facts.strings | {f"@{trait}" for trait in facts.traits}
        names |= {f"import {top}" for top in imported}
        starred = _tops(one.module for one in facts.imports if "*" in one.names and not one.level)
        for row in self._waits:
            family = _tops(row.when)
            asked = not names.isdisjoint(row.asks) or family & starred
            knows = module.scope == FUNCTION or row.anywhere or (row.count and bool(family & imported))
            is_deaf = module.name.partition(".")[0] in family or matches(module.name, row.unless)
            if asked and knows and not is_deaf:
                self._let_go(row, module.path)

    def _let_go(self, row: Row, by: str) -> None:
        """Let the imports happen that waited for the row's names."""
        if row not in self._released:
            self._released.add(row)
            for importer, waiting in self._pending.pop(row, []):
                self.keep(waiting, Cause(f"its names are used in /{by}; imported by", importer.path))

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
        for row in self._waits:
            if any(map(_is_name, row.asks)) and any(map(self._is_held, _tops(row.when))):
                self._let_go(row, self._any_name)
        for name in sorted(self._guarded):
            waiting = self._guarded.pop(name)
            held = [(owner, one) for owner, one in waiting if self._is_held(owner.name)]
            if rest := [pair for pair in waiting if pair not in held]:
                self._guarded[name] = rest
            for owner, one in held:
                self._import(owner, one, Cause(f"{name!r}, used in /{self._any_name}, is loaded by", owner.path))

    def _is_held(self, name: str) -> bool:
        """Whether the function can have the module, or what is in it: it or a dependency imports the package."""
        top = name.partition(".")[0]
        return top in self.telling or top in self._held

    def _wait(self, module: Module, one: Import) -> None:
        """An import of a module's `__getattr__`, which happens once somebody else asks for one of its names."""
        if starred := self._starred.get(module.path):
            self._import(module, one, Cause("loaded by the `import *` of", starred))
            return
        for guard in one.guards:
            asked = self._mentioned.get(guard) or (self._any_name if self._is_held(module.name) else "")
            if not asked and module.scope == STDLIB:
                asked = self._mentioned_below.get(guard, "")
            if asked and asked != module.path:
                self._import(module, one, Cause(f"{guard!r}, used in /{asked}, is loaded by", module.path))
                return
        for guard in one.guards:
            self._guarded[guard].append((module, one))

    def _note(self, module: Module, facts: Facts) -> None:
        """Remember what a module mentions, and let go of the imports that wait for it."""
        self.found.mentions |= facts.mentions
        if module.scope not in {FUNCTION, DEPENDENCIES}:
            self._ask_first(facts.mentions, self._mentioned_below, module.path, below=True)
            return
        self._note_use(module, facts)
        self._release(module, facts)
        self._ask_first(facts.mentions | facts.strings, self._mentioned, module.path)
        self._note_any_name(module, facts)

    def _note_use(self, module: Module, facts: Facts) -> None:
        """Remember what files that are no modules are judged by."""
        for trait in facts.traits:
            if trait != "services" or asks_for_services(self, module, facts):
                self.found.traits.setdefault(trait, module.path)
        if all(row.count for row in self.rows_of(module, "decodes")):
            self._asking.append((facts.mentions, frozenset(one.module for one in facts.imports)))
        if READERS & facts.mentions and all(row.count for row in self.rows_of(module, "sources")):
            self.found.source_readers.add(FUNCTION if module.scope == FUNCTION else module.name)
        self.found.own_words |= (facts.mentions | facts.strings) if module.scope == FUNCTION else frozenset()
        self.found.strings |= facts.strings
        self.found.services |= facts.services
        self.found.libraries |= facts.libraries
        if "opens" in facts.traits:
            self.found.openers.add(module.path)

    def _ask_first(self, names: Iterable[str], mentioned: dict[str, str], by: str, *, below: bool = False) -> None:
        """Remember who mentioned each name first; ask for those that imports wait for, in the order of their names."""
        new = [name for name in names if mentioned.setdefault(name, by) == by and name in self._guarded]
        for name in sorted(new):
            self._ask(name, by, below=below)

    def _ask(self, name: str, by: str, *, below: bool = False) -> None:
        """Let go of the imports that wait for a name, but for those of the module itself that mentions it.

        From `below`, the standard library, only its own.
        """
        waiting = self._guarded.pop(name)
        other = [(owner, one) for owner, one in waiting if owner.path == by or (below and owner.scope != STDLIB)]
        for owner, one in waiting:
            if (owner, one) not in other:
                self._import(owner, one, Cause(f"{name!r}, used in /{by}, is loaded by", owner.path))
        if other:
            self._guarded[name] = other
            if all(owner.path == by for owner, _ in other):
                (self._mentioned_below if below else self._mentioned).pop(name, None)  # so far only by itself

    # knowledge

    def rows_of(self, module: Module, kind: str) -> Iterable[Row]:
        """The rows of a kind that name the module."""
        rows = self._rows.get(module.name.partition(".")[0], ())
        return (row for row in rows if row.kind == kind and matches(module.name, row.when))

    def is_optional(self, importer: Module, name: str) -> bool:
        """Whether an import is one that its importer can do without."""
        return any(
            matches(name, row.modules) and not any(map(self.index.find, row.unless))
            for row in self.rows_of(importer, "optional")
            if self._lean or not row.lean
        )

    def _apply_rows(self, module: Module, facts: Facts) -> None:
        lean = self._lean or self._traced
        for row in self.rows_of(module, "reaches"):
            if row.lean or not lean:
                self._apply(row, module, facts)
        if lean:
            return
        for row in self.rows_of(module, "decodes"):
            if row.count and row.asks:
                self._late.setdefault(row, module.path)
            elif row.count:
                self.all_codecs(Cause(f"{row.why}:", module.path))
        if module.scope == STDLIB and any(row.count for row in self.rows_of(module, "names")):
            follow_strings(self, module, facts.strings)
        if module.scope in {FUNCTION, DEPENDENCIES}:
            for row in self._everywhere:
                self._apply(row, module, facts)

    def all_codecs(self, cause: Cause) -> None:
        """Keep every codec."""
        for module in list(self.index.starting(f"{ENCODINGS}.")):
            self.keep(module, cause)

    def _apply(self, row: Row, module: Module, facts: Facts) -> None:
        if row.asks and not facts.mentions.intersection(row.asks):
            return
        if row.files:
            self.found.rows.setdefault(row, module.path)
        for pattern in row.modules:
            cause = Cause(f"{row.why}:", module.path)
            if pattern.endswith("*"):
                self.name(pattern.rstrip(".*"), cause)
                for other in list(self.index.starting(pattern[:-1])):
                    self.keep(other, cause)
            else:
                self.name(pattern, cause)


def _above(package: str) -> Iterable[str]:
    """A package and those above it."""
    while package:
        yield package
        package = package.rpartition(".")[0]


def _imported(module: Module, facts: Facts) -> set[str]:
    """First parts of the names that a module imports; of compiled code, of those that it may."""
    named = facts.strings if module.is_native else facts.asked
    return _tops([*(one.module for one in facts.imports), *named])


def _is_name(ask: str) -> bool:
    """Whether a row asks for an attribute, and not for an import or for a trait."""
    return not ask.startswith(("import ", "@"))


def _tops(names: Iterable[str]) -> set[str]:
    """The first parts of dotted names."""
    return {name.partition(".")[0] for name in names}
