"""Records of failed events arrive, or the failure is said."""

from __future__ import annotations

import asyncio
import http.server
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator
from emulator.asynchronous import EventOptions
from emulator.destination import deliver
from emulator.event_queue import EventQueue
from emulator.values import Submission

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_file_gets_a_line_each(tmp_path: Path) -> None:
    """They are appended."""
    target = tmp_path / "records"
    for record in (b"1\n", b"2\n"):
        asyncio.run(deliver(str(target), record))
    assert target.read_bytes() == b"1\n2\n"


def test_a_url_gets_a_post_each() -> None:
    """As JSON."""
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        asyncio.run(deliver(f"http://127.0.0.1:{server.server_port}/failed", b"{}\n"))
    assert received == [("/failed", "application/json", b"{}\n")]


@pytest.mark.parametrize("target", ["/nonexistent/folder/file", "http://127.0.0.1:9/"])
def test_what_could_not_be_delivered_is_said(target: str, settings: Callable) -> None:
    """The emulator goes on."""
    said: list[str] = []

    async def story() -> None:
        async with Emulator(settings("error")) as emulator:
            queue = EventQueue(emulator, EventOptions(retries=0, on_failure=target), say=said.append)
            queue.accept(Submission(b"{}"))
            while not said:  # noqa: ASYNC110 - a plain callback
                await asyncio.sleep(0.01)
            await queue.close()

    asyncio.run(story())
    assert len(said) == 1
    assert f"delivering the record of a failed event to {target!r}: " in said[0]
    assert said[0].endswith("; the record is lost")


def test_an_image_without_the_means_to_post_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trimming leaves `urllib.request` out where the function does without; a file can still be named."""
    monkeypatch.setitem(sys.modules, "urllib.request", None)  # importing it raises ImportError
    with pytest.raises(
        OSError, match=r"posting to http://127\.0\.0\.1:9/: this image has no urllib.request; name a file: "
    ):
        asyncio.run(deliver("http://127.0.0.1:9/", b"{}"))


def test_an_event_waits_for_an_environment(settings: Callable) -> None:
    """One that found none is tried again, and runs."""

    async def story() -> int:
        async with Emulator(settings("works_on", queue_timeout_s=0.05)) as emulator:
            queue = EventQueue(emulator, EventOptions(delay_scale=0.1), say=lambda _: None)
            await emulator.invoke(b"0")
            ran = asyncio.ensure_future(emulator.invoke(b"0.3"))
            await asyncio.sleep(0)
            queue.accept(Submission(b"0"))
            await ran
            while queue.count:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
            await queue.close()
            return queue.count

    assert asyncio.run(story()) == 0
