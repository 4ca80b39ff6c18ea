"""Logs on a terminal: every line of a record is on a line of its own."""

from hypothesis import given
from hypothesis import strategies as st

from emulator.terminal import Readable


def test_a_record_is_readable():
    """Carriage returns become line ends, CR LF stays one."""
    assert Readable().feed(b"[ERROR] x\rTraceback\r  File\nnext\r\n") == b"[ERROR] x\nTraceback\n  File\nnext\n"


@given(st.lists(st.text("ab\r\n").map(str.encode)))
def test_any_split_shows_the_same(pieces):
    """How the log is cut into pieces does not matter."""
    readable = Readable()
    shown = b"".join(readable.feed(piece) for piece in [*pieces, b"."])
    assert shown == Readable().feed(b"".join(pieces) + b".")
    assert b"\r" not in shown
