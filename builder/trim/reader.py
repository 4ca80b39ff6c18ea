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
import warnings
from collections.abc import Iterable, Iterator
from types import NoneType

from builder.trim.calls import DYNAMIC, MOVED, called, note_call
from builder.trim.conditions import is_main_guard, outcome
from builder.trim.facts import FALLBACK, MAIN, Facts, Import
from builder.trim.lines import read_lines
from builder.trim.notes import Notes

NOT_ASCII = "not-ascii"  # mentioned by a source with other characters: tracebacks measure their width


def read_facts(source: bytes, version: tuple[int, int]) -> Facts:
    """The facts of a module's source for a Python of that version."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        reader = _Reader(version)
        if not source.isascii():
            reader.notes.mentions.add(NOT_ASCII)
        reader.module(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return read_lines(source)
    return reader.notes.facts()


class _Reader:
    """One walk over a module's tree."""

    def __init__(self, version: tuple[int, int]) -> None:
        self.version = version
        self.notes = Notes()

    def module(self, tree: ast.Module) -> None:
        for node in tree.body:
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text)))
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text)))
                ):
                    self.notes.constants[name] = text
                case ast.FunctionDef(name="__getattr__"):
                    self.notes.traits.add("lazy")
        self.body(tree.body)

    def body(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            if node.__class__ not in _LEAVES:
                self.visit(node)

    def visit(self, node: ast.AST) -> None:
        kind = node.__class__
        if method := _METHODS.get(kind):
            method(self, node)
        elif kind not in _LEAVES:
            self.children(node)

    def children(self, node: ast.AST) -> None:
        for name in _FIELDS[node.__class__]:
            value = getattr(node, name)
            kind = value.__class__
            if kind is list:
                for item in value:
                    if item.__class__ not in _LEAVES:
                        self.visit(item)
            elif kind not in _LEAVES:
                self.visit(value)

    # statements

    def on_import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.notes.mentions.update(alias.name.split("."))
            self.notes.imports.append(Import(0, alias.name, guards=self.notes.guards, deferred=self.notes.depth > 0))
            if not self.notes.depth:
                self.notes.defines.add(alias.asname or alias.name.partition(".")[0])

    def on_import_from(self, node: ast.ImportFrom) -> None:
        names = tuple(alias.name for alias in node.names)
        if node.module == "__future__":  # a word to the compiler, and an import all the same
            self.notes.imports.append(Import(0, "__future__"))
            return
        self.notes.imports.append(Import(node.level, node.module or "", names, self.notes.guards, self.notes.depth > 0))
        self.notes.mentions.update(names)
        self.notes.mentions.update(node.module.split(".") if node.module else ())
        if not self.notes.depth:
            self.notes.defines.update(alias.asname or alias.name for alias in node.names)

    def on_if(self, node: ast.If) -> None:
        known = False if is_main_guard(node.test) else outcome(node.test, self.version)
        before = self.notes.guards
        names = _compared_names(node.test) if before == _IN_GETATTR else ()
        if known is None and not names:
            self.visit(node.test)
        if known is not False:
            limited = self.notes.limited
            self.notes.limited |= _limited(node)
            self.notes.guards = names or before
            self.body(node.body)
            self.notes.guards, self.notes.limited = before, limited
        if known is not True:
            self.body(node.orelse)

    def on_try(self, node: ast.Try) -> None:
        self.body(node.body)
        before = self.notes.guards
        for handler in node.handlers:
            if not before and handler.type is not None and _catches_import_error(handler.type):
                self.notes.guards = (FALLBACK, *_tried(node.body))
            self.body(handler.body)
            self.notes.guards = before
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
        if not self.notes.depth:
            self.notes.defines.add(node.name)
        self.body(node.decorator_list)
        self.body(node.args.defaults)
        self.body(default for default in node.args.kw_defaults if default is not None)
        before = self.notes.guards
        if not self.notes.depth and not before:
            self.notes.guards = _IN_GETATTR if node.name == "__getattr__" else _IN_MAIN if node.name in _MAIN else ()
        self.notes.depth += 1
        self.body(_without_docstring(node.body))
        self.notes.depth -= 1
        self.notes.guards = before

    def on_class(self, node: ast.ClassDef) -> None:
        if not self.notes.depth:
            self.notes.defines.add(node.name)
        self.body(node.decorator_list)
        self.body(node.bases)
        self.body(node.keywords)
        self.body(_without_docstring(node.body))

    def on_assign(self, node: ast.Assign) -> None:
        if not self.notes.depth:
            self.notes.defines.update(
                name.id for target in node.targets for name in ast.walk(target) if type(name) is ast.Name
            )
        self.children(node)

    def on_annotated(self, node: ast.AnnAssign) -> None:
        """The annotation is left out: names in it are evaluated, if ever, among the names of the module."""
        if not self.notes.depth and isinstance(node.target, ast.Name):
            self.notes.defines.add(node.target.id)
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def on_expression(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a string that stands alone is a comment
            self.visit(node.value)

    # expressions

    def on_attribute(self, node: ast.Attribute) -> None:
        self.notes.mentions.add(node.attr)
        self.visit(node.value)

    def on_constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.notes.text(node.value)

    def on_call(self, node: ast.Call) -> None:
        name = called(node.func)
        note_call(self.notes, node, name)
        if name in MOVED:
            return
        is_noted = name in DYNAMIC and bool(node.args) and self.notes.constant(node.args[0]) is not None
        self.visit(node.func)
        self.body(node.args[is_noted:])  # that name has been noted as an import
        self.body(node.keywords)


_MAIN = frozenset({"main", "_main", "test", "_test"})
_IN_MAIN = (MAIN,)
_IN_GETATTR = ("",)  # an import in a module's `__getattr__` outside of any comparison: always counts

_METHODS = {
    kind: getattr(_Reader, name)
    for kind, name in {
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
    }.items()
}
# What may hold expressions or statements, of each kind of node.
_FIELDS = {
    kind: [name for name in kind._fields if name not in {"arg", "attr", "ctx", "id", "kwarg", "op", "ops", "vararg"}]
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
# Most of what fields hold: nothing below it says anything here.
_LEAVES = frozenset({ast.Name, ast.Pass, ast.arg, str, int, bool, NoneType})


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


def _limited(node: ast.If) -> frozenset[str]:
    """The name that the test of an `if` compares with constants, if the body leaves it at that."""
    match node.test:
        case ast.Compare(left=ast.Name(id=name)) if _compared_names(node.test):
            names = (inner for part in node.body for inner in ast.walk(part) if isinstance(inner, ast.Name))
            is_bound = any(inner.id == name and not isinstance(inner.ctx, ast.Load) for inner in names)
            return frozenset() if is_bound else frozenset({name})
        case _:
            return frozenset()


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
