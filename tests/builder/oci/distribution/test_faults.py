"""Pulls survive registries that fail, lie or attack: the right bytes in the end, or an error that says why not."""

import gzip
import json
import os
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from builder.oci import (
    AccessError,
    BlobStore,
    DiskError,
    ImageError,
    LimitError,
    NotFoundError,
    ProtocolError,
    RegistryError,
    UnavailableError,
    media_types,
)
from tests.builder.oci.distribution.conftest import QUICK
from tests.builder.oci.distribution.fake_registry import digest_of, fake_registry, times
from tests.builder.oci.distribution.token_server import PASSWORD, USER

SLOW = replace(QUICK, attempts=2, stall_s=0.3, answer_s=0.3, first_delay_s=0.001, max_delay_s=0.001)
ONE_AT_A_TIME = replace(QUICK, parallel=1)


@pytest.fixture
def held(fake, image):
    """The name of the small image in a registry that can be made to misbehave."""
    fake.hold(image, "1")
    return f"{fake.host}/a:1"


def nothing_is_kept(store):
    """Whether the store has no blob that is not what its name says."""
    found = [path for path in store.folder.glob("blobs/sha256/*") if not path.name.startswith(".")]
    return all(digest_of(path.read_bytes()) == f"sha256:{path.name}" for path in found)


@pytest.fixture
def target(tmp_path):
    """The store to pull into, which in the end holds nothing wrong, whatever happened."""
    store = BlobStore(tmp_path / "target")
    yield store
    assert nothing_is_kept(store)


def is_large(handler):
    return len(handler.registry.blobs.get(handler.what, b"")) > 100_000


def of_the_large(fault):
    """A fault of the large blob alone."""
    return lambda handler: fault(handler) if is_large(handler) else False


def send(handler, body, *, length, status="200 OK", more=""):
    head = f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nContent-Type: application/octet-stream\r\n{more}\r\n"
    handler.raw(head.encode() + body)


def size_of(handler):
    """The size of the blob that is asked for, which is the compressor's to decide."""
    return len(handler.registry.blobs[handler.what])


def stops_in_the_middle(handler):
    data = handler.registry.blobs[handler.what]
    send(handler, data[:70_000], length=len(data))


def test_a_registry_that_stops_in_the_middle_is_asked_for_the_rest(fake, held, image, puller, target):
    """Only what is missing is asked for, and the blob is whole."""
    fake.faults["GET", "blob"] = of_the_large(times(1, stops_in_the_middle))
    assert puller(held, store=target, limits=ONE_AT_A_TIME).image.digest == image.digest
    ranges = [headers["range"] for _, _, headers in fake.requests if "range" in headers]
    assert ranges == ["bytes=70000-"]
    for layer in image.layers:
        target.verify(layer.descriptor)


def test_a_registry_that_always_stops_is_given_up(fake, held, puller, target):
    """The attempts without progress are counted; what came is kept for the next time."""
    fake.faults["GET", "blob"] = of_the_large(lambda handler: send(handler, b"", length=size_of(handler)))
    with pytest.raises(UnavailableError, match=r"gave up after 3 attempts"):
        puller(held, store=target)
    assert fake.methods("blob").count("GET") <= 6


def test_what_a_broken_pull_fetched_is_used_by_the_next(fake, held, image, puller, target):
    """A pull that failed goes on where it ended, in another process too: the rest is in a file."""
    fake.faults["GET", "blob"] = of_the_large(stops_in_the_middle)
    with pytest.raises(UnavailableError):
        puller(held, store=target, limits=replace(ONE_AT_A_TIME, attempts=1))
    del fake.faults["GET", "blob"]
    fake.requests.clear()
    assert puller(held, store=target).image.digest == image.digest
    assert "bytes=70000-" in {headers.get("range") for _, _, headers in fake.requests}


def test_pieces_that_do_not_fit_are_fetched_once_more(fake, held, image, puller, target):
    """What an earlier process left may be damaged: then all of the blob is fetched anew."""
    large = image.layers[0].descriptor
    partial = target.folder / "partial" / "sha256" / large.digest.encoded
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"x" * 50_000)
    assert puller(held, store=target).image.digest == image.digest
    target.verify(large)
    assert not partial.exists()


@pytest.mark.parametrize("more", [100_000, 0])
def test_as_much_as_the_blob_or_more_in_a_partial_file_is_thrown_away(fake, held, image, puller, target, more):
    partial = target.folder / "partial" / "sha256" / image.layers[0].descriptor.digest.encoded
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"x" * (image.layers[0].descriptor.size + more))
    assert puller(held, store=target).image.digest == image.digest
    target.verify(image.layers[0].descriptor)


def test_a_registry_without_ranges_gives_all_of_it(fake, held, image, puller, target):
    """One that answers 200 to a range starts the blob anew."""

    def whole(handler):
        handler.headers.replace_header("Range", "none") if "range" in handler.headers else None
        return False

    fake.faults["GET", "blob"] = of_the_large(stops_in_the_middle)
    with pytest.raises(UnavailableError):
        puller(held, store=target, limits=replace(ONE_AT_A_TIME, attempts=1))
    fake.faults["GET", "blob"] = whole
    assert puller(held, store=target).image.digest == image.digest


@pytest.mark.parametrize(
    "answer",
    [
        lambda handler, data: send(handler, data[:10], length=10, status="206 Partial Content"),
        lambda handler, data: send(
            handler, data, length=len(data), status="206 Partial Content", more="Content-Range: bytes 0-1/2\r\n"
        ),
        lambda handler, data: send(handler, b"", length=0, status="416 Range Not Satisfiable"),
    ],
)
def test_another_part_than_was_asked_for_is_not_used(fake, held, image, puller, target, answer):
    """The blob is then fetched from its start."""
    fake.faults["GET", "blob"] = of_the_large(stops_in_the_middle)
    with pytest.raises(UnavailableError):
        puller(held, store=target, limits=replace(ONE_AT_A_TIME, attempts=1))

    def wrong_part(handler):
        if "range" not in handler.headers:
            return False
        return answer(handler, handler.registry.blobs[handler.what])

    fake.faults["GET", "blob"] = wrong_part
    assert puller(held, store=target).image.digest == image.digest


@pytest.mark.parametrize("more", [-1, 1, 10**15])
def test_a_lie_about_the_length_is_an_error(fake, held, puller, target, more):
    """Shorter or longer than the manifest says: named with both numbers, nothing kept."""

    def lie(handler):
        data = handler.registry.blobs[handler.what]
        send(handler, data + b"x" * max(min(more, 10), 0), length=len(data) + more)

    fake.faults["GET", "blob"] = of_the_large(lie)
    with pytest.raises(ProtocolError, match=r"the registry has '\d+' bytes, the manifest says \d{6}"):
        puller(held, store=target)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda data: data + b"x", ProtocolError, r"more than its \d{6} bytes come; push the image again"),
        (lambda data: data[:-1], UnavailableError, r"it ended after \d{6} of \d{6} bytes"),
        (lambda data: b"\0" * len(data), ProtocolError, r"what came is sha256:[0-9a-f]{64}; nothing of it was kept"),
    ],
)
def test_a_stream_of_unknown_length_is_counted(fake, held, puller, target, change, kind, message):
    """Chunked answers have no length to check before; the bytes are counted and hashed all the same."""

    def chunked(handler):
        data = change(handler.registry.blobs[handler.what])
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        handler.raw(head + f"{len(data):x}\r\n".encode() + data + b"\r\n0\r\n\r\n")

    fake.faults["GET", "blob"] = of_the_large(chunked)
    with pytest.raises(kind, match=message):
        puller(held, store=target)


def test_wrong_bytes_are_never_stored(fake, held, image, puller, target):
    fake.blobs[str(image.layers[0].descriptor.digest)] = bytes(image.layers[0].descriptor.size)
    with pytest.raises(ProtocolError, match=r"is the registry, or a proxy before it, damaged\?"):
        puller(held, store=target)
    assert not target.path(image.layers[0].descriptor.digest).exists()
    left = target.folder / "partial" / "sha256" / image.layers[0].descriptor.digest.encoded
    assert not left.exists()


def test_wrong_bytes_in_manifest_and_configuration_are_errors(fake, held, image, puller, target):
    kind, data = fake.manifests[str(image.digest)]
    fake.manifests[str(image.digest)] = (kind, data + b" ")
    fake.faults["HEAD", "manifest"] = lambda handler: handler.answer(200, Docker_Content_Digest=str(image.digest))
    with pytest.raises(ProtocolError, match=f"asked for {image.digest}, it gives sha256:.*damaged"):
        puller(held, store=target)


def test_a_compressed_answer_is_not_taken_for_the_content(fake, held, image, puller, target):
    """A proxy that compresses changes the bytes; nothing is unpacked on the way in."""

    def compress(handler):
        data = gzip.compress(handler.registry.manifests[str(image.digest)][1])
        handler.answer(200, data, Content_Encoding="gzip", Content_Type=media_types.MANIFEST)

    fake.faults["GET", "manifest"] = compress
    with pytest.raises(ProtocolError, match="damaged"):
        puller(held, store=target)


def login_for(host, folder):
    folder.mkdir(exist_ok=True)
    entry = {"username": USER, "password": PASSWORD}
    (folder / "config.json").write_text(json.dumps({"auths": {host: entry}}))
    return {"DOCKER_CONFIG": str(folder)}


def wants_basic(handler):
    """Refuse who does not log in."""
    if "authorization" in handler.headers:
        return False
    handler.answer(401, b"{}", WWW_Authenticate='Basic realm="x"')
    return True


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_gets_no_credentials(fake, held, image, puller, target, tmp_path, status):
    """As registries do for blobs: the content comes from there, the login does not go there."""
    with fake_registry() as elsewhere:
        elsewhere.blobs.update(fake.blobs)

        def redirect(handler):
            if wants_basic(handler):
                return
            handler.answer(status, Location=f"http://{elsewhere.host}{handler.path}?X-Signature=secret")

        fake.faults["GET", "blob"] = redirect
        fake.faults["HEAD", "manifest"] = wants_basic
        fake.faults["GET", "manifest"] = wants_basic
        pulled = puller(held, store=target, environment=login_for(fake.host, tmp_path / "login"))
        assert pulled.image.digest == image.digest
        assert fake.authorizations()
        assert elsewhere.methods("blob") == ["GET"] * 3
        assert elsewhere.authorizations() == set()


def test_a_redirect_and_back_gets_no_credentials(fake, held, puller, target, tmp_path):
    """Who was sent away has lost them: the other host cannot make use of them by sending back."""
    with fake_registry() as elsewhere:

        def away(handler):
            if wants_basic(handler):
                return
            handler.answer(307, Location=f"http://{elsewhere.host}/v2/a/blobs/x")

        fake.faults["HEAD", "manifest"] = away
        elsewhere.faults["HEAD", "blob"] = lambda handler: handler.answer(307, Location=f"http://{fake.host}/steal")
        with pytest.raises(RegistryError):
            puller(held, store=target, environment=login_for(fake.host, tmp_path / "login"))
        stolen = [headers for _, path, headers in fake.requests if path == "/steal"]
        assert stolen
        assert all("authorization" not in headers for headers in stolen)


def test_a_challenge_of_another_host_is_not_answered(fake, held, puller, target, tmp_path):
    """A redirect's target that asks for a login gets none, of the registry's or its own."""
    with fake_registry() as elsewhere:
        fake.faults["HEAD", "manifest"] = lambda handler: handler.answer(
            307, Location=f"http://{elsewhere.host}{handler.path}"
        )
        elsewhere.faults["HEAD", "manifest"] = wants_basic
        environment = login_for(elsewhere.host, tmp_path / "login")
        with pytest.raises(AccessError, match=f"HEAD http://{elsewhere.host}/v2/a/manifests/1 without credentials"):
            puller(held, store=target, environment=environment)
        assert elsewhere.authorizations() == set()


def test_redirects_in_a_circle_end(fake, held, puller, target):
    fake.faults["HEAD", "manifest"] = lambda handler: handler.answer(307, Location=handler.path + "?again")
    with pytest.raises(ProtocolError, match="more than 5 redirects, the last to http"):
        puller(held, store=target)
    assert len(fake.requests) == 6


def asks_for_token(realm):
    def fault(handler):
        if handler.headers.get("authorization", "").startswith("Bearer good"):
            return False
        handler.answer(401, b"{}", WWW_Authenticate=f'Bearer realm="{realm}",service="s"')
        return True

    return fault


@pytest.mark.parametrize(
    "realm", ["http://localhost:{port}/token", "http://evil.example/token", "http://169.254.169.254/token"]
)
def test_an_evil_realm_in_plain_http_is_not_even_asked(fake, held, puller, target, tmp_path, realm):
    """Another host in plain HTTP: no request, no credentials, an error that says why."""
    with fake_registry() as elsewhere:
        place = realm.format(port=elsewhere.server.server_port)
        fake.faults["HEAD", "manifest"] = asks_for_token(place)
        with pytest.raises(AccessError, match="it is plain HTTP, where anybody can read along; nothing was sent there"):
            puller(held, store=target, environment=login_for(fake.host, tmp_path / "login"))
        assert elsewhere.requests == []


def test_an_evil_realm_with_https_gets_no_credentials_of_the_registry(fake, held, puller, target, tmp_path, secured):
    """A service elsewhere is asked as anybody would ask it, or with what the user has stored for it by name."""
    service, _ = secured  # refuses whoever has no login of its own; that is the point
    fake.faults["HEAD", "manifest"] = asks_for_token(f"https://localhost:{service.host.partition(':')[2]}/v2/token")
    environment = login_for(fake.host, tmp_path / "login")
    insecure = {fake.host, f"localhost:{service.host.partition(':')[2]}"}
    with pytest.raises(
        AccessError,
        match=r"asking https://localhost:\d+/v2/token for .*, without credentials.*if you trust it, store a login",
    ):
        puller(held, store=target, environment=environment, insecure=insecure)
    assert USER not in (service.folder / "log").read_text().splitlines()[-1]


def test_a_realm_on_the_registrys_host_gets_the_credentials(fake, held, image, puller, target, tmp_path):
    """The usual case, and the token is good for all of the pull."""
    fake.faults["GET", "token"] = lambda handler: handler.answer(200, b'{"token": "good"}')
    for key in (("HEAD", "manifest"), ("GET", "manifest"), ("GET", "blob")):
        fake.faults[key] = asks_for_token(f"http://{fake.host}/token")
    environment = login_for(fake.host, tmp_path / "login")
    assert puller(held, store=target, environment=environment).image.digest == image.digest
    assert fake.methods("token") == ["GET"]


def test_a_token_that_is_no_longer_taken_is_renewed_once(fake, held, image, puller, target):
    """In the middle of a pull, for all transfers that meet the refusal."""
    given = []

    def give(handler):
        given.append(f"good{len(given)}")
        handler.answer(200, json.dumps({"token": given[-1]}).encode())

    def wants_second(handler):
        if handler.headers.get("authorization") == "Bearer good1":
            return False
        handler.answer(401, b"{}", WWW_Authenticate=f'Bearer realm="http://{fake.host}/token"')
        return True

    fake.faults["GET", "token"] = give
    fake.faults["HEAD", "manifest"] = asks_for_token(f"http://{fake.host}/token")
    fake.faults["GET", "blob"] = wants_second
    assert puller(held, store=target).image.digest == image.digest
    assert given == ["good0", "good1"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "the answer is not JSON with a token"),
        (b"{}", "the answer is not JSON with a token"),
        (b'{"token": 5}', "the answer is not JSON with a token"),
        (b'{"token": "a\\nX-Evil: b"}', "the token has 11 signs, some that no header can hold"),
        (b'{"token": "' + b"x" * 70_000 + b'"}', "the token has 70000 signs"),
    ],
)
def test_what_is_no_token_is_not_sent(fake, held, puller, target, body, message):
    fake.faults["GET", "token"] = lambda handler: handler.answer(200, body)
    fake.faults["HEAD", "manifest"] = asks_for_token(f"http://{fake.host}/token")
    with pytest.raises(ProtocolError, match=message) as caught:
        puller(held, store=target)
    assert "Evil" not in str(caught.value)


@pytest.mark.parametrize(
    ("challenge", "kind", "message"),
    [
        ({}, AccessError, "it refuses, and asks for nothing that can be given; Basic and Bearer are known"),
        ({"WWW_Authenticate": "Negotiate"}, AccessError, "asks for negotiate"),
        ({"WWW_Authenticate": "Bearer"}, ProtocolError, "it wants a token and does not say from where"),
        ({"WWW_Authenticate": 'Bearer realm="no url"'}, ProtocolError, "is no URL of HTTP"),
        ({"WWW_Authenticate": 'Bearer realm="https://u:p@x/"'}, ProtocolError, "without a password"),
    ],
)
def test_an_odd_challenge_is_an_error(fake, held, puller, target, challenge, kind, message):
    fake.faults["HEAD", "manifest"] = lambda handler: handler.answer(401, b"{}", **challenge)
    with pytest.raises(kind, match=message):
        puller(held, store=target)


def test_a_registry_that_repeats_a_secret_is_not_repeated(fake, held, puller, target, tmp_path):
    """Its own words are shown, without what it was given."""

    def echo(handler):
        if wants_basic(handler):
            return
        said = f"you said {handler.headers['authorization']}"
        body = json.dumps({"errors": [{"code": "DENIED", "message": said}]}).encode()
        handler.answer(403, body)

    fake.faults["GET", "manifest"] = echo
    fake.faults["HEAD", "manifest"] = lambda handler: handler.answer(200)
    with pytest.raises(AccessError, match="DENIED: you said Basic …") as caught:
        puller(held, store=target, environment=login_for(fake.host, tmp_path / "login"))
    assert PASSWORD not in repr(caught.value)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
@pytest.mark.parametrize("key", [("HEAD", "manifest"), ("GET", "manifest"), ("GET", "blob")])
def test_a_registry_that_is_busy_for_ever_is_given_up(fake, held, puller, target, status, key):
    """As many attempts as are allowed, and its own words in the message."""
    body = b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}'
    fake.faults[key] = lambda handler: handler.answer(status, body)
    with pytest.raises(UnavailableError, match=rf"HTTP {status}.*gave up after 3 attempts"):
        puller(held, store=target, limits=ONE_AT_A_TIME)
    assert sum((method, path.split("/")[3]) == (key[0], f"{key[1]}s") for method, path, _ in fake.requests) == 3


def test_a_registry_that_is_busy_once_is_asked_again(fake, held, image, puller, target):
    for key in (("HEAD", "manifest"), ("GET", "manifest"), ("GET", "blob")):
        fake.faults[key] = times(2, lambda handler: handler.answer(503, b"", Retry_After="0"))
    assert puller(held, store=target, limits=ONE_AT_A_TIME).image.digest == image.digest


def test_a_registry_that_asks_for_an_hour_is_not_waited_for(fake, held, puller, target):
    fake.faults["HEAD", "manifest"] = lambda handler: handler.answer(429, b"{}", Retry_After="3600")
    with pytest.raises(UnavailableError, match=r"it asks for 3600 s, too long to wait"):
        puller(held, store=target)
    assert len(fake.requests) == 1


def drips(start, *, every_s=0.02):
    """Send some bytes, then one at a time for as long as anybody listens."""

    def fault(handler):
        handler.close_connection = True
        with suppress(OSError):
            handler.wfile.write(start)
            for _ in range(500):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(every_s)

    return fault


@pytest.mark.parametrize(
    ("key", "start"),
    [
        (("HEAD", "manifest"), b"HTTP/1.1 200 OK\r\nX-Endless: "),
        (("GET", "manifest"), b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        (("GET", "blob"), b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"),
        (("GET", "blob"), b"HTTP/1.1 200 OK\r\nX-Endless: "),
    ],
)
def test_a_registry_that_drips_is_given_up(fake, held, puller, target, key, start):
    """A byte now and then keeps no time-out of a socket from starting anew; the deadline is on the whole."""
    fault = (lambda handler: drips(start % size_of(handler))(handler)) if b"%d" in start else drips(start)
    fake.faults[key] = of_the_large(fault) if key[1] == "blob" else fault
    with pytest.raises(UnavailableError, match=r"(no whole answer|less than \d+ bytes) in 0.3 s.*gave up after 2"):
        puller(held, store=target, limits=SLOW)


def test_a_pull_as_a_whole_has_a_deadline(fake, held, puller, target):
    fake.faults["HEAD", "manifest"] = lambda handler: handler.answer(503, b"", Retry_After="30")
    with pytest.raises(UnavailableError, match=r"pulling .*: not done after 0.2 s; what was fetched is kept"):
        puller(held, store=target, limits=replace(QUICK, overall_s=0.2, attempts=1000))


def test_a_web_page_is_no_registry(fake, held, puller, target):
    """A wrong host name often leads to a web server that answers everything with 200."""
    page = {"body": b"<!DOCTYPE html><html>", "Content_Type": "text/html; charset=utf-8"}
    fake.faults["HEAD", "manifest"] = lambda handler: handler.answer(200, Content_Type="text/html")
    fake.faults["GET", "manifest"] = lambda handler: handler.answer(200, **page)
    with pytest.raises(ProtocolError, match=r"answers with a web page; is it a registry\?"):
        puller(held, store=target)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (b"<html>", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b"[]", "expected an object"),
        (b'{"schemaVersion": 1}', "no manifest of schema 2"),
        (b'{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws"}', "schema 2"),
        (b'{"schemaVersion": 2, "mediaType": "application/x"}', "its type is 'application/x'"),
        (b'{"schemaVersion": 2, "config": {"mediaType": "x", "digest": "y", "size": 1}}', "does not start with"),
        (b'{"schemaVersion": 2, "manifests": 5}', "expected a list"),
        (b'{"schemaVersion": 2, "layers": [], "config": {"mediaType": 1}}', "expected text"),
    ],
)
def test_a_malformed_manifest_is_the_images_fault(fake, puller, target, manifest, message):
    """Nested to any depth, of the wrong types, of another kind: an error that names the image."""
    fake.put("1", media_types.MANIFEST, manifest)
    with pytest.raises(ImageError, match=message):
        puller(f"{fake.host}/a:1", store=target)


def test_an_enormous_manifest_is_not_read_to_its_end(fake, puller, target):
    """Reading stops at the limit, however long it would go on."""

    def endless(handler):
        handler.close_connection = True
        with suppress(OSError):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(1000):
                handler.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")

    fake.faults["HEAD", "manifest"] = lambda handler: handler.answer(200)
    fake.faults["GET", "manifest"] = endless
    with pytest.raises(ProtocolError, match=r"it sends more than 4194304 bytes; is it a registry\?"):
        puller(f"{fake.host}/a:1", store=target)


def test_enormous_headers_are_not_read_to_their_end(fake, puller, target):
    fake.faults["HEAD", "manifest"] = lambda handler: handler.raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000_000)
    with pytest.raises(UnavailableError, match="gave up after 3 attempts"):
        puller(f"{fake.host}/a:1", store=target)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest["layers"][0].update(size=10**15), r"bytes compressed, more than"),
        (lambda manifest: manifest["config"].update(size=10**9), r"its configuration has 1000000000 bytes, more than"),
        (lambda manifest: manifest.update(layers=manifest["layers"] * 600), r"it has 1200 layers, more than 1000"),
    ],
)
def test_an_image_too_large_to_be_one_is_not_begun(fake, image, puller, target, change, message):
    fake.hold(image, "1")
    manifest = json.loads(image.manifest)
    change(manifest)
    fake.put("2", media_types.MANIFEST, json.dumps(manifest).encode())
    with pytest.raises(LimitError, match=message):
        puller(f"{fake.host}/a:2", store=target)
    assert fake.methods("blob") == []


def test_a_blob_that_is_gone_is_named(fake, held, image, puller, target):
    """The manifest names it and the registry has lost it."""
    digest = image.layers[1].descriptor.digest
    del fake.blobs[str(digest)]
    with pytest.raises(NotFoundError, match=f"blobs/{digest}: the registry does not have it, HTTP 404"):
        puller(held, store=target)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"\x16\x03\x01\x00\x00",
        b"\0" * 100,
    ],
)
def test_what_is_no_http_is_an_error(fake, held, puller, target, answer):
    fake.faults["HEAD", "manifest"] = lambda handler: handler.raw(answer)
    with pytest.raises(UnavailableError, match="gave up after 3 attempts"):
        puller(held, store=target)


@contextmanager
def silent_port():
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        taken = []
        running = True

        def take():
            listening.settimeout(0.05)
            while running:
                with suppress(OSError):
                    taken.append(listening.accept()[0])

        thread = threading.Thread(target=take)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        running = False
        thread.join()
        for connection in taken:
            connection.close()


def test_silence_is_given_up(puller, target):
    """A host that takes the connection and says nothing, be it for TLS or for HTTP."""
    with silent_port() as host, pytest.raises(UnavailableError, match="gave up after 2 attempts"):
        puller(f"{host}/a:1", store=target, limits=replace(SLOW, connect_s=0.2))


def test_a_refused_connection_says_so(puller, target):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host = f"127.0.0.1:{listening.getsockname()[1]}"
    with pytest.raises(UnavailableError, match=r"HEAD https://.*: Connection refused; see whether it runs"):
        puller(f"{host}/a:1", store=target, insecure=())


def test_a_host_that_does_not_exist_says_so(puller, target):
    with pytest.raises(RegistryError, match=r"there is no host of that name|Temporary failure in name resolution"):
        puller("registry.invalid/a:1", store=target, insecure=())


@pytest.fixture
def small_disk(tmp_path, root):
    """A file system with room for 100 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.root
def test_a_full_disk_is_said_and_freed(held, puller, small_disk):
    """In the middle of a blob the disk is full: an error with advice, and what was written is given back."""
    with pytest.raises(DiskError, match=r"fetching a blob to .*: No space left on device; free some space"):
        puller(held, store=BlobStore(small_disk))
    assert os.statvfs(small_disk).f_bfree > 10
    assert nothing_is_kept(BlobStore(small_disk))


def test_no_secret_is_logged(fake, held, puller, target, tmp_path, caplog):
    """Whoever turns on all logging sees no password, token or signature of ours."""
    caplog.set_level("DEBUG")
    fake.faults["GET", "token"] = lambda handler: handler.answer(200, b'{"token": "good-secret"}')
    for key in (("HEAD", "manifest"), ("GET", "manifest"), ("GET", "blob")):
        fake.faults[key] = asks_for_token(f"http://{fake.host}/token")
    puller(held, store=target, environment=login_for(fake.host, tmp_path / "login"))
    logged = " ".join(record.getMessage() for record in caplog.records)
    assert "good-secret" not in logged
    assert PASSWORD not in logged


def test_a_long_secret_is_not_shown_in_part(fake, held, puller, target, tmp_path):
    """A message is cut after it was cleared, not before."""
    secret = "".join(f"{number:x}" for number in range(1000))

    def echo(handler):
        said = "x" * 250 + handler.headers.get("authorization", "")
        handler.answer(403, json.dumps({"errors": [{"code": "DENIED", "message": said}]}).encode())

    fake.faults["HEAD", "manifest"] = asks_for_token(f"http://{fake.host}/token")
    fake.faults["GET", "token"] = lambda handler: handler.answer(200, json.dumps({"token": "good" + secret}).encode())
    fake.faults["GET", "manifest"] = echo
    with pytest.raises(AccessError, match="Bearer …") as caught:
        puller(held, store=target)
    assert secret[:8] not in str(caught.value)


def test_a_secret_in_a_header_of_the_registry_is_not_shown(fake, held, image, pusher, tmp_path):
    """Whatever part of an answer a message quotes, it is cleared on its way out."""

    def echo(handler):
        handler.body()
        if wants_basic(handler):
            return
        handler.answer(201, Docker_Content_Digest=f"sha256:{handler.headers['authorization']}")

    fake.faults["PUT", "manifest"] = echo
    with pytest.raises(ProtocolError, match="Basic …") as caught:
        pusher(image, f"{fake.host}/a:2", environment=login_for(fake.host, tmp_path / "login"))
    assert fake.authorizations()
    assert not any(sent.partition(" ")[2] in str(caught.value) for sent in fake.authorizations())


def test_a_token_of_the_users_that_no_header_can_hold_is_refused(fake, held, puller, target, tmp_path):
    fake.faults["HEAD", "manifest"] = asks_for_token(f"http://{fake.host}/token")
    environment = login_for(fake.host, tmp_path / "login")
    entry = {"registrytoken": "a\nb"}
    (tmp_path / "login" / "config.json").write_text(json.dumps({"auths": {fake.host: entry}}))
    with pytest.raises(AccessError, match=r"reading the token from the file .*: no header can hold it; log in again"):
        puller(held, store=target, environment=environment)


@pytest.mark.parametrize(
    "location", ["http://xn--a.example:1/x", "http://[::1/x", "http://a" * 30_000, "http://\u2603.\u0000/"]
)
def test_a_redirect_to_no_url_is_the_registrys_mistake(fake, held, puller, target, location):
    """Whatever stands in Location, no error but our own comes out of it."""

    def redirect(handler):
        handler.raw(b"HTTP/1.1 307 X\r\nContent-Length: 0\r\nLocation: " + location.encode() + b"\r\n\r\n")

    fake.faults["HEAD", "manifest"] = redirect
    with pytest.raises(RegistryError):
        puller(held, store=target)


@pytest.mark.parametrize("proxy", ["nonsense://x", "socks5://127.0.0.1:1"])
def test_a_bad_proxy_is_named(fake, held, puller, target, monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(RegistryError, match="reading the proxies in HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"):
        puller(held, store=target)


def test_a_blob_that_goes_after_it_was_seen_is_told(fake, image, pusher):
    """Between the question and the manifest the registry lost a blob: it says which, and so do we."""
    fake.faults["HEAD", "blob"] = lambda handler: handler.answer(200)

    def unknown(handler):
        handler.body()
        handler.answer(400, b'{"errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry"}]}')

    fake.faults["PUT", "manifest"] = unknown
    with pytest.raises(
        ProtocolError, match=r"pushing the manifest 1 .*MANIFEST_BLOB_UNKNOWN: blob unknown to registry"
    ):
        pusher(image, f"{fake.host}/a:1")


def test_a_slow_token_is_not_the_transfers_time(fake, held, image, puller, target):
    """A service may take longer for a token than a transfer may stand still."""

    def slowly(handler):
        time.sleep(0.5)
        handler.answer(200, b'{"token": "good"}')

    fake.faults["GET", "token"] = slowly
    fake.faults["GET", "blob"] = asks_for_token(f"http://{fake.host}/token")
    limits = replace(QUICK, attempts=4, stall_s=0.3)
    assert puller(held, store=target, limits=limits).image.digest == image.digest
