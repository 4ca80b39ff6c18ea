"""Names of modules in compiled code."""

import zlib

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


def test_compressed_text_is_looked_into() -> None:
    """Cython compresses its strings where that is shorter."""
    body = b"cython\0" + zlib.compress(TEXT)
    assert native_names(body, NAMES, "p.sub.etree") == {"p.sub._path", "p.other._odd_name"}
