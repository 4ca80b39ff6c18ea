"""`firkin invoke` sends one event once, and tells an answer from an error whoever answers."""

import io
import json
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import FunctionError, PeerError, SourceError
from builder.invoke import PATH, endpoint, invoke, judge, read_event, url_of
from builder.project import MAX_EVENT_BYTES

ERROR = json.dumps({"errorMessage": "no", "errorType": "ValueError", "stackTrace": []}).encode()
OURS = {"X-Amz-Executed-Version": "$LATEST"}
FAILED = {**OURS, "X-Amz-Function-Error": "Unhandled"}


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [(200, OURS, b"1"), (200, {}, b""), (200, {}, b"not json"), (200, {}, b'{"errorType": "x"}'), (200, OURS, ERROR)],
)
def test_an_answer_is_given_as_it_came(status, headers, body):
    """Also one that looks like an error, from somebody who would say so in a header."""
    assert judge("http://x", status, headers, body) == body


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [(200, FAILED, ERROR), (200, FAILED, b"Task timed out"), (200, {}, ERROR), (502, {}, b""), (502, {}, ERROR)],
)
def test_a_function_error_carries_the_functions_words(status, headers, body):
    with pytest.raises(FunctionError) as caught:
        judge("http://x", status, headers, body)
    assert caught.value.details == body.decode()


@pytest.mark.parametrize("status", [201, 301, 400, 404, 413, 429, 500, 503])
def test_any_other_status_is_the_peers_error(status):
    with pytest.raises(PeerError, match=f"it answered HTTP {status}"):
        judge("http://x", status, {}, b"why")


@given(st.integers(100, 599), st.dictionaries(st.sampled_from([*FAILED, "X"]), st.text()), st.binary())
def test_nothing_that_comes_back_is_our_bug(status, headers, body):
    try:
        answer = judge("http://x", status, headers, body)
    except (FunctionError, PeerError):
        return
    assert (status, answer) == (200, body)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h:1", "http://h:1" + PATH),
        ("http://h:1/", "http://h:1" + PATH),
        ("http://h:1" + PATH, "http://h:1" + PATH),
        ("http://h/2015-03-31/functions/other/invocations", "http://h/2015-03-31/functions/other/invocations"),
    ],
)
def test_the_url_may_be_the_host_or_what_run_prints(url, expected):
    assert endpoint(url) == expected


def test_the_event_is_posted_once_as_json(httpserver):
    httpserver.expect_oneshot_request(
        PATH, method="POST", data=b'{"a": 1}', headers={"Content-Type": "application/json"}
    ).respond_with_data(b'{"b": 2}', headers=OURS)
    assert invoke(httpserver.url_for("/"), b'{"a": 1}') == b'{"b": 2}'
    httpserver.check_assertions()
    assert len(httpserver.log) == 1


def test_a_failure_is_never_tried_again(httpserver):
    httpserver.expect_request(PATH).respond_with_data(b"busy", status=503)
    with pytest.raises(PeerError, match="HTTP 503"):
        invoke(httpserver.url_for("/"), b"{}")
    assert len(httpserver.log) == 1


def test_an_endless_answer_is_not_read_to_its_end(httpserver, monkeypatch):
    monkeypatch.setattr("builder.invoke.MAX_ANSWER_BYTES", 1000)
    httpserver.expect_request(PATH).respond_with_data(b"x" * 100_000)
    with pytest.raises(PeerError, match="more than 1000 bytes"):
        invoke(httpserver.url_for("/"), b"{}")


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://127.0.0.1:1", "firkin run"),
        ("https://127.0.0.1:1", "without TLS"),
        *((url, "Give a URL like") for url in ("nonsense", "ftp://127.0.0.1", "http://[::1", "http://")),
    ],
)
def test_nobody_there_says_what_to_start_and_how_to_reach_it(url, hint):
    with pytest.raises(PeerError, match="invoking") as caught:
        invoke(url, b"{}")
    assert hint in caught.value.hint


def test_an_event_is_a_file_stdin_or_text(tmp_path):
    file = tmp_path / "event.json"
    file.write_bytes(b"[1]")
    assert read_event(str(file), io.BytesIO()) == b"[1]"
    assert read_event("-", io.BytesIO(b"[2]")) == b"[2]"
    assert read_event('{"a": "é"}', io.BytesIO()) == '{"a": "é"}'.encode()
    long = json.dumps("x" * 10_000)
    assert read_event(long, io.BytesIO()) == long.encode()


@pytest.mark.parametrize("text", ["missing.json", "{", ".", "/", "x" * 5000, "[" * 50_000])
def test_what_is_neither_file_nor_json_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match="is no JSON" if text[:1] in ("{", "[") else "neither a file nor JSON"):
        read_event(text, io.BytesIO())


def test_an_event_above_the_platforms_limit_is_refused_before_it_is_sent(tmp_path):
    file = tmp_path / "event.json"
    file.write_bytes(b" " * (MAX_EVENT_BYTES + 1))
    for argument in (str(file), "-"):
        with pytest.raises(SourceError, match=f"more than Lambda's {MAX_EVENT_BYTES} bytes"):
            read_event(argument, io.BytesIO(file.read_bytes()))
    assert len(read_event("-", io.BytesIO(b"[%s]" % (b" " * (MAX_EVENT_BYTES - 2))))) == MAX_EVENT_BYTES


@pytest.mark.parametrize(
    ("given", "words", "hint"),
    [
        ("{'a': 1}", "is no JSON: Expecting property name enclosed in double quotes", "double quotes"),
        ("[1,", "is no JSON: Expecting value", "single quotes around all of it"),
        ("file.json", "file.json holds no JSON: Expecting value: line 1 column 1", "Lambda takes JSON"),
        ("empty.json", "empty.json holds nothing", "the least is {}"),
        ("-", "stdin holds nothing", "the least is {}"),
        (".", "is neither a file nor JSON", "It is a folder"),
        ("", "it is an empty text", "Give a file"),
    ],
)
def test_what_is_wrong_with_an_event_is_told(given, words, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.json").write_text("no json")
    (tmp_path / "empty.json").write_text(" ")
    with pytest.raises(SourceError) as caught:
        read_event(given, io.BytesIO())
    assert words in str(caught.value)
    assert hint in caught.value.hint


def test_a_url_without_its_scheme_is_one_of_http():
    assert url_of("127.0.0.1:9000") == "http://127.0.0.1:9000"
    assert url_of("https://a") == "https://a"


def test_a_host_that_is_unknown_is_no_function_to_start(monkeypatch):
    """Nobody is asked: where names are not answered at all, that takes seconds."""

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(PeerError) as caught:
        invoke("http://nobody.example", b"{}")
    assert caught.value.hint == "Correct the host's name; firkin run serves http://127.0.0.1:PORT."


def test_who_speaks_no_http_is_no_endpoint():
    """The bytes of another protocol."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b"SSH-2.0-x\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(PeerError) as caught:
            invoke(f"http://127.0.0.1:{server.getsockname()[1]}", b"{}")
        thread.join()
    assert caught.value.hint == "Is this a Lambda invoke endpoint?"
