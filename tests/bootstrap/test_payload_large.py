"""Large JSON: with orjson the same values of the same types as without, judged by `json`; without it all works."""

from __future__ import annotations

import gc
import importlib
import json
import math
import sys
import types
from functools import partial
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bootstrap import payload_large
from bootstrap.errors import MarshalError, UnmarshalError
from bootstrap.payload import LARGE_BYTES, parse_event, render_json, render_result
from bootstrap.payload_large import maybe_render_large, maybe_render_text, parse_large
from tests.bootstrap.recording_server import Event
from tests.bootstrap.runtime_process import run_runtime, write_function

# Numbers around every edge that one of the two may have, and texts that only one of them takes.
NUMBERS = (
    st.integers()
    | st.sampled_from(
        [2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**18, 10**19, -(10**18)]
    )
    | st.floats()
    | st.sampled_from([0.0, -0.0, 1e16, 1e22, 1e23, 5e-324, 1.7976931348623157e308, 0.1, 1e-7, 123456789012345680.0])
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text() | st.sampled_from(["\ud800", "\udc00x", "\u2028", "\x7f", "nan"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
# What `json.dumps` never writes.
TOKENS = st.sampled_from([
    "-0", "-0.0", "-0e5", "1e400", "-1e400", "1e-400", "1E+5", "0.1e1", "00", "-", "1.", ".5", "NaN", "-Infinity",
    "18446744073709551616", "0.1234567890123456789012345", "1234567890123456789e-3", '"\\ud800"', '"\\ud83d\\ude00"',
    '"\\u0000"', '"\\/"', '"\\x"', '"\x01"', '"\t"', '{"a": 1, "a": 2}', '{"a": 1, "b": 2, "a": 3}', '{"a" 1}',
    "[1,]", "\ufeff1", "nul", "'a'", "// c", "1 2", "", " ", "\x0c1",
])  # fmt: skip


def outcome(read, body: bytes) -> str:
    """What reading gives, types, signs of zero, order of keys and all; or that it is refused."""
    try:
        return repr(read(body))
    except (ValueError, RecursionError) as error:
        return f"refused: {error}"


def by_json(body: bytes) -> object:
    return json.loads(body.decode().removeprefix("\ufeff"))


@given(VALUES, st.booleans())
def test_reads_the_same_values_as_json(value, ascii_only) -> None:
    """Equal values of equal types, also where orjson by itself would give others."""
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert outcome(parse_large, body) == outcome(by_json, body)


@given(st.lists(TOKENS | VALUES.map(json.dumps), max_size=4), st.sampled_from(["[%s]", "%s", '{"k": [%s]}', " [%s]\n"]))
@example(["-0"], "%s")
def test_refuses_and_takes_what_json_refuses_and_takes(tokens, frame) -> None:
    """Every oddity of a text is decided as `json` decides it, with its message."""
    body = (frame % ",".join(tokens)).encode("utf-8", "surrogatepass")
    assert outcome(parse_large, body) == outcome(by_json, body)


@given(
    st.binary(max_size=20)
    | st.text(alphabet='[]{}",:0123456789.eE+-truefalsn \\u\x00\x1f', max_size=20).map(str.encode)
)
def test_any_bytes_are_read_as_json_reads_them(body) -> None:
    """Malformed UTF-8, control characters, anything."""
    assert outcome(parse_large, body) == outcome(by_json, body)


RESULTS = st.recursive(
    VALUES
    | st.binary(max_size=3)
    | st.sampled_from([{1: 2}, {None: 1, True: 2}, {1.5: 3}, {"\ud800": 1}, (1, (2,)), 2**70]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(RESULTS, st.booleans())
@example([None, math.nan], False)  # noqa: FBT003  raw
@example({"a": [None, -math.inf]}, True)  # noqa: FBT003  raw
def test_writes_the_same_values_as_json(value, raw) -> None:
    """What it writes reads as what `json` writes; NaN stays NaN; escaped where that is asked for; else it is left."""
    rendered = maybe_render_large(value, raw_utf8=raw)
    if rendered is not None:
        assert repr(json.loads(rendered)) == repr(json.loads(json.dumps(value)))
        assert raw or rendered.isascii()


LARGE = [{"text": "x" * 50, "number": number, "half": 0.5, "nothing": None} for number in range(2000)]


def test_a_large_result_is_written_by_orjson_and_a_small_one_is_not() -> None:
    """From a size on, in which a value's own size decides, spaces are left out; below, the text is that of `json`."""
    assert render_json(LARGE, raw_utf8=False) == orjson.dumps(LARGE)
    assert render_json(LARGE[:10], raw_utf8=False) == json.dumps(LARGE[:10]).encode()


@pytest.mark.parametrize(
    "odd",
    [math.nan, -math.inf, 2**64, b"t", {1: 2}, "\ud800", "\u00e9"],
    ids=["nan", "inf", "big", "bytes", "key", "half", "e"],
)
def test_what_orjson_would_change_is_written_by_json(odd) -> None:
    """One such value among thousands, and the whole text is that of `json`."""
    text = json.dumps([*LARGE, odd if odd != b"t" else "t"])
    assert render_json([*LARGE, odd], raw_utf8=False) == text.encode()


def test_errors_of_large_payloads_are_those_of_small_ones() -> None:
    """A set in a large result, a comma too many in a large event: the words of `json`, the positions of the event."""
    with pytest.raises(
        MarshalError, match=r"^Unable to marshal response: Object of type set is not JSON serializable$"
    ):
        render_result([*LARGE, {1}], raw_utf8=False)
    body = json.dumps(LARGE).encode() + b","
    with pytest.raises(UnmarshalError, match=rf"^Unable to unmarshal input: Extra data: .*\(char {len(body) - 1}\)$"):
        parse_event(body, "application/json")
    with pytest.raises(UnmarshalError):
        parse_event(b"[" * LARGE_BYTES, "application/json")
    bomb: list[object] = [*LARGE]
    bomb.append(bomb)
    with pytest.raises(MarshalError, match="Circular reference detected"):
        render_result(bomb, raw_utf8=False)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(enabled) -> None:
    """It rests while an event is parsed, and no longer; a function that switched it off finds it off."""
    try:
        (gc.enable if enabled else gc.disable)()
        parse_large(b"[1]")
        assert gc.isenabled() == enabled
        with pytest.raises(ValueError, match="Expecting value"):
            parse_large(b"[")
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


def refuse(*_arguments):
    raise OSError


STRANGERS = {
    "absent": None,
    "empty": types.SimpleNamespace(),
    "floats": types.SimpleNamespace(loads=lambda _text: [0.0], dumps=lambda _value: b"[0]"),
    "crashing": types.SimpleNamespace(loads=refuse, dumps=refuse),
    "one way": types.SimpleNamespace(loads=orjson.loads, dumps=refuse),
}


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_without_orjson_everything_is_json(stranger, monkeypatch) -> None:
    """Not installed, or something else of that name: payloads of every size are read and written all the same."""
    monkeypatch.setitem(sys.modules, "orjson", stranger)
    monkeypatch.delitem(sys.modules, "bootstrap.payload_large")
    other = importlib.import_module("bootstrap.payload_large")
    assert not other._usable
    assert other.parse_large(json.dumps(LARGE).encode()) == LARGE
    assert other.maybe_render_large(LARGE, raw_utf8=False) is None
    assert payload_large._usable
    assert render_json(LARGE, raw_utf8=False) == json.dumps(LARGE).encode()


SOURCE = "import sys\ndef handler(event, context): return [len(event), 'orjson' in sys.modules, event]"


@pytest.mark.parametrize("installed", [True, False])
def test_orjson_is_loaded_with_the_first_large_payload(installed, tmp_path) -> None:
    """No start and no small event pays for it; where it is not installed, large events are served as well."""
    small, large = LARGE[:2], LARGE
    events = [Event(json.dumps(event).encode()) for event in (small, large, small)]
    folder = Path(orjson.__file__).parents[1] if installed else tmp_path
    outcome = run_runtime(write_function(tmp_path, app=SOURCE), events=events, environment={"PYTHONPATH": str(folder)})
    first, second, third = (json.loads(answer.body) for answer in outcome.answers)
    assert (first, third) == ([2, False, small], [2, installed, small])
    assert second == [2000, installed, large]
    assert (b", " in outcome.answers[1].body) is not installed


HOSTILE = {
    "empties sys.modules": "sys.modules.clear()",
    "takes every descriptor": "resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16)); take()",
    "removes the collector": "sys.modules['gc'] = None",
}
HOSTILE_SOURCE = """
import resource, sys
held = []
def take():
    try:
        while True: held.append(open("/dev/null"))
    except OSError: pass
def handler(event, context):
    {deed}
    return event
"""


@pytest.mark.parametrize("deed", HOSTILE.values(), ids=HOSTILE)
def test_what_large_payloads_need_may_be_out_of_reach(deed, tmp_path) -> None:
    """A function that empties the list of modules, or leaves no descriptor, gets its large events all the same."""
    body = json.dumps(LARGE).encode()
    write_function(tmp_path, app=HOSTILE_SOURCE.format(deed=deed))
    outcome = run_runtime(tmp_path, events=[Event(b"1"), Event(body), Event(body)])
    assert [answer.path.rpartition("/")[2] for answer in outcome.answers] == ["response"] * 3, outcome.stdout
    assert [json.loads(answer.body) for answer in outcome.answers] == [1, LARGE, LARGE]


ENDS = st.sampled_from(["x", "=+/", "\x7f", '"', "\\", "\n", "\u00e9", "\ud800"])
LARGE_TEXTS = ENDS.map(lambda end: "a" * LARGE_BYTES + end)


@settings(max_examples=25)  # the ways are few, and each text is large
@given(
    LARGE_TEXTS | st.dictionaries(st.text() | st.integers() | st.none(), LARGE_TEXTS | VALUES, max_size=3),
    st.booleans(),
)
def test_a_large_text_is_rendered_as_json_does(value: object, raw: bool) -> None:  # noqa: FBT001 - drawn
    """Alone or in an object, with letters that need an escape or without: the bytes of `json`, or left alone."""
    rendered = maybe_render_text(value, partial(json.dumps, ensure_ascii=not raw))
    assert rendered in {None, json.dumps(value, ensure_ascii=not raw).encode("utf-8", "backslashreplace")}


def test_a_file_in_base64_takes_the_short_way() -> None:
    """The answer of a web function that sends a file, and a text that is the whole answer."""
    answer = {"statusCode": 200, "isBase64Encoded": True, "body": "QUJD" * LARGE_BYTES}
    for value in (answer, answer["body"]):
        assert maybe_render_text(value, json.dumps) == json.dumps(value).encode()
