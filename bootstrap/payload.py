"""JSON as Lambda's Python runtime reads and writes it; never logs, never sends.

awslambdaric uses simplejson, and its habits are interface: NaN is written as NaN, a Decimal as a number, a
named tuple as an object, bytes inside a result as their text, and non-ASCII text is escaped unless the
platform is python3.12 or newer. Here CPython's own accelerator does it. `_json` is used directly because the
package `json` around it loads `re` and `enum`, 9 ms that most first invocations would wait for; `json` itself
is loaded for what the accelerator cannot do: the exact message about a malformed event. `_json` is private, so
it is tried out first; where it is missing or not as it was, in a later version or another interpreter, the
package does everything. From LARGE_BYTES on, `payload_large` may know a quicker way to the same value.
"""

import marshal
import sys

from .errors import MarshalError, UnmarshalError

try:
    import _json
except ImportError:
    _json = None  # type: ignore[assignment]

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_JSON = "application/json"
_BYTES = "application/unknown"  # awslambdaric's content type for a bytes result
# From here on a payload is worth a look at whether orjson is there: loading it costs as much as it saves on 1 MB.
LARGE_BYTES = 64 * 1024
_SAMPLE = '{"\\u00e9": [true, -1]}'
_SPACE = " \t\n\r"
_ATOMS = frozenset((str, int, float, bool, type(None)))


class _ScannerSettings:
    """What `_json.make_scanner` asks its argument for: the defaults of `json.loads`."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}.__getitem__


def _make_scanner() -> "Callable[[str, int], tuple[object, int]] | None":
    """Return the accelerator's scanner, or None where scanner or encoder are not what this module expects."""
    try:
        # typeshed knows the accelerator's scanner only as something that `json` makes.
        scan = _json.make_scanner(_ScannerSettings)  # type: ignore[arg-type]
        value, end = scan(_SAMPLE, 0)
        text = _encode({"a": [1.5, None, value]}, _json.encode_basestring_ascii, _substitute)
        works = end == len(_SAMPLE) and text == f'{{"a": [1.5, null, {_SAMPLE}]}}'
    except Exception:  # noqa: BLE001  whatever a stranger's `_json` does
        return None
    return scan if works else None


class _DecimalMetError(Exception):
    """Tells `render_json` to take the slower way, which knows Decimals."""


class Number(str):
    """Digits on their way through an encoder that would quote a plain str."""

    __slots__ = ()


def parse_event(body: bytes, content_type: str) -> object:
    """Return the event: parsed if the content type is exactly `application/json`, else the bytes.

    Raises UnmarshalError.
    """
    if content_type != _JSON:
        return body
    try:
        if len(body) < LARGE_BYTES:
            return parse_json(body)
        return _large_parser()(body)
    except Exception as error:  # also RecursionError, for arrays in arrays in arrays
        raise UnmarshalError(f"Unable to unmarshal input: {error}") from error


def _large_parser() -> "Callable[[bytes], object]":
    try:
        from .payload_large import parse_large  # noqa: PLC0415  most functions never see a large event
    except (ImportError, OSError):  # the function holds every descriptor that the process may have
        return parse_json
    return parse_large


def parse_json(body: "bytes | str") -> object:
    """Parse one JSON text; UTF-8, with or without a byte order mark. Raises as `json.loads` does."""
    text = body.decode() if isinstance(body, bytes) else body
    if _scan is not None:
        try:
            value, end = _scan(text, 0)
            if end == len(text):
                return value
        except Exception:  # noqa: BLE001, S110  below: space before it, a byte order mark, or what is wrong
            pass
    return _parse_closely(text.removeprefix("\ufeff"))


def _parse_closely(text: str) -> object:
    if _scan is not None:
        try:
            stripped = text.strip(_SPACE)
            value, end = _scan(stripped, 0)
            if end == len(stripped):
                return value
        except Exception:  # noqa: BLE001, S110  json.loads below says precisely what is wrong
            pass
    return _parse_by_package(text)


def _parse_by_package(text: str) -> object:
    import json  # noqa: PLC0415  only a malformed event pays for it

    parsed: object = json.loads(text)
    return parsed


def render_result(result: object, *, raw_utf8: bool) -> "tuple[bytes, str]":
    """Return the body and content type of a handler's result: bytes as they are, the rest as JSON.

    Raises MarshalError for whatever has no JSON form.
    """
    if isinstance(result, bytes):
        return result, _BYTES
    try:
        return render_json(result, raw_utf8=raw_utf8), _JSON
    except Exception as error:  # the value's own methods may raise anything
        raise MarshalError(f"Unable to marshal response: {error}", result=result) from error


def render_json(value: object, *, raw_utf8: bool) -> bytes:
    """Return `value` as JSON in UTF-8. Raises as `json.dumps` does: TypeError, ValueError, RecursionError."""
    if _scan is None:
        return _render_by_package(value, raw_utf8=raw_utf8)
    quote = _json.encode_basestring if raw_utf8 else _json.encode_basestring_ascii
    try:
        # `marshal` takes the built-in classes themselves and nothing derived from them, so what it takes holds no
        # named tuple and no Decimal; asking it costs a third of a walk, and for small results nothing to speak of.
        size = len(marshal.dumps(value))  # type: ignore[arg-type]  # that is the question
        if size >= LARGE_BYTES:
            from .payload_large import maybe_render_large, maybe_render_text  # noqa: PLC0415  most never see one

            rendered = maybe_render_large(value, raw_utf8=raw_utf8)
            if rendered is None:
                rendered = maybe_render_text(value, lambda inner: _encode(inner, quote, _substitute))
            if rendered is not None:
                return rendered
        text = _encode(value, quote, _substitute)
    except Exception:  # noqa: BLE001  something derived, circular or too deep; or it has no JSON form
        text = _render_closely(value, raw_utf8=raw_utf8)
    # A lone surrogate has no UTF-8; backslashreplace writes it as the escape that JSON has for it.
    return text.encode("utf-8", "backslashreplace")


def _render_closely(value: object, *, raw_utf8: bool) -> str:
    quote = _json.encode_basestring if raw_utf8 else _json.encode_basestring_ascii

    def quote_text(text: str) -> str:
        return text if type(text) is Number else quote(text)

    def encode(value: object) -> str:
        try:
            return _encode(value, quote, _substitute)
        except _DecimalMetError:
            # A `quote` that is not the accelerator's own is called for each string: slow, but digits get by.
            return _encode(value, quote_text, _substitute_with_decimals)

    return _encode_plainly(value, encode)


def _encode_plainly(value: object, encode: "Callable[[object], str]") -> str:
    """Encode what simplejson encodes and `json` does not, or differently, as what both know."""
    try:
        text = encode(value)
        # After encoding, which would have failed on a circular value: this walk comes to an end.
        if not _holds_named_tuple(value):
            return text
    except TypeError as error:
        if not str(error).endswith("not bytes"):  # a dict with such a key
            raise
    return encode(_plain(value))


def _render_by_package(value: object, *, raw_utf8: bool) -> bytes:
    from .payload_package import encode  # noqa: PLC0415  for interpreters that nobody has seen yet

    text = _encode_plainly(value, lambda plain: encode(plain, _substitute_with_decimals, raw_utf8=raw_utf8))
    return text.encode("utf-8", "backslashreplace")


def _encode(value: object, quote: "Callable[[str], str]", substitute: "Callable[[object], object]") -> str:
    # With markers, new ones each time, by which an encoder notices a value that holds itself. Without them only the
    # depth stops it: on 3.14 that is the size of the stack, and by then 40 kB have become some GB.
    markers: dict[int, object] = {}
    # Positions: markers, default, encoder, indent, key and item separators, sort_keys, skipkeys, allow_nan.
    encode = _json.make_encoder(markers, substitute, quote, None, ": ", ", ", False, False, True)  # noqa: FBT003
    return "".join(encode(value, 0))


def _substitute(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode()
    if _is_decimal(value):
        raise _DecimalMetError
    as_dict = getattr(value, "_asdict", None)  # with which simplejson asks everything whether it is a named tuple
    if callable(as_dict):
        found = as_dict()
        if isinstance(found, dict):
            return found
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _substitute_with_decimals(value: object) -> object:
    if _is_decimal(value):
        text = str(value)
        return float("nan") if "NaN" in text else Number(text)
    return _substitute(value)


def _is_decimal(value: object) -> bool:
    # Whoever has a Decimal has loaded `decimal`; nobody else should pay for it.
    decimal = sys.modules.get("decimal")
    return decimal is not None and isinstance(value, getattr(decimal, "Decimal", ()))


def _holds_named_tuple(value: object) -> bool:
    # Level by level, and not value by value: the work on each is done in comprehensions and by class.
    level = [value]
    while level:
        for kind in set(map(type, level)):
            if callable(getattr(kind, "_asdict", None)):
                return True
        groups: list[Iterable[object]] = [item.values() for item in level if isinstance(item, dict)]
        groups += [item for item in level if isinstance(item, (list, tuple))]
        level = [inner for group in groups for inner in group if type(inner) not in _ATOMS]
    return False


def _plain(value: object) -> object:
    as_dict = getattr(value, "_asdict", None)
    if callable(as_dict):
        value = as_dict()
    if isinstance(value, dict):
        return {_plain_key(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def _plain_key(key: object) -> object:
    return key.decode() if isinstance(key, bytes) else key


_scan = _make_scanner()
