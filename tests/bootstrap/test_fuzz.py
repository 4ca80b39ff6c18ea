"""The reader under fire, a bounded form: `scripts/fuzz` goes on for as long as one likes."""

from __future__ import annotations

import contextlib
import random
import socket
import threading

import pytest

from bench import fuzz
from bootstrap.connection import Connection
from bootstrap.errors import PlatformError


@pytest.mark.parametrize("seed", range(4))
def test_garbage_in_pieces_is_one_kind_of_error(seed) -> None:
    """Any bytes in any pieces: one error, the same response as in one piece, nothing kept that was not sent."""
    fuzz.run(5000, seed)


def send_and_close(peer: socket.socket, pieces: list[bytes]) -> None:
    with peer:
        for piece in pieces:
            try:
                peer.sendall(piece)
            except OSError:
                return


@pytest.mark.parametrize("seed", range(3))
def test_the_connection_survives_any_peer(seed) -> None:
    """A peer that sends garbage and goes is answered with a response or an error of the platform's; nobody hangs."""
    chance = random.Random(seed)
    for _ in range(300):
        message = fuzz.mutate(chance) + bytes(chance.choice([0, 0, 100_000]))
        cut = chance.randint(0, len(message))
        ours, theirs = socket.socketpair()
        connection = Connection("127.0.0.1", 1)
        connection._socket = ours
        thread = threading.Thread(target=send_and_close, args=(theirs, [message[:cut], message[cut:]]))
        thread.start()
        with ours, contextlib.suppress(PlatformError):
            assert connection.receive().status in range(200, 600)
        connection.close()
        thread.join(20)
        assert not thread.is_alive()
