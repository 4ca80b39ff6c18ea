"""The event-stream framing, read back by botocore's parser: the independent reader of this format."""

import json

from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from emulator import event_stream


def read(data):
    """The messages in `data`: (headers, payload) each. botocore checks both checksums."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(message.headers, message.payload) for message in buffer]


@given(
    st.dictionaries(st.text(max_size=20).filter(lambda n: 0 < len(n.encode()) < 256), st.text(max_size=50), max_size=4),
    st.binary(),
)
def test_a_message_is_read_back_as_it_was(headers, payload):
    """Any headers and payload arrive unchanged, with checksums that hold."""
    assert read(event_stream.render_message(headers, payload)) == [(headers, payload)]


def test_a_piece_of_the_response_is_a_payload_chunk():
    """The names are those of the API's model."""
    [(headers, payload)] = read(b"".join(event_stream.render_payload_chunks(b"ale")))
    assert (headers[":message-type"], headers[":event-type"], payload) == ("event", "PayloadChunk", b"ale")


def test_no_bytes_make_no_message():
    """An empty piece says nothing."""
    assert list(event_stream.render_payload_chunks(b"")) == []


def test_a_large_piece_is_cut():
    """No message exceeds the bound, and nothing is lost."""
    data = bytes(range(256)) * 10_000
    messages = read(b"".join(event_stream.render_payload_chunks(data)))
    assert b"".join(payload for _, payload in messages) == data
    assert max(len(payload) for _, payload in messages) == event_stream.CHUNK_LIMIT_BYTES


def test_the_last_message_of_a_success_is_empty():
    """Absent members are not sent."""
    [(headers, payload)] = read(event_stream.render_complete(error_code=None, error_details=None, log_result=None))
    assert (headers[":event-type"], json.loads(payload)) == ("InvokeComplete", {})


def test_the_last_message_of_a_failure_names_it():
    """Code, details and log are members of one JSON object."""
    [(_, payload)] = read(event_stream.render_complete(error_code="E", error_details="d", log_result="bG9n"))
    assert json.loads(payload) == {"ErrorCode": "E", "ErrorDetails": "d", "LogResult": "bG9n"}
