"""Encodes by the public package `json` what `payload` encodes by its accelerator; loaded where that is not usable.

Never parses: `payload` calls `json.loads` itself.
"""

import json

from .payload import Number

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Callable

# A string that no result holds by accident; each stands where the digits of one number belong.
_PLACE = "firkin-number-9d1f6c2e-5b0e-4d7c-a1f4-0c4b7f0b8a36"


def encode(value: object, substitute: "Callable[[object], object]", *, raw_utf8: bool) -> str:
    """Return `value` as JSON; what `json` does not know goes through `substitute`. Raises as `json.dumps` does."""
    numbers: list[str] = []

    def default(stranger: object) -> object:
        known = substitute(stranger)
        if not isinstance(known, Number):
            return known
        numbers.append(str(known))
        return _PLACE

    text = json.dumps(value, default=default, ensure_ascii=not raw_utf8)
    first, *others = text.split(f'"{_PLACE}"')
    # `json` asks for its strangers in the order in which it writes them.
    return first + "".join(number + other for number, other in zip(numbers, others))
