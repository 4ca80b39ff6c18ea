"""What one file says about other files: its imports, and everything else that may lead to a module, codec or package.

Facts are read from a file's bytes alone, without its surroundings, so they can be remembered by the file's digest.
What they mean for an image is decided elsewhere (`reach`). This module holds the value and its form in the cache.
Named tuples, and no dataclasses: those take longer to load than a small function's modules to read.
"""

from typing import NamedTuple

FALLBACK = "except"  # the first guard of an import in a handler of ImportError; what was tried follows
MAIN = "main()"  # the guard of what a module imports when it is run as a program


class Import(NamedTuple):
    """One import: `level` dots, `module` and the `names` taken from it (empty for `import module`).

    `guards` are names of which one must be asked for before the import happens (a module's `__getattr__`).
    `deferred` when it stands in a function.
    """

    level: int
    module: str
    names: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    deferred: bool = False


class Facts(NamedTuple):
    """The facts of one file.

    imports    its import statements, and calls that import by a constant name
    strings    constants that could name a module, an attribute of one, or an entry-point group
    asked      constants given to calls whose name speaks of importing
    prefixes   constant beginnings of names that are imported; "@" stands for the module's own package
    defines    names bound at its top level
    mentions   attributes and imported names that occur in it
    codecs     modules of `encodings` whose names occur as constants
    services   first arguments of `client()` and `resource()`
    dists      distributions whose metadata is asked for by a constant name
    libraries  constants that look like a shared library's file name, and what `find_library` is asked for
    traits     what it does besides: see `reader`
    """

    imports: tuple[Import, ...] = ()
    strings: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    prefixes: frozenset[str] = frozenset()
    defines: frozenset[str] = frozenset()
    mentions: frozenset[str] = frozenset()
    codecs: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    dists: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()


class Binary(NamedTuple):
    """An ELF file: the sonames it `needs`, the module `names` and `libraries` among its constants, and traits.

    Traits: `module` (it is an extension module), `certificates` (it looks for the system's CA certificates).
    """

    needed: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()


def render_binary(binary: Binary) -> list[list[str]]:
    """What a file says, as JSON; the order is that of the fields."""
    return [sorted(part) for part in binary]


def render_facts(facts: Facts) -> list[object]:
    """Facts as JSON: a list of imports, then one text for each set, its members separated by newlines."""
    imports, *sets = facts
    return [list(imports), *("\n".join(sorted(found)) for found in sets)]


def parse_facts(value: object) -> Facts | None:
    """The facts of that JSON, None when it is not of this form."""
    match value:
        case [list(imports), *texts] if len(texts) == len(Facts._fields) - 1:
            try:
                read = tuple(Import(row[0], row[1], tuple(row[2]), tuple(row[3]), row[4]) for row in imports)
                sets = [frozenset(str(text).split("\n") if text else ()) for text in texts]
            except (AttributeError, IndexError, TypeError):
                return None
            return Facts(read, *sets)
    return None
