"""Ports for programs that have to be told one before they listen.

Not one of the kernel's own choice: what was free a moment ago it may give to any other socket of this machine, before
the program comes to it.
"""

import contextlib
import itertools
import random
import socket

_FIRST, _COUNT = 10_000, 22_000  # Linux hands out 32768 to 60999
_numbers = itertools.count(random.SystemRandom().randrange(_COUNT))


def free_port() -> int:
    """A port of 127.0.0.1 at which nothing listens; another one each time."""
    for number in _numbers:
        port = _FIRST + number % _COUNT
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError
