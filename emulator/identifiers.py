"""Names that nobody else has given: request ids and trace ids, of random digits.

The digits are taken from the system in advance: asking it for each id costs more than everything else about one. They
name things and guard nothing.
"""

from __future__ import annotations

import os
import time

_TAKEN = 128  # ids at a time
_ID_BYTES = 20  # the longer kind's
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4))  # RFC 9562 4.1


class Identifiers:
    """A source of them. One for each process: two that share digits would give the same."""

    def __init__(self) -> None:
        self._ready: list[str] = []  # hexadecimal digits

    def request_id(self) -> str:
        """A random UUID (RFC 9562 5.4), in the form the platform gives its requests."""
        d = self._ready.pop() if self._ready else self._take()
        return f"{d[:8]}-{d[8:12]}-4{d[13:16]}-{_VARIANT[d[16]]}{d[17:20]}-{d[20:32]}"

    def trace_id(self) -> str:
        """An X-Ray trace header of the documented shape, not sampled.

        Version, epoch seconds in hex and 96 random bits; the parent's 64.
        """
        d = self._ready.pop() if self._ready else self._take()
        return f"Root=1-{int(time.time()):08x}-{d[:24]};Parent={d[24:]};Sampled=0"

    def _take(self) -> str:
        digits = os.urandom(_TAKEN * _ID_BYTES).hex()
        width = 2 * _ID_BYTES
        self._ready = [digits[at : at + width] for at in range(0, len(digits), width)]
        return self._ready.pop()
