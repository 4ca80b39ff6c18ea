"""What goes wrong around and inside a function, each with a decided outcome: docs/reference/runtime.md has the table.

Two halves: a platform that breaks off, is slow or refuses; and handlers that do to their own process what they can.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bootstrap.connection import Connection
from bootstrap.errors import UnreachableError
from tests.bootstrap.recording_server import ACCEPTED, REQUEST_ID, Event, RecordingServer, render
from tests.bootstrap.runtime_process import UNREACHABLE, VERSIONS, require_python, run_runtime, write_function
from tests.bootstrap.test_termination import platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REFUSED = 77
REQUEST = b"POST /2018-06-01/runtime/invocation/i/response HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n" + b"x" * 9
ANSWERS = {"next": Event(b'{"a": 1}').render(), "accepted": render(202, ACCEPTED)}


@contextlib.contextmanager
def peer(*plans: tuple[int, bytes]) -> Iterator[int]:
    """A server with one plan per connection: read so many bytes of a request, write those, close at once.

    A connection that is not planned for reads all and answers well. Gives the port.
    """

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            serve_all(listener)

    def serve_all(listener: socket.socket) -> None:
        for wanted, answer in [*plans, (len(REQUEST), ANSWERS["accepted"])]:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(20)
                got = b""
                while len(got) < wanted and (data := connection.recv(wanted - len(got))):
                    got += data
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(20)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_breaks_off_at_any_byte_is_the_end(name) -> None:
    """Nothing is guessed and nothing asked again: whoever has begun to answer has acted."""
    answer = ANSWERS[name]
    for cut in range(len(answer)):
        with peer((len(REQUEST), answer[:cut])) as port:
            connection = Connection("127.0.0.1", port)
            connection.send(REQUEST)
            with pytest.raises(UnreachableError, match=r"closed (in the middle of|before) the answer"):
                connection.receive(patient=name == "next")
            connection.close()


def test_a_request_that_is_not_read_to_its_end_is_the_end_on_a_new_connection() -> None:
    """Wherever the peer stops to read."""
    for cut in range(len(REQUEST)):
        with peer((cut, b"")) as port:
            connection = Connection("127.0.0.1", port)
            connection.send(REQUEST)  # the kernel takes so little even from a peer that has gone
            with pytest.raises(UnreachableError):
                connection.receive()
            connection.close()


@contextlib.contextmanager
def kept(cut: int, repeated: bytes) -> Iterator[Connection]:
    """A connection on which REQUEST was answered; its peer hangs up after so many bytes of the next request.

    It serves the next connection, on which it has to read `repeated`.
    """

    def serve(listener: socket.socket) -> None:
        first, _ = listener.accept()
        with first:
            first.recv(len(REQUEST), socket.MSG_WAITALL)
            first.sendall(ANSWERS["accepted"])
            first.recv(cut, socket.MSG_WAITALL)
        second, _ = listener.accept()
        with second:
            assert second.recv(len(repeated), socket.MSG_WAITALL) == repeated
            second.sendall(ANSWERS["next"])

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(20)
        served = pool.submit(serve, listener)
        connection = Connection("127.0.0.1", listener.getsockname()[1])
        connection.send(REQUEST)
        assert connection.receive().status == 202
        yield connection
        connection.close()
        served.result(20)


def test_a_request_that_is_not_read_to_its_end_is_repeated_once_on_a_kept_connection() -> None:
    """There a peer may have hung up before it knew of the request: any cut, and the next connection serves it."""
    for cut in range(len(REQUEST) + 1):
        with kept(cut, REQUEST) as connection:
            connection.send(REQUEST)
            assert connection.receive().status == 200


STREAM = (b"POST /r HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\n\r\n")


def test_a_stream_that_is_not_read_to_its_end_is_repeated_once_on_a_kept_connection() -> None:
    """From its beginning, whatever part of it the peer has read before it hung up."""
    whole = b"".join(STREAM)
    for cut in range(len(whole) + 1):
        with kept(cut, whole) as connection:
            connection.send(STREAM[0])
            assert [connection.send_more(part) for part in STREAM[1:]] == [True] * 3
            assert connection.receive().status == 200


def test_a_stream_that_is_not_read_to_its_end_is_the_end_on_a_new_connection() -> None:
    """Nothing is said to have arrived of which the platform has not said so."""
    for cut in range(sum(map(len, STREAM))):
        with peer((cut, b"")) as port:
            connection = Connection("127.0.0.1", port)
            connection.send(STREAM[0])
            for part in STREAM[1:]:
                connection.send_more(part)
            with pytest.raises(UnreachableError):
                connection.receive()
            connection.close()


@pytest.mark.parametrize("cut", [0, 1, 60, 200])
@pytest.mark.parametrize("endpoint", ["next", "response", "error"])
def test_the_process_ends_with_one_line_when_the_platform_breaks_off(tmp_path, endpoint, cut) -> None:
    """Exit code 69, whichever call it was, and no traceback."""
    write_function(tmp_path, app="def handler(event, context): return 1 / event")
    event = Event(b"0" if endpoint == "error" else b"1")
    answer = event.render() if endpoint == "next" else render(202, ACCEPTED, {"X-Long": "x" * 200})
    server = RecordingServer([event], answers={endpoint: answer[:cut]}, hang_up_after_answers=True)
    outcome = run_runtime(tmp_path, server=server)
    assert (outcome.exit_code, outcome.stderr.count("\n")) == (UNREACHABLE, 1)
    assert "the answer. The platform is gone" in outcome.stderr


def test_a_platform_that_takes_its_time_is_waited_for(tmp_path) -> None:
    """Byte by byte, in both directions of every call."""
    write_function(tmp_path, app="def handler(event, context): return 1 / event")
    server = RecordingServer([Event(b"1"), Event(b"0")], piece_bytes=1)
    outcome = run_runtime(tmp_path, server=server)
    assert [answer.path.rpartition("/")[2] for answer in outcome.answers] == ["response", "error"]


SNAP = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
HOOK = "import sys, types\nm = types.ModuleType('snapshot_restore_py')\nsys.modules[m.__name__] = m\n"
FAILING = "lambda: [(lambda: 1 / 0, (), {})]"
NONE = "lambda: []"
# Endpoint → a function that makes the runtime call it; what else it is told.
ENDPOINTS = {
    "next": ("def handler(event, context): pass", {}),
    "response": ("def handler(event, context): pass", {}),
    "error": ("def handler(event, context): 1 / 0", {}),
    "init/error": ("1 / 0", {}),
    "restore": (HOOK + f"m.get_before_snapshot = {NONE}\nm.get_after_restore = {NONE}\ndef handler(e, c): pass", SNAP),
    "restore/error": (
        HOOK + f"m.get_before_snapshot = {NONE}\nm.get_after_restore = {FAILING}\ndef handler(e, c): pass",
        SNAP,
    ),
}


@pytest.mark.parametrize("status", [400, 403, 413, 500])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_refusal_ends_the_process_with_one_line(tmp_path, endpoint, status) -> None:
    """By any call: exit code 77 and the call's name. Only 413 has an answer: less, and then the loop goes on."""
    source, environment = ENDPOINTS[endpoint]
    write_function(tmp_path, app=source)
    refusals = {endpoint.rpartition("/")[2] if endpoint != "restore" else "restore": render(status, b'{"a":"no"}')}
    server = RecordingServer([Event(), Event()], answers=refusals)
    outcome = run_runtime(tmp_path, server=server, environment=environment)
    if (endpoint, status) == ("response", 413):
        assert outcome.exit_code == UNREACHABLE
        assert [answer.path.rpartition("/")[2] for answer in outcome.answers] == ["response", "error"] * 2
        return
    assert (outcome.exit_code, outcome.stderr.count("\n")) == (REFUSED, 1)
    assert f'found status {status} and \'{{"a":"no"}}\'' in outcome.stderr
    assert len(outcome.answers) == (2 if status == 413 and endpoint.endswith("error") else outcome.answers != [])


def test_an_error_that_is_too_large_is_posted_again_without_its_trace(tmp_path) -> None:
    """With the first 1,000 characters of its message. Who refuses that as well refuses everything: see above."""
    write_function(tmp_path, app="def handler(event, context): raise ValueError('x' * 5000)")
    server = RecordingServer([Event()], answers={"error": render(413, b"{}")})
    outcome = run_runtime(tmp_path, server=server)
    first, second = outcome.answers
    assert [len(json.loads(body)["errorMessage"]) for body in (first.body, second.body)] == [5000, 1000]
    assert json.loads(second.body)["stackTrace"] == []
    assert json.loads(second.body)["requestId"] == REQUEST_ID
    assert "lambda-runtime-function-xray-error-cause" not in second.headers


# Handlers: a name → (source of the handler's body, what each of two events is answered with).
# None as an answer stands for "no answer, the process has ended".
BEFORE = """
import builtins, contextlib, gc, io, json, locale, logging, os, resource, shutil, signal, sys, tempfile, threading, time
def leak():
    with contextlib.suppress(OSError):
        while True: os.dup(0)
class Odd:
    def write(self, text): raise ValueError("odd")
    flush = write
def deep(n): return deep(n + 1) + 1
def handler(event, context):
"""
OK = ["response", "response"]
FAILS = ["error", "error"]
HANDLERS = {
    "closes every descriptor but the log": ("os.closerange(3, 256); return 1", OK),
    "closes every descriptor": ("os.closerange(0, 256); return 1", OK),
    "closes every descriptor and fails": ("os.closerange(0, 256); raise ValueError", FAILS),
    "closes standard output and prints": ("os.close(1); print('x' * 9999); sys.stdout.flush()", FAILS),
    "opens a file in place of the socket": (
        "os.closerange(3, 256); f = [open(f'file{n}', 'w') for n in range(9)]; globals()['kept'] = f; return 1", OK),
    "closes what Python calls standard output": ("sys.stdout.close(); sys.stderr.close(); raise ValueError", FAILS),
    "changes directory": ("os.chdir('/'); import colorsys; return 1", OK),
    "deletes its directory": ("shutil.rmtree(os.path.dirname(__file__), ignore_errors=True); return 1", OK),
    "deletes its directory and fails": (
        "shutil.rmtree(os.path.dirname(__file__), ignore_errors=True); raise ValueError", FAILS),
    "replaces standard output": ("sys.stdout = sys.stderr = io.StringIO(); print('x'); raise ValueError", FAILS),
    "has no standard output": ("sys.stdout = sys.stderr = None; raise ValueError", FAILS),
    "has an odd standard output": ("sys.stdout = sys.stderr = Odd(); raise ValueError", FAILS),
    "logs to an odd standard output": ("sys.stdout = Odd(); logging.error('x'); return 1", OK),
    "forks and returns": ("pid = os.fork(); return pid and os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])", OK),
    "forks and fails": ("os.fork() or 1 / 0; os.wait(); return 1", OK),
    "starts threads": (
        "[threading.Thread(target=time.sleep, args=(n,), daemon=n > 1).start() for n in (.3, 99)]; return 1", OK),
    "raises GeneratorExit": ("raise GeneratorExit", FAILS),
    "raises StopIteration": ("raise StopIteration", FAILS),
    "raises a group": ("raise ExceptionGroup('x', [ValueError()])", FAILS),
    "raises KeyboardInterrupt": ("raise KeyboardInterrupt", ["error", None]),
    "recurses too deep": ("return deep(0)", FAILS),
    "returns what is too deep": ("a = []\n    for _ in range(200000): a = [a]\n    return a", FAILS),
    "is out of memory": ("raise MemoryError", FAILS),
    "fills its memory": (
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28)); x = []\n    while True: x.append(bytes(1 << 16))",
        FAILS),
    "is out of descriptors": (
        "resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32)); x = []\n    while True: x.append(open('/dev/null'))",
        FAILS),
    "ignores SIGTERM": ("signal.signal(signal.SIGTERM, signal.SIG_IGN); return 1", OK),
    "is ended by os._exit": ("os._exit(7)", [None]),
    "kills itself": ("os.kill(os.getpid(), 9)", [None]),
    "empties sys.modules": ("sys.modules.clear(); return 1", OK),
    "empties sys.modules and fails": ("sys.modules.clear(); raise ValueError", FAILS),
    "empties sys.modules and streams": ("sys.modules.clear(); return iter([b'x'])", OK),
    "empties sys.path and fails": ("sys.path.clear(); sys.path_importer_cache.clear(); raise ValueError", FAILS),
    "empties the environment": ("os.environ.clear(); return 1", OK),
    "sets a locale": ("locale.setlocale(locale.LC_ALL, 'C'); return 1.5", OK),
    "replaces json": ("json.dumps = json.loads = json.JSONEncoder = None; return {'a': [1]}", OK),
    "replaces json and fails": ("json.dumps = json.loads = json.JSONEncoder = None; raise ValueError", FAILS),
    "replaces open and fails": ("builtins.open = None; raise ValueError", FAILS),
    "replaces print and fails": ("builtins.print = None; raise ValueError", FAILS),
    "removes the garbage collector": ("gc.disable(); return 1", OK),
}  # fmt: skip


@pytest.mark.parametrize("name", HANDLERS)
def test_what_a_handler_does_to_its_process_has_a_decided_outcome(tmp_path: Path, name: str) -> None:
    """Answered and served on, or ended: never a hang, never an answer that is another's, never two."""
    body, expected = HANDLERS[name]
    function = tmp_path / "function"
    write_function(function, app=f"{BEFORE}    {body}\n")
    outcome = run_runtime(function, events=[Event(), Event()])
    posted = [answer.path.rpartition("/")[2] for answer in outcome.answers]
    assert posted == [path for path in expected if path], outcome.stderr
    # 120: Python's own, for a standard output that cannot be flushed at the end.
    assert (outcome.exit_code in (UNREACHABLE, 120)) == (None not in expected), outcome.stderr
    if name == "forks and returns":
        assert [answer.body for answer in outcome.answers] == [b"71", b"71"]
    if name == "opens a file in place of the socket":
        assert {path.read_bytes() for path in function.glob("file*")} == {b""}
    if expected == FAILS and "descriptor" not in name and "output" not in name:
        assert outcome.stdout.count("[ERROR] ") == 2
    if expected == FAILS:
        assert {json.loads(answer.body)["errorType"] for answer in outcome.answers} <= {
            "ValueError", "OSError", "GeneratorExit", "StopIteration", "ExceptionGroup", "RecursionError",
            "MemoryError", "Runtime.MarshalError",
        }  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "name",
    [
        "closes every descriptor and fails",
        "forks and returns",
        "recurses too deep",
        "fills its memory",
        "empties sys.modules and fails",
    ],
)
def test_the_delicate_ones_on_every_python(tmp_path: Path, name: str, version: str) -> None:
    """Where an interpreter's own ways decide."""
    body, expected = HANDLERS[name]
    write_function(tmp_path, app=f"{BEFORE}    {body}\n")
    outcome = run_runtime(tmp_path, events=[Event(), Event()], python=require_python(version))
    assert [answer.path.rpartition("/")[2] for answer in outcome.answers] == expected, outcome.stderr
    assert outcome.exit_code == UNREACHABLE


@pytest.mark.parametrize("version", VERSIONS)
def test_a_result_that_holds_itself_is_found_out_before_it_fills_the_memory(tmp_path: Path, version: str) -> None:
    """On the first turn: CPython 3.14 follows it while there is stack, and makes gigabytes of some kilobytes."""
    peak = "int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"  # ru_maxrss begins with the parent's
    body = f"a = ['x' * 50] * 4000; a.append(a); return {peak} if event else a"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))\n"
    write_function(tmp_path, app=f"{limit}{BEFORE}    {body}\n")
    events = [Event(b"0"), Event(b"1")]
    failed, peak_kb = run_runtime(tmp_path, events=events, python=require_python(version)).answers
    failure = json.loads(failed.body)
    assert failure["errorType"] == "Runtime.MarshalError"
    assert failure["errorMessage"].startswith("Unable to marshal response: Circular reference detected")
    assert int(peak_kb.body) < 64 * 1024


def test_descriptors_that_are_leaked_for_good_end_the_process(tmp_path) -> None:
    """There is nothing to work with any more; a new process has all of them again."""
    source = """
import resource
kept = []
def handler(event, context):
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    while True: kept.append(open("/dev/null"))
"""
    write_function(tmp_path, app=source)
    outcome = run_runtime(tmp_path)
    assert (outcome.exit_code, outcome.answers) == (1, [])
    assert "Too many open files" in outcome.stderr


def test_an_alarm_that_goes_off_between_two_events_ends_the_process(tmp_path) -> None:
    """What a signal handler of the function's raises outside of an invocation nobody can be told; the log has it."""
    source = """
import signal
def stop(*_): raise TimeoutError("late")
def handler(event, context):
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
"""
    write_function(tmp_path, app="")
    (tmp_path / "alarm.py").write_text(source)
    with platform(tmp_path, require_python(VERSIONS[-1]), "alarm.handler") as runtime:
        runtime.request()
        runtime.answer(Event().render())
        runtime.request()
        runtime.answer(render(202, b""))
        runtime.request()
        code, _ = runtime.end()
    assert code == 1


def test_threads_that_are_no_daemons_are_waited_for_at_the_end(tmp_path) -> None:
    """As in any Python program: SIGTERM ends the loop, and the process when its threads have ended."""
    source = """
import threading, time
def work(): time.sleep(0.5); print("worked", flush=True)
def handler(event, context): threading.Thread(target=work).start()
"""
    (tmp_path / "threads.py").write_text(source)
    with platform(tmp_path, require_python(VERSIONS[-1]), "threads.handler") as runtime:
        runtime.request()
        runtime.answer(Event().render())
        runtime.request()
        runtime.answer(render(202, b""))
        runtime.request()
        runtime.process.send_signal(signal.SIGTERM)
        code, out = runtime.end()
    assert (code, b"worked\n" in out) == (143, True)
