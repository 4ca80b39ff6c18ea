"""Extensions as real processes: what they are told, what waits for them, and what their end means."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator, Settings
from emulator.extension_processes import extension_environment, list_extensions

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator import Outcome

RUNTIMES = Path(__file__).parent / "runtimes"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where extensions are put."""
    place = tmp_path / "extensions"
    place.mkdir()
    return place


def install(folder: Path, name: str, source: str | None = None) -> None:
    text = (RUNTIMES / "agent.py").read_text() if source is None else source
    (folder / name).write_text(f"#!{sys.executable} -S\n{text}")
    (folder / name).chmod(0o755)


class Story:
    def __init__(self, outcomes: list[Outcome], log: str) -> None:
        self.outcomes = outcomes
        self.log = log

    def said(self, word: str, name: str = "agent") -> list[str]:
        """What an extension said after a word."""
        return re.findall(rf"^{name} {word} (.*)$", self.log, re.MULTILINE)

    def order(self) -> list[str]:
        """The first words of the lines that tell what happens."""
        words = re.findall(
            r"^(?:\w+ )?(START|END|REPORT|INVOKE|SHUTDOWN|EXTENSION|registered)\b", self.log, re.MULTILINE
        )
        return [word for word in words if word != "REPORT"]


@pytest.fixture
def run(folder: Path) -> Callable[..., Story]:
    """Give events to a runtime beside the extensions of the folder."""

    def tell(
        runtime: str, *events: bytes, habit: str = "", variables: dict[str, str] | None = None, **more: object
    ) -> Story:
        environment = {"PATH": os.environ["PATH"], "AGENT_HABIT": habit, **(variables or {})}
        command = [sys.executable, "-S", str(RUNTIMES / f"{runtime}.py")]

        async def story() -> Story:
            log = bytearray()
            settings = Settings(command, environment, **{"extensions": str(folder), **more})
            async with Emulator(settings, log=log.extend) as emulator:
                outcomes = [await emulator.invoke(event) for event in events]
            return Story(outcomes, log.decode())

        return asyncio.run(story())

    return tell


def test_the_order_of_a_life(run: Callable[..., Story], folder: Path) -> None:
    """All register, then the runtime starts; INVOKE for each event; SHUTDOWN at the end."""
    install(folder, "agent")
    install(folder, "other")
    story = run("echo", b"1", b"2")
    assert [outcome.payload for outcome in story.outcomes] == [b"1", b"2"]
    assert story.order() == [
        "registered", "registered", "EXTENSION", "EXTENSION", "START", "INVOKE", "INVOKE", "END",
        "START", "INVOKE", "INVOKE", "END", "SHUTDOWN", "SHUTDOWN",
    ]  # fmt: skip
    told = [json.loads(text) for text in story.said("INVOKE")]
    assert [event["requestId"] for event in told] == [outcome.request_id for outcome in story.outcomes]
    assert json.loads(story.said("SHUTDOWN")[0])["shutdownReason"] == "spindown"


def test_an_invocation_ends_when_the_extensions_are_done(run: Callable[..., Story], folder: Path) -> None:
    """Their time is the function's: reported, and limited."""
    install(folder, "agent")
    story = run("echo", b"1", habit="slow")
    assert story.outcomes[0].duration_ms >= 500
    story = run("echo", b"1", habit="slow", timeout_s=0.2)
    assert story.outcomes[0].payload == b"Task timed out after 0.20 seconds"


def test_a_timeout_is_a_shutdown(run: Callable[..., Story], folder: Path) -> None:
    """The extension learns why, and the next event finds a new one."""
    install(folder, "agent")
    story = run("hangs", b"1", b"2", timeout_s=0.5)
    assert [json.loads(text)["shutdownReason"] for text in story.said("SHUTDOWN")] == ["timeout", "timeout"]
    assert len(story.said("registered")) == 2


def test_a_dying_runtime_takes_them_along(run: Callable[..., Story], folder: Path) -> None:
    """Reason: failure."""
    install(folder, "agent")
    story = run("dies_in_event", b"1")
    assert story.outcomes[0].status == 502
    assert json.loads(story.said("SHUTDOWN")[0])["shutdownReason"] == "failure"


@pytest.mark.parametrize(
    ("habit", "error_type", "message"),
    [
        ("crash", "Extension.Crash", "exit status 9"),
        ("leave", "Extension.Crash", "exit code 0"),
        ("exit error", "Extension.ExitError", "exit status 4"),
    ],
)
def test_a_dying_extension_takes_the_runtime_along(
    run: Callable[..., Story], folder: Path, habit: str, error_type: str, message: str
) -> None:
    """The invocation fails with its words; the next one begins anew."""
    install(folder, "agent")
    story = run("hangs", b"1", b"2", habit=habit)
    for outcome in story.outcomes:
        assert (outcome.status, outcome.function_error) == (502, "Unhandled")
        assert json.loads(outcome.payload) == {
            "errorType": error_type, "errorMessage": f"RequestId: {outcome.request_id} Error: {message}"
        }  # fmt: skip
    assert len(story.said("registered")) == 2


def test_an_extension_that_fails_in_init(run: Callable[..., Story], folder: Path) -> None:
    """It is an init error, told with the state and type that it reported."""
    install(folder, "agent")
    story = run("echo", b"1", habit="init error")
    assert story.outcomes[0].status == 502
    assert "State: InitError\tEvents: [INVOKE, SHUTDOWN]\tError Type: Extension.Bad" in story.log
    assert "Status: error\tError Type: Extension.InitError" in story.log


def test_an_extension_that_never_registers(run: Callable[..., Story], folder: Path) -> None:
    """Init runs out of time; the runtime was never started."""
    install(folder, "agent")
    story = run("echo", b"1", habit="silent", init_limit_s=0.3, timeout_s=0.3)
    assert story.outcomes[0].payload == b"Task timed out after 0.30 seconds"
    assert "Phase: init\tStatus: timeout" in story.log


def test_what_cannot_be_started(run: Callable[..., Story], folder: Path) -> None:
    """A file that is no program is a launch error, told before there is an event."""
    (folder / "agent").write_text("no program")
    story = run("echo", b"1")
    assert story.outcomes[0].status == 502
    assert "Error Type: Extension.LaunchError" in story.log
    early, _, late = story.log.partition("START")
    assert f"\nError: starting the extension '{folder}/agent' in '/': " in early
    assert f"Error: starting the extension '{folder}/agent' in '/': " in late


def test_a_folder_may_be_named_from_where_the_emulator_runs(
    run: Callable[..., Story], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Extensions run in /, wherever their files are."""
    install(folder, "agent")
    monkeypatch.chdir(folder.parent)
    assert len(run("echo", b"1", extensions=folder.name).said("registered")) == 1


def test_more_than_ten(run: Callable[..., Story], folder: Path) -> None:
    """The platform's quota."""
    for number in range(11):
        install(folder, f"agent{number}", "import time; time.sleep(60)")
    story = run("echo", b"1")
    assert (story.outcomes[0].status, "Extension limit (10) reached" in story.log) == (502, True)


def test_who_does_not_go_is_killed(run: Callable[..., Story], folder: Path) -> None:
    """After the time for the end; who did not ask for SHUTDOWN is killed at once."""
    install(folder, "agent")
    stubborn = run("echo", b"1", habit="stubborn", shutdown_s=0.5)
    assert len(stubborn.said("SHUTDOWN")) == 1
    assert run("echo", b"1", habit="deaf").said("SHUTDOWN") == []


def test_telemetry(run: Callable[..., Story], folder: Path) -> None:
    """Everything from the start of the init on, and the end of the runtime's part while the extension still works."""
    install(folder, "agent")
    story = run("error", b"1", habit="telemetry")
    told = [json.loads(text) for text in story.said("telemetry")]
    request_id = story.outcomes[0].request_id
    types = [kind for kind, _ in told if kind != "function"]
    assert types[:7] == [
        "platform.initStart", "platform.telemetrySubscription", "platform.extension", "platform.initRuntimeDone",
        "platform.initReport", "platform.start", "platform.runtimeDone",
    ]  # fmt: skip
    assert set(types[7:]) <= {"platform.report"}  # the end of the environment may come before its delivery
    done = next(record for kind, record in told if kind == "platform.runtimeDone")
    assert done | {"metrics": None} == {
        "requestId": request_id, "status": "error", "errorType": "Runtime.Unknown", "metrics": None
    }  # fmt: skip


def test_an_internal_extension(run: Callable[..., Story]) -> None:
    """A thread of the runtime: registered during init only, told of INVOKE, waited for."""
    story = run("inner", b"1", b'"late"')
    assert [json.loads(text)["eventType"] for text in story.said("200", "inner")] == ["INVOKE", "INVOKE"]
    status, body = json.loads(story.outcomes[1].payload)
    assert (status, json.loads(body)["errorType"]) == (403, "Extension.RegistrationClosed")
    assert "EXTENSION\tName: inner\tState: Ready\tEvents: [INVOKE]" in story.log


def test_what_is_about_the_runtime_stays_with_it() -> None:
    """Extensions have the function's variables without those of its process."""
    variables = {
        "_HANDLER": "a",
        "LAMBDA_TASK_ROOT": "/",
        "MINE": "1",
        "AWS_LAMBDA_RUNTIME_API": "h:1",
        "AWS_REGION": "r",
    }
    assert extension_environment(variables) == {"MINE": "1", "AWS_LAMBDA_RUNTIME_API": "h:1", "AWS_REGION": "r"}


def test_what_is_an_extension(folder: Path) -> None:
    """Every file of the folder, sorted, or commands by name; no folders, and no folder is no extension."""
    install(folder, "b")
    install(folder, "a")
    (folder / "lib").mkdir()
    assert list_extensions(str(folder)) == [("a", [f"{folder}/a"]), ("b", [f"{folder}/b"])]
    assert list_extensions({"b": ["y"], "a": ["x", "1"]}) == [("a", ["x", "1"]), ("b", ["y"])]
    assert list_extensions(f"{folder}/nope") == list_extensions(None) == []
