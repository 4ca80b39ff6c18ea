"""What the test of an `if` gives on the target, where reading alone can tell: a Linux CPython of one version, running.

Exists so that imports for type checkers, other systems and other Pythons do not count as reachable. A pure function of
the syntax tree; says None wherever it is not certain, and never evaluates code.
"""

import ast
from collections.abc import Mapping

_FACTS: Mapping[str, str] = {
    "sys.platform": "linux",
    "os.name": "posix",
    "sys.implementation.name": "cpython",
    "platform.system": "Linux",
    "platform.python_implementation": "CPython",
}


def outcome(test: ast.expr, version: tuple[int, int]) -> bool | None:
    """Whether the test holds in an image with that Python; None when it cannot be told."""
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return False
        case ast.Constant(value=value):
            return bool(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = outcome(operand, version)
            return None if inner is None else not inner
        case ast.BoolOp(op=op, values=values):
            return _joined([outcome(value, version) for value in values], decides=isinstance(op, ast.Or))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compared(left, op, right, version)
        case _:
            return _begins(test)


def _begins(test: ast.expr) -> bool | None:
    """The value of `sys.platform.startswith("…")`."""
    match test:
        case ast.Call(func=ast.Attribute(value=value, attr="startswith"), args=[ast.Constant(value=str(start))]):
            fact = _FACTS.get(_dotted(value))
            return fact.startswith(start) if fact else None
        case _:
            return None


def is_main_guard(test: ast.expr) -> bool:
    """Whether the test is `__name__ == "__main__"`: no module of an image but the runtime's is run as a program."""
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
        case _:
            return False


def _joined(parts: list[bool | None], *, decides: bool) -> bool | None:
    """The value of `or` (`decides` true) or `and` (false) over what is known of the parts."""
    if decides in parts:
        return decides
    return None if None in parts else not decides


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr, version: tuple[int, int]) -> bool | None:
    if isinstance(left, ast.Call) and not left.args:
        left = left.func
    name = _dotted(left)
    if name in _FACTS:
        return _compared_text(_FACTS[name], op, right)
    known = _version_part(left, name, version)
    wanted = _literal(right)
    if isinstance(known, int) and isinstance(wanted, int):
        return _ordered((known,), op, (wanted,))
    if isinstance(known, tuple) and isinstance(wanted, tuple) and not isinstance(op, ast.Eq | ast.NotEq):
        if wanted[2:] and wanted[:2] == known:  # it depends on the patch release
            return None
        return _ordered(known, op, wanted[:2])
    return None


def _ordered(known: tuple[int, ...], op: ast.cmpop, wanted: tuple[int, ...]) -> bool | None:
    answers = {
        ast.Eq: known == wanted,
        ast.NotEq: known != wanted,
        ast.Lt: known < wanted,
        ast.LtE: known <= wanted,
        ast.Gt: known > wanted,
        ast.GtE: known >= wanted,
    }
    return answers.get(type(op))


def _compared_text(fact: str, op: ast.cmpop, right: ast.expr) -> bool | None:
    match op, _literal(right):
        case ast.Eq(), str(text):
            return fact == text
        case ast.NotEq(), str(text):
            return fact != text
        case ast.In(), tuple(texts):
            return fact in texts
        case ast.NotIn(), tuple(texts):
            return fact not in texts
        case _:
            return None


def _version_part(left: ast.expr, name: str, version: tuple[int, int]) -> object:
    if name in {"sys.version_info", "version_info"}:
        return version
    if name == "sys.version_info.major":
        return version[0]
    match left:
        case ast.Subscript(value=value, slice=ast.Constant(value=0)) if _dotted(value) == "sys.version_info":
            return version[0]
        case ast.Subscript(value=value, slice=ast.Slice(lower=None, upper=ast.Constant(value=2), step=None)) if (
            _dotted(value) == "sys.version_info"
        ):
            return version
        case _:
            return None


def _literal(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements) if all(
            isinstance(element, ast.Constant) for element in elements
        ):
            return tuple(element.value for element in elements if isinstance(element, ast.Constant))
        case _:
            return None


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
