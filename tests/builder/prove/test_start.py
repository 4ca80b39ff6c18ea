"""Without sample events a proof still tells an image that starts from one that does not; the handler is not called."""

import asyncio
import sys

import pytest

from builder.cache import Cache
from builder.errors import ProofError
from builder.oci import Image
from builder.outputs import open_image
from builder.prove import prove
from builder.prove.start import start
from emulator import Settings
from emulator.limits import LOG_LIMIT_BYTES

CALL = """
import os, socket
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
s = socket.create_connection((host, int(port)))
"""
NEXT = (
    CALL
    + r"""
s.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n")
s.recv(1)
"""
)
FAIL = (
    CALL
    + r"""
body = b'{"errorType": "E"}'
s.sendall(b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
print("why")
raise SystemExit(1)
"""
)
UNKNOWN = (
    CALL
    + r"""
s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
s.recv(1)
"""
)
NOISE = (
    CALL
    + r"""
s.sendall(b"x" * 200_000)
s.close()
"""
)


def tried(program: str, timeout_s: float = 30):
    settings = Settings([sys.executable, "-c", program], {}, cwd="/")
    return asyncio.run(start(settings, timeout_s=timeout_s))


@pytest.mark.parametrize(
    ("program", "problem", "log"),
    [
        (NEXT, "", ""),
        (FAIL, 'it does not start: {"errorType": "E"}', "why"),
        ("print('bye'); raise SystemExit(5)", "it ended with exit status 5", "bye"),
        (UNKNOWN, "it ended with exit status 0", ""),
        (NOISE, "it ended with exit status 0", ""),
    ],
)
def test_the_first_call_or_the_end_decides(program, problem, log):
    found = tried(program)
    assert found.problem == problem
    assert found.log.strip() == log


def test_a_runtime_that_never_calls_is_ended_after_the_timeout():
    assert (
        tried("import time; print('waiting', flush=True); time.sleep(1000)", 1).problem == "it did not start within 1 s"
    )


def test_the_end_of_a_long_log_is_kept():
    found = tried(f"print('x' * {2 * LOG_LIMIT_BYTES}); print('last'); raise SystemExit(1)")
    assert found.log.endswith("x\nlast\n")
    assert len(found.log) == LOG_LIMIT_BYTES


def test_an_image_without_events_starts_and_its_handler_is_not_called(image: Image, cache: Cache):
    proof = prove(image, [], cache)
    assert proof.answers == ()


def test_an_image_that_cannot_import_its_handler_is_not_proven(tmp_path, run_image, warm_cache, cache):
    folder = run_image(tmp_path, "import nothing_of_that_name\ndef handler(event, context): ...\n", warm_cache)
    with pytest.raises(ProofError, match="it does not start") as caught:
        prove(open_image(f"oci:{folder}"), [], cache)
    assert "Runtime.ImportModuleError" in str(caught.value)
    assert "nothing_of_that_name" in caught.value.details
