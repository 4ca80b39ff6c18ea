"""Every error this library raises, as one tree split by who has to act.

::

    OCIError
    ├── UsageError            the caller: a value that cannot be used as asked
    │   ├── SourceError       a file meant for a layer is missing, unreadable or changed while it was read
    │   └── TargetError       the place to write holds something this library refuses to replace
    ├── ImageError            the image being read: malformed or hostile
    │   ├── BlobError         a blob is missing, truncated or not what its digest says
    │   ├── LimitError        the image is larger than the caller's limits
    │   └── UnsupportedError  well-formed, but of a kind this library does not read
    ├── RegistryError         a registry, or the way to it
    │   ├── AccessError       it wants other credentials, or asks for them in a way that would give them away
    │   ├── NotFoundError     it does not have what was asked for
    │   ├── UnavailableError  it cannot be reached, is too slow or overloaded: later it may work
    │   └── ProtocolError     it does not keep to the distribution protocol
    └── DiskError             the machine: disk full, no permission; `__cause__` is the OSError

An `OSError` becomes one of these at the boundary where a path is touched, and nowhere else. This module never
decides on exit codes: programs do.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_ADVICE: Final = {
    errno.ENOSPC: "free some space or choose another disk",
    errno.EDQUOT: "free some of your quota or choose another disk",
    errno.EFBIG: "raise the file size limit (ulimit -f) or choose another file system",
    errno.EACCES: "choose a place you may write, or correct its permissions",
    errno.EPERM: "choose a place you may write, or correct its permissions",
    errno.EROFS: "choose a place you may write",
    errno.ENOENT: "create the folder it should be in",
    errno.ENAMETOOLONG: "choose a shorter path",
}


class OCIError(Exception):
    """The root: catching it catches everything this library raises on purpose."""


class UsageError(OCIError):
    """The caller passed a value that cannot be used as asked."""


class SourceError(UsageError):
    """A file meant for a layer is missing, unreadable or changed while it was read."""


class TargetError(UsageError):
    """The place to write holds something this library refuses to replace."""


class ImageError(OCIError):
    """The image being read is malformed or hostile."""


class BlobError(ImageError):
    """A blob is missing, truncated or not what its digest says."""


class LimitError(ImageError):
    """The image is larger than the caller's limits."""


class UnsupportedError(ImageError):
    """The image is well-formed, but of a kind this library does not read."""


class RegistryError(OCIError):
    """A registry, or the way to it, is in the way."""


class AccessError(RegistryError):
    """The registry wants other credentials, or asks for them in a way that would give them away."""


class NotFoundError(RegistryError):
    """The registry does not have what was asked for."""


class UnavailableError(RegistryError):
    """The registry cannot be reached, is too slow or overloaded: later it may work.

    `retry_after_s` is how many seconds it asked to be left alone, None where it did not say.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ProtocolError(RegistryError):
    """The registry does not keep to the distribution protocol."""


class DiskError(OCIError):
    """The machine refused: disk full, no permission, a device failing.

    `errno` is the operating system's number, or None where it gave none.
    """

    def __init__(self, message: str, *, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


@contextmanager
def disk_errors(doing: str, path: object) -> Iterator[None]:
    """Turn an OSError of the block into a DiskError that names what was being done and to which path."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "check the disk and try again")
        raise DiskError(f"{doing} {str(path)!r}: {error.strerror or error}; {advice}", errno=error.errno) from error
