"""Which modules come as bytecode alone, because their source is a text that nobody reads. Pure.

Python runs bytecode; of a module's source it needs only the lines that a traceback shows and what `inspect.getsource`
gives. At level `reachable` that is left out of what only firkin's own runtime needs, whose code is known; at `traced`
of every library but those that read their own source. Never of the function, of scripts, and of what was asked for.
"""

from collections.abc import Container, Iterable, Iterator

from builder.trim.index import Module
from builder.trim.reached import Reached
from builder.trim.rules import FUNCTION, RUNTIME

# What gives a module's source: of `inspect`, and of the loaders of the import system.
READERS = frozenset(
    {"findsource", "getblock", "getcomments", "get_source", "getsource", "getsourcefile", "getsourcelines"}
)
# A script is run from its source, by `os` Python finds its standard library, the emulator loads itself by path.
_KEPT = ("/__main__.py", "/os.py", "/emulator/__init__.py")


def sourceless(modules: Iterable[Module], reached: Reached, asked: Container[str], *, traced: bool) -> Iterator[str]:
    """The paths of the modules that do without. `asked` are those that a person or a proof asked for."""
    readers = {name.partition(".")[0] for name in reached.source_readers}
    for module in modules:
        path = module.path
        if path not in reached.kept or path in asked or path.endswith(_KEPT) or module.scope == FUNCTION:
            continue
        by_anyone = FUNCTION in readers or module.name.partition(".")[0] in readers
        if module.scope == RUNTIME or path in reached.own or (traced and not by_anyone):
            yield path
