"""What has been noted of one module while it is read, and what its expressions are known to be. Runs nothing."""

import ast

from builder.trim.facts import Facts, Import
from builder.trim.words import LIBRARY, MAX_NAME_CHARS, NAME, codec_of, codecs_called

_READS_RECORDS = frozenset({"files", "read_text", "locate_file"})  # of a distribution


class Notes:
    """The sets that become Facts; `guards` and `depth` (of functions) are those of the place that is read."""

    def __init__(self) -> None:
        self.imports: list[Import] = []
        self.strings: set[str] = set()
        self.asked: set[str] = set()
        self.prefixes: set[str] = set()
        self.defines: set[str] = set()
        self.mentions: set[str] = set()
        self.codecs: set[str] = set()
        self.services: set[str] = set()
        self.dists: set[str] = set()
        self.libraries: set[str] = set()
        self.traits: set[str] = set()
        self._texts: set[str] = set()
        self.constants: dict[str, str] = {}
        self.guards: tuple[str, ...] = ()
        self.depth = 0  # of functions
        self.limited: frozenset[str] = frozenset()  # names that are one of some constants, here

    def facts(self) -> Facts:
        """All that was noted."""
        sets = (
            self.strings, self.asked, self.prefixes, self.defines, self.mentions, self.codecs, self.services,
            self.dists, self.libraries, self.traits,
        )  # fmt: skip
        if (self.dists or "metadata" in self.traits) and self.mentions & _READS_RECORDS:
            self.traits.add("records")
        return Facts(tuple(dict.fromkeys(self.imports)), *map(frozenset, sets))

    def text(self, text: str) -> None:
        """Note what a constant may name."""
        if text in self._texts:
            return
        self._texts.add(text)
        if "code(" in text:
            self.codecs |= codecs_called(text)
        if not text or len(text) > MAX_NAME_CHARS:
            return
        if NAME.fullmatch(text):
            self.strings.add(text)
        if codec := codec_of(text):
            self.codecs.add(codec)
        if ".so" in text and LIBRARY.fullmatch(text.rpartition("/")[2]):
            self.libraries.add(text.rpartition("/")[2])

    def constant(self, node: ast.expr) -> str | None:
        """The text of a constant, or of a name that the module binds to one."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Name(id=name):
                return self.constants.get(name)
            case _:
                return None

    def is_known(self, node: ast.expr) -> bool:
        """Whether an expression is a constant, or one of those that have been noted."""
        return self.constant(node) is not None or (isinstance(node, ast.Name) and node.id in self.limited)

    def prefix(self, node: ast.expr) -> str:
        """The constant beginning of a computed name; empty when it begins with something unknown."""
        match node:
            case ast.JoinedStr(values=[first, *rest]):
                return self.prefix_of(first, rest)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.prefix_of(left, [right])
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
                return text.partition("%")[0]
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
                return text.partition("{")[0]
            case ast.Call(
                func=ast.Attribute(value=ast.Constant(value="."), attr="join"), args=[ast.Tuple(elts=[first, *_])]
            ):
                start = self.prefix_of(first, [])
                return start and f"{start}."
            case _:
                return ""

    def prefix_of(self, first: ast.expr, rest: list[ast.expr]) -> str:
        """The same of a sum of parts; "@" stands for the module's own package."""
        match first:
            case ast.FormattedValue(value=value):
                start = self.prefix_of(value, [])
            case ast.Name(id="__name__" | "__package__") | ast.Attribute(attr="__name__" | "__package__" | "parent"):
                start = "@"
            case _:
                start = self.constant(first) or self.prefix(first)
        if start and rest:
            return start + (self.prefix_of(rest[0], rest[1:]) if isinstance(rest[0], ast.Constant) else "")
        return start
