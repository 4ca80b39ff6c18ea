"""A build whose inputs are as they were gives its last result again, without looking into any of them.

While a build runs, Python's audit events tell which files it opens and which folders it lists; with the files of the
Plan, the modules of this program and the few places where it looks whether something is there, these are its
witnesses. Their states (inode, size, times) and what was asked are kept with the result. When all are the same the
next time, the layers in the cache are written out as they are: each blob is still read and checked on the way.

Whatever is not sure is built: another variable of the environment, a file that changed in the very moment of the
build, a base or an engine outside this machine's files. Never trusts a record for content, only for "as it was".
"""

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from builder.cache import Cache, key_of, mark_used
from builder.config import Config
from builder.console import Console
from builder.errors import BuilderError, OutputError
from builder.oci import BlobStore, Descriptor, Digest, Image, OCIError, media_types
from builder.outputs import Output, check_outputs, write_output
from builder.plan import TASK, How, Plan, PlannedFile
from builder.summary import Row, show_summary

if TYPE_CHECKING:
    from builder.make import Result

KIND = "builds"

# Two changes within this time may leave the same time of change: a kernel's clock for files ticks every 1 to 10 ms.
MOMENT_S = 0.1

# Variables that differ from one terminal to the next and that nothing here reads.
_IGNORED = frozenset(
    ("_", "SHLVL", "PWD", "OLDPWD", "TERM", "COLORTERM", "COLUMNS", "LINES", "WINDOWID", "DISPLAY", "SSH_TTY",
     "SSH_CLIENT", "SSH_CONNECTION", "XDG_SESSION_ID", "TERM_SESSION_ID", "TMUX", "TMUX_PANE", "PS1")
)  # fmt: skip

_COLUMNS = ("name", "files", "size_uncompressed", "size")

_OPENED, _LISTED = "open", ("os.scandir", "os.listdir")


@dataclass(slots=True)
class Seen:
    """What a build looked at, by absolute paths, and when it began."""

    started_s: float
    paths: set[str] = field(default_factory=set)
    active: bool = True

    def note(self, event: str, arguments: tuple[object, ...]) -> None:
        """Take an audit event. Source: https://docs.python.org/3/library/audit_events.html."""
        if self.active and (event == _OPENED or event in _LISTED) and arguments:
            path = arguments[0]
            if isinstance(path, str | bytes | os.PathLike):
                self.paths.add(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100  a string is wanted, of any path


def applies(config: Config) -> bool:
    """Whether everything that decides the image is in files of this machine."""
    elsewhere = config.base != "host" or config.engine != "oci" or config.push or len(config.platforms) > 1
    return not elsewhere and config.cache and not any(text.startswith("zip:") for text in config.outputs)


@contextlib.contextmanager
def watching() -> Iterator[Seen]:
    """Note what is looked at in the block."""
    seen = Seen(time.time())
    sys.addaudithook(seen.note)  # for as long as this process lives: a hook cannot be taken away
    try:
        yield seen
    finally:
        seen.active = False


def state_of(paths: Iterable[str], source: str) -> tuple[str, float]:
    """A digest of the states of the paths, and the time of the newest change among them; what is missing is a state.

    The time of change of an inode counts below `source` only: it tells a change under the same size and time of
    modification, but elsewhere it changes with every hard link that an installer makes of the same file. A folder there
    is told by what is in it: editors write beside a file and rename, which changes the folder's times and nothing else.
    """
    digest = hashlib.sha256()
    newest = 0
    for path in paths:
        try:
            found = os.stat(path)  # noqa: PTH116  thousands of them
            inside = path.startswith(source)
            if inside and stat.S_ISDIR(found.st_mode):
                digest.update(f"{found.st_mode} {_names(path)}".encode("utf-8", "surrogateescape"))
                continue
        except OSError:
            digest.update(b"-")
            continue
        changed = found.st_ctime_ns if inside else 0
        newest = max(newest, found.st_mtime_ns, changed)
        digest.update(b"%d %d %d %d %d," % (found.st_mtime_ns, changed, found.st_size, found.st_ino, found.st_mode))
    return digest.hexdigest(), newest / 1e9


def _names(folder: str) -> list[tuple[str, str]]:
    """What is in a folder, and of what kind: a folder, a link to somewhere, or something else. Raises OSError."""
    with os.scandir(folder) as entries:
        return sorted((entry.name, _kind_of(entry)) for entry in entries)


def _kind_of(entry: "os.DirEntry[str]") -> str:
    if entry.is_symlink():
        return f"to {os.readlink(entry.path)}"  # noqa: PTH115  an entry has the path as a text
    return "folder" if entry.is_dir(follow_symlinks=False) else ""


def _key(config: Config, environment: Mapping[str, str]) -> str:
    """What was asked, by whom, and where."""
    kept = sorted((name, value) for name, value in environment.items() if name not in _IGNORED)
    return key_of(KIND, repr(config), str(config.source.resolve()), os.getcwd(), sys.version, sys.executable, kept)  # noqa: PTH109


@dataclass(frozen=True, slots=True)
class Known:
    """The last build of what was asked, whose witnesses are as they were, `modules` of the function perhaps not.

    `frame` is what `edited` needs of it, None where that does not apply.
    """

    described: Mapping[str, object]
    frame: Mapping[str, object] | None
    paths: list[str]
    state: str
    modules: list[str]
    changed: bool  # whether modules are not as they were
    manifest_size: int
    warnings: list[str]


def known_build(config: Config, cache: Cache, environment: Mapping[str, str]) -> Known | None:
    """The last build of what is asked for now, None when there is none or anything but modules has changed since."""
    record = cache.record(KIND, _key(config, environment))
    if record is None:
        return None
    source = str(config.source.absolute())
    modules_state = record.pop("modules_state")
    known = Known(**record, changed=False)  # type: ignore[arg-type]  # a record is as it was written
    if state_of(known.paths, source)[0] != known.state:
        return None
    return replace(known, changed=state_of(known.modules, source)[0] != modules_state)


def remember(
    described: Mapping[str, object], result: "Result", seen: Seen, *,
    cache: Cache, console: Console, environment: Mapping[str, str],
) -> None:  # fmt: skip
    """Keep what --json tells of a build, unless something changed too close to it to be told apart the next time."""
    from builder.edited import frame_of

    config, plan = result.prepared.config, result.prepared.plan
    frame = frame_of(result, cache)
    modules = sorted(modules_of(plan))
    files = (file for part in (*(layer.files for layer in plan.layers), plan.rest) for file in part)
    planned = (file.source for file in files if file.source.startswith("/"))
    own = (module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] in {"builder", "emulator"})
    places = {*seen.paths, *planned, *filter(None, own), *_asked_for(config.source)}
    own_places = [str(cache.folder), *(str(Path(one.target).absolute()) for one in outputs_of(described) if one.target)]
    passed = ("/proc/", "/dev/", *(f"{place}/" for place in own_places))
    places.difference_update(own_places, [tempfile.gettempdir()], modules)
    # Bytecode follows its source, and may be written by this very process.
    paths = sorted(path for path in places if not path.startswith(passed) and "/__pycache__/" not in path)
    state, newest_s = state_of(paths, str(config.source.absolute()))
    if newest_s > seen.started_s - MOMENT_S:
        return
    known = Known(
        described, frame, paths, state, modules, changed=False, manifest_size=0, warnings=sorted(console.warned)
    )
    keep(known, result, seen, cache=cache, environment=environment)


def keep(known: Known, result: "Result", seen: Seen, *, cache: Cache, environment: Mapping[str, str]) -> None:
    """Keep a build whose other witnesses are known to be as they were; of modules only what is sure.

    A cache that cannot be written has nothing kept in it; the image is there all the same.
    """
    image, config = result.assembled.image, result.prepared.config
    modules_state, newest_s = state_of(known.modules, str(config.source.absolute()))
    record = {name: getattr(known, name) for name in Known.__slots__ if name != "changed"}
    record["manifest_size"] = len(image.manifest)
    record["modules_state"] = modules_state if newest_s <= seen.started_s - MOMENT_S else "in the moment of the build"
    store = BlobStore(cache.blobs)
    with contextlib.suppress(OCIError, OutputError):
        store.add(image.manifest, media_type=media_types.MANIFEST)
        store.add(image.raw_config, media_type=media_types.CONFIG)
        cache.write_record(KIND, _key(config, environment), record)


def modules_of(plan: Plan) -> dict[str, PlannedFile]:
    """The modules of the function in its layer, the uppermost, by their sources."""
    own = (file for file in plan.layers[-1].files if file.how is How.COPY and file.path.startswith(f"{TASK}/"))
    return {file.source: file for file in own if file.path.endswith(".py")}


def recall(known: Known, cache: Cache, console: Console) -> dict[str, object] | None:
    """Write the outputs of the last build again if nothing changed since, and give what --json tells; else None.

    None also for whatever goes wrong: the build that follows tells it in its own words.
    """
    if known.changed:
        return None
    described = dict(known.described)
    store = BlobStore(cache.blobs)
    try:
        digest = Digest.parse(str(described["digest"]))
        manifest = Descriptor(media_types.MANIFEST, digest, known.manifest_size)
        image = Image.read(manifest, store, where="the cache")
        outputs = outputs_of(described)
        with console.step("write"):
            check_outputs(outputs)
            for output in outputs:
                write_output(output, image, str(described["reference"]), cache)
    except (OCIError, BuilderError):
        return None
    for layer in image.layers:
        mark_used(store.path(layer.descriptor.digest))
    for text in known.warnings:
        console.warn(text)
    return _told(described, outputs, console)


def _told(described: dict[str, object], outputs: list[Output], console: Console) -> dict[str, object]:
    """Tell of the result what a build tells, and give what --json prints."""
    proof = cast("dict[str, object]", described["proof"])
    unproven = proof["method"] == "not proven"
    console.say(f"nothing has changed since the {'last build' if unproven else 'image was proven'}")
    layers = [{**one, "cached": True, "seconds": 0.0} for one in cast("list[dict[str, object]]", described["layers"])]
    rows = [Row(*cast("tuple[str, int, int, int]", tuple(map(one.get, _COLUMNS))), made_in_s=None) for one in layers]
    show_summary(rows, outputs, console)
    steps = [{"name": name, "seconds": round(spent, 4)} for name, spent in console.timings]
    return {**described, "layers": layers, "steps": steps}


def outputs_of(described: Mapping[str, object]) -> list[Output]:
    """What was written."""
    return [Output(*text.partition(":")[::2]) for text in cast("list[str]", described["outputs"])]


def _asked_for(source: Path) -> list[str]:
    """Places where a file would be taken note of, whether it is there or not: it is only asked whether it exists."""
    from builder.labels import git_files
    from builder.libraries import LD_SO_CONF

    above = source.resolve().parents
    return [
        LD_SO_CONF,
        *(str(folder / name) for folder in above for name in ("uv.toml", ".git")),
        *map(str, git_files(source)),
    ]
