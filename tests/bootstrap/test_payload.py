"""JSON in both directions: what Lambda's Python does, checked against `json` as the independent witness."""

from __future__ import annotations

import _json
import decimal
import importlib
import json
import math
import sys
import types
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.errors import MarshalError, UnmarshalError
from bootstrap.payload import parse_event, parse_json, render_json, render_result


class Point(NamedTuple):
    x: object
    y: object


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_writes_what_json_writes(value, raw) -> None:
    """Without special types, the text is that of `json.dumps`; it always encodes, also lone surrogates."""
    text = json.dumps(value, ensure_ascii=not raw)
    assert render_json(value, raw_utf8=raw) == text.encode("utf-8", "backslashreplace")
    assert parse_json(render_json(value, raw_utf8=raw)) == value


@given(VALUES, st.sampled_from(["", " ", "\r\n\t "]))
def test_reads_what_json_reads(value, space) -> None:
    """Any JSON text with any space around it is read as `json.loads` reads it."""
    assert parse_json((space + json.dumps(value, indent=1) + space).encode()) == value


@given(st.binary(max_size=20) | st.text(alphabet='[]{}",:0123456789.eE+-truefalsn \\u', max_size=20).map(str.encode))
def test_reads_nothing_that_json_refuses(body) -> None:
    """Malformed events are UnmarshalError and nothing else, whatever the bytes."""
    try:
        expected = json.loads(body.decode().removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        with pytest.raises(UnmarshalError, match=r"^Unable to unmarshal input: "):
            parse_event(body, "application/json")
    else:
        found = parse_event(body, "application/json")
        assert found == expected or (math.isnan(found) and math.isnan(expected))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b" {", "Expecting property name enclosed in double quotes: line 1 column 3 (char 2)"),
        (b"{} x", "Extra data: line 1 column 4 (char 3)"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_the_message_says_where_the_event_is_wrong(body, message) -> None:
    """Positions are those in the event as it was sent."""
    with pytest.raises(UnmarshalError) as caught:
        parse_event(body, "application/json")
    assert str(caught.value) == f"Unable to unmarshal input: {message}"


def test_deep_nesting_is_refused_and_not_fatal() -> None:
    """A bomb of brackets is the sender's error in both directions."""
    with pytest.raises(UnmarshalError):
        parse_event(b"[" * 1_000_000, "application/json")
    bomb: list[object] = []
    bomb.append(bomb)
    with pytest.raises(MarshalError, match="Circular reference detected"):
        render_result(bomb, raw_utf8=False)


@pytest.mark.parametrize(
    ("body", "content_type", "event"),
    [
        (b'"\xc3\xa9"', "application/json", "\u00e9"),
        (b"\xef\xbb\xbf[1]", "application/json", [1]),
        (b"NaN", "application/octet-stream", b"NaN"),
        (b"{}", "application/json; charset=utf-8", b"{}"),
        (b"{}", "text/plain", b"{}"),
    ],
)
def test_only_exactly_json_is_parsed(body, content_type, event) -> None:
    """Any other content type gives the handler the bytes."""
    assert parse_event(body, content_type) == event


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("result", "body"),
    [
        (None, b"null"),
        ("ok", b'"ok"'),
        ({7: 2, None: 3, True: 4, 1.5: 5}, b'{"7": 2, "null": 3, "true": 4, "1.5": 5}'),
        ([float("nan"), float("inf"), -float("inf")], b"[NaN, Infinity, -Infinity]"),
        (decimal.Decimal("1.10"), b"1.10"),
        ({"d": [decimal.Decimal("1E+3"), decimal.Decimal("-sNaN"), "1.10"]}, b'{"d": [1E+3, NaN, "1.10"]}'),
        (Point(1, [Point("a", ())]), b'{"x": 1, "y": [{"x": "a", "y": []}]}'),
        ({"p": Point(decimal.Decimal(2), b"\xc2\xb5")}, None),
        ({"b": b"text"}, b'{"b": "text"}'),
        ((1, (2,)), b"[1, [2]]"),
        (2**100, b"1267650600228229401496703205376"),
    ],
)
def test_results_that_plain_json_does_not_know(result, body, raw) -> None:
    """NaN, Decimal, named tuples and inner bytes are written as awslambdaric writes them."""
    if body is None:
        body = b'{"p": {"x": 2, "y": "\xc2\xb5"}}' if raw else b'{"p": {"x": 2, "y": "\\u00b5"}}'
    assert render_result(result, raw_utf8=raw) == (body, "application/json")


def test_bytes_are_sent_as_they_are() -> None:
    """A bytes result is not JSON and says so in its content type."""
    assert render_result(b"\x00\xff", raw_utf8=False) == (b"\x00\xff", "application/unknown")


class Spiteful:
    """A dict key whose text cannot be had, and an object that JSON does not know."""


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (object(), "Object of type object is not JSON serializable"),
        ({"a": {1, 2}}, "Object of type set is not JSON serializable"),
        ({"d": decimal.Decimal(1), "s": {1}}, "Object of type set is not JSON serializable"),
        ({Spiteful(): 1}, "keys must be str, int, float, bool or None, not Spiteful"),
        ({"b": b"\xff"}, "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_what_has_no_json_form_is_a_marshal_error(result, message) -> None:
    """The message is the encoder's, after awslambdaric's words."""
    with pytest.raises(MarshalError) as caught:
        render_result(result, raw_utf8=False)
    assert str(caught.value) == f"Unable to marshal response: {message}"


def without_encoder(settings):
    raise TypeError("make_scanner takes no settings any more")


BROKEN = {
    "missing": None,
    "no scanner": types.SimpleNamespace(),
    "other scanner": types.SimpleNamespace(make_scanner=without_encoder),
    "wrong result": types.SimpleNamespace(make_scanner=lambda _settings: lambda text, _start: (text, 0)),
    "no encoder": types.SimpleNamespace(make_scanner=_json.make_scanner),
}


@pytest.fixture(params=BROKEN.values(), ids=BROKEN)
def other_payload(request, monkeypatch):
    """The module as it is where `_json` is something else."""
    monkeypatch.setitem(sys.modules, "_json", request.param)
    monkeypatch.delitem(sys.modules, "bootstrap.payload")
    monkeypatch.delitem(sys.modules, "bootstrap.payload_package", raising=False)
    return importlib.import_module("bootstrap.payload")


@pytest.mark.parametrize("raw", [False, True])
def test_without_the_accelerator_the_package_does_the_same(other_payload, raw) -> None:
    """Another interpreter or a later version may lack the private module, or have another: nothing else changes."""
    number = decimal.Decimal("1.10")
    values = [
        {"a": [1, 2.5, None, "\u00e9"]}, [float("nan")], Point(1, {"p": Point(number, b"t")}), [number, "x", number],
        "\ud800", {1: True}, decimal.Decimal("NaN"),
    ]  # fmt: skip
    for value in values:
        assert other_payload.render_json(value, raw_utf8=raw) == render_json(value, raw_utf8=raw)
    assert other_payload.parse_event(b' {"a": [1]} ', "application/json") == {"a": [1]}
    with pytest.raises(UnmarshalError, match=r"^Unable to unmarshal input: Expecting value: line 1 column 1"):
        other_payload.parse_event(b"", "application/json")
    bomb: list[object] = []
    bomb.append(bomb)
    for unknown in (object(), {1}, bomb):
        with pytest.raises(MarshalError, match=r"^Unable to marshal response: "):
            other_payload.render_result(unknown, raw_utf8=raw)


class Kept(dict[str, object]):
    pass


@pytest.mark.parametrize("depth", [0, 1, 100])
def test_named_tuples_are_found_wherever_they_are(depth) -> None:
    """In built-in containers and derived ones, at any depth; a result without any is written as it is."""
    value: object = Kept(p=(Point(1, b"t"),))
    plain: object = {"p": [{"x": 1, "y": "t"}]}
    for _ in range(depth):
        value, plain = [Kept(a=value)], [{"a": plain}]
    assert render_json(value, raw_utf8=False) == json.dumps(plain).encode()
    assert render_json([Kept(a=(1,))], raw_utf8=False) == b'[{"a": [1]}]'
