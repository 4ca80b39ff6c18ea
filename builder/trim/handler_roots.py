"""Where a handler begins: the modules that its text names, in each of the forms that the runtime takes. Pure."""

import posixpath
import re
from collections.abc import Iterable, Iterator

from builder.plan import TASK
from builder.trim.distributions import Distribution
from builder.trim.index import Index
from builder.trim.reached import Cause
from builder.trim.rules import FUNCTION

_PREFIX = re.compile(r"(?:asgi|wsgi|exec):")
_WHY = "the function's handler"


def handler_roots(handler: str, index: Index, distributions: Iterable[Distribution]) -> Iterator[tuple[str, Cause]]:
    """The roots of `app.handler`, `sub/app.handler`, `asgi:app.app` and `exec:command arguments`.

    A command may do anything: then all modules of the function are roots, and so are the packages its words name.
    """
    kind = _PREFIX.match(handler)
    text = handler[kind.end() :] if kind else handler
    if kind and kind[0] == "exec:":
        yield from _command(text, index, distributions)
        return
    module = posixpath.normpath(text.rpartition(".")[0] if ":" not in text else text.partition(":")[0])
    for name in (module.replace("/", "."), module):
        for found in index.find(name):
            yield found.path, Cause(_WHY)
    file = f"{TASK}/{module}.py"
    if file in index.by_path:
        yield file, Cause(_WHY)


def _command(text: str, index: Index, distributions: Iterable[Distribution]) -> Iterator[tuple[str, Cause]]:
    for path, module in index.by_path.items():
        if module.scope == FUNCTION:
            yield path, Cause("may be run by the function's command")
    scripts = {
        name: target.partition(":")[0]
        for dist in distributions
        for name, target in dist.groups.get("console_scripts", ())
    }
    for word in text.split():
        name = scripts.get(posixpath.basename(word), word.partition(":")[0].replace("/", "."))
        while name:
            for found in index.find(name):
                yield found.path, Cause("named in the function's command")
            name = name.rpartition(".")[0]
