from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci.errors import ImageError, UsageError
from builder.oci.jsons import MAX_JSON_BYTES, Fields, parse_json, render_json


def test_canonical_form():
    """Keys are sorted, there are no spaces, text is UTF-8."""
    assert render_json({"b": [1, True], "a": "é"}) == '{"a":"é","b":[1,true]}'.encode()


def test_refuses_text_that_is_not_unicode():
    """A lone surrogate, as Python makes of file names that are no UTF-8, cannot be in JSON."""
    with pytest.raises(UsageError, match=r"rendering JSON: .*UTF-8"):
        render_json({"a": "\udc80"})


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[1,]", b"[" * 100_000, b"NaN"])
def test_refuses_what_is_not_json(data):
    """Malformed text is the image's fault."""
    with pytest.raises(ImageError, match="reading x: not JSON"):
        parse_json(data, "x")


def test_refuses_what_is_too_large():
    """The bound holds before anything is parsed."""
    with pytest.raises(ImageError, match="reading x: 4194305 bytes, more than 4194304"):
        parse_json(b" " * (MAX_JSON_BYTES + 1), "x")


@pytest.mark.parametrize(
    ("data", "read", "found"),
    [
        (b"[]", lambda f: f, "an object, found []"),
        (b"{}", lambda f: f.text("a"), "text, found None"),
        (b'{"a":1}', lambda f: f.text("a"), "text, found 1"),
        (b'{"a":1}', lambda f: f.maybe_text("a"), "text, found 1"),
        (b'{"a":true}', lambda f: f.size("a"), "a whole number of at least 0, found True"),
        (b'{"a":-1}', lambda f: f.size("a"), "a whole number of at least 0, found -1"),
        (b'{"a":1.5}', lambda f: f.size("a"), "a whole number of at least 0, found 1.5"),
        (b'{"a":1e99}', lambda f: f.size("a"), "a whole number of at least 0, found 1e+99"),
        (b"{}", lambda f: f.size("a"), "a whole number of at least 0, found None"),
        (b'{"a":1}', lambda f: f.flag("a"), "true or false, found 1"),
        (b'{"a":{}}', lambda f: f.texts("a"), "a list, found {}"),
        (b'{"a":["x",1]}', lambda f: f.texts("a"), "text, found 1"),
        (b'{"a":[[]]}', lambda f: f.objects("a"), "an object, found []"),
        (b'{"a":[]}', lambda f: f.inner("a"), "an object, found []"),
        (b'{"a":{"b":null}}', lambda f: f.text_map("a"), "text, found None"),
    ],
)
def test_wrong_types(data, read, found):
    """A value of another type is an error that says where it is and what stood there."""
    with pytest.raises(ImageError) as caught:
        read(Fields.parse(data, "doc"))
    assert str(caught.value).startswith("reading doc")
    assert f"expected {found}; make the image again" in str(caught.value)


def test_absent_and_null_are_empty():
    """Go's encoders write null for what is empty."""
    for data in (b"{}", b'{"a":null}'):
        fields = Fields.parse(data, "doc")
        assert fields.maybe_text("a") is None
        assert fields.flag("a") is False
        assert fields.texts("a") == fields.objects("a") == ()
        assert fields.text_map("a") == {}
        assert fields.inner("a").names() == ()


@given(st.binary(max_size=50))
def test_garbage_raises_only_image_error(data):
    """Any bytes parse or raise ImageError."""
    with suppress(ImageError):
        parse_json(data, "x")
