"""Everything but the result goes to stderr, and nothing of it to stdout, whatever stderr is."""

import sys

import pytest

from builder.console import Console, megabytes, plain_table, seconds


@pytest.mark.parametrize(
    ("quiet", "verbose", "expected"),
    [
        (False, False, "said\nwarning: w\nhead\nrow \n"),
        (False, True, "said\n  detail\nwarning: w\nhead\nrow \n"),
        (True, False, "warning: w\n"),
    ],
)
def test_quiet_keeps_warnings_and_verbose_adds_details(capsys, quiet, verbose, expected):
    console = Console(quiet=quiet, verbose=verbose)
    console.say("said")
    console.detail("detail")
    console.warn("w")
    console.warn("w")
    console.table("t", ["head"], [["row"]])
    out, err = capsys.readouterr()
    assert (out, [line.rstrip() for line in err.splitlines()]) == (
        "",
        [line.rstrip() for line in expected.splitlines()],
    )


def test_a_closed_stderr_is_no_reason_to_use_stdout(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    console = Console(verbose=True)
    with console.step("x"):
        console.say("said")
    console.warn("w")
    console.table("t", ["head"], [["row"]])
    assert capsys.readouterr().out == ""


def test_the_event_at_work_is_shown_beside_the_spinner(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    console = Console()
    with console.step("prove"):
        console.at_event(2, 3)
        assert console._status.status == "prove: event 2 of 3 …"


def test_without_a_terminal_the_event_at_work_is_a_detail(capsys):
    Console().at_event(1, 3)
    Console(verbose=True).at_event(2, 3)
    assert capsys.readouterr().err == "  event 2 of 3\n"


def test_steps_are_timed_in_their_order():
    console = Console(quiet=True)
    for name in ("read", "plan"):
        with console.step(name):
            pass
    assert [name for name, _ in console.timings] == ["read", "plan"]
    assert all(spent >= 0 for _, spent in console.timings)


def test_a_plain_table_is_aligned():
    assert plain_table(["layer", "files"], [["a", "1"], ["function", "1000"]]) == [
        "layer     files",
        "a             1",
        "function   1000",
    ]


@pytest.mark.parametrize(("size", "text"), [(0, "0.00 MB"), (5_000, "0.01 MB"), (15_780_000, "15.78 MB")])
def test_sizes_are_in_decimal_megabytes(size, text):
    assert megabytes(size) == text


def test_durations_are_in_seconds():
    assert seconds(1.234) == "1.23 s"


def test_on_a_terminal_tables_are_drawn(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    console = Console()
    with console.step("assemble"):
        console.say("said")
    console.table("layers", ["layer", "files"], [["function", "2"]])
    out, err = capsys.readouterr()
    assert out == ""
    assert "said" in err
    assert "layers" in err
    assert "function" in err


def test_in_github_actions_steps_are_groups_and_warnings_annotations(capsys):
    """A step that says nothing is no group; line breaks and percent signs in a message do not end the command."""
    console = Console(github=True)
    with console.step("read"):
        pass
    with console.step("assemble"):
        console.say("said")
        console.warn("50% of\nit")
    console.say("after")
    assert capsys.readouterr().err.splitlines() == [
        "::group::assemble",
        "said",
        "::warning title=build-image::50%25 of%0Ait",
        "::endgroup::",
        "after",
    ]


def test_a_group_ends_when_its_step_fails(capsys):
    """What follows is not folded into it."""
    console = Console(github=True)

    def fail():
        with console.step("assemble"):
            console.say("said")
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert capsys.readouterr().err.splitlines()[-1] == "::endgroup::"
