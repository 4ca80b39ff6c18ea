"""Logs on a terminal: every line of a record is on a line of its own."""

import http.client
import os
import pty
import signal
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from emulator.terminal import Readable
from tests.emulator.conftest import PACKAGE, RUNTIMES
from tests.ready import ready_port


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


def test_only_a_terminal_gets_it_so(tmp_path):
    """Stdout is a terminal here and stderr a pipe: the same words to both are shown and passed on."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-S", str(RUNTIMES / "joins_lines.py")]
    process = subprocess.Popen(
        [sys.executable, "-S", str(PACKAGE / "__main__.py"), "--port", "0", "--", *command],
        cwd=tmp_path, stdout=theirs, stderr=subprocess.PIPE, env={"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    os.close(theirs)
    connection = http.client.HTTPConnection("127.0.0.1", ready_port(process))
    connection.request("POST", "/2015-03-31/functions/function/invocations", b"1")
    assert connection.getresponse().read() == b"1"
    connection.close()
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=20)
    shown = os.read(ours, 65536)
    os.close(ours)
    assert b"one\r\ntwo\r\n" in shown  # the terminal's own line ends
    assert b"one\rtwo\n" in error
