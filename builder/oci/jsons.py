"""JSON out in one canonical form, JSON in with bounds and typed access.

Out: sorted keys, no spaces, UTF-8, so that equal values give equal bytes and equal digests. In: `Fields`
hands out only values of the asked type and says where in the document something else stood, so that the
readers above stay free of type checks. It never guesses: a number is no text and `true` is no number; only
`null` counts as absent, because Go's encoders write it for empty lists.
"""

from collections.abc import Mapping
from typing import Final

import orjson

from builder.oci.errors import ImageError, UsageError

MAX_JSON_BYTES: Final = 4 * 1024 * 1024  # what registries accept for a manifest (distribution/distribution)


def render_json(value: object) -> bytes:
    """Render in the canonical form; raises UsageError for text that is not Unicode (lone surrogates)."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise UsageError(
            f"rendering JSON: {error}; pass text that can be encoded as UTF-8, got {str(value)[:200]!r}"
        ) from error


def parse_json(data: bytes, where: str) -> object:
    """Parse bounded JSON; `where` names the document in messages. Raises ImageError."""
    if len(data) > MAX_JSON_BYTES:
        raise ImageError(f"reading {where}: {len(data)} bytes, more than {MAX_JSON_BYTES}; make the image again")
    try:
        value: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ImageError(
            f"reading {where}: not JSON ({error}), it starts {data[:40]!r}; make the image again"
        ) from error
    return value


class Fields:
    """One JSON object of a document, read by key with the expected type; all methods raise ImageError."""

    __slots__ = ("_values", "where")

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(where, "an object", value)
        self._values: dict[str, object] = value
        self.where = where

    @classmethod
    def parse(cls, data: bytes, where: str) -> "Fields":
        """Parse a document whose top is an object."""
        return cls(parse_json(data, where), where)

    def maybe_text(self, key: str) -> str | None:
        """Text, or None where absent or null."""
        value = self._values.get(key)
        if value is None or isinstance(value, str):
            return value
        raise _wrong(f"{self.where}: {key!r}", "text", value)

    def text(self, key: str) -> str:
        """Text that must be there."""
        value = self.maybe_text(key)
        if value is None:
            raise _wrong(f"{self.where}: {key!r}", "text", value)
        return value

    def size(self, key: str) -> int:
        """Give a whole number of at least 0."""
        value = self._values.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        raise _wrong(f"{self.where}: {key!r}", "a whole number of at least 0", value)

    def flag(self, key: str) -> bool:
        """Truth; absent is false."""
        value = self._values.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise _wrong(f"{self.where}: {key!r}", "true or false", value)

    def texts(self, key: str) -> tuple[str, ...]:
        """Give a list of texts; absent is empty."""
        return tuple(_text(item, where) for item, where in self._items(key))

    def objects(self, key: str) -> tuple["Fields", ...]:
        """Give a list of objects; absent is empty."""
        return tuple(Fields(item, where) for item, where in self._items(key))

    def inner(self, key: str) -> "Fields":
        """Give an object; absent is empty."""
        value = self._values.get(key)
        return Fields({} if value is None else value, f"{self.where}: {key!r}")

    def text_map(self, key: str) -> Mapping[str, str]:
        """Give an object whose values are all texts; absent is empty."""
        inner = self.inner(key)
        return {name: inner.text(name) for name in inner.names()}

    def names(self) -> tuple[str, ...]:
        """Give the names that are there."""
        return tuple(self._values)

    def _items(self, key: str) -> list[tuple[object, str]]:
        value = self._values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise _wrong(f"{self.where}: {key!r}", "a list", value)
        return [(item, f"{self.where}: {key!r}[{index}]") for index, item in enumerate(value)]


def _text(value: object, where: str) -> str:
    if isinstance(value, str):
        return value
    raise _wrong(where, "text", value)


def _wrong(where: str, expected: str, found: object) -> ImageError:
    return ImageError(f"reading {where}: expected {expected}, found {repr(found)[:100]}; make the image again")
