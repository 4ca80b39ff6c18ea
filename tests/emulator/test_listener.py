"""The listening port: which addresses of a host's are taken."""

import asyncio
import socket

import pytest

from emulator.errors import ListenError
from emulator.listener import Listener

HERE = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
ELSEWHERE = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 0))  # an address of documentation


def bind(monkeypatch: pytest.MonkeyPatch, *found: object) -> tuple[str, int]:
    """Bind to a host that has these addresses; a resolver is asked that this machine does not have."""

    async def work() -> tuple[str, int]:
        async def getaddrinfo(*_: object, **__: object) -> list[object]:
            return list(found)

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        listener = Listener(loop, lambda _socket, _address: None)
        try:
            return await listener.bind("localhost", 0)
        finally:
            listener.close()

    return asyncio.run(work())


@pytest.mark.parametrize("found", [(HERE, ELSEWHERE), (ELSEWHERE, HERE)])
def test_an_address_that_the_machine_does_not_have_is_passed_over(monkeypatch, found):
    """`localhost` is ::1 as well in the hosts file of containers that have no IPv6."""
    host, port = bind(monkeypatch, *found)
    assert host == "127.0.0.1"
    assert port > 0


def test_a_host_that_is_nowhere_on_this_machine_is_an_error(monkeypatch):
    """And says what was asked for, and what to choose instead."""
    with pytest.raises(ListenError, match=r"listening on 'localhost' port 0: .*choose a free port"):
        bind(monkeypatch, ELSEWHERE)
