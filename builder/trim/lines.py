"""Python source → Facts by its lines alone, for what has no syntax tree here: sees more than is there, never less."""

import re

from builder.trim.calls import DYNAMIC
from builder.trim.facts import Facts, Import
from builder.trim.words import LIBRARY, NAME, codec_of

_LINE = re.compile(
    rb"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+([^#\n]*)|import[ \t]+([^#\n]*))", re.MULTILINE
)
_QUOTED = re.compile(rb"""["']([\w.:/-]{1,200})["']""")
_WORD = re.compile(rb"[^\W\d]\w*")


def read_lines(source: bytes) -> Facts:
    """The facts of a source that has no syntax tree here: every import line, every quoted word, all traits but one."""
    imports: list[Import] = []
    for dots, module, names, plain in _LINE.findall(source):
        if plain:
            modules = (part.split()[0] for part in plain.decode("utf-8", "replace").split(",") if part.split())
            imports += (Import(0, name) for name in modules)
        else:
            taken = tuple(
                part.split()[0].strip("()") for part in names.decode("utf-8", "replace").split(",") if part.split()
            )
            imports.append(Import(len(dots), module.decode("utf-8", "replace"), taken or ("*",)))
    quoted = [text.decode("utf-8", "replace") for text in _QUOTED.findall(source)]
    words = frozenset(word.decode("utf-8", "replace") for word in _WORD.findall(source))
    return Facts(
        imports=tuple(imports),
        strings=frozenset(text for text in quoted if NAME.fullmatch(text)),
        defines=words,
        mentions=words,
        codecs=frozenset(filter(None, map(codec_of, quoted))),
        libraries=frozenset(text for text in quoted if LIBRARY.fullmatch(text)),
        traits=frozenset({"decodes"}) | ({"imports"} if words & DYNAMIC else frozenset()),
    )
