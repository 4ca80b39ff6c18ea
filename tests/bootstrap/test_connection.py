"""The one socket: kept alive, reopened once when the peer hung up between messages, never waiting for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from bootstrap.connection import Connection
from bootstrap.errors import ProtocolError, UnreachableError
from bootstrap.wire import render_request
from tests.bootstrap.recording_server import Event, RecordingServer, render

POST = render_request("POST", "/x/response", {"Host": "h"}, body=b"1")


def connect(server: RecordingServer) -> Connection:
    host, _, port = server.address.rpartition(":")
    return Connection(host.strip("[]"), int(port))


def exchange(connection: Connection, request: bytes = POST):
    connection.send(request)
    return connection.receive()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_one_connection_serves_all_messages(host) -> None:
    """IPv4 and IPv6 alike, every message goes over the same connection."""
    with RecordingServer([], host=host) as server:
        connection = connect(server)
        assert [exchange(connection).status for _ in range(3)] == [202] * 3
        connection.close()
    assert [request.connection for request in server.requests] == [0, 0, 0]


def test_a_host_name_is_looked_up() -> None:
    """A name is as good as an address; addresses that refuse are passed over."""
    with RecordingServer([]) as server:
        connection = Connection("localhost", int(server.address.rpartition(":")[2]))
        assert exchange(connection).status == 202
        connection.close()


def test_a_connection_closed_between_messages_is_replaced() -> None:
    """A peer that hangs up after each answer gets each message exactly once."""
    with RecordingServer([], hang_up_after_answers=True) as server:
        connection = connect(server)
        assert [exchange(connection).status for _ in range(3)] == [202] * 3
        connection.close()
    assert [request.connection for request in server.requests] == [0, 1, 2]


def test_an_announced_close_is_believed() -> None:
    """After `Connection: close`, and after bytes nobody asked for, the next message goes to a new connection."""
    closing = render(202, b"", {"Connection": "close"})
    for answer in (closing, render(202, b"") + b"surplus"):
        with RecordingServer([], answers={"response": answer}) as server:
            connection = connect(server)
            assert [exchange(connection).status for _ in range(2)] == [202] * 2
            connection.close()
        assert [request.connection for request in server.requests] == [0, 1]


class OneShotPeer:
    """Accepts `connections` times, reads a little, sends `answer`, closes; counts what it accepted."""

    def __init__(self, answer: bytes, connections: int) -> None:
        self.accepted = 0
        self._answer = answer
        self._connections = connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._listener:
            for _ in range(self._connections):
                connection, _ = self._listener.accept()
                with connection:
                    self.accepted += 1
                    connection.recv(65536)
                    connection.sendall(self._answer)

    def join(self) -> None:
        self._thread.join(20)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (b"", UnreachableError, "closed before the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", UnreachableError, "closed in the middle of the answer"),
        (b"SSH-2.0-x\r\n", ProtocolError, "SSH-2.0"),
    ],
)
def test_a_broken_answer_is_not_asked_for_again(answer, error, message) -> None:
    """On a fresh connection, or once bytes have come, nothing is repeated."""
    peer = OneShotPeer(answer, 1)
    with pytest.raises(error, match=message):
        exchange(Connection("127.0.0.1", peer.port))
    peer.join()
    assert peer.accepted == 1


def test_a_second_hang_up_is_the_end() -> None:
    """A reused connection that closes is replaced once; when the new one closes too, the platform is gone."""
    peer = OneShotPeer(b"", 1)
    connection = Connection("127.0.0.1", peer.port)
    connection._socket = connection._open()
    with pytest.raises(UnreachableError, match=r"refused|closed before"):
        exchange(connection)
    peer.join()


def test_silence_has_a_limit_except_for_the_next_event() -> None:
    """A peer that accepts and says nothing is given up; only a patient wait goes on past the limit."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        impatient = Connection("127.0.0.1", port, silence_limit_s=1)
        with pytest.raises(UnreachableError, match="silent for 1 s while answering"):
            exchange(impatient)
        patient = Connection("127.0.0.1", port, silence_limit_s=1)
        patient.send(POST)
        listener.accept()[0].close()
        peer, _ = listener.accept()
        threading.Timer(1.5, peer.sendall, [Event().render()]).start()
        assert patient.receive(patient=True).body == b"{}"
        patient.close()
        peer.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid", "a" * 300, "\udcff"])
def test_nobody_there_is_a_clear_error(host) -> None:
    """Refused, unknown or impossible: the message names the address and the variable to check."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnreachableError, match=f"port {port}: found .*Check AWS_LAMBDA_RUNTIME_API"):
        Connection(host, port).send(POST)


HEAD = render_request("POST", "/x/response", {"Host": "h", "Transfer-Encoding": "chunked"})


def test_an_answer_before_the_end_of_a_stream_is_heard_and_the_stream_not_repeated() -> None:
    """A peer that refuses in mid-stream and closes is understood; `send_more` says that it takes no more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def refuse() -> None:
            peer, _ = listener.accept()
            peer.recv(1000)
            peer.sendall(render(413, b"too large", {"Connection": "close"}))
            peer.shutdown(socket.SHUT_WR)
            taken = 0
            while taken < 1_000_000:
                taken += len(peer.recv(1 << 20))
            peer.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        connection = Connection("127.0.0.1", listener.getsockname()[1])
        connection.send(HEAD)
        sent = 0
        while connection.send_more(b"%x\r\n%b\r\n" % (1000, b"x" * 1000)):
            sent += 1
            assert sent < 1_000_000
        thread.join(20)
        with pytest.raises(UnreachableError) if _was_reset(connection) else contextlib.nullcontext():
            assert connection.receive().status == 413
        connection.close()


def _was_reset(connection: Connection) -> bool:
    """Whether the kernel has thrown the answer away: it does when a reset overtakes the reader."""
    try:
        return not connection._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return True


def test_a_stream_begun_on_a_connection_that_was_closed_meanwhile_goes_out_whole() -> None:
    """What has been written is written again, once and in order, on a new connection."""
    with RecordingServer([], hang_up_after_answers=True) as server:
        connection = connect(server)
        for _ in range(3):
            connection.send(HEAD)
            assert connection.send_more(b"3\r\none\r\n")
            time.sleep(0.05)  # lets the reset of the closed connection arrive; without it the last part finds out
            assert connection.send_more(b"3\r\ntwo\r\n")
            assert connection.send_more(b"0\r\n\r\n")
            assert connection.receive().status == 202
        connection.close()
    assert [request.chunks for request in server.requests] == [(b"one", b"two")] * 3


def test_nothing_goes_out_without_a_connection() -> None:
    """A stream that was never begun takes nothing."""
    assert not Connection("127.0.0.1", 1).send_more(b"x")


def test_an_answer_before_the_end_of_the_request_is_heard() -> None:
    """A peer that refuses a large message early and closes is understood, as 413 has to be."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            peer, _ = listener.accept()
            peer.recv(1000)
            peer.sendall(render(413, b"too large", {"Connection": "close"}))
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(1 << 20):
                pass
            peer.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        connection = Connection("127.0.0.1", listener.getsockname()[1])
        response = exchange(connection, render_request("POST", "/x", {}, body=b"x" * 20_000_000))
        thread.join(20)
    assert (response.status, response.body, response.keep_alive) == (413, b"too large", False)


@pytest.mark.parametrize("size", [0, 1, 65_536, 300_000, 7_000_000])
def test_bodies_of_every_size_arrive_whole_in_both_directions(size) -> None:
    """Joined to the head or beside it, received in pieces or in one wait: the bytes are the same."""
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    with RecordingServer([], answers={"response": render(200, body)}) as server:
        connection = connect(server)
        for _ in range(2):
            connection.send(render_request("POST", "/x/response", {"Content-Length": str(size)}), body)
            assert connection.receive().body == body
        connection.close()
    assert [(request.body, request.connection) for request in server.requests] == [(body, 0)] * 2


def test_a_large_answer_that_stops_is_not_waited_for() -> None:
    """A peer that announces much and sends less is given up after the limit, or when it closes."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection("127.0.0.1", listener.getsockname()[1], silence_limit_s=1)
        connection.send(POST)
        peer, _ = listener.accept()
        peer.sendall(head + b"x" * 500_000)
        with pytest.raises(UnreachableError, match="silent for 1 s while answering"):
            connection.receive()
        peer.close()
        connection.send(POST)
        peer, _ = listener.accept()
        peer.recv(65536)
        peer.sendall(head + b"x" * 500_000)
        peer.close()
        with pytest.raises(UnreachableError, match="closed in the middle of the answer"):
            connection.receive()


def test_an_answer_like_the_last_one_is_known_and_any_other_is_read() -> None:
    """Equal bytes give the remembered answer; one byte more, less or different is read as if nothing had been."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection("127.0.0.1", listener.getsockname()[1])
        connection.send(POST)
        peer, _ = listener.accept()
        answers = [render(202, b"{}"), render(202, b"{}"), render(202, b"[]"), render(413, b"{}"), render(202, b"{}")]
        found = []
        for answer in answers:
            peer.sendall(answer)
            found.append(connection.receive())
            connection.send(POST)
        assert [(f.status, f.body) for f in found] == [(202, b"{}")] * 2 + [(202, b"[]"), (413, b"{}"), (202, b"{}")]
        assert found[0] is found[1]
        peer.sendall(answers[0] + b"surplus")
        assert connection.receive().status == 202
        assert connection._socket is None
        peer.close()


def test_the_first_piece_of_an_answer_is_not_taken_for_a_known_one() -> None:
    """An answer in pieces is never remembered, so its first piece alone cannot stand for it."""
    whole = render(202, b"0123456789")
    with RecordingServer([], answers={"response": whole}, piece_bytes=len(whole) - 5) as server:
        connection = connect(server)
        assert [exchange(connection).body for _ in range(3)] == [b"0123456789"] * 3
        connection.close()
