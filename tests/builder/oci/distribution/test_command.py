"""The command line on registries that want a password, or that hang: secrets stay where they are, and Ctrl-C works."""

import base64
import json
import os
import signal
import socket
import subprocess
import time
import uuid

import pytest

from tests.builder.oci.distribution.token_server import PASSWORD, USER
from tests.conftest import clean_environment


def test_a_login_leaves_no_trace(build_image, function, secured, logged_in, cold_cache, tmp_path):
    """Not in what is printed, in the image, its history, SBOM or provenance, or in the cache."""
    running, certificate = secured
    name = f"{running.host}/command/{uuid.uuid4().hex[:12]}:1"
    done = build_image(
        function(), "--push", "-t", name, "-v", "--json", "--no-prove", "--report", "report.html", "-o", "oci:image",
        "--sbom", "sbom.json", "--provenance", "provenance.json", cache=cold_cache,
        SSL_CERT_FILE=str(certificate), **logged_in(running.host),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert json.loads(done.out)["pushed"]["blobs_uploaded"] > 0
    secrets = [PASSWORD.encode(), base64.b64encode(f"{USER}:{PASSWORD}".encode())]
    (tmp_path / "printed").write_text(done.out + done.err)
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "config.json"]
    assert len(kept) > 20
    assert [path for path in kept if any(secret in path.read_bytes() for secret in secrets)] == []


def test_a_registry_without_documents_is_warned_of(build_image, function, fake):
    """The image is pushed, and nobody believes that its SBOM is there too."""

    def images_only(handler):
        data = handler.body()
        if b'"subject"' in data:
            return handler.answer(405, b"{}")
        handler.body = lambda: data
        handler.put_manifest()
        del handler.body  # the connection goes on
        return True

    fake.faults["PUT", "manifest"] = images_only
    done = build_image(
        function(), "--push", "-t", f"{fake.host}/a:1", "--insecure-registry", fake.host, "--no-prove", "--json"
    )
    assert (done.code, "1" in fake.manifests) == (0, True), done.err
    assert "warning: pushed without SBOM and provenance, which this registry does not take: " in done.err
    assert json.loads(done.out)["pushed"]["referrers"] == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_registry_that_hangs_can_be_interrupted(commands, tmp_path, number, code):
    """A signal ends the wait for a silent registry at once, with the exit code of the signal and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [commands / "firkin", "lint", f"{host}/a:1", "--insecure-registry", host],
            env=clean_environment(BUILD_IMAGE_CACHE_DIR=str(tmp_path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        silent.settimeout(60)
        connection, _ = silent.accept()
        with connection:
            time.sleep(0.1)  # it waits for an answer now
            os.kill(process.pid, number)
            out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, b"")
    assert b"Traceback" not in err
