"""HTTP by requests, from a server in this process: bodies, cookies, redirects, guessed encodings, errors."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPDigestAuth
from urllib3.util.retry import Retry


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/redirect":
            return self.answer(302, b"", Location="/json")
        if self.path == "/latin":
            return self.answer(200, "Fässer aus Eichenholz, süß und würzig, für Käufer in Österreich".encode("cp1252"))
        if self.path == "/cookie":
            return self.answer(200, self.headers.get("Cookie", "none").encode(), **{"Set-Cookie": "cask=oak; Path=/"})
        if self.path == "/digest" and "Authorization" not in self.headers:
            return self.answer(401, b"", **{"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})
        if self.path == "/busy":
            return self.answer(503, b"busy")
        return self.answer(200, b'{"wood": "oak"}', **{"Content-Type": "application/json"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers["Content-Type"].split(";")[0].encode()
        self.answer(200, kind + b" " + str(b"name=" in body).encode())

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


SERVER = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=SERVER.serve_forever, daemon=True).start()
URL = f"http://127.0.0.1:{SERVER.server_port}"


def get(event):
    found = requests.get(URL + event["path"], timeout=5)
    return [found.status_code, found.json(), [step.status_code for step in found.history]]


def text(event):
    found = requests.get(URL + "/latin", timeout=5)
    found.encoding = None
    return ["Eichenholz" in found.text, found.apparent_encoding is not None]


def cookies(event):
    with requests.Session() as session:
        session.get(URL + "/cookie", timeout=5)
        return [session.get(URL + "/cookie", timeout=5).text, session.cookies.get_dict()]


def post(event):
    given = {
        "json": {"json": {"name=": 1}},
        "form": {"data": {"name": "oak"}},
        "file": {"files": {"f": ("a.txt", b"x")}},
    }
    return requests.post(URL, timeout=5, **given[event["kind"]]).text


def proxy(event):
    try:
        requests.get(URL, timeout=5, proxies={"http": event["proxy"]})
    except requests.RequestException as error:
        return type(error).__name__
    return None


def digest(event):
    return requests.get(URL + "/digest", auth=HTTPDigestAuth("u", "p"), timeout=5).status_code


def retry(event):
    with requests.Session() as session:
        retries = Retry(total=1, status_forcelist=[503], backoff_factor=0, raise_on_status=event["raise"])
        session.mount("http://", HTTPAdapter(max_retries=retries))
        try:
            return session.get(URL + "/busy", timeout=5).status_code
        except requests.exceptions.RetryError as error:
            return type(error).__name__


def status(event):
    try:
        requests.get(URL + "/busy", timeout=5).raise_for_status()
    except requests.HTTPError as error:
        return [error.response.status_code, error.response.reason]
    return None


def prepared(event):
    request = requests.Request("GET", "https://exämple.com/a b", params={"x": [1, 2]}).prepare()
    return request.url


def handler(event, context):
    actions = (get, text, cookies, post, proxy, digest, retry, status, prepared)
    return {action.__name__: action for action in actions}[event["do"]](event)
