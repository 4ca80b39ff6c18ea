"""Which texts name something: a module, a codec, a shared library. Pure; says nothing of where the text stands."""

import re
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache

MAX_NAME_CHARS = 200  # a longer string names nothing

NAME = re.compile(r"(?:\.?/)?\.*[^\W\d]\w*(?:[.:/-][^\W\d]\w*)*|\.+", re.ASCII)
LIBRARY = re.compile(r"(?:lib)?[\w+.-]+\.so(?:\.\d+)*", re.ASCII)
_CODED = re.compile(r"""code\(\s*['"]([\w. -]{2,30})['"]""", re.ASCII)
_CODEC = re.compile(r"[\w. -]{2,30}", re.ASCII)

CODECS = frozenset(aliases.values()) | {
    "idna", "punycode", "utf_8_sig", "raw_unicode_escape", "unicode_escape", "palmos", "charmap",
    "cp65001", "cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "koi8_t", "koi8_u", "mac_arabic", "mac_farsi",
    "mac_croatian", "mac_romanian",
}  # fmt: skip


@lru_cache(4096)
def codec_of(text: str) -> str:
    """The module of `encodings` that a text names, or nothing."""
    if not _CODEC.fullmatch(text):
        return ""
    name = normalize_encoding(text).lower()
    name = aliases.get(name, name)
    return name if name in CODECS else ""


def codecs_called(text: str) -> set[str]:
    """The modules of `encodings` that calls of `encode` and `decode` within a text name: a template's, for one."""
    return {codec for name in _CODED.findall(text) if (codec := codec_of(name))}
