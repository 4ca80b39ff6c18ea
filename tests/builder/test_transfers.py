"""Blobs on their way are shown without noise: lines where nobody watches, bars where somebody does."""

import sys
import time

import pytest

from builder.console import Console
from builder.oci import Descriptor, Digest
from builder.oci.distribution import State, Transfer

BLOB = Descriptor("", Digest("a" * 64), 2_000_000)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((State.MOVING, State.MOVING, State.DONE), "push aaaaaaaaaaaa: 2.00 MB\n"),
        ((State.MOUNTED,), "push aaaaaaaaaaaa: 2.00 MB, mounted from another repository\n"),
        ((State.PRESENT,), ""),
    ],
)
def test_a_line_tells_of_a_blob_that_is_done(capsys, states, expected):
    with Console().transfers("push") as show:
        for state in states:
            show(Transfer(BLOB, state, BLOB.size))
    assert capsys.readouterr() == ("", expected)


def test_quiet_tells_nothing(capsys):
    with Console(quiet=True).transfers("push") as show:
        show(Transfer(BLOB, State.DONE, BLOB.size))
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_there_are_bars(capsys, monkeypatch):
    """A blob that moves has a bar; one that was there has none."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    present = Descriptor("", Digest("b" * 64), 1)
    with Console().transfers("fetch") as show:
        show(Transfer(BLOB, State.MOVING, 1_000_000))
        show(Transfer(present, State.PRESENT, 1))
        show(Transfer(BLOB, State.DONE, BLOB.size))
    out, err = capsys.readouterr()
    assert out == ""
    assert "fetch aaaaaaaaaaaa" in err
    assert "bbbb" not in err


def test_bars_have_the_terminal_to_themselves(capsys, monkeypatch):
    """The spinner of the step stands still while bars move, and goes on after them."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    console = Console()
    with console.step("pushing-it"):
        with console.transfers("push") as show:
            capsys.readouterr()
            show(Transfer(BLOB, State.MOVING, 1))
            time.sleep(0.3)  # a spinner turns ten times a second
            during = capsys.readouterr().err
        assert "push aaaaaaaaaaaa" in during
        assert "pushing-it" not in during
        time.sleep(0.2)
        assert "pushing-it" in capsys.readouterr().err
