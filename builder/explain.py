"""Why a module or file is in an image, or why not: the answer of `firkin explain`.

Each build leaves the reasons of its plan in the cache, under the digest of the image's configuration, which every copy
of the image keeps wherever it goes. Without them (another machine, an old build) the image's own list of what was left
out answers a part, and says so. Never changes an image and never runs it.
"""

import difflib
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from builder.cache import Cache, mark_used
from builder.errors import SourceError
from builder.image_names import ENGINE, is_local
from builder.left_out import PATH, parse_left_out
from builder.listing import list_files
from builder.oci import Image
from builder.plan import HISTORY, LANG, How, Plan, is_alone, short_name
from builder.trace import module_name
from builder.trim.rules import BY_DROP

MAX_STEPS = 50  # of a chain; longer is a circle
MAX_SHOWN = 10  # lines about a folder, and names that are alike

_IMAGES, _REASONS = "explained", "reasons"  # kinds of records: an image's, with the key of its reasons; and those


# Modules of the standard library whose compiled part a Python may lack: made without its library, or split by Debian.
_COMPILED: Mapping[str, str] = {
    "bz2": "_bz2", "ctypes": "_ctypes", "curses": "_curses", "lzma": "_lzma", "sqlite3": "_sqlite3", "ssl": "_ssl",
    "tkinter": "_tkinter", "turtle": "_tkinter",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of an image: its layer, why it is there, and the file that leads to it ("" at a beginning)."""

    layer: str
    why: str
    via: str = ""


@dataclass(frozen=True, slots=True)
class Reasons:
    """What is known of one image. `whole` says whether the build's own reasons are among it."""

    kept: Mapping[str, Kept]
    dropped: Mapping[str, str]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be said about one path: whether it is in the image, and a line for each step of the reason."""

    path: str
    present: bool
    lines: tuple[str, ...] = field(default=())


def remember(plan: Plan, image: Image, cache: Cache) -> str:
    """Leave the reasons of a plan in the cache; gives their key, which images that have the same reasons share."""
    kept = {
        file.path: [layer.name, file.why, file.via]
        for layer in plan.layers
        for file in layer.files
        if file.how is not How.BYTECODE or is_alone(file.path)
    }
    dropped = {path: why for layer in plan.layers for path, why in layer.dropped.items() if "/__pycache__/" not in path}
    text = json.dumps([kept, dropped])
    key = hashlib.sha256(text.encode()).hexdigest()
    if not share(key, image, cache):
        cache.write_record(_REASONS, key, {"reasons": text})
    return key


def share(key: str, image: Image, cache: Cache) -> bool:
    """Let the reasons of that key be those of the image; gives whether they are there."""
    name = image.config_descriptor.digest.encoded
    if cache.record(_IMAGES, name) != {"reasons": key}:  # a disk may be full, and nothing new to be written
        cache.write_record(_IMAGES, name, {"reasons": key})
    reasons = cache.folder / "records" / _REASONS / key
    mark_used(reasons)
    return reasons.exists()


def reasons_of(digest: str, cache: Cache) -> Reasons | None:
    """The remembered reasons of the image with that configuration (hexadecimal digits), None when there are none."""
    match cache.record(_IMAGES, digest):
        case {"reasons": str(key)}:
            match cache.record(_REASONS, key):
                case {"reasons": str(text)}:
                    kept, dropped = json.loads(text)
                    return Reasons({path: Kept(*row) for path, row in kept.items()}, dropped)
    return None


def reasons_in(image: Image, cache: Cache) -> Reasons:
    """What the image itself tells: the layer of each file, and what it lists as left out. Raises ImageError."""
    from builder.prove.unpacked import unpacked

    kept: dict[str, Kept] = {}
    told = ""
    names = [entry.created_by.removeprefix(HISTORY) for entry in image.config.history if not entry.empty_layer]
    folders = unpacked(image, cache)
    for number, folder in enumerate(folders):
        name = names[number] if len(folders) == len(names) else "unknown"
        kept |= {file.path: Kept(name, "") for file in list_files(str(folder), skip=frozenset(("__pycache__",)))}
        if (folder / PATH).is_file():
            told = (folder / PATH).read_text(encoding="utf-8", errors="replace")
    return Reasons(kept, parse_left_out(told), whole=False)


def open_reasons(text: str, cache: Cache) -> Reasons:
    """The reasons of `oci:DIR`, `tar:FILE`, or the name of an image in the Docker Engine.

    Raises ImageError and DockerError for what is no image.
    """
    from builder.outputs import open_image

    if is_local(text):
        return _reasons(open_image(text), cache)
    from builder.daemon import saved_image

    with saved_image(text.removeprefix(ENGINE), cache) as file:
        return _reasons(open_image(f"tar:{file}"), cache)


def _reasons(image: Image, cache: Cache) -> Reasons:
    """The build's reasons, and for what lies below them that it is the base image's."""
    known = reasons_of(image.config_descriptor.digest.encoded, cache)
    if known and len({kept.layer for kept in known.kept.values()}) >= len(image.layers):
        return known
    own = reasons_in(image, cache)
    if not known:
        return own
    base = {path: Kept(kept.layer, "of the base image") for path, kept in own.kept.items() if path not in known.kept}
    return Reasons({**base, **known.kept}, known.dropped)


def find(asked: str, reasons: Reasons) -> list[str]:
    """The paths that a module's name, a path of the image or one relative to where it is installed stands for.

    A folder stands for itself, and a name that ends in a slash for no file. Raises SourceError for a name that is
    nowhere, with those that are alike.
    """
    plain = asked.strip("/")
    paths = [*reasons.kept, *reasons.dropped] if plain else []
    found = [path for path in paths if plain in {path.rstrip("/"), short_name(path.rstrip("/")), module_name(path)}]
    if asked.endswith("/"):
        found = [path for path in found if path.endswith("/")]
    found = found or sorted({folder for path in paths if (folder := _folder(plain, path))})
    found = found or [path for path in reasons.dropped if path.endswith("/") and _is_below(plain, path)]
    if found:
        return list(dict.fromkeys(found))
    names = {name for path in paths for name in (module_name(path), short_name(path.rstrip("/"))) if name}
    hint = _advice(plain, names)
    raise SourceError(f"explaining {asked!r}: the image neither holds it nor was it left out", hint=hint)


def _advice(plain: str, names: Collection[str]) -> str:
    """What to do about a name that is nowhere."""
    top = plain.partition(".")[0].partition("/")[0]
    if top in sys.stdlib_module_names and top not in names:
        return (
            f"{top!r} is of the standard library, and the image's Python has no file of it: it is built into the "
            "interpreter, or that Python came without it. Neither keep nor --trim brings it; another Python may."
        )
    near = difflib.get_close_matches(plain, names, n=3)
    return (
        f"Did you mean {', '.join(near)}?" if near else "Give a module's name (pandas.io.sql), or a path of the image."
    )


def _folder(plain: str, path: str) -> str:
    """The folder of the path that is asked for: by its path, its short path, or the name of a package of no file."""
    for candidate in (plain, plain.replace(".", "/")):
        if path.startswith(f"{candidate}/"):
            return f"{candidate}/"
        short = short_name(path)
        if short != path and short.startswith(f"{candidate}/"):
            return f"{path[: len(path) - len(short)]}{candidate}/"
    return ""


def _is_below(plain: str, folder: str) -> bool:
    """Whether an entry that covers a folder covers what is asked for."""
    candidates = (plain, plain.replace(".", "/"))
    return any(f"{name}/".startswith((folder, short_name(folder.rstrip("/")) + "/")) for name in candidates)


def explain(asked: str, reasons: Reasons) -> list[Answer]:
    """An answer for each path that is meant. Raises SourceError for a name that is nowhere."""
    return [_explain(path, reasons) for path in find(asked, reasons)]


def _explain(path: str, reasons: Reasons) -> Answer:
    if path in reasons.kept:
        return Answer(path, present=True, lines=tuple(_chain(path, reasons)))
    if path in reasons.dropped:
        name = short_name(path.rstrip("/")).removesuffix("/__init__.py")
        back = f"to put it back, add {name!r} to keep in [tool.build-image]"
        if reasons.dropped[path] == BY_DROP:  # which overrules keep
            back = f"to put it back, take what drops {name!r} out of drop"
        elif lacking := _lacking(path, reasons):
            back = f"putting it back may not help: it needs {lacking!r}, of which the image's Python has no file"
        return Answer(path, present=False, lines=(f"left out: {reasons.dropped[path]}", back))
    kept = [one for one in reasons.kept if one.startswith(path)]
    gone = Counter(why for one, why in reasons.dropped.items() if one.startswith(path))
    lines = [f"{len(kept)} files are in the image, {sum(gone.values())} were left out"]
    lines += [f"left out, {count}: {why}" for why, count in gone.most_common(MAX_SHOWN)]
    lines += [f"in the image: {one}" for one in kept[:MAX_SHOWN]]
    return Answer(path, present=bool(kept), lines=tuple(lines))


def _lacking(path: str, reasons: Reasons) -> str:
    """The compiled part of a module of the standard library that this Python was made without; "" for all others."""
    needed = _COMPILED.get(short_name(path.rstrip("/")).partition("/")[0].removesuffix(".py"), "")
    if not needed or not path.startswith(f"{LANG}/"):
        return ""
    is_there = any(module_name(one) == needed for one in (*reasons.kept, *reasons.dropped))
    return "" if is_there else needed


def _chain(path: str, reasons: Reasons) -> Iterator[str]:
    """From a file to the beginning of the chain that leads to it."""
    first = reasons.kept[path]
    yield f"in layer {first.layer}"
    if not reasons.whole:
        yield "why, only the machine that built it knows: build it again here, and ask again"
        return
    seen = set[str]()
    while path in reasons.kept and path not in seen and len(seen) < MAX_STEPS:
        seen.add(path)
        kept = reasons.kept[path]
        path = kept.via if kept.via in reasons.kept else f"{kept.via}c"  # of which bytecode alone is there
        yield f"{kept.why} {path if path in reasons.kept else kept.via}" if kept.via else kept.why


def render(answers: Iterable[Answer]) -> str:
    """The answers as text."""
    texts = []
    for answer in answers:
        head = answer.path if answer.present else f"{answer.path} is not in the image"
        texts.append("\n  ".join((head, *answer.lines)) + "\n")
    return "".join(texts)


def describe(answers: Iterable[Answer]) -> dict[str, object]:
    """The answers as the JSON object of --json."""
    return {"answers": [{"path": f"/{one.path}", "present": one.present, "reason": list(one.lines)} for one in answers]}
