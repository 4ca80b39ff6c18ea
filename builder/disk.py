"""What a disk refuses, said as an OutputError: what was being done, what the system answered, what to do about it.

The one place where an OSError about a result or the cache becomes a message. Never tries again and never cleans up.
"""

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from builder.errors import OutputError

# What to do, by the system's error number. `{elsewhere}` is the caller's advice on where else to write.
_ADVICE: Mapping[int, str] = {
    errno.ENOSPC: "The disk is full: free some space, or {elsewhere}.",
    errno.EDQUOT: "The disk quota is used up: free some space, or {elsewhere}.",
    errno.EFBIG: "It is over the limit of a file's size (ulimit -f): raise it, or {elsewhere}.",
    errno.EACCES: "Make it writable, or {elsewhere}.",
    errno.EPERM: "Make it writable, or {elsewhere}.",
    errno.EROFS: "It is on a read-only file system: {elsewhere}.",
    errno.ENAMETOOLONG: "Choose a shorter path.",
}


@contextlib.contextmanager
def disk(doing: str, *, elsewhere: str = "name another place", otherwise: str = "") -> Iterator[None]:
    """Turn an OSError of the block into an OutputError; `otherwise` is the advice for an error without its own."""
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        hint = advice(error.errno, elsewhere=elsewhere) or otherwise or "Nothing was left half-written."
        raise OutputError(f"{doing}: {error.strerror or error}{where}", hint=hint) from error


def write_whole(file: Path, body: bytes, doing: str) -> None:
    """Write a file whole, or not at all, with the folder it is in; a file of that name is replaced.

    Raises OutputError.
    """
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    with disk(doing):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(body)
            aside.replace(file)
        finally:
            aside.unlink(missing_ok=True)


def advice(number: int | None, *, elsewhere: str) -> str:
    """What to do about an error number, "" when there is nothing particular."""
    return _ADVICE.get(number or 0, "").format(elsewhere=elsewhere)
