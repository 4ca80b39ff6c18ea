"""Python source → Facts, by its syntax tree. Pure; never imports or runs what it reads.

Imports anywhere count, in functions and `try` too, unless their condition can never hold in an image (`conditions`).
A source that does not parse here (syntax newer than this Python) is read by its lines instead, which sees more than is
there, never less.

Traits: `imports` (imports a name that is computed), `lazy` (loads attributes when asked), `walks` (lists the modules of
a package), `entries` (reads entry points), `metadata` (reads metadata of a computed distribution), `records` (reads
lists of installed files), `decodes` (uses a codec of a computed name), `services` (asks for a computed AWS service),
`opens` (opens shared libraries), `breaks` (calls breakpoint()), `attributes` (asks for attributes of computed names).
"""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from encodings import normalize_encoding
from encodings.aliases import aliases

from builder.trim.conditions import is_main_guard, outcome
from builder.trim.facts import Facts, Import

FALLBACK = "except"  # the first guard of an import in a handler of ImportError; what was tried follows
MAIN = "main()"  # the guard of what a module imports when it is run as a program
NOT_ASCII = "not-ascii"  # mentioned by a source with other characters: tracebacks measure their width
MAX_NAME_CHARS = 200  # a longer string names nothing

_NAME = re.compile(r"(?:\.?/)?\.*[^\W\d]\w*(?:[.:/-][^\W\d]\w*)*|\.+", re.ASCII)
_LIBRARY = re.compile(r"(?:lib)?[\w+.-]+\.so(?:\.\d+)*", re.ASCII)
_CODEC = re.compile(r"[\w. -]{2,30}", re.ASCII)
_IMPORTS = re.compile(r"import|module|lazy|plugin|find_spec|find_loader|resolve|load_", re.IGNORECASE)

CODECS = frozenset(aliases.values()) | {
    "idna", "punycode", "utf_8_sig", "raw_unicode_escape", "unicode_escape", "palmos", "charmap",
    "cp65001", "cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "koi8_t", "koi8_u", "mac_arabic", "mac_farsi",
    "mac_croatian", "mac_romanian",
}  # fmt: skip

_MOVED = frozenset({"MovedModule", "MovedAttribute"})
_MOVED_ARGUMENTS = 3
_GETTERS = frozenset({"getattr", "attrgetter", "methodcaller", "hasattr"})
_WITH_OBJECT = frozenset({"getattr", "hasattr"})
_DYNAMIC = frozenset({"import_module", "__import__", "import_string", "resolve_name", "locate"})
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


def read_facts(source: bytes, version: tuple[int, int]) -> Facts:
    """The facts of a module's source for a Python of that version."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        reader = _Reader(version)
        if not source.isascii():
            reader.mentions.add(NOT_ASCII)
        reader.module(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return read_lines(source)
    return reader.facts()


_LINE = re.compile(
    rb"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+([^#\n]*)|import[ \t]+([^#\n]*))", re.MULTILINE
)
_QUOTED = re.compile(rb"""["']([\w.:/-]{1,200})["']""")
_WORD = re.compile(rb"[^\W\d]\w*")


def read_lines(source: bytes) -> Facts:
    """The facts of a source that has no syntax tree here: every import line, every quoted word, all traits but one."""
    imports: list[Import] = []
    for dots, module, names, plain in _LINE.findall(source):
        if plain:
            modules = (part.split()[0] for part in plain.decode("utf-8", "replace").split(",") if part.split())
            imports += (Import(0, name) for name in modules)
        else:
            taken = tuple(
                part.split()[0].strip("()") for part in names.decode("utf-8", "replace").split(",") if part.split()
            )
            imports.append(Import(len(dots), module.decode("utf-8", "replace"), taken or ("*",)))
    quoted = [text.decode("utf-8", "replace") for text in _QUOTED.findall(source)]
    words = frozenset(word.decode("utf-8", "replace") for word in _WORD.findall(source))
    return Facts(
        imports=tuple(imports),
        strings=frozenset(text for text in quoted if _NAME.fullmatch(text)),
        defines=words,
        mentions=words,
        codecs=frozenset(filter(None, map(_codec, quoted))),
        libraries=frozenset(text for text in quoted if _LIBRARY.fullmatch(text)),
        traits=frozenset({"decodes"}) | ({"imports"} if words & _DYNAMIC else frozenset()),
    )


class _Reader:
    """One walk over a module's tree."""

    def __init__(self, version: tuple[int, int]) -> None:
        self.version = version
        self.imports: list[Import] = []
        self.strings: set[str] = set()
        self.asked: set[str] = set()
        self.prefixes: set[str] = set()
        self.defines: set[str] = set()
        self.mentions: set[str] = set()
        self.codecs: set[str] = set()
        self.services: set[str] = set()
        self.dists: set[str] = set()
        self.libraries: set[str] = set()
        self.traits: set[str] = set()
        self.constants: dict[str, str] = {}
        self.guards: tuple[str, ...] = ()
        self.depth = 0  # of functions

    def facts(self) -> Facts:
        sets = (
            self.strings, self.asked, self.prefixes, self.defines, self.mentions, self.codecs, self.services,
            self.dists, self.libraries, self.traits,
        )  # fmt: skip
        return Facts(tuple(dict.fromkeys(self.imports)), *map(frozenset, sets))

    def module(self, tree: ast.Module) -> None:
        for node in tree.body:
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text)))
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text)))
                ):
                    self.constants[name] = text
                case ast.FunctionDef(name="__getattr__"):
                    self.traits.add("lazy")
        self.body(tree.body)

    def body(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def visit(self, node: ast.AST) -> None:
        method = _METHODS.get(type(node))
        if method is not None:
            getattr(self, method)(node)
        else:
            self.children(node)

    def children(self, node: ast.AST) -> None:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item)
            elif isinstance(value, ast.AST):
                self.visit(value)

    # statements

    def on_import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.mentions.update(alias.name.split("."))
            self.imports.append(Import(0, alias.name, guards=self.guards, deferred=self.depth > 0))
            if not self.depth:
                self.defines.add(alias.asname or alias.name.partition(".")[0])

    def on_import_from(self, node: ast.ImportFrom) -> None:
        names = tuple(alias.name for alias in node.names)
        if node.module == "__future__":  # a word to the compiler, and an import all the same
            self.imports.append(Import(0, "__future__"))
            return
        self.imports.append(Import(node.level, node.module or "", names, self.guards, self.depth > 0))
        self.mentions.update(names)
        self.mentions.update(node.module.split(".") if node.module else ())
        if not self.depth:
            self.defines.update(alias.asname or alias.name for alias in node.names)

    def on_if(self, node: ast.If) -> None:
        known = False if is_main_guard(node.test) else outcome(node.test, self.version)
        before = self.guards
        names = _compared_names(node.test) if before == _IN_GETATTR else ()
        if known is None and not names:
            self.visit(node.test)
        if known is not False:
            self.guards = names or before
            self.body(node.body)
            self.guards = before
        if known is not True:
            self.body(node.orelse)

    def on_try(self, node: ast.Try) -> None:
        self.body(node.body)
        before = self.guards
        for handler in node.handlers:
            if not before and handler.type is not None and _catches_import_error(handler.type):
                self.guards = (FALLBACK, *_tried(node.body))
            self.body(handler.body)
            self.guards = before
        self.body(node.orelse)
        self.body(node.finalbody)

    def on_if_exp(self, node: ast.IfExp) -> None:
        known = outcome(node.test, self.version)
        self.visit(node.test)
        if known is not False:
            self.visit(node.body)
        if known is not True:
            self.visit(node.orelse)

    def on_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if not self.depth:
            self.defines.add(node.name)
        self.body(node.decorator_list)
        self.body(node.args.defaults)
        self.body(default for default in node.args.kw_defaults if default is not None)
        before = self.guards
        if not self.depth and not before:
            self.guards = _IN_GETATTR if node.name == "__getattr__" else _IN_MAIN if node.name in _MAIN else ()
        self.depth += 1
        self.body(_without_docstring(node.body))
        self.depth -= 1
        self.guards = before

    def on_class(self, node: ast.ClassDef) -> None:
        if not self.depth:
            self.defines.add(node.name)
        self.body(node.decorator_list)
        self.body(node.bases)
        self.body(node.keywords)
        self.body(_without_docstring(node.body))

    def on_assign(self, node: ast.Assign) -> None:
        if not self.depth:
            self.defines.update(
                name.id for target in node.targets for name in ast.walk(target) if type(name) is ast.Name
            )
        self.children(node)

    def on_annotated(self, node: ast.AnnAssign) -> None:
        """The annotation is left out: names in it are evaluated, if ever, among the names of the module."""
        if not self.depth and isinstance(node.target, ast.Name):
            self.defines.add(node.target.id)
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def on_expression(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a string that stands alone is a comment
            self.visit(node.value)

    # expressions

    def on_attribute(self, node: ast.Attribute) -> None:
        self.mentions.add(node.attr)
        self.visit(node.value)

    def on_constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.text(node.value)

    def text(self, text: str) -> None:
        if not text or len(text) > MAX_NAME_CHARS:
            return
        if _NAME.fullmatch(text):
            self.strings.add(text)
        if codec := _codec(text):
            self.codecs.add(codec)
        if ".so" in text and _LIBRARY.fullmatch(text.rpartition("/")[2]):
            self.libraries.add(text.rpartition("/")[2])

    def on_call(self, node: ast.Call) -> None:
        name = _called(node.func)
        if name in _MOVED:
            self.moved(node)
            return
        first = self.constant(node.args[0]) if node.args else None
        if name in _DYNAMIC:
            self.dynamic(node, first)
        elif _IMPORTS.search(name):
            self.asked.update(
                text for argument in node.args if (text := self.constant(argument)) and _NAME.fullmatch(text)
            )
        if trait := _TRAIT_OF_CALL.get(name):
            self.traits.add(trait)
        if name in _GETTERS and not all(self.constant(one) for one in node.args[name in _WITH_OBJECT :][:1]):
            self.traits.add("attributes")
        if name in _LAZY_CALLS:
            self.traits.add("lazy")
        if name in {"CDLL", "find_library", "dlopen", "load_library", "LoadLibrary"} and first:
            self.libraries.add(first.rpartition("/")[2])
        self.codec_call(node, name)
        self.metadata_call(node, name, first)
        self.service_call(node, name, first)
        self.visit(node.func)
        self.body(node.args[name in _DYNAMIC and first is not None :])  # that name has been noted as an import
        self.body(node.keywords)

    def moved(self, node: ast.Call) -> None:
        """The tables of `six`: MovedModule(name, old, new) and MovedAttribute(name, old, new) load `new` by `name`."""
        texts = [self.constant(argument) or "" for argument in node.args]
        if len(texts) >= _MOVED_ARGUMENTS and texts[0] and texts[2]:
            self.imports.append(Import(0, texts[2], guards=(texts[0],), deferred=True))

    def dynamic(self, node: ast.Call, first: str | None) -> None:
        if first is not None:
            dots = len(first) - len(first.lstrip("."))
            self.imports.append(Import(dots, first[dots:], guards=self.guards, deferred=self.depth > 0))
            for keyword in [*node.keywords, *node.args[3:4]]:  # __import__(name, globals, locals, fromlist)
                value = keyword.value if isinstance(keyword, ast.keyword) else keyword
                if isinstance(value, ast.List | ast.Tuple):
                    names = tuple(
                        e.value for e in value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)
                    )
                    self.imports.append(Import(dots, first[dots:], names, self.guards, self.depth > 0))
        elif node.args and (prefix := self.prefix(node.args[0])):
            self.prefixes.add(prefix)
        elif node.args or node.keywords:
            self.traits.add("imports")

    def codec_call(self, node: ast.Call, name: str) -> None:
        for keyword in node.keywords:
            if keyword.arg == "ssl" and not _is_none(keyword.value):
                self.mentions.add("ssl=")
            if (
                keyword.arg in {"encoding", "charset"}
                and self.constant(keyword.value) is None
                and not _is_none(keyword.value)
            ):
                self.traits.add("decodes")
        is_method = isinstance(node.func, ast.Attribute)
        if name == "open" and len(node.args) > (2 if is_method else 3) and self.constant(node.args[-1]) is None:
            self.traits.add("decodes")
        if not node.args or not is_method:
            decoded = name in _CODEC_CALLS or (name in {"str", "bytes"} and len(node.args) > 1)
        else:
            decoded = name in {"decode", "encode"} | _CODEC_CALLS or (
                name == "lookup" and _called_on(node.func) == "codecs"
            )
        if not decoded or not node.args:
            return
        where = node.args[1] if name in {"str", "bytes"} else node.args[0]
        if self.constant(where) is None and not _is_none(where):
            self.traits.add("decodes")

    def metadata_call(self, node: ast.Call, name: str, first: str | None) -> None:
        if name not in _METADATA or not node.args:
            return
        if first is not None:
            self.dists.add(first)
        elif name in {"version", "metadata", "distribution", "get_distribution", "from_name"}:
            self.traits.add("metadata")
        if name == "files":
            self.traits.add("records")

    def service_call(self, node: ast.Call, name: str, first: str | None) -> None:
        if name not in {"client", "resource", "create_client", "get_service_model"}:
            return
        named = [keyword.value for keyword in node.keywords if keyword.arg == "service_name"]
        if first is None and named:
            first = self.constant(named[0])
        if first is not None:
            self.services.add(first)
        elif node.args or named:
            self.traits.add("services")

    def constant(self, node: ast.expr) -> str | None:
        """The text of a constant, or of a name that the module binds to one."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Name(id=name):
                return self.constants.get(name)
            case _:
                return None

    def prefix(self, node: ast.expr) -> str:
        """The constant beginning of a computed name; empty when it begins with something unknown."""
        match node:
            case ast.JoinedStr(values=[first, *rest]):
                return self.prefix_of(first, rest)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.prefix_of(left, [right])
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
                return text.partition("%")[0]
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
                return text.partition("{")[0]
            case ast.Call(
                func=ast.Attribute(value=ast.Constant(value="."), attr="join"), args=[ast.Tuple(elts=[first, *_])]
            ):
                start = self.prefix_of(first, [])
                return start and f"{start}."
            case _:
                return ""

    def prefix_of(self, first: ast.expr, rest: list[ast.expr]) -> str:
        match first:
            case ast.FormattedValue(value=value):
                start = self.prefix_of(value, [])
            case ast.Name(id="__name__" | "__package__") | ast.Attribute(attr="__name__" | "__package__" | "parent"):
                start = "@"
            case _:
                start = self.constant(first) or self.prefix(first)
        if start and rest:
            return start + (self.prefix_of(rest[0], rest[1:]) if isinstance(rest[0], ast.Constant) else "")
        return start


_MAIN = frozenset({"main", "_main", "test", "_test"})
_IN_MAIN = (MAIN,)
_IN_GETATTR = ("",)  # an import in a module's `__getattr__` outside of any comparison: always counts

_METHODS = {
    ast.Import: "on_import",
    ast.ImportFrom: "on_import_from",
    ast.If: "on_if",
    ast.IfExp: "on_if_exp",
    ast.Try: "on_try",
    ast.FunctionDef: "on_function",
    ast.AsyncFunctionDef: "on_function",
    ast.ClassDef: "on_class",
    ast.Assign: "on_assign",
    ast.AnnAssign: "on_annotated",
    ast.Expr: "on_expression",
    ast.Attribute: "on_attribute",
    ast.Constant: "on_constant",
    ast.Call: "on_call",
}


def _catches_import_error(kind: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id in {"ImportError", "ModuleNotFoundError"} for node in ast.walk(kind)
    )


def _tried(body: list[ast.stmt]) -> Iterator[str]:
    """The absolute modules that a `try` imports."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _codec(text: str) -> str:
    """The module of `encodings` that a text names, or nothing."""
    if not _CODEC.fullmatch(text):
        return ""
    name = normalize_encoding(text).lower()
    name = aliases.get(name, name)
    return name if name in CODECS else ""


def _without_docstring(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for index, node in enumerate(body):
        if index or not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield node


def _compared_names(test: ast.expr) -> tuple[str, ...]:
    """The strings that a name is compared with: `name == "x"`, `name in ("x", "y")`; empty for any other test."""
    match test:
        case ast.Compare(ops=[ast.Eq()], comparators=[ast.Constant(value=str(text))]):
            return (text,)
        case ast.Compare(
            ops=[ast.In()], comparators=[ast.Tuple(elts=found) | ast.List(elts=found) | ast.Set(elts=found)]
        ):
            names = tuple(e.value for e in found if isinstance(e, ast.Constant) and isinstance(e.value, str))
            return names if len(names) == len(found) else ()
        case ast.BoolOp(op=ast.Or(), values=parts):
            each = [_compared_names(part) for part in parts]
            return tuple(name for names in each for name in names) if all(each) else ()
        case _:
            return ()


def _called(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _called_on(function: ast.expr) -> str:
    match function:
        case ast.Attribute(value=ast.Name(id=name)):
            return name
        case _:
            return ""


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
