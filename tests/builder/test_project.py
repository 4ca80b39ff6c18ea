"""The function's folder: what is in it, what stays out, and what stops a build."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder import project
from builder.cache import Cache
from builder.errors import SourceError
from builder.outputs import parse_reference
from builder.project import (
    MAX_EVENT_BYTES,
    MAX_NAME_CHARS,
    check_folder,
    name_of,
    read_events,
    read_files,
    read_ignored,
    unread_answers,
)


def paths(folder: Path) -> list[str]:
    return [file.path for file in read_files(folder, read_ignored(folder))]


def refused(folder: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        paths(folder)
    assert str(caught.value).startswith("reading the function: ")
    assert caught.value.hint
    return caught.value


def test_the_folder_must_be_one(tmp_path: Path):
    """A missing folder and a file in its place are told apart."""
    check_folder(tmp_path)
    (tmp_path / "app.py").touch()
    with pytest.raises(SourceError, match="there is no folder") as missing:
        check_folder(tmp_path / "nope")
    with pytest.raises(SourceError, match="is not a folder") as file:
        check_folder(tmp_path / "app.py")
    assert missing.value.hint == "Name the folder that holds the handler's file."
    assert file.value.hint == "Name the folder, not a file in it."


def test_files_come_sorted_with_size_and_mode(write):
    """The files of a function are the same list wherever and in whatever order they were written."""
    folder = write({"z.py": "123", "a/b.py": "", "a.py": ""})
    (folder / "z.py").chmod(0o700)
    found = read_files(folder, read_ignored(folder))
    assert [(file.path, file.size, file.executable) for file in found] == [
        ("a.py", 0, False),
        ("a/b.py", 0, False),
        ("z.py", 3, True),
    ]


def test_what_is_no_part_of_a_function_stays_out(write):
    """Version control, caches, environments, image layouts and the build's own inputs are left out by default."""
    out = {
        ".git/HEAD": "", "a/__pycache__/x.pyc": "", "x.pyc": "", ".venv/lib/x.py": "", "env/pyvenv.cfg": "",
        "env/lib/y.py": "", "dist/image/oci-layout": "{}", "dist/image/blobs/b": "", "web/node_modules/m/i.js": "",
        "events/a.json": "{}", "events/expected/a.json": "{}", "requirements.txt": "", "pyproject.toml": "",
        "uv.lock": "", "pylock.toml": "", ".dockerignore": "", "Dockerfile": "", "sub/.DS_Store": "",
    }  # fmt: skip
    kept = {"app.py": "", "sub/requirements.txt": "", "sub/events/a.json": "", "events/model.py": "", "dist/x.txt": ""}
    assert paths(write(out | kept)) == sorted(kept)


def test_dockerignore_adds_and_takes_back(write):
    """The folder's own patterns come after the defaults and overrule them."""
    ignore = "\ufeff# tests\r\ntests\r\n\r\n**/*.md\n!README.md\n!events\n!.venv/keep.txt\n"
    files = {
        ".dockerignore": ignore, "app.py": "", "tests/t.py": "", "a/x.md": "", "README.md": "",
        "events/e.json": "", ".venv/keep.txt": "", ".venv/other.txt": "",
    }  # fmt: skip
    assert paths(write(files)) == [".venv/keep.txt", "README.md", "app.py", "events/e.json"]


def test_what_the_caller_ignores_comes_last(write):
    """Outputs of the build that lie in the folder are no part of it, whatever .dockerignore takes back."""
    folder = write({".dockerignore": "!dist", "dist/i": "", "app.py": ""})
    found = read_files(folder, read_ignored(folder, ["dist"]))
    assert [file.path for file in found] == ["app.py"]


@pytest.mark.parametrize("content", [b"\xff", b"!\n"])
def test_a_broken_dockerignore_is_named(write, content: bytes):
    """A file that is no text, or holds what is no pattern, stops the build and is named."""
    folder = write({".dockerignore": content, "app.py": ""})
    with pytest.raises(SourceError) as caught:
        paths(folder)
    assert str(folder / ".dockerignore") in str(caught.value)
    assert caught.value.hint


def test_links_within_the_folder_are_followed(write):
    """A link to a file or folder of the function is part of it; one that leads back to itself adds nothing."""
    folder = write({"lib/m.py": "xyz"})
    (folder / "m.py").symlink_to("lib/m.py")
    (folder / "absolute.py").symlink_to(folder / "lib" / "m.py")
    (folder / "again").symlink_to("lib")
    (folder / "lib" / "self").symlink_to("..")
    assert paths(folder) == ["absolute.py", "again/m.py", "lib/m.py", "m.py"]


def test_a_link_out_of_the_folder_is_refused(write, tmp_path: Path):
    """What lies outside is never packed by way of a link: neither a file nor a folder."""
    outside = write({"secret": "", "d/f": ""}, "outside")
    folder = write({"app.py": ""})
    (folder / "out").symlink_to(outside / "secret")
    error = refused(folder)
    assert f"'out' is a link out of the folder, to {str(outside / 'secret')!r}" in str(error)
    assert "Copy the file into the folder" in error.hint
    (folder / "out").unlink()
    (folder / "out").symlink_to("../outside")
    assert "is a link out of the folder" in str(refused(folder))
    (folder / ".dockerignore").write_text("out\n!**/keep\n")
    assert paths(folder) == ["app.py"]


def test_a_folder_whose_name_begins_like_the_function_is_outside(write):
    """`function-2` is not in `function`: paths are compared by parts."""
    write({"x": ""}, "function-2")
    folder = write({"app.py": ""})
    (folder / "x").symlink_to("../function-2/x")
    assert "link out of the folder" in str(refused(folder))


def test_dead_and_circular_links_are_refused(write):
    """A link that leads nowhere is named with its target, unless it is ignored."""
    folder = write({"app.py": ""})
    (folder / "dead").symlink_to("nowhere")
    assert "'dead' is a link to 'nowhere', which is not there" in str(refused(folder))
    (folder / "dead").unlink()
    (folder / "loop").symlink_to("loop")
    assert "'loop' is a link to 'loop'" in str(refused(folder))
    (folder / ".dockerignore").write_text("loop")
    assert paths(folder) == ["app.py"]


def test_links_that_multiply_are_bounded(write, monkeypatch: pytest.MonkeyPatch):
    """Links without a circle can still double at every step; the walk ends with a message, not with the memory."""
    monkeypatch.setattr(project, "MAX_FILES", 200)
    folder = write({f"d{depth}/x": "" for depth in range(30)})
    for depth in range(29):
        for name in "ab":
            (folder / f"d{depth}" / name).symlink_to(f"../d{depth + 1}")
    error = refused(folder)
    assert "holds more than 200 files and folders" in str(error)
    assert ".dockerignore" in error.hint


def test_many_files_are_read(write):
    """Thousands of files are no special case."""
    folder = write({f"d{index % 50}/f{index}": "" for index in range(3000)})
    assert len(paths(folder)) == 3000


def test_sockets_pipes_and_devices_are_passed_over(write):
    """Only regular files can be part of an image; opening a pipe would wait for ever."""
    folder = write({"app.py": ""})
    os.mkfifo(folder / "pipe")
    assert paths(folder) == ["app.py"]


@pytest.mark.parametrize("name", ["with space", "line\nbreak", "ünïcode", "n" * 200, "'quote\"", "-dash", "a:b", "[x]"])
def test_odd_names_are_kept(write, name: str):
    """Whatever a file system and UTF-8 allow is a file's name."""
    assert paths(write({name: "", f"{name}-dir/{name}": ""})) == sorted([name, f"{name}-dir/{name}"])


def test_names_that_an_image_cannot_hold_are_refused(write):
    """A name that is not UTF-8 or means "delete" in a layer stops the build, unless it is ignored."""
    folder = write({"app.py": ""})
    bad = Path(os.fsdecode(os.fsencode(folder) + b"/bad\xff"))
    bad.touch()
    assert r"the name 'bad\udcff' is not UTF-8" in str(refused(folder))
    (folder / ".dockerignore").write_text("bad?")
    assert paths(folder) == ["app.py"]
    (folder / "sub").mkdir()
    (folder / "sub" / ".wh.app.py").touch()
    assert "'sub/.wh.app.py' begins with '.wh.'" in str(refused(folder))


def test_a_folder_whose_own_path_is_not_utf8_is_refused(tmp_path: Path):
    """The plan names files by their place here, and a plan is JSON."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff"))
    folder.mkdir()
    with pytest.raises(SourceError, match="is not UTF-8"):
        check_folder(folder)


def test_an_unreadable_folder_is_named(as_nobody):
    """A folder that this user may not list stops the build, unless it is ignored."""
    folder = as_nobody({"app.py": "", "closed/x": ""}, "closed")
    error = refused(folder)
    assert "closed' cannot be read: Permission denied" in str(error)
    assert ".dockerignore" in error.hint
    assert [file.path for file in read_files(folder, read_ignored(folder, ["closed"]))] == ["app.py"]


def test_the_folder_may_be_named_in_any_way(write, monkeypatch: pytest.MonkeyPatch):
    """Relative, `.`, with a slash at the end, through a link: the same files."""
    folder = write({"app.py": "", "a/b": ""})
    (folder.parent / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    for name in (".", "./", str(folder) + "/", "../function", "../link", str(folder.parent / "link")):
        check_folder(Path(name))
        assert paths(Path(name)) == ["a/b", "app.py"]
        assert name_of(Path(name), {}) == "function"


EVENTS = {
    "events/b.json": '{"n": 1}',
    "events/a.json": "[1]",
    "events/expected/a.json": '"answer"',
    "events/notes.txt": "",
    "more/c.json": "null",
    "odd[1].json": "1",
}


def test_sample_events_are_those_in_events(write):
    """By default every JSON file in events/ is one, by name, with the answer beside it where there is one."""
    found = read_events(write(EVENTS), ())
    assert [(event.name, event.body, event.expected) for event in found] == [
        ("a", b"[1]", b'"answer"'),
        ("b", b'{"n": 1}', None),
    ]
    assert read_events(write({"app.py": ""}, "none"), ()) == []


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (["more/c.json"], ["c"]),
        (["*/*.json"], ["a", "b", "c"]),
        (["events/b.json", "events/*.json"], ["b", "a"]),
        (["odd[1].json"], ["odd[1]"]),
        (["../function/more/c.json"], ["c"]),
    ],
)
def test_events_may_be_named(write, asked: list[str], names: list[str]):
    """Files and patterns, in the order asked for, each once; a file's own name wins over its reading as a pattern."""
    assert [event.name for event in read_events(write(EVENTS), asked)] == names


def test_events_may_be_named_by_absolute_path(write, tmp_path: Path):
    """An absolute path is taken as it is."""
    assert read_events(tmp_path, [str(write(EVENTS) / "more" / "c.json")])[0].body == b"null"


@pytest.mark.parametrize("asked", ["nope.json", "nope/*.json", "", "a**b", "/nope/*.json", "events"])
def test_a_pattern_that_matches_nothing_is_refused(write, asked: str):
    """An event that was asked for and is not there is an error, whatever the text."""
    with pytest.raises(SourceError) as caught:
        read_events(write(EVENTS), [asked])
    assert f"reading sample events: nothing matches {asked!r} in " in str(caught.value)
    assert caught.value.hint == "Name files relative to the function's folder."


@pytest.mark.parametrize(
    "body", [b"{", b"", b"\xff", b'\xef\xbb\xbf{"bom": 1}', '{"a": 1}'.encode("utf-16"), b"[" * 100_000]
)
def test_an_event_must_be_json_in_utf8(write, body: bytes):
    """What Lambda would not deliver as an event is found before anything is built."""
    with pytest.raises(SourceError, match=r"reading sample events: .*/events/e\.json is not JSON in UTF-8: ") as caught:
        read_events(write({"events/e.json": body}), ())
    assert caught.value.hint


def test_an_expected_answer_must_be_json_too(write):
    """A broken expectation is the file's fault, not the function's."""
    with pytest.raises(SourceError, match=r"expected/e\.json is not JSON"):
        read_events(write({"events/e.json": "1", "events/expected/e.json": "{"}), ())


def test_an_event_may_be_as_large_as_lambdas_and_no_larger(write):
    """The platform's limit for a payload is the limit for a sample event, to the byte."""
    largest = json.dumps("x" * (MAX_EVENT_BYTES - 2))
    assert len(read_events(write({"events/e.json": largest}), ())[0].body) == MAX_EVENT_BYTES
    with pytest.raises(SourceError, match="larger than Lambda's 6291556 bytes"):
        read_events(write({"events/e.json": largest + " "}), ())


@pytest.mark.parametrize(
    ("project_name", "folder", "name"),
    [
        ("My_Function.v2", "x", "my-function-v2"),
        (None, "My Function", "my-function"),
        (None, "---", "function"),
        ("größe", "x", "gr-e"),
        (3, "folder", "folder"),
        ("x" * 500, "f", "x" * MAX_NAME_CHARS),
    ],
)
def test_the_name_is_the_projects_or_the_folders(tmp_path: Path, project_name: object, folder: str, name: str):
    """Without a tag the image is called as the project, in the characters registries accept."""
    table = {"project": {"name": project_name}} if project_name is not None else {}
    assert name_of(tmp_path / folder, table) == name


@given(st.text(max_size=300))
def test_every_name_is_a_valid_reference(text: str):
    """Whatever the project is called, its image's name is one that registries take."""
    name = name_of(Path("/x"), {"project": {"name": text}})
    assert parse_reference(name) == (name, "latest")


def test_an_expected_answer_that_no_event_finds_is_told(write):
    """One beside `events/` in place of in it, and one whose name is misspelt; a folder of another use is not."""
    files = {"events/a.json": "1", "events/b.json": "2", "events/expected/b.json": "2", "events/expected/B.json": "2",
             "expected/a.json": "1", "expected/b.json": "1", "expected/profit.json": "0"}  # fmt: skip
    assert unread_answers(write(files)) == [
        "expected/a.json is not read: the expected answer to events/a.json would be events/expected/a.json",
        "events/expected/B.json is not read: there is no events/B.json",
    ]
    assert unread_answers(write({"app.py": ""}, "none")) == []


def test_a_cache_of_ours_in_the_folder_is_no_part_of_it(write):
    """As CI keeps it, which saves only what is in the project; a cache of others may be what the function needs."""
    folder = write({"app.py": "", "models/CACHEDIR.TAG": "of others", "models/m": ""})
    cache = Cache(folder / ".cache/firkin", print)
    cache.write_record("kind", "key", {"a": 1})
    assert paths(folder) == ["app.py", "models/CACHEDIR.TAG", "models/m"]
