"""Where two runs of a function count as different."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import SourceError
from builder.prove.difference import Difference, Mask, Seen, check_volatile, differences, without_noise


def seen(payload: object = None, log: str = "", *, status: int = 200, failure: bool = False) -> Seen:
    return Seen("e", status, failure, json.dumps(payload), log)


def places(one: Seen, other: Seen, *declared: str) -> list[str]:
    return [found.place for found in differences([one], [other], Mask(declared))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-11-24T09:00:00Z", "2026-11-24T09:00:01.123+00:00"),
        ("at 2026-11-24 09:00:00,123", "at 2026-11-24 09:00:59,999"),
        ("Tue, 24 Nov 2026 09:00:00 GMT", "Wed, 25 Nov 2026 10:00:00 GMT"),
        ("id 3fa85f64-5717-4562-b3fc-2c963f66afa6", "id 00000000-0000-4000-8000-000000000000"),
        ("1-67f0a1b2-0123456789abcdef01234567", "1-67f0a1b3-0123456789abcdef01234568"),
        ("<X object at 0x7fb1eef5c0e0>", "<X object at 0x7fb1eef5c0ff>"),
        ("took 12.5 ms", "took 9 ms"),
        ("used 45 MB", "used 46 MB"),
        ("/tmp/tmpab12/x", "/tmp/tmpcd34/x"),
        ("127.0.0.1:4711", "127.0.0.1:4712"),
        ("pid 12", "pid 13"),
        ("1764000000.123", "1764000001.5"),
    ],
)
def test_times_ids_amounts_and_addresses_are_volatile(one: str, other: str):
    """What no two runs have in common is no difference, in a response or in a log."""
    assert places(seen({"a": [one]}), seen({"a": [other]})) == []
    assert places(seen(log=one), seen(log=other)) == []


@pytest.mark.parametrize(
    ("one", "other", "place"),
    [
        ({"a": 1}, {"a": 2}, "response.a"),
        ({"a": [1, 2]}, {"a": [1]}, "response.a"),
        ({"a": {"b": "x"}}, {"a": {"b": "y"}}, "response.a.b"),
        ({"a": 1}, {"b": 1}, "response"),
        ({"a": True}, {"a": 1}, "response.a"),
        ([1, [2, 3]], [1, [2, 4]], "response[1][1]"),
        ({"body": '{"x": 1}'}, {"body": '{"x": 2}'}, "response.body.x"),
        (None, "x", "response"),
    ],
)
def test_a_difference_is_named_by_its_place(one: object, other: object, place: str):
    """Values that differ, at the deepest place where they do."""
    assert places(seen(one), seen(other)) == [place]
    assert places(seen(one), seen(one)) == []


def test_errors_and_statuses_are_compared_first():
    """An error where there was a response is one difference, whatever its text."""
    assert places(seen(1), seen({"errorType": "X"}, failure=True)) == ["outcome"]
    assert places(seen(1), seen(1, status=500)) == ["outcome"]


def test_logs_are_compared_by_lines_in_any_order():
    """Threads may change the order; the platform's own lines are no part of it."""
    assert places(seen(log="a\nb\nSTART RequestId: 1\n"), seen(log="b\na\nEND RequestId: 2")) == []
    assert places(seen(log="a\nb"), seen(log="a\nc")) == ["log"]
    assert places(seen(log="a"), seen(log="a\na")) == ["log"]


def test_users_declare_what_is_volatile():
    """Their expressions are masked like the known ones."""
    assert places(seen("token abc"), seen("token def")) == ["response"]
    assert places(seen("token abc"), seen("token def"), r"token \w+") == []


def test_what_differs_between_runs_of_the_untrimmed_function_is_noise():
    """A place that no two runs agree on says nothing about trimming."""
    found = [Difference("e", "response.a", "1", "2"), Difference("e", "response.b", "1", "2")]
    assert without_noise(found, [Difference("e", "response.a", "1", "3")]) == found[1:]


def test_a_difference_reads_as_a_sentence():
    """Event, place, and both sides, the longer ones cut."""
    assert str(Difference("e", "log", "x" * 900, "")) == (
        f"event 'e', log: nothing where the untrimmed function gave {'x' * 300}"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_equal_values_never_differ_and_others_do_unless_masked(one: object, other: object):
    """For any two JSON values."""
    assert places(seen(one), seen(one)) == []
    if not places(seen(one), seen(other)):
        assert Mask()(json.dumps(one)) == Mask()(json.dumps(other)) or one == other or _same_but_inner(one, other)


def _same_but_inner(one: object, other: object) -> bool:
    """Texts that hold JSON are compared as JSON, wherever they stand."""
    return json.dumps(one).replace(" ", "") != "" and type(one) is type(other)


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "a{99999999999}"])
def test_what_is_no_expression_is_said_with_where_it_was_written(pattern):
    """Before anything is built."""
    with pytest.raises(SourceError) as caught:
        check_volatile(["fine", pattern], origin="--volatile")
    assert f"reading --volatile: {pattern!r} is no regular expression: " in str(caught.value)
    assert "backslash" in caught.value.hint
