"""What becomes of each file of a plan, and why: the walk over modules, then the judgement of everything else.

The shell around `reach` and `leftovers`: reads files through `facts_store`. Never changes a plan (`apply` does), and
remembers nothing but what files say.
"""

import posixpath
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from builder.cache import Cache
from builder.interpreter import Interpreter
from builder.libraries import OPENED
from builder.patterns import Patterns
from builder.plan import LANG, PACKAGES, RUNTIME, TASK, How, Plan, PlannedFile, short_name, source_of
from builder.trace import Asked
from builder.trim.distributions import find_distributions
from builder.trim.facts_store import FactsStore, planned_paths
from builder.trim.handler_roots import handler_roots
from builder.trim.index import Index, Module, find_modules, script_of
from builder.trim.knowledge import Row, read_knowledge
from builder.trim.leftovers import UNREACHED, Leftovers, needed_libraries
from builder.trim.reach import Walk
from builder.trim.reached import Cause, Reached, Verdict
from builder.trim.rules import DEPENDENCIES, FUNCTION, STDLIB, Choice
from builder.trim.rules import RUNTIME as RUNTIME_SCOPE
from builder.trim.sourceless import sourceless
from builder.trim.texts import codecs_of_texts
from builder.trim.zones import without_zones

LOADER = "the program loader"
MAX_FIRST_LINE = 256  # BINPRM_BUF_SIZE: the kernel reads no more of it


def judge(
    plan: Plan,
    choice: Choice,
    interpreter: Interpreter,
    cache: Cache,
    *,
    back: Mapping[str, str],
    used: Asked | None = None,
) -> Verdict:
    """Walk, and judge: `back` and `used` are as in `trim_plan`."""
    files = planned_paths(plan.layers)
    roots = search_roots(interpreter)
    modules = list(
        find_modules((path for path, file in files.items() if file.how not in {How.LINK, How.FOLDER}), roots)
    )
    scripts = list(_scripts(files.values(), {module.path for module in modules}))
    names = frozenset(module.name for module in modules if module.scope in {STDLIB, DEPENDENCIES})
    rows = read_knowledge()
    with closing(FactsStore(plan.layers, interpreter.version, cache, names)) as store:
        store.begin()
        store.ahead(path for path, file in files.items() if _is_plain_library(path) or _is_library(path, file))
        # A shared library that is named like a module and is none is data of its package.
        files_of_modules = [
            m for m in modules if not _is_plain_library(m.path) or "module" in store.binary(m.path).traits
        ]
        index = Index([*files_of_modules, *scripts, *_built_in(rows, files_of_modules)])
        distributions = find_distributions(files, PACKAGES, store.read)
        walk = Walk(
            index,
            lambda module: store.facts(module.path),
            rows,
            distributions,
            traced=used is not None,
            ahead=store.ahead,
        )
        own = list(_own_roots(index, rows))
        starts = [
            *handler_roots(plan.handler, index, distributions),
            *((script.path, Cause("may be run by the function")) for script in scripts if used is None),
            *(asked := list(_roots(files, choice, back))),
            *_used(files, index, used),
            *codecs_of_texts(files.values(), index),
            *(_all_dependencies(index) if plan.foundation and plan.foundation.has_packages and used is None else ()),
        ]
        walk.lean(own)
        reached = walk.run((path, cause) for path, cause in starts if path in index.by_path)
        zones = without_zones(files.keys(), reached, used, plan.environment)
        judged = _Judged(files, index, reached, store, zones, traced=used is not None)
        verdict = judged.verdict(Leftovers(reached, index, rows, distributions), dict(own + starts))
        store.save()
    compiled = {source_of(path) for path, file in files.items() if file.how is How.BYTECODE}
    found = (module for module in index.by_path.values() if module.path in compiled)
    return replace(verdict, sourceless=frozenset(sourceless(found, reached, dict(asked), traced=used is not None)))


def _scripts(files: Iterable[PlannedFile], known: Collection[str]) -> Iterable[Module]:
    """The function's own programs that Python runs, whatever they are called."""
    for file in files:
        is_program = file.how is How.COPY and file.mode & 0o111 and file.path.startswith(f"{TASK}/")
        if is_program and file.path not in known:
            with suppress(OSError), Path(file.source).open("rb") as opened:
                if found := script_of(file.path, opened.read(MAX_FIRST_LINE)):
                    yield found


def _built_in(rows: Iterable[Row], modules: Iterable[Module]) -> Iterable[Module]:
    """Modules without a file of which the knowledge speaks: those built into the interpreter, `time` for one."""
    known = {module.name for module in modules}
    spoken = {name for row in rows for name in row.when if "*" not in name and "." not in name}
    return [Module(name, f"built in: {name}", STDLIB, is_package=False) for name in sorted(spoken - known)]


def search_roots(interpreter: Interpreter) -> list[tuple[str, str]]:
    """The folders of `sys.path` in the image, with the scope of what lies there."""
    stdlib = f"{LANG}/{interpreter.library_folder}/{interpreter.name}"
    return [
        (TASK, FUNCTION),
        (PACKAGES, DEPENDENCIES),
        (f"{stdlib}/lib-dynload", STDLIB),
        (stdlib, STDLIB),
        (RUNTIME, RUNTIME_SCOPE),
    ]


def _all_dependencies(index: Index) -> Iterable[tuple[str, Cause]]:
    """All that is installed, for packages of the base that may look for it: a plug-in, a driver."""
    for path, module in index.by_path.items():
        if module.scope == DEPENDENCIES:
            yield path, Cause("may be used by packages of the base image")


def _is_plain_library(path: str) -> bool:
    return path.endswith(".so") and posixpath.basename(path).count(".") == 1


def _is_library(path: str, file: PlannedFile) -> bool:
    """Whether a file is a shared library beside packages: the system's, or in an auditwheel's folder `X.libs`."""
    named = ".so" in posixpath.basename(path)
    if path.startswith(f"{PACKAGES}/"):
        return named and path.split("/")[2].endswith(".libs")
    outside = not path.startswith((f"{LANG}/", f"{TASK}/", f"{RUNTIME}/"))
    return (named and outside) or file.why in {LOADER, OPENED}


def _own_roots(index: Index, rows: Iterable[Row]) -> Iterable[tuple[str, Cause]]:
    """What every image needs: the runtime, and what the interpreter imports when it starts."""
    for path, module in index.by_path.items():
        if module.scope == RUNTIME_SCOPE:
            yield path, Cause("firkin's runtime")
    for row in rows:
        if row.kind == "start":
            for name in row.modules:
                for module in index.find(name):
                    yield module.path, Cause(row.why)


def _roots(paths: Iterable[str], choice: Choice, back: Mapping[str, str]) -> Iterable[tuple[str, Cause]]:
    """What a person or a proof asked for."""
    keep = Patterns(choice.keep, origin="keep")
    for path in paths:
        if path in back:
            yield path, Cause(back[path])
        elif keep.lines and (keep.match(path) or keep.match(short_name(path))):
            yield path, Cause("asked for with keep")


def _used(files: Iterable[str], index: Index, used: Asked | None) -> Iterable[tuple[str, Cause]]:
    """What the sample events used, at level `traced`."""
    if used is None:
        return
    for path in files:
        module = index.by_path.get(path)
        is_listed = not module and f"/{posixpath.dirname(path)}" in used.files
        if (module and module.name in used.modules) or f"/{path}" in used.files or is_listed:
            yield path, Cause("used by the sample events")


@dataclass(slots=True)
class _Judged:
    """All that a verdict is made of."""

    files: Mapping[str, PlannedFile]
    index: Index
    reached: Reached
    store: FactsStore
    zones: Mapping[str, str]  # files of time zones that go, with the reason
    traced: bool

    def verdict(self, leftovers: Leftovers, starts: Mapping[str, Cause]) -> Verdict:
        """Judge modules, then data, then shared libraries by what is kept of both; bytecode follows its module."""
        kept: dict[str, Cause] = {}
        dropped: dict[str, str] = {}
        libraries: list[str] = []
        bytecode: list[PlannedFile] = []
        for path, file in self.files.items():
            if file.how is How.BYTECODE:
                bytecode.append(file)
            elif file.how is How.FOLDER:
                kept[path] = Cause(file.why)
            elif path in starts:
                kept[path] = starts[path]
            elif _is_library(path, file):
                libraries.append(path)
            else:
                self._judge(path, leftovers, kept, dropped)
        self.store.ahead(path for path in kept if ".so" in posixpath.basename(path))
        self._judge_libraries(libraries, leftovers, kept, dropped)
        for file in bytecode:
            source = source_of(file.path)
            if source in dropped:
                dropped[file.path] = dropped[source]
        return Verdict({path: (cause.why, cause.via) for path, cause in kept.items()}, dropped)

    def _judge(self, path: str, leftovers: Leftovers, kept: dict[str, Cause], dropped: dict[str, str]) -> None:
        module = self.index.by_path.get(path)
        if path in self.reached.kept:
            kept[path] = self.reached.kept[path]
        elif module and module.scope == FUNCTION:
            kept[path] = Cause("the function's own")
        elif module and not leftovers.is_data_folder(path):
            dropped[path] = UNREACHED
        elif path in self.zones:
            dropped[path] = self.zones[path]
        else:
            cause, why = leftovers.judge(path)
            if cause and self.traced and not leftovers.is_beside_native(path):
                cause, why = None, "no sample event used it"
            if cause:
                kept[path] = cause
            else:
                dropped[path] = why

    def _judge_libraries(
        self, libraries: Iterable[str], leftovers: Leftovers, kept: dict[str, Cause], dropped: dict[str, str]
    ) -> None:
        candidates: dict[str, list[str]] = defaultdict(list)
        for path in libraries:
            candidates[posixpath.basename(path)].append(path)
            candidates[f"/{path}"].append(path)
        seeds = [(path, soname) for path in kept for soname in self._wanted(path)]
        opened = {path: self.files[path].why for path in libraries if self.files[path].why in {LOADER, OPENED}}
        by_name = partial(self._opened_by, leftovers)
        for path in libraries:
            if path in opened:
                kept[path] = Cause(opened[path])
            elif via := by_name(path):
                kept[path] = Cause("may be opened by name by", via)
            if path in kept:
                seeds += [(path, soname) for soname in self._wanted(path)]
        kept.update(
            (path, cause)
            for path, cause in needed_libraries(seeds, candidates, self._wanted).items()
            if path not in kept
        )
        for path in libraries:
            if path not in kept:
                dropped[path] = "no kept file needs this shared library"

    def _wanted(self, path: str) -> Iterable[str]:
        """The sonames that a kept ELF file needs or may open, sorted: the first to lead to a library is its reason."""
        file = self.files[path]
        if file.how in {How.LINK, How.FOLDER, How.CONTENT} or not (".so" in path or file.mode & 0o111):
            return ()
        binary = self.store.binary(path)
        return sorted(binary.needed | binary.libraries)

    def _opened_by(self, leftovers: Leftovers, path: str) -> str:
        """A kept module that may open the library by its name."""
        name = posixpath.basename(path)
        stem = name.partition(".so")[0]
        for wanted in self.reached.libraries:
            if wanted in {name, stem, stem.removeprefix("lib")} or name.startswith(f"{wanted}."):
                return "a constant"
        owner = leftovers.owners.get(path)
        if owner:
            return next((opener for opener in sorted(self.reached.openers) if opener in owner.files), "")
        return ""
