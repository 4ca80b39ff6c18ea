"""Credential helpers: programs called `docker-credential-NAME` that keep passwords elsewhere.

Protocol: https://github.com/docker/docker-credential-helpers#development. `get` takes a server's name on standard
input and answers `{"Username": …, "Secret": …}`. What a helper prints is shown to nobody unless it failed, and then
one line of it.
"""

import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from builder.oci.errors import AccessError, ImageError
from builder.oci.jsons import Fields

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_ABSENT: Final = ("credentials not found", "no credentials", "not logged in")  # helpers' words for "I have none"
_SHOWN_CHARS: Final = 200
_MAX_ANSWER_BYTES: Final = 256 * 1024  # tokens of clouds have some thousands
_READ_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Secret:
    """What a helper answered."""

    username: str
    secret: str = field(repr=False)


def ask_helper(name: str, server: str, *, seconds: float, environment: Mapping[str, str]) -> Secret | None:
    """Ask `docker-credential-NAME` for a server's credentials, None where it has none; raises AccessError."""
    program = f"docker-credential-{name}"
    found = shutil.which(program, path=environment.get("PATH")) if _NAME.fullmatch(name) else None
    if found is None:
        raise AccessError(
            f"asking {program!r} for the credentials of {server!r}: there is no such program on PATH; install it, or "
            f"take it out of the file that names it (credHelpers, credsStore)"
        )
    code, output = _run(found, server, seconds, environment)
    text = output.decode("utf-8", "replace").strip()
    if code:
        if any(words in text.lower() for words in _ABSENT):
            return None
        said = text.partition("\n")[0][:_SHOWN_CHARS] if not text.startswith("{") else "JSON"
        raise AccessError(
            f"asking {program!r} for the credentials of {server!r}: it ended with {code} and said {said!r}; "
            f"run it by hand, or log in again"
        )
    try:
        fields = Fields.parse(output, "its answer")
        return Secret(fields.text("Username"), fields.text("Secret"))
    except ImageError:
        # Without the cause, whose message would show what was found.
        raise AccessError(
            f"asking {program!r} for the credentials of {server!r}: its answer is not JSON with Username and Secret; "
            f"run it by hand to see why"
        ) from None


def _run(program: str, server: str, seconds: float, environment: Mapping[str, str]) -> tuple[int, bytes]:
    """Run a helper in a session of its own, so that all it has started ends with it; what it prints is bounded."""
    process = subprocess.Popen(
        [program, "get"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        start_new_session=True,
    )
    deadline = time.monotonic() + seconds
    with process:
        try:
            output = _exchange(process, server, deadline)
            process.wait(max(deadline - time.monotonic(), 0))
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            _end(process)
            raise AccessError(
                f"asking {program!r} for the credentials of {server!r}: no answer in {seconds:g} s; "
                f"run it by hand: it may wait for somebody to unlock it"
            ) from error
        except BaseException:
            _end(process)
            raise
    return process.returncode, output


def _exchange(process: "subprocess.Popen[bytes]", server: str, deadline: float) -> bytes:
    """Ask, and read the answer to its end. Raises TimeoutError, AccessError for more than any answer has."""
    if process.stdin is None or process.stdout is None:  # both are pipes
        return b""
    with suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(server.encode())  # every pipe holds a host's name
    answer = b""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            raise TimeoutError
        piece = os.read(process.stdout.fileno(), _READ_BYTES)
        if not piece:
            return answer
        answer += piece
        if len(answer) > _MAX_ANSWER_BYTES:
            raise AccessError(
                f"asking {process.args[0]!r} for the credentials of {server!r}: it prints without end; "  # type: ignore[index]  # a list
                f"run it by hand to see why"
            )


def _end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
