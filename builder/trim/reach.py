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
from builder.trim.waiting import Waiting, tops_of

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
        self._new: list[str] = []  # paths to announce
        rows = [row for row in rows if (traced or not row.traced) and all(map(index.find, row.given))]
        self._traced = traced  # the roots are all that was used: only what runs when they are imported is added
        self._queue: deque[tuple[Module, bool]] = deque()
        self._full: set[str] = set()  # paths that more than the runtime's own closure reaches
        self._lean = False  # while a module is read that only that closure reaches
        self._late: dict[Row, str] = {}  # rows about codecs that depend on what is asked for anywhere, and a path
        # What is mentioned and imported by the function, and by packages whose use of codecs is not known.
        self._asking: list[tuple[frozenset[str], frozenset[str]]] = []
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._rows_of: dict[tuple[str, str], list[Row]] = {}
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
        self.waiting = Waiting(self, [row for row in rows if row.kind == "waits"])

    def run(self, roots: Iterable[tuple[str, Cause]]) -> Reached:
        """Follow everything from the roots, given by path."""
        for path, cause in roots:
            self.keep(self.index.by_path[path], cause)
        self.drain()
        for row, path in self._late.items():
            family = tops_of(row.when)
            if any(
                family & tops_of(imported) and not mentions.isdisjoint(row.asks) for mentions, imported in self._asking
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
        """Tell all paths whose facts will be asked for."""
        if self._ahead and self._new:
            self._ahead(self._new)
            self._new.clear()

    def keep(self, module: Module, cause: Cause) -> None:
        """Keep one module, with the packages above it. In full, unless only the runtime's closure has reached it."""
        if module.path in (self.found.kept if self._lean else self._full):
            return
        if not self._lean:
            self._full.add(module.path)
        self.found.kept.setdefault(module.path, cause)
        self.found.names.add(module.name)
        self._queue.append((module, self._lean))
        if module.path not in self._announced:
            self._announced.add(module.path)
            self._new.append(module.path)
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
            if importer is None or not (
                self.is_optional(importer, module.name) or self.waiting.has_to_wait(importer, module)
            ):
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
                self.waiting.wait(module, one)
            else:
                self.follow(module, one, by)
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

    def follow(self, module: Module, one: Import, cause: Cause) -> None:
        """Keep what an import of the module leads to."""
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
                self.waiting.ask_for_all(package, module.path)
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

    def _note(self, module: Module, facts: Facts) -> None:
        """Remember what a module mentions, and let go of the imports that wait for it."""
        self.found.mentions |= facts.mentions
        if module.scope in {FUNCTION, DEPENDENCIES}:
            self._note_use(module, facts)
            self.waiting.ask(module, facts)
        else:
            self.waiting.ask_below(module, facts)

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

    # knowledge

    def rows_of(self, module: Module, kind: str) -> Sequence[Row]:
        """The rows of a kind that name the module."""
        key = module.name, kind
        if key not in self._rows_of:
            rows = self._rows.get(module.name.partition(".")[0], ())
            self._rows_of[key] = [row for row in rows if row.kind == kind and matches(module.name, row.when)]
        return self._rows_of[key]

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
