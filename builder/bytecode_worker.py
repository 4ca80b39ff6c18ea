"""Compiles modules; a program, run in a fresh process by the interpreter that will load them.

stdin: NUL-separated triples of source file, bytecode file, name for tracebacks. stdout: for each module that does not
compile, the source file, the line and the message, NUL-separated. Bytecode is of the unchecked-hash kind: it never
goes stale on a read-only file system and holds no time. A file that cannot be read or written ends the program with
exit code 74 and the error's number, text and file name on stdout: leaving that module out would make another image of
a full disk. Works on Python 3.9 and newer, standard library only.
"""

import py_compile
import sys

CANNOT_READ_OR_WRITE = 74  # EX_IOERR of sysexits.h


def main() -> int:
    """Compile what stdin names and return the exit code."""
    fields = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").split("\0")[:-1]
    failed = []
    for source, target, name in zip(fields[::3], fields[1::3], fields[2::3]):  # noqa: B905 - `strict` is not in 3.9
        try:
            py_compile.compile(
                source, target, name, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
            )
        except py_compile.PyCompileError as error:
            line = getattr(error.exc_value, "lineno", None) or 0
            failed += [source, str(line), getattr(error.exc_value, "msg", "") or str(error.exc_value)]
        except OSError as error:
            _answer([str(error.errno or 0), error.strerror or str(error), str(error.filename or source)])
            return CANNOT_READ_OR_WRITE
    _answer(failed)
    return 0


def _answer(fields: "list[str]") -> None:
    sys.stdout.buffer.write("".join(field + "\0" for field in fields).encode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    sys.exit(main())
