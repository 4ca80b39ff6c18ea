"""Uploads arrive, whatever the registry or the line between makes of them, or say why they cannot."""

import json
import random
from dataclasses import replace

import pytest

from builder.oci import Entry, ProtocolError, UnavailableError
from tests.builder.oci.distribution.conftest import QUICK
from tests.builder.oci.distribution.fake_registry import fake_registry, times

CHUNKS = replace(QUICK, attempts=5, parallel=1, chunk_bytes=50_000)


def cut_within(handler):
    """Take a part of what comes, keep it, and hang up."""
    handler.registry.uploads[handler.what] += handler.rfile.read1(30_000)
    handler.raw(b"")


def refuse(status, **headers):
    def fault(handler):
        handler.body()
        handler.answer(status, b"{}", **headers)

    return fault


def is_whole(fake, image):
    return all(str(layer.descriptor.digest) in fake.blobs for layer in image.layers)


def test_the_rest_is_sent_in_chunks_after_a_cut(fake, image, pusher):
    """What the registry kept of the first try is not sent again."""
    fake.faults["PUT", "upload"] = times(1, cut_within)
    pusher(image, f"{fake.host}/a", limits=CHUNKS)
    assert is_whole(fake, image)
    ranges = [headers["content-range"] for method, _, headers in fake.requests if method == "PATCH"]
    assert int(ranges[0].partition("-")[0]) > 0
    assert fake.methods("uploads") == ["POST"] * 3  # one for each blob: no upload began anew


def test_a_cut_within_a_chunk_resumes_from_what_was_kept(fake, image, pusher):
    """The registry's word is taken for where to go on."""
    fake.faults["PUT", "upload"] = times(1, cut_within)
    fake.faults["PATCH", "upload"] = times(1, cut_within)
    pusher(image, f"{fake.host}/a", limits=CHUNKS)
    assert is_whole(fake, image)


def test_an_answer_that_got_lost_is_no_second_upload(fake, image, pusher):
    """The blob arrived, its 201 did not: it is found there."""

    def lose(handler):
        handler.answer = lambda *_, **__: handler.raw(b"")
        handler.put_upload()

    fake.faults["PUT", "upload"] = times(1, lose)
    pusher(image, f"{fake.host}/a", limits=CHUNKS)
    assert is_whole(fake, image)
    assert fake.methods("upload") == ["PUT"] * 3


def test_a_lost_session_begins_anew(fake, image, pusher):
    """An upload that the registry has forgotten is started again."""

    def forget(handler):
        handler.body()
        handler.registry.uploads.pop(handler.what)
        handler.answer(404, b"{}")

    fake.faults["PUT", "upload"] = times(1, forget)
    pusher(image, f"{fake.host}/a", limits=CHUNKS)
    assert is_whole(fake, image)
    assert fake.methods("uploads") == ["POST"] * 4


def test_a_proxy_that_refuses_large_bodies_gets_chunks(fake, image, pusher):
    """413 is an answer to the size, not to the image."""

    def only_small(handler):
        if int(handler.headers["content-length"]) <= 50_000:
            return False
        return refuse(413, Connection="close")(handler)

    fake.faults["PUT", "upload"] = only_small
    pusher(image, f"{fake.host}/a", limits=CHUNKS)
    assert is_whole(fake, image)


def test_a_registry_without_chunks_gets_one_put_again(fake, image, pusher):
    """After a cut a registry that knows no PATCH still gets its blob."""
    fake.faults["PUT", "upload"] = times(1, cut_within)
    fake.faults["PATCH", "upload"] = refuse(405)
    pusher(image, f"{fake.host}/a", limits=CHUNKS)
    assert is_whole(fake, image)


def test_a_stale_range_between_chunks_does_not_matter(fake, image, pusher):
    """What was sent and accepted counts; Amazon's registry repeats the first chunk's range."""

    def stale(handler):
        held = handler.registry.uploads[handler.what]
        handler.take(held)
        handler.answer(202, Location=handler.path, Range="0-0")

    fake.faults["PUT", "upload"] = times(1, cut_within)
    fake.faults["PATCH", "upload"] = stale
    pusher(image, f"{fake.host}/a", limits=CHUNKS)
    assert is_whole(fake, image)


def test_the_least_size_of_a_chunk_is_kept(fake, image, pusher):
    def begin(handler):
        handler.registry.uploads["x"] = bytearray()
        handler.answer(202, Location=f"{handler.parts.path}x", OCI_Chunk_Min_Length="120000")

    fake.faults["POST", "uploads"] = begin
    fake.faults["PUT", "upload"] = times(1, refuse(413))
    pusher(image, f"{fake.host}/a", limits=CHUNKS)
    sizes = [int(headers["content-length"]) for method, _, headers in fake.requests if method == "PATCH"]
    assert sizes[0] == 120_000


@pytest.mark.parametrize("status", [502, 503, 429, 500])
def test_a_registry_that_is_busy_once_is_asked_again(fake, image, pusher, status):
    for key in (("POST", "uploads"), ("PUT", "upload"), ("HEAD", "blob"), ("PUT", "manifest")):
        fake.faults[key] = times(1, refuse(status, Retry_After="0"))
    pusher(image, f"{fake.host}/a", limits=CHUNKS)
    assert is_whole(fake, image)


def test_a_registry_that_never_takes_a_blob_is_given_up(fake, image, pusher):
    """The attempts are counted, and the message tells how many there were."""
    fake.faults["PUT", "upload"] = cut_within
    fake.faults["PATCH", "upload"] = cut_within
    with pytest.raises(UnavailableError, match=r"gave up after 5 attempts"):
        pusher(image, f"{fake.host}/a", limits=replace(CHUNKS, progress_bytes=10**9))
    assert len(fake.requests) < 60


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("http://elsewhere.example/upload", "it wants the content on another host, elsewhere.example:80"),
        ("http://127.0.0.1:1/upload", "it wants the content on another host, 127.0.0.1:1"),
        ("file:///etc/passwd", "is no URL of HTTP"),
        ("http://user:pass@{host}/upload", "is no URL of HTTP without a password"),
        ("", r"does not say where to \(no Location\)"),
    ],
)
def test_content_goes_to_no_other_host(fake, image, pusher, location, message):
    """An image's content is for the registry that was named."""

    def elsewhere(handler):
        handler.answer(202, **({"Location": location.format(host=fake.host)} if location else {}))

    fake.faults["POST", "uploads"] = elsewhere
    with pytest.raises(ProtocolError, match=message) as caught:
        pusher(image, f"{fake.host}/a", limits=CHUNKS)
    assert "pass@" not in str(caught.value)
    assert "PUT" not in fake.methods()


def test_a_location_of_the_same_host_under_another_name_is_understood(fake, image, pusher):
    """A registry behind a proxy may think it is on port 80 in plain HTTP."""

    def confused(handler):
        handler.registry.uploads["x"] = bytearray()
        handler.answer(202, Location=f"http://127.0.0.1{handler.parts.path}x?state=1")

    fake.faults["POST", "uploads"] = confused
    pusher(image, f"{fake.host}/a", limits=CHUNKS)
    assert is_whole(fake, image)


def test_a_registry_that_finds_another_digest_is_believed(fake, image, pusher):
    """Content changed on the way is an error, not a reason to try for ever."""

    def change(handler):
        handler.body()
        handler.answer(400, b'{"errors": [{"code": "DIGEST_INVALID", "message": "provided digest did not match"}]}')

    fake.faults["PUT", "upload"] = change
    with pytest.raises(ProtocolError, match="DIGEST_INVALID: provided digest did not match"):
        pusher(image, f"{fake.host}/a", limits=CHUNKS)
    assert fake.methods("upload").count("PUT") <= 3


def test_a_manifest_stored_under_another_digest_is_told(fake, image, pusher):
    def lie(handler):
        handler.body()
        handler.answer(201, Docker_Content_Digest="sha256:" + "0" * 64)

    fake.faults["PUT", "manifest"] = lie
    with pytest.raises(ProtocolError, match=r"the registry calls it 'sha256:0+', not sha256:.*; do not use it"):
        pusher(image, f"{fake.host}/a", limits=CHUNKS)


def test_redirected_uploads_are_not_followed(fake, image, pusher):
    """Where content goes is for the registry to say in Location, and a redirect says nothing about trust."""
    fake.faults["POST", "uploads"] = refuse(307, Location="http://elsewhere.example/")
    with pytest.raises(ProtocolError, match="HTTP 307"):
        pusher(image, f"{fake.host}/a", limits=CHUNKS)


def test_where_an_upload_stands_is_asked_of_the_registry_alone(fake, image, pusher):
    """A status that is redirected elsewhere says nothing: the upload begins anew, on the registry."""
    with fake_registry() as elsewhere:
        fake.faults["PUT", "upload"] = times(1, cut_within)
        fake.faults["GET", "upload"] = lambda handler: handler.answer(307, Location=f"http://{elsewhere.host}/v2/a/x")
        elsewhere.faults["GET", "other"] = lambda handler: handler.answer(204, Location="here", Range="0-9")
        pusher(image, f"{fake.host}/a", limits=CHUNKS)
        assert set(elsewhere.methods()) == {"GET"}
    assert is_whole(fake, image)


@pytest.mark.parametrize("reads", [True, False])
def test_a_token_that_runs_out_during_an_upload_is_renewed(fake, image, make_image, pusher, reads):
    """The blob is sent again with the new token, also where the registry refuses before it has read the old try."""
    given = []

    def give(handler):
        given.append(f"token{len(given)}")
        handler.answer(200, json.dumps({"token": given[-1]}).encode())

    def wants_second(handler):
        if handler.headers.get("authorization") == "Bearer token1":
            return False
        if reads:
            handler.body()
        challenge = f'Bearer realm="http://{fake.host}/token",service="s"'
        handler.answer(401, b"{}", WWW_Authenticate=challenge, **({} if reads else {"Connection": "close"}))
        handler.close_connection = not reads
        return True

    def wants_any(handler):
        return False if "authorization" in handler.headers else wants_second(handler)

    fake.faults["GET", "token"] = give
    fake.faults["HEAD", "manifest"] = wants_any
    fake.faults["PUT", "upload"] = wants_second
    large = make_image([Entry.file("data", random.Random(3).randbytes(3_000_000))])
    pusher(large, f"{fake.host}/a", limits=replace(CHUNKS, chunk_bytes=10**7))
    assert is_whole(fake, large)
    assert given == ["token0", "token1"]
