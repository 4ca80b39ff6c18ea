"""A log for people: runtimes join the lines of one record by carriage returns, and a terminal overwrites each.

Pure; whether there is a terminal is for the caller to know, and everything else gets the bytes as they are.
"""

from __future__ import annotations


class Readable:
    """Log bytes in pieces, with every carriage return that begins no CR LF made a line end."""

    def __init__(self) -> None:
        self._ended_in_cr = False

    def feed(self, data: bytes) -> bytes:
        """The next piece as it is to be shown; a CR at its very end waits for what follows."""
        if self._ended_in_cr:
            data = b"\r" + data
        self._ended_in_cr = data.endswith(b"\r")
        if self._ended_in_cr:
            data = data[:-1]
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
