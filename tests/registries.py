"""Real registries for tests: Debian's docker-registry (CNCF distribution) on free ports of loopback.

What a registry was asked is in its access log, which `requests` reads: the witness for what a client sent.
"""

import json
import re
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import unavailable
from tests.ports import free_port

_START_S = 20
_LINE = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/1\.1" (?P<status>\d+)')


@dataclass
class Registry:
    """A running registry; `host` is its `127.0.0.1:PORT`."""

    host: str
    folder: Path
    process: subprocess.Popen = field(repr=False)

    def requests(self) -> list[tuple[str, str, int]]:
        """Give method, path and status of every request so far, in the order they were answered in."""
        found = _LINE.finditer((self.folder / "log").read_text())
        return [(line["method"], line["path"], int(line["status"])) for line in found if "/v2/" in line["path"]]

    @contextmanager
    def counted(self) -> Iterator[list[tuple[str, str, int]]]:
        """Give a list that holds, after the block, the requests made in it."""
        before, during = len(self.requests()), []
        yield during
        during += self.requests()[before:]


@contextmanager
def registry(folder: Path, *, http: Mapping | None = None, auth: Mapping | None = None) -> Iterator[Registry]:
    """Start a registry with these parts of its configuration, and end it."""
    program = shutil.which("docker-registry") or unavailable("docker-registry is missing: scripts/engines installs it")
    folder.mkdir(parents=True, exist_ok=True)
    host = f"127.0.0.1:{free_port()}"
    config = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": host, "secret": "for tests", **(http or {})},
        **({"auth": auth} if auth else {}),
    }
    (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        _wait(process, f"{'https' if 'tls' in (http or {}) else 'http'}://{host}/v2/", folder)
        yield Registry(host, folder, process)
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen, url: str, folder: Path) -> None:
    deadline = time.monotonic() + _START_S
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    while True:
        try:
            urllib.request.urlopen(url, timeout=2, context=unverified).close()
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "the registry does not answer"
            time.sleep(0.02)
        else:
            return
