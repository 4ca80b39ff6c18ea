"""Large JSON: by orjson where the function's image has it and the outcome is the same value, else by `payload`.

What makes a result large is often one text, a file in base64 above all. Without orjson, whether it needs any escape is
one quick look; quoting it letter by letter takes several times as long.

orjson reads three times and writes ten times as fast as `json`, and is no replacement for it: big integers become
floats, NaN and infinities become null, and it writes what `json` refuses. Here it is only asked where none of that
can be. What it refuses goes to `payload`, which has the last word on errors too. It is never required and never
installed by us: a function whose dependencies include it has it. Loaded with the first large payload.

What it writes has no space after `:` and `,`, floats may be spelled `1e16` for `1e+16`: the same JSON values in
fewer bytes.
"""

import gc
import marshal

from .payload import LARGE_BYTES, parse_json

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Callable

try:
    import orjson
except Exception:  # noqa: BLE001  not there, built for another Python, or a file of the function's of that name
    orjson = None  # type: ignore[assignment]

# Integers of 19 digits may exceed 64 bits, where orjson makes floats of them.
_LONGEST_SAFE_DIGITS = 18
_DIGITS_AS_ONE = bytes(b"0"[0] if chr(byte) in "0123456789" else byte for byte in range(256))
_LONG_NUMBER = b"0" * (_LONGEST_SAFE_DIGITS + 1)
# How version 1 of `marshal`'s format writes floats that JSON has no number for: type, length, text.
_NOT_FINITE = (b"f\x03nan", b"f\x03inf", b"f\x04-inf")
_TEXT_FLOATS_VERSION = 1
# Letters that stand for themselves in a JSON text, escaped or not.
_PLAIN = bytes(code for code in range(0x20, 0x7F) if code not in b'"\\')
_SAMPLE = b'[-0,-0.0,1e3,"\\u00e9",{"a":null,"a":9223372036854775807}]'
_SAMPLE_VALUE = [0, -0.0, 1000.0, "\u00e9", {"a": 9223372036854775807}]


def _is_usable() -> bool:
    """Whether `orjson` is what it says: a module of the function's own may have that name."""
    try:
        value = orjson.loads(_SAMPLE)
        return repr(value) == repr(_SAMPLE_VALUE) and orjson.loads(orjson.dumps(value)) == value
    except Exception:  # noqa: BLE001  whatever a stranger does
        return False


_usable = _is_usable()


def parse_large(body: bytes) -> object:
    """Parse one JSON text. Raises as `payload.parse_json` does."""
    # Nothing in a JSON value refers back: looking for cycles in it while it grows is a fifth of the work.
    collecting = gc.isenabled()
    gc.disable()
    try:
        if _usable and _LONG_NUMBER not in body.translate(_DIGITS_AS_ONE):
            try:
                value: object = orjson.loads(body)
            except Exception:  # noqa: BLE001, S110  NaN, a lone surrogate, a byte order mark, or malformed
                pass
            else:
                return value
        return parse_json(body)
    finally:
        if collecting:
            gc.enable()


def maybe_render_large(value: object, *, raw_utf8: bool) -> "bytes | None":
    """Return `value`, which `marshal` has taken, as JSON in UTF-8, or None: leave it to `payload`."""
    if not _usable:
        return None
    try:
        rendered: bytes = orjson.dumps(value)
    except Exception:  # noqa: BLE001  bytes, integers over 64 bits, keys that are no text, a lone surrogate, a set
        return None
    if not raw_utf8 and not rendered.isascii():
        return None
    if b"null" in rendered:
        # It may have been a None, or a number that is none.
        floats_as_text = marshal.dumps(value, _TEXT_FLOATS_VERSION)  # type: ignore[arg-type]  # it has been asked before
        if any(text in floats_as_text for text in _NOT_FINITE):
            return None
    return rendered


def maybe_render_text(value: object, encode: "Callable[[object], str]") -> "bytes | None":
    """Return a large text that needs no escape, or an object that has one, as JSON in UTF-8; None for the rest.

    `encode` is the accelerator's, for whatever else is in the object. Raises as it does.
    """
    text = _maybe_plain(value)
    if text is not None:
        return b'"%b"' % text
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        return None
    plain = {name: _maybe_plain(inner) for name, inner in value.items()}
    if not any(plain.values()):
        return None
    pieces = [b"{"]
    for name, text in plain.items():
        pieces += (encode(name).encode("utf-8", "backslashreplace"), b": ")
        if text is None:
            pieces.append(encode(value[name]).encode("utf-8", "backslashreplace"))
        else:
            pieces += (b'"', text, b'"')
        pieces.append(b", ")
    pieces[-1] = b"}"
    return b"".join(pieces)


def _maybe_plain(value: object) -> "bytes | None":
    """A large text that needs no escape, without its quotes."""
    if not isinstance(value, str) or len(value) < LARGE_BYTES or not value.isascii():
        return None
    text = value.encode("ascii")
    return None if text.translate(None, _PLAIN) else text
