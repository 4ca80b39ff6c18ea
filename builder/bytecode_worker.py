"""Compiles modules; run by the interpreter that will load them, in a fresh process, never imported by the builder.

stdin: NUL-separated triples of source file, bytecode file, name for tracebacks. stdout: for each module that does not
compile, the source file, the line and the message, NUL-separated. Bytecode is of the unchecked-hash kind: it never goes
stale on a read-only file system and holds no time. Works on Python 3.9 and newer, standard library only.
"""

import py_compile
import sys


def main():
    fields = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").split("\0")[:-1]
    failed = []
    for source, target, name in zip(fields[::3], fields[1::3], fields[2::3]):
        try:
            py_compile.compile(
                source,
                target,
                name,
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except py_compile.PyCompileError as error:
            line = getattr(error.exc_value, "lineno", None) or 0
            failed += [source, str(line), getattr(error.exc_value, "msg", "") or str(error.exc_value)]
        except (OSError, ValueError, RecursionError, MemoryError) as error:
            failed += [source, "0", str(error)]
    sys.stdout.buffer.write("".join(field + "\0" for field in failed).encode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    main()
