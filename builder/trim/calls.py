"""What a call says about other files: imports by name, codecs, metadata, services, libraries, attributes.

Known by the name that is called, whatever it is bound to: reading errs on the side of noting too much. Pure.
"""

import ast
import re
from collections.abc import Iterable
from functools import lru_cache

from builder.trim.facts import Import
from builder.trim.notes import Notes
from builder.trim.words import NAME

MOVED = frozenset({"MovedModule", "MovedAttribute"})
_MOVED_ARGUMENTS = 3
_GETTERS = frozenset({"getattr", "attrgetter", "methodcaller", "hasattr"})
_WITH_OBJECT = frozenset({"getattr", "hasattr"})
DYNAMIC = frozenset({"import_module", "__import__", "import_string", "resolve_name", "locate"})
_DECODERS = frozenset({"decode", "encode", "lookup", "getreader", "getwriter", "getdecoder", "getencoder"})
_CODEC_CALLS = frozenset({"getincrementaldecoder", "getincrementalencoder", "EncodedFile"}) | _DECODERS - {
    "decode", "encode", "lookup",
}  # fmt: skip
_METADATA = frozenset({"version", "metadata", "distribution", "requires", "files", "get_distribution", "from_name"})
_TRAIT_OF_CALL = {
    "iter_modules": "walks",
    "walk_packages": "walks",
    "entry_points": "entries",
    "iter_entry_points": "entries",
    "distributions": "metadata",
    "packages_distributions": "records",
    "breakpoint": "breaks",
    "CDLL": "opens",
    "PyDLL": "opens",
    "LoadLibrary": "opens",
    "dlopen": "opens",
    "find_library": "opens",
    "load_library": "opens",
}
_LAZY_CALLS = frozenset(
    {"attach", "attach_stub", "LazyModule", "_LazyModule", "LazyLoader", "lazy_load", "lazy_import"}
)
_SERVICES = frozenset({"client", "resource", "create_client", "get_service_model"})
_TELLING = frozenset({"open", "str", "bytes", *_TRAIT_OF_CALL}).union(
    DYNAMIC, _GETTERS, _LAZY_CALLS, _DECODERS, _CODEC_CALLS, _METADATA, _SERVICES
)
_IMPORTS = re.compile(r"import|module|lazy|plugin|find_spec|find_loader|resolve|load_", re.IGNORECASE)


@lru_cache(4096)
def _tells(name: str) -> bool:
    """Whether calls of that name say something besides what their parts and their keywords do: few do."""
    return name in _TELLING or bool(_IMPORTS.search(name))


def note_call(notes: Notes, node: ast.Call, name: str) -> None:
    """Note what a call of that name leads to, besides what its parts do."""
    if name in MOVED:
        _moved(notes, node)
        return
    if node.keywords:
        _keywords(notes, node.keywords)
    if not _tells(name):
        return
    first = notes.constant(node.args[0]) if node.args else None
    if name in DYNAMIC:
        _dynamic(notes, node, first)
    elif _IMPORTS.search(name):
        notes.asked.update(
            text for argument in node.args if (text := notes.constant(argument)) and NAME.fullmatch(text)
        )
    if trait := _TRAIT_OF_CALL.get(name):
        notes.traits.add(trait)
    if name in _GETTERS and not all(notes.constant(one) for one in node.args[name in _WITH_OBJECT :][:1]):
        notes.traits.add("attributes")
    if name in _LAZY_CALLS:
        notes.traits.add("lazy")
    if name in {"CDLL", "find_library", "dlopen", "load_library", "LoadLibrary"} and first:
        notes.libraries.add(first.rpartition("/")[2])
    _codec_call(notes, node, name)
    _metadata_call(notes, node, name, first)
    _service_call(notes, node, name, first)


def _moved(notes: Notes, node: ast.Call) -> None:
    """The tables of `six`: MovedModule(name, old, new) and MovedAttribute(name, old, new) load `new` by `name`."""
    texts = [notes.constant(argument) or "" for argument in node.args]
    if len(texts) >= _MOVED_ARGUMENTS and texts[0] and texts[2]:
        notes.imports.append(Import(0, texts[2], guards=(texts[0],), deferred=True))


def _dynamic(notes: Notes, node: ast.Call, first: str | None) -> None:
    if first is not None:
        dots = len(first) - len(first.lstrip("."))
        notes.imports.append(Import(dots, first[dots:], guards=notes.guards, deferred=notes.depth > 0))
        for keyword in [*node.keywords, *node.args[3:4]]:  # __import__(name, globals, locals, fromlist)
            value = keyword.value if isinstance(keyword, ast.keyword) else keyword
            if isinstance(value, ast.List | ast.Tuple):
                names = tuple(e.value for e in value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str))
                notes.imports.append(Import(dots, first[dots:], names, notes.guards, notes.depth > 0))
    elif node.args and (prefix := notes.prefix(node.args[0])):
        notes.prefixes.add(prefix)
    elif node.args or node.keywords:
        notes.traits.add("imports")


def _keywords(notes: Notes, keywords: Iterable[ast.keyword]) -> None:
    for keyword in keywords:
        if keyword.arg == "ssl" and not _is_none(keyword.value):
            notes.mentions.add("ssl=")
        if keyword.arg in {"encoding", "charset"} and not notes.is_known(keyword.value) and not _is_none(keyword.value):
            notes.traits.add("decodes")


def _codec_call(notes: Notes, node: ast.Call, name: str) -> None:
    is_method = isinstance(node.func, ast.Attribute)
    if name == "open" and len(node.args) > (2 if is_method else 3) and not notes.is_known(node.args[-1]):
        notes.traits.add("decodes")
    if not node.args or not is_method:
        decoded = name in _CODEC_CALLS or (name in {"str", "bytes"} and len(node.args) > 1)
    else:
        decoded = name in {"decode", "encode"} | _CODEC_CALLS or (
            name == "lookup" and _called_on(node.func) == "codecs"
        )
    if not decoded or not node.args:
        return
    where = node.args[1] if name in {"str", "bytes"} else node.args[0]
    if not notes.is_known(where) and not _is_none(where):
        notes.traits.add("decodes")


def _metadata_call(notes: Notes, node: ast.Call, name: str, first: str | None) -> None:
    if name not in _METADATA or not node.args or (name == "files" and _is_of_resources(notes, node.func)):
        return
    if first is not None:
        notes.dists.add(first)
    elif name in {"version", "metadata", "distribution", "get_distribution", "from_name"}:
        notes.traits.add("metadata")
    if name == "files":
        notes.traits.add("records")


def _is_of_resources(notes: Notes, function: ast.expr) -> bool:
    """Whether `files` is that of importlib.resources, which opens package data, and not of importlib.metadata."""
    match function:
        case ast.Attribute(value=ast.Attribute(attr=owner) | ast.Name(id=owner)):
            return owner in {"resources", "importlib_resources"}
        case _:
            return any(
                "files" in one.names and one.module in {"importlib.resources", "importlib_resources"}
                for one in notes.imports
            )


def _service_call(notes: Notes, node: ast.Call, name: str, first: str | None) -> None:
    if name not in _SERVICES:
        return
    named = [keyword.value for keyword in node.keywords if keyword.arg == "service_name"]
    if first is None and named:
        first = notes.constant(named[0])
    if first is not None:
        notes.services.add(first)
    elif node.args or named:
        notes.traits.add("services")


def called(function: ast.expr) -> str:
    """The name that is called, or the attribute; empty for what has none."""
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""


def _called_on(function: ast.expr) -> str:
    match function:
        case ast.Attribute(value=ast.Name(id=name)):
            return name
        case _:
            return ""


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
