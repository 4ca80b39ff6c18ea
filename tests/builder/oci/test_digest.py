import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci import Descriptor, Digest, UsageError

GOOD = "sha256:" + "0123456789abcdef" * 4


def test_round_trip():
    """A digest is its text."""
    assert str(Digest.parse(GOOD)) == GOOD
    assert Digest.parse(GOOD) == Digest("0123456789abcdef" * 4)


@given(st.binary(max_size=200))
def test_names_what_bytes_hash_to(data):
    """`of` is sha256, and its text parses back."""
    digest = Digest.of(data)
    assert digest.encoded == hashlib.sha256(data).hexdigest()
    assert Digest.parse(str(digest)) == digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        GOOD[7:],
        GOOD[:-1],
        GOOD + "0",
        GOOD.upper(),
        "sha256:" + "A" * 64,
        "sha512:" + "0" * 64,
        "sha256:" + "g" * 64,
        GOOD + "\n",
        " " + GOOD,
        "sha256:" + "\N{ARABIC-INDIC DIGIT ZERO}" * 64,
        "sha256:../../../../etc/passwd".ljust(71, "x"),
    ],
)
def test_refuses_anything_else(text):
    """Only 64 lower-case hexadecimal digits after `sha256:` are a digest."""
    with pytest.raises(UsageError, match=r"reading a digest: .*give "):
        Digest.parse(text)


@given(st.text())
def test_garbage_raises_only_usage_error(text):
    """Any text parses to itself or raises UsageError."""
    with suppress(UsageError):
        assert str(Digest.parse(text)) == text


def test_descriptor_is_a_value():
    """Descriptors compare, hash, and cannot be changed through what they were made of."""
    annotations = {"a": "b"}
    first = Descriptor("type", Digest.parse(GOOD), 3, annotations)
    annotations["a"] = "changed"
    assert first == Descriptor("type", Digest.parse(GOOD), 3, {"a": "b"})
    assert len({first, Descriptor("type", Digest.parse(GOOD), 3, {"a": "b"})}) == 1
    with pytest.raises(TypeError):
        first.annotations["a"] = "c"


def test_descriptor_refuses_a_negative_size():
    """A size is a number of bytes."""
    with pytest.raises(UsageError, match="size -1 is negative; pass its bytes"):
        Descriptor("type", Digest.parse(GOOD), -1)
