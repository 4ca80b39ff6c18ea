"""Compiles modules; a program, run in a fresh process by the interpreter that will load them, maybe in a sandbox.

It touches no file: sources come on stdin, bytecode goes to stdout. stdin: for each module a byte, 1 for a bare
one, three little-endian 32-bit lengths, the name for tracebacks, the source, and bytecode that this interpreter made of
it before, or nothing. stdout: for each module a byte, 0 for bytecode and 1 for a failure, a length, and the bytecode or
the line and the message, NUL-separated. Bytecode is of the unchecked-hash kind: it never goes stale on a read-only file
system and holds no time. Works on Python 3.9 and newer, standard library only.

What marshal writes of a code object depends on the process: whether somebody else holds the same string, or had it
interned before. Here it does not: every string is held while it is written, and a string that is also the qualified
name of a class is that name. So the bytes depend on the source, its name and this version alone, and bytecode that was
made before gives the same after its file name is replaced, in a twelfth of the time.
"""

import marshal
import struct
import sys
from _imp import source_hash
from importlib._bootstrap_external import MAGIC_NUMBER  # part of every start; `importlib.util` would take 5 ms more
from importlib.machinery import SourceFileLoader
from types import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast

HEAD = struct.Struct("<?III")
ANSWER = struct.Struct("<BI")
COMPILED, FAILED = 0, 1
UNCHECKED_HASH = 0b01  # PEP 552
PYC_HEAD_BYTES = 16  # PEP 552: magic number, flags, and the time and size, or the hash, of the source
# Older ones write sets in the order of the process; newer ones nobody has compared.
MADE_BEFORE = (3, 11) <= sys.version_info[:2] <= (3, 14)
_FLAG_REF = 0x80  # Python/marshal.c
_SHORT_BYTES_MAX = 255
_UNSHARED = "\u0100"  # Objects/unicodeobject.c: of the characters before it, and of no text, a process has one each
_BLOCKS = ("body", "orelse", "finalbody")  # the fields that hold statements


def main() -> int:
    """Compile what stdin brings and return the exit code."""
    data = memoryview(sys.stdin.buffer.read())
    answers = []
    at = 0
    while at < len(data):
        bare, *sizes = HEAD.unpack_from(data, at)
        at += HEAD.size
        parts = []
        for size in sizes:
            parts.append(bytes(data[at : at + size]))
            at += size
        name, source, made = parts
        kind, answer = _answer(name.decode("utf-8", "surrogateescape"), source, made, bare=bare)
        answers += [ANSWER.pack(kind, len(answer)), answer]
    sys.stdout.buffer.write(b"".join(answers))
    return 0


def _answer(name: str, source: bytes, made: bytes, *, bare: bool) -> "tuple[int, bytes]":
    try:
        # Through marshal once, as what was made before has been: it joins what the compiler leaves apart.
        code = _maybe_renamed(made, name) or marshal.loads(marshal.dumps(_compiled(name, source, bare=bare)))
        checksum = source_hash(int.from_bytes(MAGIC_NUMBER, "little"), source)  # as `importlib.util.source_hash`
        return COMPILED, MAGIC_NUMBER + UNCHECKED_HASH.to_bytes(4, "little") + checksum + marshalled(code)
    except Exception as error:  # noqa: BLE001 - whatever a strange source makes the compiler raise
        text = getattr(error, "msg", "") or str(error)
        line = getattr(error, "lineno", None) or 0
        return FAILED, f"{line}\0{text}".encode("utf-8", "surrogateescape")


def _compiled(name: str, source: bytes, *, bare: bool) -> CodeType:
    if bare:
        return compile(_unannotated(source, name), name, "exec", dont_inherit=True, optimize=2)
    return SourceFileLoader("<firkin>", name).source_to_code(source, name)


def _unannotated(source: bytes, name: str) -> "ast.Module":
    """The source without annotations: with Python 3.14 each annotated function has another that gives them."""
    import ast  # 10 ms, and most of what is compiled is not ours

    tree = ast.parse(source, name)
    blocks: list[list[ast.stmt]] = [tree.body]
    for block in blocks:  # only statements are looked at: what is in an expression has no annotations
        for index, node in enumerate(block):
            if isinstance(node, ast.AnnAssign):
                plain = ast.Assign([node.target], node.value) if node.value else ast.Pass()
                block[index] = ast.copy_location(plain, node)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                given = node.args
                for one in (*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg):
                    if one is not None:
                        one.annotation = None
                node.returns = None
            inner = (node, *getattr(node, "handlers", ()), *getattr(node, "cases", ()))
            blocks += [getattr(one, field) for one in inner for field in _BLOCKS if getattr(one, field, None)]
    return tree


def _maybe_renamed(made: bytes, name: str) -> "CodeType | None":
    """The code of a bytecode file with another file name; None when it is of another Python, or not as expected."""
    if not MADE_BEFORE or made[:4] != MAGIC_NUMBER:
        return None
    try:
        old = marshal.loads(made[PYC_HEAD_BYTES:]).co_filename
        for kind, before in enumerate(_records(old)):
            if made.count(before) == 1:  # all others are references to this one
                code: CodeType = marshal.loads(made[PYC_HEAD_BYTES:].replace(before, _records(name)[kind]))
                return code if all(one.co_filename == name for one in codes(code)) else None
    except Exception:  # noqa: BLE001, S110 - damaged: the source is there
        pass
    return None


def marshalled(code: CodeType) -> bytes:
    """What `marshal` writes of it, the same in every process."""
    held = _held(code)
    for text in held:  # whether these are interned is else up to all that ever ran in the process
        if isinstance(text, str) and text < _UNSHARED and len(text) <= 1:
            sys.intern(text)
    names = {name for one in codes(code) for name in (one.co_name, getattr(one, "co_qualname", ""))}
    # A constant that is a name too is one string with it, or two where somebody had interned that name before.
    twice = {text for text in held if isinstance(text, str) and text in names and sys.intern(text) is not text}
    written = marshal.dumps(code)
    if not twice:
        return written
    joined = written
    for text in twice:
        joined = joined.replace(*_records(text))
    again: CodeType = marshal.loads(joined)
    if again != code:  # the text's bytes were found in something else
        return written
    held += _held(again)
    return marshal.dumps(again)


def _held(code: CodeType) -> "list[object]":
    """All that marshal writes a reference to when somebody else holds it too: hold it, and all are written so."""
    held: list[object] = []
    for one in codes(code):
        held += (one, one.co_name, one.co_filename)
        held += (*one.co_names, *one.co_varnames, *one.co_cellvars, *one.co_freevars)
        held.append(getattr(one, "co_qualname", None))
        constants = list(one.co_consts)
        for constant in constants:
            if isinstance(constant, (tuple, frozenset)):
                constants += constant
            elif isinstance(constant, slice):  # since 3.14
                constants += (constant.start, constant.stop, constant.step)
        held += constants
    return held


def _records(text: str) -> "tuple[bytes, bytes]":
    """How marshal writes a string that is held elsewhere: as it is, and interned."""
    data = text.encode("utf-8", "surrogatepass")
    short = text.isascii() and len(data) <= _SHORT_BYTES_MAX
    size = len(data).to_bytes(1 if short else 4, "little")
    plain, interned = b"zZ" if short else b"aA" if text.isascii() else b"ut"
    return bytes((plain | _FLAG_REF,)) + size + data, bytes((interned | _FLAG_REF,)) + size + data


def codes(code: CodeType) -> "list[CodeType]":
    """The code object and all that are in it."""
    found = [code]
    for one in found:
        found += [inner for inner in one.co_consts if isinstance(inner, CodeType)]
    return found


if __name__ == "__main__":
    sys.exit(main())
