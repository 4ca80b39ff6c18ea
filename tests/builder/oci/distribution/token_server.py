"""A token service as registries use: real JSON Web Tokens, signed with a key whose certificate the registry trusts.

Specification: https://distribution.github.io/distribution/spec/auth/jwt/. It grants what is asked for to whom it
knows, and pulls only to the anonymous; signing is openssl's work.
"""

import base64
import json
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tests.conftest import unavailable

SERVICE, ISSUER = "registry for tests", "token service for tests"
USER, PASSWORD, REFRESH = "ada", "correct horse: \u00e4", "identity-token-of-ada"


class TokenServer:
    """`asked` holds each request: method, parameters as pairs, and Authorization."""

    def __init__(self, folder: Path) -> None:
        self.key, self.certificate = folder / "token.key", folder / "token.crt"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tokens", "-days", "2",
                "-keyout", self.key, "-out", self.certificate)  # fmt: skip
        self.lifetime_s = 300
        self.asked: list[tuple[str, list[tuple[str, str]], str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.tokens = self
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.realm = f"http://127.0.0.1:{self.server.server_port}/token"

    def registry_auth(self) -> dict:
        """Give the registry's configuration for this service."""
        found = {"realm": self.realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(self.certificate)}
        return {"token": found}

    def token(self, scopes: list[str], *, can_push: bool) -> str:
        now = int(time.time())
        access = []
        for kind, name, actions in (scope.split(":") for scope in scopes):
            granted = [action for action in actions.split(",") if can_push or action == "pull"]
            access.append({"type": kind, "name": name, "actions": granted})
        claims = {
            "iss": ISSUER, "sub": "", "aud": SERVICE, "exp": now + self.lifetime_s, "nbf": now - 10, "iat": now,
            "jti": uuid.uuid4().hex, "access": access,
        }  # fmt: skip
        der = openssl("x509", "-in", self.certificate, "-outform", "DER")
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        signature = openssl("dgst", "-sha256", "-sign", self.key, stdin=signed)
        return b".".join((signed, _encoded(signature))).decode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        if self.connection.recv(1, 16 | 2)[:1] != b"\x16":  # MSG_PEEK: the hello of TLS gets no answer
            super().handle()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        pairs = parse_qsl(urlsplit(self.path).query)
        authorization = self.headers.get("authorization", "")
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self._answer("GET", pairs, authorization, is_known=authorization == expected, is_refused=bool(authorization))

    def do_POST(self) -> None:
        pairs = parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode())
        is_known = dict(pairs).get("refresh_token") == REFRESH
        self._answer("POST", pairs, self.headers.get("authorization", ""), is_known=is_known, is_refused=True)

    def _answer(self, method: str, pairs: list, authorization: str, *, is_known: bool, is_refused: bool) -> None:
        tokens: TokenServer = self.server.tokens
        tokens.asked.append((method, pairs, authorization))
        if is_refused and not is_known:
            status, body = 401, {"errors": [{"code": "UNAUTHORIZED", "message": f"not so: {authorization}"}]}
        else:
            values = [value for name, value in pairs if name == "scope"]
            scopes = [scope for value in values for scope in value.split()]
            name = "access_token" if method == "POST" else "token"
            status, body = 200, {name: tokens.token(scopes, can_push=is_known), "expires_in": tokens.lifetime_s}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def openssl(*arguments: object, stdin: bytes = b"") -> bytes:
    """Run openssl and give what it writes."""
    if shutil.which("openssl") is None:
        unavailable("openssl is not installed: scripts/engines installs it")
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, input=stdin, check=True, capture_output=True, timeout=60).stdout


@contextmanager
def token_server(folder: Path) -> Iterator[TokenServer]:
    folder.mkdir(parents=True, exist_ok=True)
    running = TokenServer(folder)
    thread = threading.Thread(target=running.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.server.shutdown()
        running.server.server_close()
        thread.join(5)
