"""A proof passes exactly the answers that are right, and tells what was wrong with the others."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import ProofError
from builder.project import Event
from builder.prove.proof import SHOWN_CHARS, judge, raise_for, readable, same_json, shortened
from emulator import Outcome

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


def outcome(payload: bytes, *, status: int = 200, function_error: str | None = None, log: bytes = b"") -> Outcome:
    return Outcome(payload, status, function_error, log, 1.0, None, 10, "id")


@given(JSON)
def test_a_value_equals_itself_in_any_order_of_keys(value):
    text = json.dumps(value, sort_keys=True)
    assert same_json(json.loads(text), json.loads(json.dumps(value)))


@given(JSON, JSON)
def test_comparing_is_symmetric_and_stricter_than_python(one, other):
    same = same_json(one, other)
    assert same == same_json(other, one)
    assert one == other or not same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1", "1.0", True),
        ("true", "1", False),
        ("false", "0", False),
        ("[true]", "[1]", False),
        ('{"a": true}', '{"a": 1}', False),
        ("null", "false", False),
        ('"1"', "1", False),
        ("[1, 2]", "[2, 1]", False),
        ("[1]", "[1, 1]", False),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', True),
        ("{}", "[]", False),
        ('"\\u00e9"', '"é"', True),
        ("10000000000000000000001", "10000000000000000000002", False),
    ],
)
def test_json_values_are_compared_as_json(one, other, same):
    assert same_json(json.loads(one), json.loads(other)) is same


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (None, outcome(b"1")),
        (None, outcome(b"not json")),
        (b'{"a": 1}', outcome(b'{ "a":1.0 }')),
        (b'{"errorType": "E"}', outcome(b'{"errorType": "E"}', function_error="Unhandled")),
    ],
)
def test_right_answers_have_no_problem(expected, got):
    """An error can be the answer that is expected, too."""
    assert judge(Event("e", b"{}", expected), got).problem == ""


@pytest.mark.parametrize(
    ("expected", "got", "words"),
    [
        (None, outcome(b'{"errorType": "E"}', function_error="Unhandled"), "it failed with E"),
        (None, outcome(b'{"errorType": "E", "errorMessage": "m"}', function_error="Unhandled"), "it failed with E: m"),
        (None, outcome(b'{"errorType": 1}', function_error="Unhandled"), 'it failed with {"errorType": 1}'),
        (None, outcome(b"", status=502, function_error="Unhandled"), "it failed with no answer at all"),
        (None, outcome(b"x", status=503), "it failed with x"),
        (b"1", outcome(b"2"), "it answered 2 where expected/e.json says 1"),
        (b"1", outcome(b"true"), "it answered true where expected/e.json says 1"),
        (b"1", outcome(b"1", status=502), "it answered 1"),
        (b"1", outcome(b""), "it answered nothing"),
        (b"1", outcome(b"["), "it answered ["),
        (b"1", outcome(b"\xff"), "it answered \ufffd"),
        (b"[]", outcome(b"[" * 100_000), "… (100000 characters) where"),
    ],
)
def test_wrong_answers_are_told_with_what_was_wanted(expected, got, words):
    assert words in judge(Event("e", b"{}", expected), got).problem


@given(st.text(), st.integers(1, 3))
def test_long_payloads_are_shortened_and_short_ones_are_not(text, times):
    long = text * times
    assert shortened(long) == long if len(long) <= SHOWN_CHARS else len(shortened(long)) < SHOWN_CHARS + 40


def test_a_log_for_people_has_its_lines_on_lines():
    """The runtime joins the lines of one record by carriage returns, which on a terminal overwrite each other."""
    assert readable("[ERROR] E\rTraceback\r  File\r\nend\n") == "[ERROR] E\nTraceback\n  File\nend\n"
    assert "\r" not in judge(Event("e", b"", None), outcome(b"1", log=b"a\rb")).log


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b'{"statusCode": 500, "body": "Internal Server Error"}', "HTTP status 500"),
        (b'{"statusCode": 503}\0\0\0\0\0\0\0\0busy', "HTTP status 503"),
        (b'{"statusCode": 404}', ""),
        (b'{"statusCode": "500"}', ""),
        (b'{"statusCode": true}', ""),
        (b"[500]", ""),
        (b"not JSON", ""),
    ],
)
def test_a_web_application_that_fails_is_not_proven(payload, told):
    """A route that raises is answered with 500 and no function error; what expects nothing else must not have that."""
    assert told in judge(Event("e", b"{}", None), outcome(payload)).problem
    assert bool(told) == bool(judge(Event("e", b"{}", None), outcome(payload)).problem)


def test_an_expected_500_is_right():
    """Whoever writes the answer down wants it."""
    body = b'{"statusCode": 500}'
    assert judge(Event("e", b"{}", body), outcome(body)).problem == ""


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Unable to import module 'app': No module named 'requests'", True),
        ("Unable to import module 'app': No module named 'app.x'", False),
    ],
)
def test_a_missing_dependency_has_its_advice(message, told):
    """Most first builds fail by it. A module inside a package that is there is another mistake."""
    failure = json.dumps({"errorType": "Runtime.ImportModuleError", "errorMessage": message}).encode()
    answer = judge(Event("e", b"{}", None), outcome(failure, function_error="Unhandled"))
    with pytest.raises(ProofError, match=r"it failed with Runtime\.ImportModuleError: Unable") as caught:
        raise_for([answer], "namespace")
    assert ("'requests' is neither in the folder nor among the dependencies" in (caught.value.hint or "")) is told
