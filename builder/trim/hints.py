"""What leads to modules without an import statement: names in strings, computed names, entry points, lists of modules.

Followed in the function and its dependencies, where reading can only guess; every guess is that it is used. The
standard library is known, and what it does of this kind is in the knowledge.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from builder.trim.distributions import normalized
from builder.trim.facts import Facts
from builder.trim.index import Module
from builder.trim.reached import Cause
from builder.trim.rules import FUNCTION

if TYPE_CHECKING:
    from builder.trim.reach import Walk


def follow_hints(walk: "Walk", module: Module, facts: Facts) -> None:
    """Keep all that the module may lead to besides its imports."""
    if all(row.count for row in walk.rows_of(module, "names")):
        follow_strings(walk, module, facts.strings | facts.asked)
    for text in sorted(facts.asked):
        follow_text(walk, module, text, alone=True)
    if facts.traits & {"imports", "lazy"} and not module.is_native:
        _tables(walk, module, facts)
    _computed(walk, module, facts)
    if module.scope == FUNCTION:
        _programs(walk, module, facts)
    if "decodes" in facts.traits and all(row.count for row in walk.rows_of(module, "decodes")):
        walk.all_codecs(Cause("may be the codec of a computed name in", module.path))
    if facts.traits & {"entries", "metadata"}:
        _entry_points(walk, module, facts)
    for text in sorted(facts.dists):
        walk.found.dists.setdefault(normalized(text), Cause("metadata read by", module.path))


def _programs(walk: "Walk", module: Module, facts: Facts) -> None:
    """The function's own files that it names as files: another interpreter may run them."""
    named = {text.rpartition("/")[2] for text in facts.strings if text.endswith(".py")}
    for other in walk.index.by_path.values() if named else ():
        if other.scope == FUNCTION and other.path.rpartition("/")[2] in named:
            walk.keep(other, Cause("may be run as a program by", module.path))


def follow_strings(walk: "Walk", module: Module, texts: Iterable[str]) -> None:
    """Keep the modules that constants name; those without a dot where they cannot be mere words.

    In the order of their names: which of several is the reason for a file must not depend on the hash seed.
    """
    for text in sorted(texts):
        follow_text(walk, module, text, alone=module.is_native or text in walk.telling)


def follow_text(walk: "Walk", module: Module, text: str, *, alone: bool) -> None:
    """Keep the module that a text names; `alone` when a name without dots is enough."""
    if text.startswith("."):
        for package in _above(module.package):
            follow_text(walk, module, f"{package}.{text.lstrip('.')}", alone=False)
        return
    name = text.replace(":", ".")
    if "/" in name or "-" in name or name.partition(".")[0] not in walk.tops:
        return
    longest = walk.index.longest(name)
    rest = name[len(longest) + 1 :]
    is_name = alone if "." not in name else longest == name or "." in longest
    if is_name or ("." in name and "." not in rest and _defines(walk, longest, rest)):
        walk.name(longest, Cause("named in", module.path), importer=module)


def _defines(walk: "Walk", name: str, attribute: str) -> bool:
    """Whether a top-level module binds the attribute, so that `json.dumps` is told from a file's name."""
    for module in walk.index.find(name):
        facts = walk.facts(module)
        if module.is_native or attribute in facts.defines or "lazy" in facts.traits:
            return True
    return False


def _tables(walk: "Walk", module: Module, facts: Facts) -> None:
    """A module that imports computed names, or loads attributes when asked: its strings may be what it imports."""
    waiting = {guard for one in facts.imports for guard in one.guards}
    for text in sorted(facts.strings - waiting):
        follow_text(walk, module, text, alone=True)
        for package in _above(module.package):
            name = f"{package}.{text.lstrip('.')}"
            if walk.index.find(name):
                walk.name(name, Cause("may be loaded by its name by", module.path), importer=module)


def _computed(walk: "Walk", module: Module, facts: Facts) -> None:
    """What a computed import may lead to: all that begins as its name does, the own package, the whole function."""
    for prefix in sorted(facts.prefixes):
        _below(walk, module, prefix)
    if "walks" in facts.traits and module.package:
        _below(walk, module, f"{module.package}.")
    if "attach_stub" in facts.mentions:  # lazy_loader takes the names of submodules from the package's stub
        for name in walk.index.names():
            if name.rpartition(".")[0] == module.package:
                walk.name(name, Cause("may be loaded when it is asked for by", module.path), importer=module)
    if "imports" in facts.traits and module.scope == FUNCTION:  # whose author alone knows what the name may be
        for other in walk.index.by_path.values():
            walk.keep(other, Cause("may be what is imported by a computed name in", module.path))


def _below(walk: "Walk", module: Module, prefix: str) -> None:
    """Keep all that begins with the constant part of a computed name."""
    if prefix.startswith("@"):
        starts = [module.package + prefix[1:], module.name + prefix[1:]]
    elif prefix.startswith("."):
        dots = len(prefix) - len(prefix.lstrip("."))
        base = walk.base(module, dots, "")
        starts = [f"{base}.{prefix.lstrip('.')}"] if base else []
    else:
        starts = [prefix]
    for start in filter(None, (start.lstrip(".") for start in starts)):
        for other in list(walk.index.starting(start)):
            if not (walk.is_optional(module, other.name) or walk.waiting.has_to_wait(module, other)):
                walk.keep(other, Cause(f"begins with {start!r}, as names computed by", module.path))


def _entry_points(walk: "Walk", module: Module, facts: Facts) -> None:
    for group in sorted(walk.groups & facts.strings):
        for dist in walk.distributions:
            for _, target in dist.groups.get(group, ()):
                name = walk.index.longest(target.partition(":")[0])
                walk.name(name, Cause(f"entry point of {group!r}, read by", module.path))
            if group in dist.groups:
                cause = Cause(f"declares entry points of {group!r}, read by", module.path)
                walk.found.dists.setdefault(dist.name, cause)


def asks_for_services(walk: "Walk", module: Module, facts: Facts) -> bool:
    """Whether a computed `client(…)` may be of any AWS service: not in the SDK itself, nor in other libraries."""
    if walk.rows_of(module, "selected"):
        return False
    speaks = any("boto" in one.module for one in facts.imports) or "boto3" in facts.strings
    return speaks or module.scope == FUNCTION


def _above(package: str) -> Iterable[str]:
    """A package and those above it."""
    while package:
        yield package
        package = package.rpartition(".")[0]
