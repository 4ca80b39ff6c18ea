"""Which modules an extension module may import: names of the environment's modules found among its constants.

Compiled code imports by names that lie in the file as text. C and C++ end them with a NUL; Rust strings run into each
other; Cython (3.1 and newer) joins its strings and, where that is shorter, compresses them, by zlib or by a scheme of
its own. All of them are looked into. Finds too much rather than too little; never loads the file.

Source: Cython's Utility/StringTools.c for the compressed forms.
"""

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

MAX_BLOB_BYTES = 512 << 10  # of one module's joined strings; pandas' longest have 20 kB, numpy's 160 kB
MIN_BLOB_CHARS = 200  # a shorter run of text is accident
MIN_JOINED_CHARS = 4  # of a name that is looked for within joined text: shorter ones are found everywhere

_ENDED = re.compile(rb"\0([A-Za-z_][A-Za-z0-9_.]{1,150}+)(?=\0)")
_LONG = re.compile(rb"[\t\n\x20-\x7e]{%d,}" % MIN_BLOB_CHARS)
_DOTTED = re.compile(rb"(?<![\w.])\w++(?:\.\w++)++", re.ASCII)
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_LIBRARY = re.compile(rb"lib(?<=[\0/]lib)[\w+-]{1,60}\.so(?:\.\d+){0,3}(?=\0)", re.ASCII)  # quicker: a text first
_PRINTABLE = frozenset(range(0x20, 0x7F)) | frozenset(b"\t\n\v\f\r")
_OTHERS_AS_NUL = bytes(byte if byte in _PRINTABLE else 0 for byte in range(256))
_PRINTED = re.compile(rb"[^\0]{3,}")  # the shortest dotted name
_DOT = re.compile(rb"\.(?<=\w\.)(?=\w)", re.ASCII)  # quicker: the dot first
_BEFORE_WORDS = frozenset(b" \t\n\r\f\v`'\"([,:/*#=-")
_AFTER_WORDS = frozenset(b" \t\n\r\f\v`'\")],:/*#=-")
# Asked for by Cython itself, when asyncio looks whether a compiled function is one of its coroutines: it is there then.
_OF_CYTHON = b"asyncio.coroutines"
# The words that Brotli expects in texts: how they begin, their length and CRC-32. RFC 7932, appendix A.
_BROTLI, _BROTLI_BYTES, _BROTLI_CRC = b"timedownlifeleft", 122_784, 0x5136CB04
_SPACES = frozenset(b" \t\n\r\f\v")
_ALIGNMENT = 16  # of a constant array of this size: the compilers' choice on x86-64 and arm64
_FIRST_PLAIN = 0b111  # three bytes must be there before one can be referred to
_TEXT_SHARE = 0.9  # of the beginning, else it was no text
_TEXT = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0D}
_CONTROL = bytes({*range(0x20), 0x7F} - _TEXT)
_CONTROL_SHARE = 0.15  # of what is no text any more; in text of any script hardly one
_LOOK_BYTES = 1024  # how often that is looked at


@dataclass(frozen=True)
class Names:
    """The importable names to look for: `modules` all of them, dotted; their first parts are looked for alone."""

    modules: frozenset[str]

    @cached_property
    def tops(self) -> frozenset[str]:
        """The first parts."""
        return frozenset(name.partition(".")[0] for name in self.modules)

    @cached_property
    def by_package(self) -> Mapping[str, list[str]]:
        """Modules by the package they lie in, without those whose last names are found everywhere."""
        found: dict[str, list[str]] = {}
        for name in self.modules:
            package, _, last = name.rpartition(".")
            if len(last) >= MIN_JOINED_CHARS:
                found.setdefault(package, []).append(name)
        return found

    @cached_property
    def odd(self) -> Mapping[str, list[str]]:
        """Modules by their first part, of those whose last names are no words: they begin with an underscore."""
        found: dict[str, list[str]] = {}
        for name in self.modules:
            last = name.rpartition(".")[2]
            if last.startswith("_") and len(last) > MIN_JOINED_CHARS:
                found.setdefault(name.partition(".")[0], []).append(name)
        return found

    @cached_property
    def starts(self) -> "re.Pattern[bytes]":
        """Where a dotted name may begin in joined text."""
        tops = sorted({name.partition(".")[0] for name in self.modules if "." in name}, key=len, reverse=True)
        return re.compile(b"(?=(" + b"|".join(re.escape(top.encode()) for top in tops or ["\0"]) + rb")\.)")


def native_names(body: bytes, names: Names, module: str = "") -> frozenset[str]:
    """The modules whose names occur in the bytes of a compiled file.

    Of a `module` of a package also those that it may import by a relative name, which is all that is in it: modules in
    the same folder, and those of the whole package whose names are too odd to be words.
    """
    cython = b"cython" in body
    blobs = list(expanded(body)) if cython else []
    if cython and not any(b"iscoroutinefunction" in text for text in (body, *blobs)):
        body, *blobs = (text.replace(_OF_CYTHON, b"") for text in (body, *blobs))
    if (at := body.find(_BROTLI)) >= 0 and zlib.crc32(body[at : at + _BROTLI_BYTES]) == _BROTLI_CRC:
        body = body[:at] + body[at + _BROTLI_BYTES :]
    ended = {match[1] for match in _ENDED.finditer(body)}
    found = {text for name in ended if (text := name.decode()) in names.modules}
    plain = body.translate(_OTHERS_AS_NUL)  # neither names nor what stands beside them lies elsewhere
    rust = b"pyo3" in body
    printed = b"\0".join(_PRINTED.findall(plain) if cython or rust else _around_dots(plain))
    joined = cython and b"decompression failed" not in body
    found |= set(_dotted(printed, names))
    if rust or joined:
        found |= set(_joined(printed, names))
    if blobs:
        text = b"\0".join(blobs)
        found |= set(_dotted(text, names)) | set(_joined(text, names))
    package, top = module.rpartition(".")[0], module.partition(".")[0]
    if package:
        text = b"\n".join([*_LONG.findall(printed), *blobs]) if cython else b""
        candidates = {*names.by_package.get(package, ()), *names.odd.get(top, ())}
        lasts = {name: name.rpartition(".")[2].encode() for name in candidates}
        found |= {name for name, last in lasts.items() if last in ended or last in text}
    return frozenset(found)


def library_names(body: bytes) -> frozenset[str]:
    """File names of shared libraries among the constants, which the code may open by name."""
    return frozenset(match[0].decode() for match in _LIBRARY.finditer(body))


def reads_certificates(body: bytes) -> bool:
    """Whether the code looks for the system's CA certificates, as TLS libraries that packages bring do."""
    return b"/etc/ssl/cert" in body or b"ca-certificates" in body or b"/etc/pki/tls" in body


def is_module(body: bytes, name: str) -> bool:
    """Whether a shared library named like a module has a module's entry point."""
    return f"PyInit_{name}".encode() in body or f"PyInitU_{name}".encode() in body or not name.isascii()


def _around_dots(text: bytes) -> Iterator[bytes]:
    """What is printed around the dots of dotted names, of which most files have few."""
    at = 0
    while dot := _DOT.search(text, at):
        end = text.find(b"\0", dot.end())
        at = end if end >= 0 else len(text)
        yield text[text.rfind(b"\0", 0, dot.start()) + 1 : at]


def _dotted(body: bytes, names: Names) -> Iterator[str]:
    """Dotted names wherever they begin, each as long as there is such a module."""
    for match in _DOTTED.finditer(body):
        run = match[0]
        for start in names.starts.finditer(run):
            parts = run[start.start() :].decode().split(".")
            for length in range(len(parts), 1, -1):
                if (found := _longest(".".join(parts[:length]), names)) and "." in found:
                    yield found
                    break


def _longest(name: str, names: Names) -> str:
    """The longest module that the text begins with; in joined text the last part may run on into the next string."""
    if name in names.modules:
        return name
    parent, _, last = name.rpartition(".")
    for end in range(len(last) - 1, 1, -1):
        if f"{parent}.{last[:end]}" in names.modules:
            return f"{parent}.{last[:end]}"
    return parent if parent in names.modules else ""


def _joined(text: bytes, names: Names) -> Iterable[str]:
    """First parts of names within joined text, but not where they are words of a sentence."""
    for top in names.tops:
        name = top.encode()
        if len(name) >= MIN_JOINED_CHARS and _occurs(name, text):
            yield top


def _occurs(name: bytes, text: bytes) -> bool:
    """Whether a name is somewhere in the text with nothing beside it that stands beside words."""
    at = text.find(name)
    while at >= 0:
        end = at + len(name)
        before, after = text[at - 1 : at] if at else b"", text[end : end + 2]
        is_sentence_end = after[:1] == b"." and not _SPACES.isdisjoint(after[1:])
        if _BEFORE_WORDS.isdisjoint(before) and _AFTER_WORDS.isdisjoint(after[:1]) and not is_sentence_end:
            return True
        at = text.find(name, at + 1)
    return False


def expanded(body: bytes) -> Iterator[bytes]:
    """The texts that Cython has compressed."""
    view = memoryview(body)
    for match in _ZLIB.finditer(body):
        try:
            text = zlib.decompressobj().decompress(view[match.start() : match.start() + MAX_BLOB_BYTES], MAX_BLOB_BYTES)
        except zlib.error:
            continue
        if len(text) >= MIN_BLOB_CHARS:
            yield text
    if b"LZSS" in body:
        for at in range(0, len(body) - MIN_BLOB_CHARS, _ALIGNMENT):
            if body[at] & _FIRST_PLAIN == _FIRST_PLAIN and _TEXT.issuperset(body[at + 2 : at + 4]):
                head = expand_lzss(body, at, MIN_BLOB_CHARS)[:MIN_BLOB_CHARS]
                if len(head) == MIN_BLOB_CHARS and sum(map(_TEXT.__contains__, head)) > _TEXT_SHARE * MIN_BLOB_CHARS:
                    yield expand_lzss(body, at)


def expand_lzss(body: bytes, at: int, limit: int = MAX_BLOB_BYTES) -> bytes:
    """Cython's LZSS from `at` on, as far as it gives text or to the limit: where it ends is not written in the file.

    What comes behind text is garbage, a hundred times as much.

    Eight items follow a byte of flags: a plain byte, or a reference backwards of two or three bytes.
    """
    out = bytearray()
    looked = 0
    try:
        while len(out) < limit:
            if len(out) - looked >= _LOOK_BYTES:
                if len(out[looked:].translate(None, _CONTROL)) < (1 - _CONTROL_SHARE) * (len(out) - looked):
                    break
                looked = len(out)
            flags, at = body[at], at + 1
            for bit in range(8):
                if flags >> bit & 1:
                    out.append(body[at])
                    at += 1
                    continue
                low, high = body[at], body[at + 1]
                at += 2
                if not low & 0x80:
                    offset, length = low, high
                elif not high & 0x80:
                    offset, length = 0x80 + (high << 2 & 0x180 | low & 0x7F), high & 0x1F
                else:
                    offset, length = 0x80 + ((high & 0x7F) << 7 | low & 0x7F), body[at]
                    at += 1
                length += 3
                start = len(out) - offset - length
                if start < 0:
                    return bytes(out)
                out += out[start : start + length]
    except IndexError:
        pass
    return bytes(out)
