"""`firkin run`: a function's folder, or a built image, behind the emulator.

A folder is run as it is, by this machine's Python with its dependencies installed in the cache: quick to try.
An image is unpacked and run in the sandbox that proofs use. Never serves anything: the emulator does.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import emulator
from builder.cache import Cache
from builder.config import Config, read_pyproject
from builder.console import Console
from builder.data import runtime_folder
from builder.dependencies import DECLARATIONS, find_declaration, install
from builder.errors import SourceError
from builder.handler import configured_handler
from builder.image_names import hint_without_kind, is_local
from builder.interpreter import observe_interpreter
from builder.outputs import open_image
from builder.project import check_folder, read_files, read_ignored
from builder.prove import DESCRIPTIONS, Runnable, contents_of, extensions_of, runnable_contents
from builder.reload import changes

_NAMES_SHOWN = 3

# Of the caller's environment, a function run from its folder sees these; the rest could change what is tried.
_PASSED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
_PASSED_PREFIXES = ("AWS_", "FIRKIN_", "LC_")


@contextmanager
def prepared(
    target: str, config: Config, cache: Cache, console: Console, *,
    environment: Mapping[str, str], extensions: bool = True,
) -> Iterator[Runnable]:  # fmt: skip
    """What runs `target`, a folder or `oci:DIR` or `tar:FILE`, the latter with its extensions.

    Raises the BuilderError that fits.
    """
    if is_local(target):
        contents = contents_of(open_image(target), cache)
        names = extensions_of(contents.layers) if extensions else []
        with runnable_contents(contents, cache, extensions=names) as program:
            console.say(f"running {target} {DESCRIPTIONS[program.method]}")
            if names:
                console.say(describe_extensions(names, started=bool(program.extensions)))
            yield program
        return
    program = from_folder(config, cache, environment=environment)
    console.say(f"running {config.source} as it is, by {program.command[0]}")
    yield program


def check_target(target: str) -> None:
    """Raises SourceError, with how it is said, for what is there as another kind, and for names of images elsewhere."""
    kind, _, name = target.partition(":")
    place = Path(name if is_local(target) else target)
    if kind == "oci" and name and place.is_dir() and not (place / "oci-layout").exists():
        hint = f"It is no image layout; for a function's folder say {name}."
    elif is_local(target):
        return
    elif place.suffix == ".py":
        hint = f"Name the function's folder: {place.parent}; --handler names another module than the usual ones."
    elif ":" in target and not place.exists():
        name = name if kind == "docker" else target
        hint = f"An image of a Docker Engine or a registry runs there: docker run -p 8080:8080 {name}."
    else:
        hint = hint_without_kind(target)
    if hint:
        raise SourceError(f"running {target!r}: it is no function's folder, nor oci:DIR or tar:FILE", hint=hint)


def from_folder(config: Config, cache: Cache, *, environment: Mapping[str, str]) -> Runnable:
    """The function's folder, run by the interpreter that would be shipped."""
    check_folder(config.source)
    interpreter = observe_interpreter(config.python)
    files = [file.path for file in read_files(config.source, read_ignored(config.source))]
    handler = configured_handler(config, files, interpreter.version)
    declaration = find_declaration(config.source, read_pyproject(config.source))
    packages = ""
    if declaration:
        packages = str(install(declaration, interpreter, cache, offline=config.offline, environment=environment)[0])
    source = str(config.source.resolve())
    # `-S` as in the image: what this machine's Python has installed is no part of the function.
    return Runnable(
        "folder",
        (interpreter.executable, "-S", str(runtime_folder("bootstrap") / "__main__.py"), handler),
        {**_passed(environment), "LAMBDA_TASK_ROOT": source, "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1"},
        source,
    )


def _passed(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if (name in _PASSED or name.startswith(_PASSED_PREFIXES)) and name != "AWS_LAMBDA_RUNTIME_API"
    }


def run(
    settings: emulator.Settings,
    console: Console,
    *,
    host: str,
    port: int,
    http: emulator.HttpOptions | None,
    watched: Path | None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; `watched` is the folder whose changes begin anew. Raises EmulatorError."""

    async def watch(serving: emulator.Emulator) -> None:
        if watched is None:
            return
        async for names in changes(watched):
            console.say(describe_changes(names))
            serving.reload()

    def ready(url: str) -> None:
        console.say(f"ready: {'POST' if http is None else 'open'} {url}")

    emulator.run(emulator.serve(settings, host=host, port=port, ready=ready, http=http, beside=watch))


def describe_extensions(names: list[str], *, started: bool) -> str:
    """A line about what is in the image's /opt/extensions."""
    told = f"its extensions ({', '.join(names)})"
    if started:
        return f"with {told}; --no-extensions leaves them out"
    return f"without {told}: they need a sandbox, which this machine does not allow; a container engine starts them"


def describe_changes(names: list[str]) -> str:
    """A line about changed files; changed dependencies need more than a new process."""
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    text = f"changed: {', '.join(names[:_NAMES_SHOWN])}{more}; the next event finds it"
    declared = [name for name in names if name in DECLARATIONS]
    return f"{text}. To install what {declared[0]} says, start firkin run again" if declared else text
