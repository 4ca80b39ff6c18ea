"""Names of modules in compiled code."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.trim import native
from builder.trim.native import Names, native_names

NAMES = Names(
    frozenset({"p", "p.sub", "p.sub.etree", "p.sub._path", "p.sub.html", "p.other._odd_name", "p.other.word"})
)
TEXT = b"\0".join([b"", b"_path", b"_odd_name", b"word", b"x" * 300])


def test_modules_of_the_own_package_are_found_by_their_last_name() -> None:
    """A relative import leaves its last name: any of the same folder counts, elsewhere in the package an odd one."""
    assert native_names(TEXT, NAMES, "p.sub.etree") == {"p.sub._path", "p.other._odd_name"}
    assert native_names(b"\0html\0", NAMES, "p.sub.etree") == {"p.sub.html"}
    assert native_names(TEXT, NAMES, "q.etree") == set()
    assert native_names(TEXT, NAMES, "etree") == set()


@given(st.lists(st.sampled_from([b"p", b".", b"sub", b"\0", b"\x01", b" ", b"\n", b"html", b"\xff"])).map(b"".join))
def test_dotted_names_are_found_wherever_they_stand(body: bytes) -> None:
    """In plain files by the dots, which are quicker to find than the text that may hold one."""
    assert native_names(body, NAMES) - NAMES.tops == set(native._dotted(body, NAMES))
    assert native_names(body + b"\0pyo3", NAMES) - NAMES.tops == set(native._dotted(body, NAMES))


def test_compressed_text_is_looked_into() -> None:
    """Cython compresses its strings where that is shorter."""
    body = b"cython\0" + zlib.compress(TEXT)
    assert native_names(body, NAMES, "p.sub.etree") == {"p.sub._path", "p.other._odd_name"}


def plain_lzss(text: bytes) -> bytes:
    """Text in the form of Cython's own compression, without any reference backwards."""
    return b"".join(b"\xff" + text[at : at + 8] for at in range(0, len(text), 8))


def test_text_ends_where_garbage_begins() -> None:
    """How long the compressed text is stands nowhere in the file: what follows it is no text any more."""
    text, other = b"x y" * 200 + b"\0_path\0" + b"x y" * 200, b"\0_odd_name\0"
    body = b"cython LZSS".ljust(16) + plain_lzss(text)
    assert native_names(body, NAMES, "p.sub.etree") == {"p.sub._path"}
    assert native_names(body + plain_lzss(b"z" * 1000 + other), NAMES, "p.sub.etree") == {
        "p.sub._path",
        "p.other._odd_name",
    }
    assert native_names(body + plain_lzss(b"\1" * 3000 + other), NAMES, "p.sub.etree") == {"p.sub._path"}


ASYNC = Names(frozenset({"asyncio", "asyncio.coroutines", "p", "p.sub"}))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"cython\0asyncio.coroutines\0_is_coroutine\0", set()),
        (b"cython\0fooasyncio.coroutinesbar\0", set()),
        (b"cython\0asyncio.coroutines\0asyncio\0", {"asyncio"}),
        (b"cython\0asyncio.coroutines\0iscoroutinefunction\0", {"asyncio", "asyncio.coroutines"}),
        (b"\0asyncio.coroutines\0", {"asyncio.coroutines"}),
    ],
)
def test_what_cython_writes_into_every_module_names_no_module_of_its_author(body: bytes, found: set[str]) -> None:
    """Each function that it compiles can tell asyncio whether it is a coroutine; who imports asyncio has its name."""
    assert native_names(body, ASYNC, "q.r") == found


def test_words_of_brotli_are_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dictionary of 122,784 bytes holds "secrets" and "email"; what only begins like it is read."""
    words = native._BROTLI + b"\0p.sub\0" * 3
    monkeypatch.setattr(native, "_BROTLI_BYTES", len(words))
    assert native_names(b"\0x\0" + words + b"\0asyncio\0", ASYNC) == {"p.sub", "asyncio"}
    monkeypatch.setattr(native, "_BROTLI_CRC", zlib.crc32(words))
    assert native_names(b"\0x\0" + words + b"\0asyncio\0", ASYNC) == {"asyncio"}
