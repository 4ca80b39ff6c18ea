"""Whether the handler that CMD names is in the image, for runtimes whose rules for names are known.

Reads the one source file of the handler out of its layer, and never runs it.
"""

import posixpath
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from builder.errors import FunctionSyntaxError, HandlerError, SourceError
from builder.handler import find_handler, module_file
from builder.lint.finding import Finding
from builder.lint.tree import Tree
from builder.oci import ImageConfig

# How the entry points of known runtimes end: ours, AWS's client, and the script of AWS's base images.
_RUNTIMES = ("bootstrap/__main__.pyc", "bootstrap/__main__.py", "bootstrap", "awslambdaric", "lambda-entrypoint.sh")
_DEFAULT_TASK = "/var/task"


def check_handler(tree: Tree, config: ImageConfig, read: Callable[[str], bytes]) -> Iterator[Finding]:
    """A finding when a known runtime would not find its handler; `read` gives a file's content."""
    handler = _handler_of(config)
    if handler is None:
        return
    if not handler:
        yield Finding("handler", "a Lambda runtime is started, and CMD names no handler")
        return
    for folder in _folders(config):
        files = {path.removeprefix(f"{folder}/") for path in tree.items if path.startswith(f"{folder}/")}
        file = module_file(handler, files)
        if file is None and not handler.startswith("exec:"):
            continue
        message = _problem(folder, files, handler, file, read)
        if message:
            yield Finding("handler", message, f"/{folder}/{file}" if file else "")
        return
    yield Finding("handler", f"no file of the module that {handler!r} names is in {', '.join(_folders(config))}")


def _handler_of(config: ImageConfig) -> str | None:
    """The handler, "" when CMD is empty, None when the runtime is not a known one."""
    known = any(item == name or item.endswith(f"/{name}") for item in config.entrypoint for name in _RUNTIMES)
    if not known:
        return None
    return config.cmd[0] if config.cmd else ""


def _folders(config: ImageConfig) -> list[str]:
    """Where the module may be, relative: the task's folder first, as the runtime puts it first."""
    task = config.env.get("LAMBDA_TASK_ROOT") or config.working_dir or _DEFAULT_TASK
    places = [task, config.working_dir, *config.env.get("PYTHONPATH", "").split(":"), "/opt/python"]
    return list(dict.fromkeys(place.strip("/") for place in places if place.strip("/")))


def _problem(folder: str, files: set[str], handler: str, file: str | None, read: Callable[[str], bytes]) -> str:
    """What `builder.handler` says of the handler's file, written alone into a folder of its own."""
    if handler.startswith("exec:"):
        command = posixpath.normpath(handler.removeprefix("exec:").split(maxsplit=1)[0])
        return "" if "/" not in handler or command in files else f"{command!r} is no file of /{folder}"
    with TemporaryDirectory() as scratch:
        source = Path(scratch)
        place = source / str(file)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(read(f"{folder}/{file}"))
        try:
            find_handler(source, files, handler)
        except (HandlerError, FunctionSyntaxError, SourceError) as error:
            return str(error).replace(str(source), f"/{folder}")
    return ""
