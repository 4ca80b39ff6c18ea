"""What was left out of the image when it was built: says so where it is missed.

Loaded with the first import that fails of a name that the list begins with, or the first failure that may be about a
missing file, and by nothing else.
`trimmed.txt` beside this package lists what the builder left out, grouped by reason; without that file nothing here has
an effect. Never finds a module: an import that would fail fails as it would have, of the same class, with the same
attributes, and with the same first words; only the message goes on.

    : NAME NAME                    first: last names of all modules that may be meant; `start` reads no more
    =REASON                        begins a group
    opt/python/pandas/tests/       a folder of which nothing is there, or a file; relative to the image's root

In a deployment package the paths are the package's, relative to the function's folder: `.firkin/python/pandas/tests/`.
"""

import sys

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import FrameType

_LIST_NAME = "trimmed.txt"
_LIST_FOLDERS = ("var/runtime/", ".firkin/runtime/")  # of an image, of a deployment package
_MODULE_ENDS = ("/", ".py", "/__init__.py")
_ASKED = "asked for with drop"  # the reason of what a person dropped: `keep` would not bring it back
_MAX_CAUSES = 8  # of one exception that are looked at
_NO_FILE = 2  # ENOENT
_UNKNOWN_ENCODING = "unknown encoding: "

# Frames of the import system between an import statement and its finders: importlib/_bootstrap.py of CPython 3.9 to
# 3.14. Who asks in another way (importlib.util.find_spec, pkgutil) only wants to know, and gets the usual answer.
_OF_AN_IMPORT = ("_find_spec", "_find_and_load_unlocked", "_find_and_load")
_OF_FROM_IMPORT = ("_call_with_frames_removed", "_handle_fromlist")


class Trimmed:
    """The list of one image: `text` is its content, `root` where the image's files are ("" in a container)."""

    __slots__ = ("_lines", "root", "text")

    def __init__(self, text: str, root: str) -> None:
        self.text = f"\n{text}\n"
        self.root = root
        self._lines = frozenset(text.split("\n")) - {""}

    def find(self, path: str) -> "str | None":
        """The entry that covers the absolute path, a file or a folder above it; None when it was not left out."""
        if not path.startswith(self.root + "/"):
            return None
        relative = path[len(self.root) + 1 :]
        if relative in self._lines:
            return relative
        end = relative.rfind("/")
        while end >= 0:
            if relative[: end + 1] in self._lines:
                return relative[: end + 1]
            end = relative.rfind("/", 0, end)
        return None

    def find_module(self, name: str, folders: "Iterable[str]") -> "str | None":
        """The entry of a module that is looked for in these folders."""
        last = name.rpartition(".")[2]
        for folder in folders:
            place = f"{folder}/{last}"
            for end in _MODULE_ENDS:
                entry = self.find(place + end)
                if entry is not None:
                    return entry
            if place.startswith(self.root + "/"):
                entry = self._find_extension(place[len(self.root) + 1 :])
                if entry is not None:
                    return entry
        return None

    def find_library(self, name: str) -> "str | None":
        """The entry of a shared library of that file name, in whatever folder."""
        end = self.text.find(f"/{name}\n")
        return self.text[self.text.rindex("\n", 0, end) + 1 : end + 1 + len(name)] if end >= 0 else None

    def sentence(self, entry: str) -> str:
        """What to say about an entry: by which rule it was left out, and how to keep it."""
        at = self.text.index(f"\n{entry}\n")
        begin = self.text.rindex("\n=", 0, at) + 2
        reason = self.text[begin : self.text.index("\n", begin)]
        name = short_name(entry)
        remedy = f"take what drops {name!r} out of drop" if reason == _ASKED else f"add {name!r} to keep"
        return (
            f"it was trimmed from this image ({reason}). To put it back, {remedy} under [tool.build-image] in "
            "pyproject.toml and build again"
        )

    def _find_extension(self, place: str) -> "str | None":
        begin = self.text.find(f"\n{place}.") + 1
        if not begin:
            return None
        entry = self.text[begin : self.text.index("\n", begin)]
        return entry if entry.endswith(".so") else None


def short_name(entry: str) -> str:
    """An entry as a pattern of keep: relative to the standard library or to the dependencies, as in their rules."""
    parts = entry.rstrip("/").split("/")
    if parts[:2] in (["opt", "python"], ["var", "task"], [".firkin", "python"]):
        return "/".join(parts[2:])
    if parts[:2] == [".firkin", "lib"] and len(parts) > 3:  # noqa: PLR2004  .firkin/lib/python3.11/…
        return "/".join(parts[3:])
    if parts[:2] == ["var", "lang"] and len(parts) > 4:  # noqa: PLR2004  var/lang/lib/python3.11/…
        return "/".join(parts[4:])
    return "/".join(parts)


_loaded: "list[Trimmed | None]" = []


def load() -> "Trimmed | None":
    """This image's list, read once; None where there is none."""
    if not _loaded:
        folder = __file__.rpartition("/")[0].rpartition("/")[0] + "/"
        above = (folder[: -len(end) - 1] for end in _LIST_FOLDERS if folder.endswith("/" + end))
        root = next(above, folder.rstrip("/"))
        try:
            with open(folder + _LIST_NAME, "rb") as file:  # noqa: PTH123  pathlib is not loaded at start
                _loaded.append(Trimmed(file.read().decode("utf-8", "replace"), root))
        except OSError:
            _loaded.append(None)
    return _loaded[0]


def explain_import(name: str, path: "Sequence[str] | None", finder: "FrameType | None") -> None:
    """Raise the error of the import that is about to fail, if the module was left out of the image.

    `path` is the package's search path, None for a top-level module. `finder` is the frame of the finder's caller.
    Raises ModuleNotFoundError, or ImportError where `from package import name` does.
    """
    callers = _names(finder)
    if callers[: len(_OF_AN_IMPORT)] != list(_OF_AN_IMPORT):
        return
    trimmed = load()
    if trimmed is None:
        return
    entry = trimmed.find_module(name, sys.path if path is None else path)
    if entry is None:
        return
    package, _, last = name.rpartition(".")
    if callers[len(_OF_AN_IMPORT) :] == list(_OF_FROM_IMPORT):  # there, a ModuleNotFoundError would be passed over
        file = getattr(sys.modules.get(package), "__file__", None)
        place = f"({file or 'unknown location'})"
        message = f"cannot import name {last!r} from {package!r} {place}: {trimmed.sentence(entry)}"
        raise ImportError(message, name=package, path=file)
    raise ModuleNotFoundError(f"No module named {name!r}: {trimmed.sentence(entry)}", name=name)


def _names(frame: "FrameType | None") -> "list[str]":
    """The functions from the frame outwards, as many as matter."""
    names: list[str] = []
    while frame is not None and len(names) < len(_OF_AN_IMPORT) + len(_OF_FROM_IMPORT):
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def note(error: BaseException) -> str:
    """What to add to the message of a failure: " (FILE: it was trimmed …)" when it or a cause is about a missing file.

    "" when nothing of the kind is known, or the message says so already.
    """
    trimmed = load()
    if trimmed is None:
        return ""
    for cause in _causes(error):
        entry, what = _missed(trimmed, cause)
        if entry:
            return f" ({what}: {trimmed.sentence(entry)})"
    return ""


def _causes(error: BaseException) -> "Iterator[BaseException]":
    current: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def _missed(trimmed: Trimmed, error: BaseException) -> "tuple[str | None, str]":
    """The entry that an exception is about, and the file, library or codec as it was asked for."""
    if isinstance(error, OSError):
        if error.errno == _NO_FILE and isinstance(error.filename, str):
            return trimmed.find(error.filename), error.filename
        library = str(error).partition(":")[0]  # as the dynamic loader begins its messages
        if error.errno is None and ".so" in library and "\n" not in library:
            return trimmed.find_library(library.rpartition("/")[2]), library
    elif isinstance(error, LookupError):
        text = str(error.args[0]) if error.args else ""
        if text.startswith(_UNKNOWN_ENCODING):
            codec = text[len(_UNKNOWN_ENCODING) :]
            folders = getattr(sys.modules.get("encodings"), "__path__", ())
            return _find_codec(trimmed, codec, folders), codec
    return None, ""


def _find_codec(trimmed: Trimmed, codec: str, folders: "Iterable[str]") -> "str | None":
    from encodings import normalize_encoding  # noqa: PLC0415  it was loaded when Python started
    from encodings.aliases import aliases  # noqa: PLC0415  same

    plain = normalize_encoding(codec).lower().replace(".", "_")
    return trimmed.find_module(aliases.get(plain, plain), folders)
