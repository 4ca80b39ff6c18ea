"""Why something is in an image, or why not: chains, folders, names, and what is known without the build's reasons."""

import pytest

from builder.errors import SourceError
from builder.explain import Kept, Reasons, describe, explain, render

STDLIB = "var/lang/lib/python3.11"
KEPT = {
    "var/task/app.py": Kept("function", "the function's handler"),
    "opt/python/pkg/__init__.py": Kept("dependencies", "imported by", "var/task/app.py"),
    "opt/python/pkg/io.py": Kept("dependencies", "imported by", "opt/python/pkg/__init__.py"),
    "opt/python/pkg/data.csv": Kept("dependencies", "lies in the package of", "opt/python/pkg/__init__.py"),
    "opt/python/ring/a.py": Kept("dependencies", "imported by", "opt/python/ring/b.py"),
    "opt/python/ring/b.py": Kept("dependencies", "imported by", "opt/python/ring/a.py"),
    f"{STDLIB}/json/__init__.py": Kept("interpreter", "imported by", "opt/python/pkg/io.py"),
}
DROPPED = {
    f"{STDLIB}/asyncio/__init__.py": "nothing reaches it",
    f"{STDLIB}/asyncio/events.py": "nothing reaches it",
    "opt/python/pkg/tests/test_io.py": "the package's own tests",
    "opt/python/pkg/py.typed": "type stubs",
}
REASONS = Reasons(KEPT, DROPPED)
OWN = Reasons(
    {path: Kept(kept.layer, "") for path, kept in KEPT.items()},
    {f"{STDLIB}/asyncio/": "nothing reaches it", "opt/python/pkg/tests/": "the package's own tests"},
    whole=False,
)


@pytest.mark.parametrize("asked", ["pkg.io", "pkg/io.py", "/opt/python/pkg/io.py", "opt/python/pkg/io.py"])
def test_a_file_comes_with_the_chain_from_the_handler(asked: str) -> None:
    """By a module's name, a short path or a whole one: its layer, then each step back to the beginning."""
    assert render(explain(asked, REASONS)) == (
        "opt/python/pkg/io.py\n"
        "  in layer dependencies\n"
        "  imported by opt/python/pkg/__init__.py\n"
        "  imported by var/task/app.py\n"
        "  the function's handler\n"
    )


def test_a_module_that_comes_as_bytecode_alone_is_found_and_leads_on() -> None:
    """By its name, and as a step of a chain; where its source is, is told as well."""
    kept = {
        "opt/python/a.pyc": Kept("dependencies", "used by the sample events"),
        "opt/python/b.pyc": Kept("dependencies", "imported by", "opt/python/a.py"),
    }
    text = render(explain("b", Reasons(kept, {"opt/python/b.py": "its bytecode is there"})))
    assert "imported by opt/python/a.pyc\n  used by the sample events\n" in text
    assert "opt/python/b.py is not in the image\n  left out: its bytecode is there\n" in text


def test_modules_that_import_each_other_end_the_chain() -> None:
    """A circle is told once."""
    (answer,) = explain("ring.a", REASONS)
    assert len(answer.lines) == 3


@pytest.mark.parametrize(
    ("asked", "path", "why"),
    [
        ("asyncio.events", f"{STDLIB}/asyncio/events.py", "nothing reaches it"),
        ("pkg/py.typed", "opt/python/pkg/py.typed", "type stubs"),
    ],
)
def test_what_was_left_out_comes_with_the_rule_and_the_remedy(asked: str, path: str, why: str) -> None:
    """The line for keep names it as keep's patterns do."""
    (answer,) = explain(asked, REASONS)
    assert (answer.path, answer.present, answer.lines[0]) == (path, False, f"left out: {why}")
    assert answer.lines[1].startswith("to put it back, add '")
    assert render([answer]).startswith(f"{path} is not in the image\n")


@pytest.mark.parametrize(
    ("also", "advice"),
    [
        ([], "putting it back may not help: it needs '_tkinter', of which the image's Python has no file"),
        (["lib-dynload/_tkinter.cpython-311-x86_64-linux-gnu.so"], "to put it back, add 'tkinter' to keep in"),
    ],
)
def test_a_module_whose_compiled_part_this_python_lacks_is_not_advised_to_keep(also, advice: str) -> None:
    """Debian's Python without python3-tk has no more than a name to keep; a package is named whole."""
    dropped = {f"{STDLIB}/{path}": "needs a display" for path in ("tkinter/__init__.py", *also)}
    (answer,) = explain("tkinter", Reasons(KEPT, dropped))
    assert answer.lines[1].startswith(advice)


def test_a_folder_is_counted_by_reason() -> None:
    """What of it is there, and what is not, by which rule."""
    (answer,) = explain("pkg/tests", REASONS)
    assert answer.lines == ("0 files are in the image, 1 were left out", "left out, 1: the package's own tests")
    (answer,) = explain("/opt/python/pkg/", REASONS)
    assert answer.lines[0] == "3 files are in the image, 2 were left out"
    assert "left out, 1: type stubs" in answer.lines
    assert "in the image: opt/python/pkg/data.csv" in answer.lines
    (answer,) = explain("pkg/", REASONS)
    assert answer.path == "opt/python/pkg/", "a package's folder, and not its __init__"


def test_without_the_builds_reasons_the_image_tells_a_part() -> None:
    """The layer of what is there, the rule of what is not, and what to do to know the rest."""
    (answer,) = explain("pkg.io", OWN)
    assert answer.present
    assert answer.lines == (
        "in layer dependencies",
        "why, only the machine that built it knows: build it again here, and ask again",
    )
    for asked in ("asyncio.events", "asyncio", "pkg/tests/test_io.py"):
        (answer,) = explain(asked, OWN)
        assert not answer.present
        assert answer.lines[0].startswith("left out: ")


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("pkg.iox", "Did you mean pkg.io"),
        ("zzzzzz", "Give a module's name"),
        ("", "Give a module's name"),
        ("tkinter.ttk", "'tkinter' is of the standard library, and the image's Python has no file of it"),
        ("time", "'time' is of the standard library, and the image's Python has no file of it: it is built into"),
    ],
)
def test_a_name_that_is_nowhere_is_told_with_those_like_it(asked: str, hint: str) -> None:
    """Neither kept nor dropped: a mistake of whoever asks."""
    with pytest.raises(SourceError, match="neither holds it nor was it left out") as caught:
        explain(asked, REASONS)
    assert caught.value.hint.startswith(hint)


def test_json_has_the_same_answer() -> None:
    """An interface for programs."""
    assert describe(explain("pkg/py.typed", REASONS)) == {
        "answers": [
            {
                "path": "/opt/python/pkg/py.typed",
                "present": False,
                "reason": ["left out: type stubs", "to put it back, add 'pkg/py.typed' to keep in [tool.build-image]"],
            }
        ]
    }
