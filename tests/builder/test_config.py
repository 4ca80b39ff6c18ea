"""[tool.build-image]: what the table may hold, and what each mistake in it says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.cli.build import build_command
from builder.config import LISTS, MAX_SHOWN_CHARS, STRINGS, parse_table, read_pyproject
from builder.errors import SourceError

VALUES = st.recursive(
    st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
)


def table(values: object) -> dict[str, object]:
    return parse_table({"tool": {"build-image": values}})


def test_a_folder_without_pyproject_has_no_settings(tmp_path: Path):
    """pyproject.toml is optional, and so is the table in it."""
    assert read_pyproject(tmp_path) == {}
    assert parse_table({}) == parse_table({"tool": {}}) == parse_table({"tool": 3}) == table({}) == {}


def test_every_key_sets_the_parameter_of_its_flag():
    """A full table gives each value under the name of the command line's parameter."""
    strings = dict.fromkeys(STRINGS, "x")
    lists = {key: ["a", "b"] for key in LISTS}
    wanted = {STRINGS[key]: "x" for key in STRINGS} | {LISTS[key]: ["a", "b"] for key in LISTS}
    assert table(strings | lists) == wanted


def test_keys_are_parameters_of_the_command():
    """What the table may set is what the command line takes: a key nobody reads would be a lie."""
    parameters = {parameter.name for parameter in build_command.params}
    assert {*STRINGS.values(), *LISTS.values()} <= parameters


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"handlr": "a.b"}, "unknown key 'handlr'", "Did you mean 'handler'?"),
        ({"xyzzy": 1}, "unknown key 'xyzzy'", "Known keys: base, drop, engine, env"),
        ({"handler": 3}, "handler is 3, not a string", "Give handler as a string."),
        ({"keep": "a"}, "keep is 'a', not a list of strings", "Give keep as a list of strings."),
        ({"drop": ["a", 1]}, "drop is ['a', 1], not a list of strings", "Give drop as a list of strings."),
        ("text", "[tool.build-image]: it is 'text', not a table", "Write it as [tool.build-image]."),
    ],
)
def test_a_mistake_in_the_table_is_shown(values: object, message: str, hint: str):
    """A wrong key or type names the table, the key and the value found, and says what would be right."""
    with pytest.raises(SourceError) as caught:
        table(values)
    assert str(caught.value).startswith("reading [tool.build-image]")
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_a_huge_value_is_cut_in_the_message():
    """A message stays readable, whatever is in the file."""
    with pytest.raises(SourceError) as caught:
        table({"handler": ["x" * 100_000]})
    assert len(str(caught.value)) < 2 * MAX_SHOWN_CHARS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x = [", "it is not valid TOML: "),
        (b"x = " + b"[" * 100_000, "it is not valid TOML: "),
        (b"x = '\xff'", "can't decode byte 0xff"),
    ],
)
def test_an_unreadable_pyproject_names_the_file(tmp_path: Path, content: bytes, message: str):
    """Broken TOML and broken UTF-8 are the user's to correct: the message names the file and the place."""
    (tmp_path / "pyproject.toml").write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        read_pyproject(tmp_path)
    assert str(tmp_path / "pyproject.toml") in str(caught.value)
    assert caught.value.hint


def test_a_folder_in_the_place_of_pyproject_is_an_error(tmp_path: Path):
    """What exists and cannot be read is never taken for absent."""
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(SourceError, match="Is a directory"):
        read_pyproject(tmp_path)


@given(st.dictionaries(st.one_of(st.sampled_from([*STRINGS, *LISTS]), st.text(max_size=8)), VALUES, max_size=4))
def test_any_table_is_defaults_or_a_source_error(values: dict[str, object]):
    """Whatever TOML can express is accepted with the right types or refused with a hint."""
    try:
        defaults = table(values)
    except SourceError as error:
        assert error.hint  # noqa: PT017 - both outcomes are right, one has a hint
    else:
        assert set(defaults) <= {*STRINGS.values(), *LISTS.values()}


def test_one_platform_is_a_text_and_several_are_a_list():
    """A list of one would be a nuisance."""
    assert table({"platform": "linux/arm64"}) == {"platforms": ["linux/arm64"]}
    assert table({"platform": ["linux/arm64", "linux/amd64"]}) == {"platforms": ["linux/arm64", "linux/amd64"]}


def test_a_switch_is_true_or_false():
    assert table({"flatten": True}) == {"flatten": True}
    with pytest.raises(SourceError, match="flatten is 'yes', not true or false"):
        table({"flatten": "yes"})
