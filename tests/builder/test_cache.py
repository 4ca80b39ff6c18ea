"""The cache holds what was put into it or says that it does not, whatever happened to its folder."""

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.cache import ABANDONED_S, PRUNE_EVERY_S, UNUSED_S, Cache, default_folder, fingerprint, key_of
from builder.errors import OutputError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, warnings: list[str]) -> Cache:
    return Cache(tmp_path / "cache", warnings.append)


def put_file(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub/file").write_text("content")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"BUILD_IMAGE_CACHE_DIR": "/a/b", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/a/b"),
        ({"BUILD_IMAGE_CACHE_DIR": "", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/firkin"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/firkin"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/firkin"),
        ({"HOME": "/h"}, "/h/.cache/firkin"),
    ],
)
def test_the_first_variable_that_names_a_folder_decides(environment, expected):
    assert default_folder(environment) == Path(expected)


def test_a_relative_folder_is_taken_from_where_the_command_was_started(tmp_path, monkeypatch):
    """Sandboxes and uv run elsewhere: a relative path would lead them astray."""
    monkeypatch.chdir(tmp_path)
    assert default_folder({"BUILD_IMAGE_CACHE_DIR": "here"}) == tmp_path / "here"


def test_no_home_at_all_is_an_error_that_names_the_variable(monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    with pytest.raises(OutputError, match="HOME is not set") as caught:
        default_folder({})
    assert "BUILD_IMAGE_CACHE_DIR" in caught.value.hint


@given(value=st.dictionaries(st.text(), JSON, max_size=4))
def test_a_record_comes_back_as_it_was_written(tmp_path_factory, value):
    warnings: list[str] = []
    cache = Cache(tmp_path_factory.mktemp("cache"), warnings.append)
    cache.write_record("kind", "key", value)
    assert (cache.record("kind", "key"), warnings) == (value, [])


def test_a_record_that_is_not_there_is_none_without_a_word(cache, warnings):
    assert (cache.record("kind", "key"), warnings) == (None, [])


def edited(text: str) -> str:
    return text.replace("right", "wrong")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.write_bytes(b""), id="empty"),
        pytest.param(lambda file: file.write_bytes(file.read_bytes()[:-3]), id="truncated"),
        pytest.param(lambda file: file.write_bytes(os.urandom(99)), id="garbage"),
        pytest.param(lambda file: file.write_text("[" * 100_000), id="deep"),
        pytest.param(lambda file: file.write_text("[]"), id="another-type"),
        pytest.param(lambda file: file.write_text(json.dumps({"answer": "wrong"})), id="unsealed"),
        pytest.param(lambda file: file.write_text(edited(file.read_text())), id="edited"),
        pytest.param(lambda file: file.write_bytes((file.parent / "other").read_bytes()), id="swapped"),
        pytest.param(lambda file: (file.unlink(), file.mkdir(), (file / "x").touch()), id="a-folder"),
    ],
)
def test_a_damaged_record_is_found_said_and_made_again(cache, warnings, damage):
    cache.write_record("kind", "other", {"answer": "another"})
    cache.write_record("kind", "key", {"answer": "right"})
    damage(cache.folder / "records/kind/key")
    assert cache.record("kind", "key") is None
    assert len(warnings) == 1
    assert "kind/key" in warnings[0]
    cache.write_record("kind", "key", {"answer": "right"})
    assert cache.record("kind", "key") == {"answer": "right"}


def test_a_tree_is_filled_once(cache, warnings):
    calls: list[Path] = []

    def fill(folder: Path) -> None:
        calls.append(folder)
        put_file(folder)

    first = cache.tree("kind", "key", fill)
    assert cache.tree("kind", "key", fill) == first
    assert (first / "sub/file").read_text() == "content"
    assert (len(calls), warnings) == (1, [])


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda tree: (tree / "sub/file").write_text("CONTENT!"), id="size"),
        pytest.param(lambda tree: os.utime(tree / "sub/file", (1, 1)), id="time"),
        pytest.param(lambda tree: (tree / "sub/file").chmod(0o600), id="mode"),
        pytest.param(lambda tree: (tree / "sub/file").unlink(), id="removed"),
        pytest.param(lambda tree: (tree / "more").touch(), id="added"),
        pytest.param(lambda tree: (tree / "empty").mkdir(), id="a-folder-more"),
        pytest.param(lambda tree: (tree.parent / "fingerprint").unlink(), id="no-fingerprint"),
        pytest.param(lambda tree: (tree.parent / "fingerprint").write_bytes(b"\xff"), id="bad-fingerprint"),
        pytest.param(lambda tree: tree.rename(tree.with_name("gone")), id="gone"),
    ],
)
def test_a_changed_tree_is_found_said_and_made_again(cache, warnings, damage):
    tree = cache.tree("kind", "key", put_file)
    damage(tree)
    again = cache.tree("kind", "key", put_file)
    assert sorted(str(path.relative_to(again)) for path in again.rglob("*")) == ["sub", "sub/file"]
    assert (again / "sub/file").read_text() == "content"
    assert len(warnings) == 1
    assert cache.tree("kind", "key", put_file) == again
    assert len(warnings) == 1


def test_a_file_in_place_of_a_tree_is_replaced(cache, warnings):
    (cache.folder / "trees/kind").mkdir(parents=True)
    (cache.folder / "trees/kind/key").write_text("?")
    assert (cache.tree("kind", "key", put_file) / "sub/file").exists()
    assert len(warnings) == 1


def test_what_a_failing_fill_left_is_removed_and_nothing_recorded(cache):
    def fill(folder: Path) -> None:
        put_file(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.tree("kind", "key", fill)
    assert not (cache.folder / "trees/kind/key").exists()
    assert list((cache.folder / "tmp").iterdir()) == []


def test_a_tree_that_somebody_reads_is_not_swapped_by_a_slower_build(cache, warnings):
    """Of two builds that fill the same entry the slower takes what the quicker has left, and never moves it away."""
    quick: list[int] = []

    def fill_slowly(folder: Path) -> None:
        put_file(folder)
        quick.append((cache.tree("kind", "key", put_file) / "sub/file").stat().st_ino)

    slow = cache.tree("kind", "key", fill_slowly)
    assert [(slow / "sub/file").stat().st_ino] == quick
    assert warnings == []


def test_prune_removes_what_nobody_used_for_a_month_and_keeps_the_rest(cache):
    for key in ("old", "new"):
        cache.write_record("kind", key, {})
        cache.tree("kind", key, put_file)
    blobs = cache.blobs / "blobs/sha256"
    blobs.mkdir(parents=True)
    (blobs / "old").touch()
    (blobs / "new").touch()
    (cache.folder / "tmp/killed").mkdir()
    now = time.time()
    long_ago = now - UNUSED_S - 1
    for path in ("records/kind/old", "trees/kind/old/fingerprint", "blobs/blobs/sha256/old"):
        os.utime(cache.folder / path, (long_ago, long_ago))
    os.utime(cache.folder / "tmp/killed", (now - ABANDONED_S - 1,) * 2)
    cache.prune(now)
    left = {str(path.relative_to(cache.folder)) for path in cache.folder.rglob("*") if path.name in {"old", "new"}}
    assert left == {"records/kind/new", "trees/kind/new", "blobs/blobs/sha256/new"}
    assert list((cache.folder / "tmp").iterdir()) == []


def test_prune_looks_once_a_day(cache):
    cache.write_record("kind", "key", {})
    now = time.time()
    cache.prune(now)
    os.utime(cache.folder / "records/kind/key", (1, 1))
    cache.prune(now + PRUNE_EVERY_S - 10)
    assert (cache.folder / "records/kind/key").exists()
    cache.prune(now + PRUNE_EVERY_S + 10)
    assert not (cache.folder / "records/kind/key").exists()


def test_using_an_entry_keeps_it_from_being_pruned(cache):
    cache.write_record("kind", "key", {})
    tree = cache.tree("kind", "key", put_file)
    for file in (cache.folder / "records/kind/key", tree.parent / "fingerprint"):
        os.utime(file, (1, 1))
    cache.record("kind", "key")
    cache.tree("kind", "key", put_file)
    cache.prune()
    assert (cache.folder / "records/kind/key").exists()
    assert tree.exists()


def test_a_cache_that_cannot_be_written_says_where_else_to_put_it(tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="writing the cache in") as caught:
        Cache(tmp_path / "cache", print).write_record("kind", "key", {})
    assert "remove it" in caught.value.hint


@given(st.lists(JSON), st.lists(JSON))
def test_keys_are_equal_exactly_for_equal_parts(one, other):
    assert (key_of(*one) == key_of(*other)) == (json.dumps(one) == json.dumps(other))


def test_names_that_are_not_utf8_have_keys_and_fingerprints(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    (tmp_path / name).touch()
    assert len(key_of(name)) == len(fingerprint(tmp_path)) == 64


def test_the_fingerprint_does_not_depend_on_where_the_folder_is(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        os.utime(tmp_path / name / "file", (5, 5))
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
