"""What decides what is installed, besides the text itself: includes, wheels of this machine, requires-python."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from builder.errors import DependencyError
from builder.requirements import (
    MAX_FILES,
    check_python,
    has_unseen_includes,
    lines_of,
    local_state,
    python_fits,
    read_requirements,
    refuse_folders,
)


def test_lines_are_joined_and_comments_go():
    """Continued lines are one, comments and blanks are none, a `#` within a URL is no comment."""
    text = "# head\n\na==1 \\\n    --hash=sha256:x  # why\r\nb @ https://h/b.whl#sha256=1\n\t# tail\n"
    assert list(lines_of(text)) == ["a==1      --hash=sha256:x", "b @ https://h/b.whl#sha256=1"]


@pytest.mark.parametrize(
    "line",
    [
        "-r more.txt", "-r  more.txt  # why", "--requirement more.txt", "--requirement=more.txt", "-r=more.txt",
        "-c more.txt", "--constraint more.txt", "--constraints=more.txt", '-r "more.txt"', "-r ./x/../more.txt",
    ],
)  # fmt: skip
def test_includes_are_read(write, line: str):
    """Every form in which a requirements file names another is followed."""
    folder = write({"requirements.txt": line, "more.txt": "a==1", "x/y": ""})
    assert {file.name for file in read_requirements(folder / "requirements.txt")} == {"requirements.txt", "more.txt"}


def test_includes_are_relative_to_the_file_that_names_them(write):
    """A graph of includes, diamonds and circles among them, is read once per file."""
    folder = write({
        "requirements.txt": "-r sub/a.txt\n-r sub/b.txt", "sub/a.txt": "-r c.txt", "sub/b.txt": "-c c.txt\n-r a.txt",
        "sub/c.txt": "-r ../requirements.txt\nx==1",
    })  # fmt: skip
    found = read_requirements(folder / "requirements.txt")
    assert sorted(str(file.relative_to(folder.resolve())) for file in found) == [
        "requirements.txt", "sub/a.txt", "sub/b.txt", "sub/c.txt",
    ]  # fmt: skip


def test_a_missing_include_is_named(write):
    """A file that another names and that is not there is an error about that file."""
    folder = write({"requirements.txt": "-r nope.txt"})
    with pytest.raises(DependencyError, match=r"reading dependencies: there is no .*/nope\.txt") as caught:
        read_requirements(folder / "requirements.txt")
    assert caught.value.hint == "Another file names it: correct the name there."


def test_an_unreadable_requirements_file_is_named(write):
    """Bytes that are no text, and a folder in the place of a file, are errors about that file."""
    folder = write({"requirements.txt": b"\xff", "more/x": ""})
    with pytest.raises(DependencyError, match=r"requirements\.txt: 'utf-8' codec can't decode") as caught:
        read_requirements(folder / "requirements.txt")
    assert caught.value.hint == "The file must be readable UTF-8."
    with pytest.raises(DependencyError, match="Is a directory"):
        read_requirements(folder / "more")


def test_an_endless_chain_of_includes_is_bounded(write):
    """A graph too large to be meant is refused with a way out."""
    files = {f"r{index}.txt": f"-r r{index + 1}.txt" for index in range(MAX_FILES + 1)}
    with pytest.raises(DependencyError, match=r"r0\.txt includes more than 100 files") as caught:
        read_requirements(write(files) / "r0.txt")
    assert "uv pip compile" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "unseen"),
    [("-r https://h/r.txt", True), ("-c ${DIR}/c.txt", True), ("-r a.txt", False), ("a @ https://h/a.whl", False)],
)
def test_includes_that_only_uv_can_read_are_noticed(text: str, *, unseen: bool):
    """An include by URL or variable is uv's to read, and makes the text no key of what is installed."""
    assert has_unseen_includes(text) is unseen


@pytest.mark.parametrize(
    "line",
    [
        "-e .", "-e ./lib", "--editable ../lib", "--editable=lib", "./lib", "../lib[extra]", "/abs/lib", "file:///abs/lib",
        "lib @ file:///abs/lib", "lib[x] @ ../lib", "./lib-1.0.tar.gz",
    ],
)  # fmt: skip
def test_folders_of_this_machine_are_refused(line: str):
    """What would have to be built here, or would be only a link, is refused before uv runs, by its line."""
    with pytest.raises(DependencyError) as caught:
        refuse_folders("requirements.txt", f"idna==3.10\n{line}\n")
    assert str(caught.value) == (
        f"installing requirements.txt: {line!r} is a folder of this machine, and only wheels are installed"
    )
    assert "uv build --wheel" in caught.value.hint


@pytest.mark.parametrize(
    "line",
    [
        "idna", "idna==3.10 --hash=sha256:0", "idna[a,b]>=3; python_version < '4'", "a @ https://h/a-1-py3-none-any.whl",
        "a @ git+https://h/a", "./wheels/a-1-py3-none-any.whl", "a-1-py3-none-any.whl --hash=sha256:0", "-r more.txt",
        "a @ file:///w/a-1-py3-none-any.whl", "--index-url https://h/simple/", "--find-links ./wheels", "-f /w",
    ],
)  # fmt: skip
def test_wheels_and_indexes_are_not(line: str):
    """Wheels, wherever they are, and everything from an index are uv's business."""
    refuse_folders("requirements.txt", line)


@pytest.mark.parametrize(
    "line",
    ["./w/a.whl", "w/a.whl", "a @ ./w/a.whl", "a @ file:{}/w/a.whl", "file://{}/w/a.whl", "-f w", "--find-links=./w"],
)
def test_wheels_of_this_machine_belong_to_the_key(write, line: str):
    """A wheel that is named, or lies in a folder that is, counts with size and time: it may change."""
    folder = write({"requirements.txt": "", "w/a.whl": "1", "w/readme": ""})
    text = line.format(folder)
    before = local_state(folder / "requirements.txt", text)
    assert [Path(name).name for name in before] == ["a.whl"]
    (folder / "w" / "a.whl").write_text("22")
    assert local_state(folder / "requirements.txt", text) != before


def test_what_is_not_there_has_no_state(tmp_path: Path):
    """Wheels that are missing, remote or named by a variable are left to uv."""
    text = "./nope.whl\n-f https://h/wheels\n-f ${W}\na @ https://h/a.whl\nidna"
    assert local_state(tmp_path / "requirements.txt", text) == {}


def test_a_python_that_the_project_leaves_out_is_refused():
    """requires-python counts for every declaration: the error names it, the version and the flag."""
    with pytest.raises(DependencyError) as caught:
        check_python({"project": {"requires-python": ">=3.13"}}, "3.11.7")
    assert str(caught.value) == (
        "checking pyproject.toml: requires-python is '>=3.13', and Python 3.11.7 would be shipped"
    )
    assert "--python" in caught.value.hint
    for fine in ({}, {"project": 3}, {"project": {"requires-python": 3}}, {"project": {"requires-python": ">=3.9"}}):
        check_python(fine, "3.11.7")


NUMBERS = st.lists(st.sampled_from([0, 1, 3, 9, 11, 13]), min_size=1, max_size=3).map(lambda n: ".".join(map(str, n)))
CLAUSES = st.one_of(
    st.tuples(st.sampled_from(["==", "!=", ">=", "<=", ">", "<"]), NUMBERS).map("".join),
    st.tuples(st.sampled_from(["==", "!="]), NUMBERS.map(lambda n: n + ".*")).map("".join),
    NUMBERS.filter(lambda n: "." in n).map(lambda n: "~=" + n),
)


@given(
    st.lists(CLAUSES, min_size=1, max_size=3).map(", ".join),
    st.lists(st.sampled_from([0, 1, 3, 9, 11, 13]), min_size=3, max_size=3).map(lambda n: ".".join(map(str, n))),
)
def test_specifiers_mean_what_packaging_says(specifier: str, version: str):
    """The standard's own implementation gives the same answer for every specifier of final versions."""
    assert python_fits(specifier, version) is SpecifierSet(specifier).contains(version)


@given(st.text(max_size=100))
def test_any_text_is_read(text: str):
    """Garbage in a requirements file is uv's to refuse: here it is read, or named as a folder."""
    has_unseen_includes(text)
    try:
        refuse_folders("r", text)
    except DependencyError as error:
        assert error.hint  # noqa: PT017 - both outcomes are right, one has a hint
