"""The Plan: layers, bytecode, and what decides that a layer is the same."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.trimmed import short_name as named_in_message
from builder.plan import (
    SCRIPT,
    How,
    Plan,
    PlannedFile,
    PlannedLayer,
    bytecode_of,
    image_environment,
    make_layer,
    script_bytecode,
    short_name,
    without,
)

FILE = PlannedFile("a/m.py", "/src/m.py", "why", size=3, stamp="1")


def test_a_layer_is_sorted_and_holds_each_path_once():
    """Files come by path; of two with one path the later stands."""
    later = replace(FILE, why="later")
    layer = make_layer(
        "l", [PlannedFile("b", "", ""), FILE, later], python="python3.11", compiled=False, dropped={"x": "y"}
    )
    assert [file.path for file in layer.files] == ["a/m.py", "b"]
    assert layer.files[0] is later
    assert layer.dropped == {"x": "y"}


@pytest.mark.parametrize(
    ("path", "bytecode"),
    [
        ("a/m.py", "a/__pycache__/m.cpython-311.pyc"),
        ("m.py", "__pycache__/m.cpython-311.pyc"),
        ("a/b.c.py", "a/__pycache__/b.c.cpython-311.pyc"),
    ],
)
def test_bytecode_stands_where_import_looks(path: str, bytecode: str):
    """The compiled form lies beside the source, named with the interpreter's tag."""
    made = bytecode_of(replace(FILE, path=path, mode=0o755), "python3.11")
    assert (made.path.removeprefix("/"), made.how, made.mode, made.source) == (
        bytecode,
        How.BYTECODE,
        0o644,
        "/src/m.py",
    )


def test_only_copied_modules_are_compiled():
    """Data, links and content get no bytecode, and bytecode that is there already is not replaced."""
    there = PlannedFile("a/__pycache__/m.cpython-311.pyc", "/src/m.pyc", "there")
    files = [FILE, there, PlannedFile("x.txt", "", ""), PlannedFile("l.py", "m.py", "", How.LINK)]
    files.append(PlannedFile("c.py", "", "", How.CONTENT, content=b""))
    layer = make_layer("l", files, python="python3.11", compiled=True)
    assert [file.path for file in layer.files if file.path.endswith(".pyc")] == [there.path]
    assert there in layer.files


def test_files_of_lower_layers_are_not_repeated():
    """What a layer below holds is left out of those above."""
    below = PlannedLayer("l", (FILE,))
    other = PlannedFile("b", "", "")
    assert list(without([FILE, other], [below])) == [other]


CHANGES = {
    "path": "b", "source": "/other", "how": How.LINK, "mode": 0o755, "size": 4, "stamp": "2", "content": b"x",
}  # fmt: skip


def test_the_identity_holds_everything_but_the_reason():
    """Each field that decides bytes changes the identity; why a file is there does not."""
    assert set(CHANGES) | {"why", "via"} == {field.name for field in fields(PlannedFile)}
    for name, value in CHANGES.items():
        assert replace(FILE, **{name: value}).identity() != FILE.identity(), name
    assert replace(FILE, why="other").identity() == FILE.identity()


NAMES = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=5)
FILES = st.lists(st.builds(PlannedFile, path=NAMES, source=NAMES, why=st.just(""), content=st.binary(max_size=3)))


@given(FILES, FILES)
def test_identities_in_a_row_are_unambiguous(first: list[PlannedFile], second: list[PlannedFile]):
    """Two lists of files have the same joined identities only when they are the same: newlines in names fool nobody."""
    joined = ["".join(file.identity() for file in files) for files in (first, second)]
    assert (joined[0] == joined[1]) == (first == second)


def test_an_image_starts_the_runtime_with_the_handler():
    """ENTRYPOINT, CMD, working folder and environment are those of AWS's images, with this interpreter."""
    plan = Plan((), "amd64", "python3.12", "app.handler", image_environment())
    assert plan.entrypoint == ("/var/lang/bin/python3.12", "-S", "/var/runtime/bootstrap/__main__.py")
    compiled = replace(plan, script=script_bytecode(PlannedFile(SCRIPT, "/src/__main__.py", "x")).path)
    assert compiled.entrypoint == (*plan.entrypoint[:2], "/var/runtime/bootstrap/__main__.pyc")
    assert plan.command == ("app.handler",)
    assert plan.working_folder == "/var/task" == plan.environment["LAMBDA_TASK_ROOT"]
    assert plan.environment["LAMBDA_RUNTIME_DIR"] == "/var/runtime"
    assert "/var/lang/bin" in plan.environment["PATH"].split(":")


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("opt/python/a/b.py", "a/b.py"),
        ("var/task/app.py", "app.py"),
        ("var/lang/lib/python3.11/json/decoder.py", "json/decoder.py"),
        ("var/lang/lib64/python3.9/lib-dynload/_x.so", "lib-dynload/_x.so"),
        ("var/lang/lib/libpython3.11.so.1.0", "var/lang/lib/libpython3.11.so.1.0"),
        ("lib/libm.so.6", "lib/libm.so.6"),
        ("opt/pythonic", "opt/pythonic"),
    ],
)
def test_what_keep_may_call_a_file_is_what_its_message_calls_it(path: str, short: str):
    """The runtime's message names a pattern; it has the rule a second time, as it imports nothing of the builder."""
    assert short_name(path) == short
    if "libpython" not in path:  # nobody is told to keep it
        assert named_in_message(path) == short
