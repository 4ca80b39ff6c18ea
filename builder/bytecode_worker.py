"""Compiles modules; a program, run in a fresh process by the interpreter that will load them, maybe in a sandbox.

It touches no file: sources come on stdin, bytecode goes to stdout. stdin: for each module a byte, 1 for a bare
one, two little-endian 32-bit lengths, the name for tracebacks, the source. stdout: for each module a byte, 0 for
bytecode and 1 for a failure, a length, and the bytecode or the line and the message, NUL-separated. Bytecode is of the
unchecked-hash kind: it never goes stale on a read-only file system and holds no time. Works on Python 3.9 and newer,
standard library only.
"""

import ast
import importlib.util
import marshal
import struct
import sys
from importlib.machinery import SourceFileLoader

HEAD = struct.Struct("<?II")
ANSWER = struct.Struct("<BI")
COMPILED, FAILED = 0, 1
UNCHECKED_HASH = 0b01  # PEP 552


def main() -> int:
    """Compile what stdin brings and return the exit code."""
    data = memoryview(sys.stdin.buffer.read())
    answers = []
    at = 0
    while at < len(data):
        bare, name_size, source_size = HEAD.unpack_from(data, at)
        at += HEAD.size
        name = bytes(data[at : at + name_size]).decode("utf-8", "surrogateescape")
        at += name_size
        kind, answer = _compiled(name, bytes(data[at : at + source_size]), bare=bare)
        at += source_size
        answers += [ANSWER.pack(kind, len(answer)), answer]
    sys.stdout.buffer.write(b"".join(answers))
    return 0


class _Unannotated(ast.NodeTransformer):
    """Takes the annotations out: with Python 3.14 each annotated function has another that gives them."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)


def _compiled(name: str, source: bytes, *, bare: bool) -> "tuple[int, bytes]":
    try:
        if bare:
            tree = ast.fix_missing_locations(_Unannotated().visit(ast.parse(source, name)))
            code = compile(tree, name, "exec", dont_inherit=True, optimize=2)
        else:
            code = SourceFileLoader("<firkin>", name).source_to_code(source, name)
        head = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH.to_bytes(4, "little") + importlib.util.source_hash(source)
        return COMPILED, head + marshal.dumps(code)
    except Exception as error:  # noqa: BLE001 - whatever a strange source makes the compiler raise
        text = getattr(error, "msg", "") or str(error)
        line = getattr(error, "lineno", None) or 0
        return FAILED, f"{line}\0{text}".encode("utf-8", "surrogateescape")


if __name__ == "__main__":
    sys.exit(main())
