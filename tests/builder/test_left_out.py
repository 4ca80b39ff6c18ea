"""The list of what was left out: short, exact, and the same text for the builder and the runtime."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.trimmed import Trimmed
from builder.left_out import PATH, parse_left_out, render_left_out, with_left_out
from builder.plan import How, Plan, PlannedFile, PlannedLayer

TESTS, UNUSED = "the package's own tests", "nothing imports it"


@pytest.mark.parametrize(
    ("kept", "dropped", "text"),
    [
        (["a/b.py"], {"a/c.py": UNUSED}, f": c\n={UNUSED}\na/c.py\n"),
        (["a/b.py"], {"a/t/x.py": TESTS, "a/t/u/y.py": TESTS}, f": t u x y\n={TESTS}\na/t/\n"),
        (["a/b.py"], {"a/t/__init__.py": TESTS, "a/t/u/y.py": TESTS}, f": t y\n={TESTS}\na/t/\n"),
        (
            ["a/b.py"],
            {"a/d-1/x.txt": TESTS, "a/e.abi3.so": TESTS, "a/1.py": TESTS},
            f": e\n={TESTS}\na/1.py\na/d-1/\na/e.abi3.so\n",
        ),
        (["a/t/z.py"], {"a/t/x.py": TESTS, "a/t/u/y.py": TESTS}, f": u x y\n={TESTS}\na/t/u/\na/t/x.py\n"),
        (["b"], {"a/t/x.py": TESTS, "a/c.py": UNUSED}, f": a c t x\n={UNUSED}\na/c.py\n={TESTS}\na/t/\n"),
        ([], {"a\nb": "x\ny"}, ": \n=x?y\na?b\n"),
    ],
)
def test_a_folder_of_one_reason_stands_for_what_was_in_it(kept, dropped, text) -> None:
    """The highest folder with nothing kept and one reason is listed, else the file."""
    assert render_left_out(kept, dropped) == text


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@given(st.sets(names), st.dictionaries(names, st.sampled_from([TESTS, UNUSED])))
def test_the_runtime_finds_every_dropped_file_and_no_kept_one(kept, dropped) -> None:
    """What the builder writes is what the runtime reads: each dropped path with its own reason, no kept path."""
    folders = {path[:end] for path in (*kept, *dropped) for end, sign in enumerate(path) if sign == "/"}
    kept, dropped = kept - folders, {path: why for path, why in dropped.items() if path not in folders | kept}
    text = render_left_out(kept, dropped)
    trimmed = Trimmed(text, "/root")
    for path, why in dropped.items():
        entry = trimmed.find(f"/root/{path}")
        assert entry is not None
        assert f"({why})" in trimmed.sentence(entry)
        assert parse_left_out(text)[entry] == why
    assert not any(trimmed.find(f"/root/{path}") for path in kept)


modules = st.lists(st.sampled_from(["a", "b", "__init__"]), min_size=1, max_size=4).map(
    lambda parts: f"{'/'.join(parts)}.py"
)


@given(st.sets(modules), st.sets(modules))
def test_whatever_an_import_can_miss_is_named_in_the_first_line(kept, dropped) -> None:
    """The runtime looks no further for other names: dropped modules of folders that are there, dropped packages."""
    text = render_left_out(kept, dict.fromkeys(dropped - kept, UNUSED))
    names = set(text.partition("\n")[0].split()[1:])
    there = {"", *(path[:end] for path in kept for end, sign in enumerate(path) if sign == "/")}
    for path in dropped - kept:
        place = path.removesuffix("/__init__.py").removesuffix(".py")
        folder, _, last = place.rpartition("/")
        assert last in names or folder not in there or place in there or place == "__init__"


def test_it_is_a_file_of_the_image_when_something_was_left_out() -> None:
    """Nothing dropped, no file; else it lies beside the runtime, with its content in the plan."""
    file, last = PlannedFile("a/b.py", "/x/b.py", "y"), PlannedLayer("function", (PlannedFile("z", "/z", "y"),))
    plan = Plan((PlannedLayer("l", (file,)), last), "amd64", "python3.11", "app.handler", {})
    assert with_left_out(plan) == plan
    more = with_left_out(replace(plan, layers=(PlannedLayer("l", (file,), {"a/c.py": UNUSED}), last)))
    told, other = more.layers[1].files
    assert (told.path, told.how, told.content) == (PATH, How.CONTENT, f": c\n={UNUSED}\na/c.py\n".encode())
    assert other.path == "z"
    assert with_left_out(more) == more
