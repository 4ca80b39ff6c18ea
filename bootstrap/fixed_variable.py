"""An environment variable that changes in place: `setenv` of glibc never frees the value before.

Loaded by processes that have changed theirs very often. The memory stays ours and valid for ever, so that C code which
has asked for the value before reads some value, and never memory that is somebody else's by now.
"""

import posix

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Callable

_PLACE_BYTES = 4096  # of name, value and NUL; a trace id has about a hundred


def maybe_fixed_putenv() -> "Callable[[bytes, bytes], None] | None":
    """Return what does as `posix.putenv` does, for one variable; None where C cannot be called."""
    try:
        import ctypes  # noqa: PLC0415  an image may lack it, or the library under it

        putenv = ctypes.CDLL(None).putenv
        place = ctypes.create_string_buffer(_PLACE_BYTES)
    except (ImportError, OSError, AttributeError):
        return None

    def put(name: bytes, value: bytes) -> None:
        text = name + b"=" + value
        if len(text) >= _PLACE_BYTES:
            posix.putenv(name, value)
            return
        place.value = text
        # Each time: the function may have set the variable itself, which took it from this place.
        putenv(place)

    return put
