"""What an executable file needs beside itself to be started; reads its first bytes, starts nothing.

The kernel says "No such file" when the program that a file is to be run by is missing, of the file that is there: a
script's interpreter, or a binary's dynamic loader. Small images lack both all the time.
"""

import os
import shutil

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD_BYTES = 4096  # more than the kernel reads of a first line; loaders' names lie at the beginning, too
_ENV = ("/usr/bin/env", "/bin/env")
# ELF, 64 bits, little-endian: where the program headers are, how large, how many; of one, its type, place and size.
_ELF = b"\x7fELF\x02\x01"
_HEADERS_AT, _HEADER_SIZE_AT, _HEADER_COUNT_AT = slice(32, 40), slice(54, 56), slice(56, 58)
_TYPE, _OFFSET, _SIZE = slice(0, 4), slice(8, 16), slice(32, 40)
_PT_INTERP = 3


def find_missing(path: str, search_path: str) -> "str | None":
    """Return what has to be there to start the file at `path`, and is not; None when nothing is known to be missing."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  pathlib is not loaded for one file
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None  # executable and not readable is legal
    for needed in _needed(head):
        if not (os.path.exists(needed) if "/" in needed else shutil.which(needed, path=search_path)):  # noqa: PTH110  same
            return needed
    return None


def _needed(head: bytes) -> "Iterator[str]":
    if head.startswith(b"#!"):
        words = os.fsdecode(head[2:].partition(b"\n")[0]).split()
        yield from words[:1]
        names = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        if words[:1] and words[0] in _ENV:
            yield from names[:1]
    elif head.startswith(_ELF):
        start, size, count = (_number(head[part]) for part in (_HEADERS_AT, _HEADER_SIZE_AT, _HEADER_COUNT_AT))
        for number in range(count):
            header = head[start + number * size :][:size]
            if _number(header[_TYPE]) == _PT_INTERP:
                begin = _number(header[_OFFSET])
                yield os.fsdecode(head[begin : begin + _number(header[_SIZE])].rstrip(b"\0"))


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
