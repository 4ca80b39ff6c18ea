"""A registry that can be made to misbehave: for the faults and attacks that no real one shows on demand.

Honest otherwise: it keeps to the distribution specification 1.1 as far as the client uses it, in plain HTTP and
memory, and checks what it is given. A fault is a function `fault(handler)` for the requests of a method and a kind;
it answers by itself, in any bytes it likes, and says False to let the registry answer after all.
"""

import hashlib
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_KINDS = {
    "manifest": re.compile(r"/v2/(?P<name>.+)/manifests/(?P<what>[^/]+)"),
    "referrers": re.compile(r"/v2/(?P<name>.+)/referrers/(?P<what>[^/]+)"),
    "upload": re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<what>[^/]+)"),
    "uploads": re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<what>)"),
    "blob": re.compile(r"/v2/(?P<name>.+)/blobs/(?P<what>[^/]+)"),
    "token": re.compile(r"(?P<name>)/(?P<what>token)"),
}
Fault = Callable[["Handler"], object]


class FakeRegistry:
    """What it holds, what it was asked, and how it misbehaves."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.has_referrers = False
        self.faults: dict[tuple[str, str], Fault] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.registry = self
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.host = f"127.0.0.1:{self.server.server_port}"

    def hold(self, image, tag: str) -> None:
        """Have an image, as if it had been pushed."""
        for layer in image.layers:
            with image.blobs.open(layer.descriptor) as blob:
                self.blobs[str(layer.descriptor.digest)] = b"".join(iter(lambda: blob.read(1 << 20), b""))
        self.blobs[str(image.config_descriptor.digest)] = image.raw_config
        self.put(tag, image.descriptor.media_type, image.manifest)

    def put(self, tag: str, kind: str, data: bytes) -> str:
        digest = digest_of(data)
        self.manifests[tag] = self.manifests[digest] = (kind, data)
        return digest

    def methods(self, kind: str = "") -> list[str]:
        """Give the methods of the requests so far, of one kind or all."""
        return [method for method, path, _ in self.requests if not kind or kind_of(path)[0] == kind]

    def authorizations(self) -> set[str]:
        """Give all that was ever sent as Authorization."""
        return {headers["authorization"] for _, _, headers in self.requests if "authorization" in headers}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: ThreadingHTTPServer

    def setup(self) -> None:
        super().setup()
        self.registry: FakeRegistry = self.server.registry

    def handle(self) -> None:
        if self.connection.recv(1, 16 | 2)[:1] != b"\x16":  # MSG_PEEK: the hello of TLS gets no answer
            with suppress(OSError):
                super().handle()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_any(self) -> None:
        self.parts = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(self.parts.query).items()}
        self.kind, self.what = kind_of(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.registry.requests.append((self.command, self.path, headers))
        fault = self.registry.faults.get((self.command, self.kind))
        if fault is not None and fault(self) is not False:
            return
        answer = getattr(self, f"{self.command.lower()}_{self.kind}", None)
        if answer is None:
            self.answer(404, b"{}")
        else:
            answer()

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_any  # noqa: N815 - the base class's names

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer in an ordinary way; underscores in header names are hyphens."""
        self.send_response(status)
        headers.setdefault("Content_Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def raw(self, data: bytes) -> None:
        """Answer with these very bytes, and hang up."""
        with suppress(OSError):
            self.wfile.write(data)
            self.wfile.flush()
        self.close_connection = True

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def get_manifest(self) -> None:
        kind, data = self.registry.manifests.get(self.what, ("", b""))
        if not data:
            self.answer(404, json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "unknown"}]}).encode())
            return
        self.answer(200, data, Content_Type=kind, Docker_Content_Digest=digest_of(data))

    head_manifest = get_manifest

    def put_manifest(self) -> None:
        data = self.body()
        manifest = json.loads(data)
        for blob in (*manifest.get("layers", ()), *([manifest["config"]] if "config" in manifest else [])):
            assert blob["digest"] in self.registry.blobs
        self.registry.put(self.what, self.headers["content-type"], data)
        also = {"OCI_Subject": manifest["subject"]["digest"]} if manifest.get("subject") else {}
        self.answer(201, **(also if self.registry.has_referrers else {}), Docker_Content_Digest=digest_of(data))

    def get_blob(self) -> None:
        data = self.registry.blobs.get(self.what)
        if data is None:
            self.answer(404, b"{}")
            return
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        if start:
            place = f"bytes {start[1]}-{len(data) - 1}/{len(data)}"
            self.answer(206, data[int(start[1]) :], Content_Range=place)
        else:
            self.answer(200, data)

    head_blob = get_blob

    def post_uploads(self) -> None:
        session = uuid.uuid4().hex
        self.registry.uploads[session] = bytearray()
        self.answer(202, Location=f"{self.parts.path}{session}?state=secret", Range="0-0")

    def get_upload(self) -> None:
        held = self.registry.uploads.get(self.what)
        if held is None:
            self.answer(404, b"{}")
        else:
            self.answer(204, Location=f"{self.parts.path}?state=secret", Range=f"0-{max(len(held) - 1, 0)}")

    def patch_upload(self) -> None:
        held = self.registry.uploads.get(self.what)
        start = int(self.headers["content-range"].partition("-")[0])
        if held is None or start != len(held):
            self.answer(404 if held is None else 416, self.body()[:0])
            return
        self.take(held)
        self.answer(202, Location=f"{self.parts.path}?state=secret", Range=f"0-{len(held) - 1}")

    def take(self, held: bytearray) -> None:
        """Keep what comes, also of a request that is cut."""
        left = int(self.headers["content-length"])
        while left:
            data = self.rfile.read1(min(left, 65536))
            if not data:
                raise ConnectionError
            held += data
            left -= len(data)

    def put_upload(self) -> None:
        held = self.registry.uploads.get(self.what)
        if held is None:
            self.answer(404, self.body()[:0])
            return
        self.take(held)
        if digest_of(bytes(held)) != self.query["digest"]:
            self.answer(400, json.dumps({"errors": [{"code": "DIGEST_INVALID", "message": "another"}]}).encode())
            return
        self.registry.blobs[self.query["digest"]] = bytes(self.registry.uploads.pop(self.what))
        self.answer(201)

    def get_referrers(self) -> None:
        if not self.registry.has_referrers:
            self.answer(404, b"{}")
            return
        found = [
            {"mediaType": kind, "digest": digest, "size": len(data), "artifactType": json.loads(data)["artifactType"]}
            for digest, (kind, data) in self.registry.manifests.items()
            if digest.startswith("sha256:") and json.loads(data).get("subject", {}).get("digest") == self.what
        ]
        kind = "application/vnd.oci.image.index.v1+json"
        body = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": found}).encode()
        self.answer(200, body, Content_Type=kind)


def kind_of(path: str) -> tuple[str, str]:
    for kind, pattern in _KINDS.items():
        if found := pattern.fullmatch(urlsplit(path).path):
            return kind, found["what"]
    return "other", ""


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def times(count: int, fault: Fault) -> Fault:
    """Misbehave that many times, then no more."""
    left = [count]

    def limited(handler: Handler) -> object:
        left[0] -= 1
        return fault(handler) if left[0] >= 0 else False

    return limited


@contextmanager
def fake_registry() -> Iterator[FakeRegistry]:
    registry = FakeRegistry()
    thread = threading.Thread(target=registry.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        registry.server.shutdown()
        registry.server.server_close()
        thread.join(5)
