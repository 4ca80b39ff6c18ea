"""The emulator with real processes: well-behaved runtimes, and one for every way of misbehaving."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emulator import (
    ClosedError,
    CommandNotStartedError,
    Emulator,
    Outcome,
    RequestTooLargeError,
    Settings,
    TooManyRequestsError,
    UsageError,
    limits,
)
from emulator.values import Submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.streams import Flow

LIMIT = limits.PAYLOAD_LIMIT_BYTES


def alive(pid: int) -> bool:
    """Whether a process runs (an ended one that nobody reaped does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_dead(pid: int) -> bool:
    for _ in range(200):
        if not alive(pid):
            return True
        time.sleep(0.01)
    return False


def wait_reaped(pid: int) -> None:
    """Until the emulator has noticed the end of a process."""
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.01)


# It works


def test_an_event_is_answered(run: Callable) -> None:
    """The payload is what the runtime answered, and the outcome says how it went."""
    first, second = run("echo", b'{"a": 1}', b"[2]").outcomes
    assert (first.payload, first.status, first.function_error) == (b'{"a": 1}', 200, None)
    assert (second.payload, second.content_type) == (b"[2]", "application/json")
    assert first.request_id != second.request_id
    assert first.init_ms > 0
    assert second.init_ms is None
    assert 0 < second.duration_ms < 3000
    assert 3 < first.max_memory_mb < 100


def test_an_error_is_marked(run: Callable) -> None:
    """An error posted by the runtime is a payload, marked as one."""
    (outcome,) = run("error", b"{}").outcomes
    assert (outcome.status, outcome.function_error) == (200, "Unhandled")
    assert json.loads(outcome.payload)["errorType"] == "E"


def test_the_runtime_is_told_what_the_platform_tells(run: Callable) -> None:
    """The event's headers are complete, and the deadline is true."""
    before = time.time()
    (outcome,) = run("echo", b'"headers"').outcomes
    headers = json.loads(outcome.payload)
    assert headers["lambda-runtime-aws-request-id"] == outcome.request_id
    assert headers["lambda-runtime-invoked-function-arn"] == (
        "arn:aws:lambda:us-east-1:012345678912:function:test_function"
    )
    assert re.fullmatch(
        r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", headers["lambda-runtime-trace-id"]
    )
    assert headers["content-type"] == "application/json"
    assert "lambda-runtime-client-context" not in headers
    assert before + 3 <= int(headers["lambda-runtime-deadline-ms"]) / 1000 + 0.001 <= time.time() + 3


def test_context_and_trace_are_passed_on(settings: Callable) -> None:
    """Client context and trace id arrive as they were given."""

    async def story() -> Outcome:
        async with Emulator(settings("echo")) as emulator:
            return await emulator.invoke(b'"headers"', client_context='{"a": 1}', trace_id="Root=1-2-3")

    headers = json.loads(asyncio.run(story()).payload)
    assert headers["lambda-runtime-client-context"] == '{"a": 1}'
    assert headers["lambda-runtime-trace-id"] == "Root=1-2-3"


def test_the_log_is_the_platforms(run: Callable) -> None:
    """START, the runtime's output, END and REPORT, in that order and in Lambda's words."""
    story = run("floods", b"0", b"0")
    ids = [outcome.request_id for outcome in story.outcomes]
    times = r"Duration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\t"
    assert re.fullmatch(
        rf"START RequestId: {ids[0]} Version: \$LATEST\nthe end\nEND RequestId: {ids[0]}\n"
        rf"REPORT RequestId: {ids[0]}\t{times}Init Duration: \d+\.\d\d ms\t\n"
        rf"START RequestId: {ids[1]} Version: \$LATEST\nthe end\nEND RequestId: {ids[1]}\n"
        rf"REPORT RequestId: {ids[1]}\t{times}\n",
        story.log.decode(),
    )
    assert [outcome.log for outcome in story.outcomes] == [b"the end\n"] * 2


def test_the_runtimes_streams_stay_apart(settings: Callable) -> None:
    """What goes to stdout and what goes to stderr come out as they went in, to the byte."""

    async def story() -> tuple[bytes, bytes]:
        out, error = bytearray(), bytearray()
        async with Emulator(settings("floods"), log=out.extend, log_error=error.extend) as emulator:
            await emulator.invoke(b"300")
        return bytes(out), bytes(error)

    out, error = asyncio.run(story())
    assert error == (b"e" * 1023 + b"\n") * 300
    assert (b"o" * 1023 + b"\n") * 300 + b"the end\n" in out


def test_the_kept_log_is_bounded(run: Callable) -> None:
    """Of a flood the end is kept, up to the limit; all of it is passed on."""
    story = run("floods", b"2000", log_limit_bytes=5000)
    (outcome,) = story.outcomes
    assert len(outcome.log) == 5000
    assert len(story.log) > 2000 * 2048


def test_invocations_queue(settings: Callable) -> None:
    """Sixty-four at once are answered one after another, each with its own answer."""

    async def story() -> list[Outcome]:
        async with Emulator(settings("echo")) as emulator:
            return await asyncio.gather(*(emulator.invoke(b"%d" % i) for i in range(64)))

    outcomes = asyncio.run(story())
    assert [int(outcome.payload) for outcome in outcomes] == list(range(64))


def test_the_queue_is_bounded(settings: Callable) -> None:
    """What does not fit into the queue is refused at once, and what is in it is not disturbed."""

    async def story() -> list[object]:
        async with Emulator(settings("echo", queue_limit=2)) as emulator:
            return await asyncio.gather(*(emulator.invoke(b"%d" % i) for i in range(5)), return_exceptions=True)

    results = asyncio.run(story())
    assert [result.payload for result in results[:3]] == [b"0", b"1", b"2"]
    assert [type(result) for result in results[3:]] == [TooManyRequestsError] * 2
    assert "2 invocations wait already" in str(results[3])


def test_environments_work_side_by_side(settings: Callable) -> None:
    """As many as are allowed are started when invocations wait, each runs one at a time, and all are used."""

    async def story() -> list[Outcome]:
        async with Emulator(settings("works_on", concurrency=3)) as emulator:
            outcomes = await asyncio.gather(*(emulator.invoke(b"0.2") for _ in range(9)))
            return [*outcomes, *await asyncio.gather(*(emulator.invoke(b"pid") for _ in range(9)))]

    outcomes = asyncio.run(story())
    assert [outcome.payload for outcome in outcomes[:9]] == [b'"early"'] * 9
    assert sum(outcome.init_ms is not None for outcome in outcomes) == 3
    assert len({outcome.payload for outcome in outcomes[9:]}) == 3


def test_one_caller_needs_one_environment(settings: Callable) -> None:
    """However many are allowed, sequential invocations run in the same one."""

    async def story() -> set[bytes]:
        async with Emulator(settings("echo", concurrency=8)) as emulator:
            return {(await emulator.invoke(b'"pid"')).payload for _ in range(5)}

    assert len(asyncio.run(story())) == 1


def test_idle_environments_are_stopped(settings: Callable) -> None:
    """After the keep-alive time their processes are gone, and the next invocation starts a new one."""

    async def story() -> list[int]:
        async with Emulator(settings("works_on", concurrency=3, keep_alive_s=0.2)) as emulator:
            outcomes = await asyncio.gather(*(emulator.invoke(b"pid") for _ in range(3)))
            pids = {int(outcome.payload) for outcome in outcomes}
            while any(alive(pid) for pid in pids):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.02)
            after = await emulator.invoke(b"pid")
            assert after.init_ms is not None
            return [*pids, int(after.payload)]

    pids = asyncio.run(story())
    assert len(set(pids)) == len(pids)


def test_waiting_for_an_environment_has_a_limit(settings: Callable) -> None:
    """Who waited that long is refused; who runs and who comes later are not disturbed."""

    async def story() -> list[object]:
        async with Emulator(settings("works_on", queue_timeout_s=0.2)) as emulator:
            await emulator.invoke(b"0")
            results = await asyncio.gather(*(emulator.invoke(b"0.6") for _ in range(3)), return_exceptions=True)
            return [*results, await emulator.invoke(b"0")]

    first, second, third, last = asyncio.run(story())
    assert (first.payload, last.payload) == (b'"early"', b'"early"')
    assert [type(second), type(third)] == [TooManyRequestsError] * 2
    assert "no environment was free within 0.2 s" in str(second)


def test_a_dead_environment_leaves_the_others_alone(settings: Callable) -> None:
    """One runtime dies of its event, the other one answers."""

    async def story() -> list[Outcome]:
        async with Emulator(settings("works_on", concurrency=2)) as emulator:
            return await asyncio.gather(emulator.invoke(b"0.3"), emulator.invoke(b"die"), emulator.invoke(b"0"))

    assert [outcome.status for outcome in asyncio.run(story())] == [200, 502, 200]


def test_no_runtime_answers_for_another(settings: Callable) -> None:
    """An id of another environment's is no id here, and its caller gets its own answer."""

    async def story() -> list[Outcome]:
        log = bytearray()
        async with Emulator(settings("answers_for_others", concurrency=2, timeout_s=20.0), log=log.extend) as emulator:
            honest = asyncio.ensure_future(emulator.invoke(b'"wait"'))
            while b"127.0.0.1:" not in log:  # noqa: ASYNC110 - the log is a plain callback
                await asyncio.sleep(0.01)
            victim = re.search(rb"([0-9a-f-]{36}) 127", log)[1].decode()
            return [await emulator.invoke(json.dumps(victim).encode()), await honest]

    forger, honest = asyncio.run(story())
    assert json.loads(forger.payload) == [400, 400]
    assert honest.payload == b'"mine"'


class Collector:
    """A caller that takes an answer in pieces."""

    def __init__(self) -> None:
        self.content_type = ""
        self.pieces: list[bytes] = []
        self.flow: Flow | None = None
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def begin(self, content_type: str, flow: Flow) -> None:
        self.content_type, self.flow = content_type, flow

    def piece(self, data: bytes) -> None:
        self.pieces.append(data)


def stream(settings: Settings, *events: bytes) -> list[Collector]:
    async def story() -> list[Collector]:
        collectors = []
        async with Emulator(settings) as emulator:
            for event in events:
                collector = Collector()
                emulator.submit(Submission(event), collector.outcome.set_result, sink=collector)
                await collector.outcome
                collectors.append(collector)
        return collectors

    return asyncio.run(story())


def test_a_streamed_answer_goes_through(settings: Callable) -> None:
    """A caller that takes pieces gets them, and is told at the end whether they were all."""
    whole, broken = stream(settings("streams"), b"false", b"true")
    assert (whole.content_type, b"".join(whole.pieces)) == ("text/plain", b"onetwo")
    outcome = whole.outcome.result()
    assert (outcome.streamed, outcome.payload, outcome.function_error) == (True, b"", None)
    outcome = broken.outcome.result()
    assert (b"".join(broken.pieces), outcome.streamed, outcome.function_error) == (b"onetwo", True, "Unhandled")


def test_an_answer_in_one_piece_is_in_the_outcome(settings: Callable) -> None:
    """A runtime need not stream to a caller that would take it."""
    (collector,) = stream(settings("echo"), b"[1]")
    assert (collector.pieces, collector.outcome.result().payload) == ([], b"[1]")
    assert not collector.outcome.result().streamed


@pytest.mark.parametrize(
    ("event", "error"), [(b'"die"', b"exit status 7"), (b'"hang up"', b"Runtime.TruncatedResponse")]
)
def test_a_stream_that_breaks_off(settings: Callable, event: bytes, error: bytes) -> None:
    """The death of the runtime or the end of its connection in mid-stream is an error of the invocation."""
    (collector,) = stream(settings("streams"), event)
    outcome = collector.outcome.result()
    assert b"".join(collector.pieces) == b"one"
    assert (outcome.streamed, outcome.function_error) == (True, "Unhandled")
    assert error in outcome.payload


def test_a_stream_that_never_ends_is_timed_out(settings: Callable) -> None:
    """The pieces were passed on, and the outcome tells of the timeout."""
    (collector,) = stream(settings("streams", timeout_s=0.3), b'"hang"')
    assert b"".join(collector.pieces) == b"one"
    assert collector.outcome.result().payload == b"Task timed out after 0.30 seconds"


def test_a_stream_waits_for_its_caller(settings: Callable) -> None:
    """While the caller has paused the flow, the runtime is stuck in its own write; then everything arrives."""

    async def story() -> Collector:
        async with Emulator(settings("streams", timeout_s=20.0)) as emulator:
            collector = Collector()
            emulator.submit(Submission(b'"flood"'), collector.outcome.set_result, sink=collector)
            while collector.flow is None:  # noqa: ASYNC110 - a plain callback
                await asyncio.sleep(0.01)
            collector.flow.pause()
            await asyncio.sleep(0.3)
            assert sum(map(len, collector.pieces)) < 24 * 1024 * 1024
            collector.flow.resume()
            await collector.outcome
            return collector

    collector = asyncio.run(story())
    assert sum(map(len, collector.pieces)) == 3 + 64 * 1024 * 1024
    assert collector.outcome.result().function_error is None


def test_the_largest_event_and_no_larger(settings: Callable) -> None:
    """An event of exactly the limit passes through both ways; one byte more is refused before it is run."""

    async def story() -> Outcome:
        async with Emulator(settings("echo")) as emulator:
            with pytest.raises(RequestTooLargeError, match=str(LIMIT + 1)):
                await emulator.invoke(b"x" * (LIMIT + 1))
            return await emulator.invoke(b"x" * LIMIT)

    outcome = asyncio.run(story())
    assert outcome.payload == b"x" * LIMIT


def test_memory_is_measured(run: Callable) -> None:
    """The high-water mark stays after the memory was given back."""
    small, large, after = run("memory_hog", b"0", b"60", b"0").outcomes
    assert large.max_memory_mb >= small.max_memory_mb + 50
    assert after.max_memory_mb == large.max_memory_mb


def test_work_after_the_answer_counts(run: Callable) -> None:
    """An invocation lasts until the runtime polls again, and its log until then is its own."""
    (outcome,) = run("works_on", b"0.2").outcomes
    assert outcome.payload == b'"early"'
    assert outcome.duration_ms >= 200
    assert outcome.log == b"worked on\n"


def test_a_streamed_answer_is_collected(run: Callable) -> None:
    """Chunks are joined; a stream that breaks off in its trailers is an error."""
    whole, broken = run("streams", b"false", b"true").outcomes
    assert (whole.payload, whole.content_type, whole.function_error) == (b"onetwo", "text/plain", None)
    assert (broken.payload, broken.function_error) == (b"onetwo", "Unhandled")


def test_the_runtimes_variables(settings: Callable, tmp_path: object) -> None:
    """The environment is the one that was given and what the platform adds, and nothing of ours."""

    async def story() -> Outcome:
        async with Emulator(settings("echo", memory_mb=512)) as emulator:
            return await emulator.invoke(b'"variables"')

    os.environ["FIRKIN_TEST_LEAK"] = "1"
    try:
        variables = json.loads(asyncio.run(story()).payload)
    finally:
        del os.environ["FIRKIN_TEST_LEAK"]
    assert "FIRKIN_TEST_LEAK" not in variables
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert variables["LAMBDA_TASK_ROOT"] == str(tmp_path)
    assert "PYTHONPATH" not in variables


# It does not work


def test_a_runtime_that_never_polls_is_timed_out(run: Callable) -> None:
    """The init has its limit, then the function's timeout, and both are in the log."""
    story = run("never_polls", b"{}", timeout_s=0.3, init_limit_s=0.2)
    (outcome,) = story.outcomes
    assert (outcome.status, outcome.function_error) == (200, "Unhandled")
    assert outcome.payload == b"Task timed out after 0.30 seconds"
    log = story.log.decode()
    assert re.search(r"^INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: timeout$", log, re.MULTILINE)
    assert re.search(r"^INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: invoke\tStatus: timeout$", log, re.MULTILINE)
    assert re.search(rf"^\S+Z {outcome.request_id} Task timed out after 0.30 seconds\n\nEND", log, re.MULTILINE)
    assert re.search(r"Duration: 300\.00 ms\tBilled Duration: 300 ms\t.*\tStatus: timeout\n$", log)


def test_an_init_that_was_too_slow_is_tried_again(run: Callable) -> None:
    """The second start happens within the invocation, which then reports no init."""
    (outcome,) = run("slow_init_once", b"{}", init_limit_s=0.3).outcomes
    assert (outcome.payload, outcome.init_ms) == (b'"late but here"', None)


def test_a_runtime_that_dies_at_init(run: Callable) -> None:
    """Every invocation tries again; the body is empty as from AWS's emulator, and the log says why."""
    story = run("dies_at_init", b"{}", b"{}")
    assert story.log.count(b"emulator: the command ended before it asked for an event") == 1
    assert [(o.status, o.payload, o.function_error) for o in story.outcomes] == [(502, b"", "Unhandled")] * 2
    assert story.log.count(b"about to die\n") == 3
    assert b"Phase: init\tStatus: error\tError Type: Runtime.ExitError\n" in story.log
    assert story.log.count(b" Error: Runtime exited with error: exit status 5\nRuntime.ExitError\nEND ") == 2


def test_a_runtime_that_reports_its_failure_and_stays(run: Callable) -> None:
    """What it reported is the payload, a second report is refused, and it is not waited for."""
    (outcome,) = run("reports_and_stays", b"{}", timeout_s=10.0).outcomes
    assert (outcome.status, outcome.payload) == (502, b'{"errorType": "Runtime.Sad"}')
    assert b"202 403\n" in outcome.log


@pytest.mark.parametrize(
    ("event", "how"),
    [
        (b"3", "exit status 3"),
        (b"-9", "signal: killed"),
        (b"-11", "signal: segmentation fault"),
        (b"-64", "signal: signal 64"),
    ],
)
def test_a_runtime_that_dies_in_an_event(run: Callable, event: bytes, how: str) -> None:
    """The caller is told how it ended, and the next event finds a new runtime."""
    story = run("dies_in_event", event, event)
    for outcome in story.outcomes:
        assert outcome.status == 502
        assert json.loads(outcome.payload) == {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {outcome.request_id} Error: Runtime exited with error: {how}",
        }
        assert outcome.log == b"got it\n"
    assert b"\tStatus: error\tError Type: Runtime.ExitError\n" in story.log


def test_a_runtime_that_ends_successfully_in_an_event(run: Callable) -> None:
    """Exit status 0 is no success: there was no answer."""
    (outcome,) = run("dies_in_event", b"0").outcomes
    assert outcome.payload.endswith(b'Error: Runtime exited without providing a reason"}')


def test_a_runtime_that_dies_between_events(settings: Callable) -> None:
    """The next invocation starts a new one."""

    async def story() -> list[Outcome]:
        async with Emulator(settings("dies_between")) as emulator:
            first = await emulator.invoke(b"{}")
            await asyncio.to_thread(wait_reaped, int(first.payload))
            return [first, await emulator.invoke(b"{}")]

    first, second = asyncio.run(story())
    assert first.payload != second.payload
    assert second.status == 200


def test_a_runtime_that_breaks_the_rules(run: Callable) -> None:
    """Another's id is 400 and does not use up the event, init/error in an event and a second answer are 403."""
    first, second = run("breaks_rules", b"{}", b"{}").outcomes
    assert (first.status, first.payload, second.payload) == (200, b"", b"")
    told, again = (json.loads(line) for line in first.log.splitlines())
    assert told == [[400, "InvalidRequestID"], [403, "InvalidStateTransition"], [404, ""], [405, ""], [404, ""]]
    assert again == [403, "InvalidStateTransition"]


def test_a_runtime_that_polls_twice(run: Callable) -> None:
    """It gets the same event again."""
    assert [o.payload for o in run("polls_twice", b"{}", b"{}").outcomes] == [b"[true, true]"] * 2


def test_a_runtime_with_an_unknown_response_mode(run: Callable) -> None:
    """It is told so, and nothing but refusals after."""
    (outcome,) = run("unknown_mode", b"{}").outcomes
    assert (outcome.status, outcome.payload, outcome.log) == (502, b"", b"400 403\n")


def test_a_response_over_the_limit(run: Callable) -> None:
    """The runtime is told 413, the caller the platform's error, and a runtime that survives it goes on."""
    over, exact = run("too_large", b"%d" % (LIMIT + 1), b"%d" % LIMIT).outcomes
    assert (over.status, over.function_error, over.log) == (200, "Unhandled", b"413\n")
    assert json.loads(over.payload)["errorType"] == "Function.ResponseSizeTooLarge"
    assert (exact.status, len(exact.payload), exact.log) == (200, LIMIT, b"202\n")


def test_a_runtime_that_hangs_is_killed(settings: Callable) -> None:
    """At the timeout it is dead, SIGTERM ignored or not, and the next event finds a new one."""

    async def story() -> list[Outcome]:
        async with Emulator(settings("hangs", timeout_s=0.3)) as emulator:
            return [await emulator.invoke(b"{}"), await emulator.invoke(b"{}")]

    for outcome in asyncio.run(story()):
        assert outcome.payload == b"Task timed out after 0.30 seconds"
        assert outcome.duration_ms == pytest.approx(300)
        assert wait_dead(int(outcome.log.split()[1]))


def test_a_child_that_keeps_stdout_open(run: Callable) -> None:
    """The runtime's end is noticed all the same, and the child dies with it."""
    (outcome,) = run("leaves_child", b"{}").outcomes
    assert outcome.status == 502
    assert wait_dead(int(outcome.log.split()[1]))


def test_a_child_that_fled(run: Callable) -> None:
    """One that left the session lives, but holds nothing up."""
    (outcome,) = run("leaves_child", b'"flee"').outcomes
    child = int(outcome.log.split()[1])
    assert outcome.status == 502
    assert alive(child)
    os.kill(child, 9)


def test_a_runtime_that_hangs_up(run: Callable) -> None:
    """A lost poll and half an answer do no harm."""
    outcomes = run("hangs_up", b"1", b"2").outcomes
    assert [outcome.payload for outcome in outcomes] == [b'"whole"'] * 2


# Beginning and end


@pytest.mark.parametrize(
    ("program", "advice"),
    [
        ("/nonexistent/program", "No such file or directory; give a program that is there"),
        ("no-such-program-anywhere", "No such file or directory; give a program that is there"),
        ("python -m awslambdaric app.handler", "give the program and each argument as words of their own"),
        ("./plain", "Permission denied; make it executable: chmod \\+x ./plain"),
        ("./folder", "Permission denied; it is a folder; give a program"),
        ("./lost", "the file is there, but not its program loader or the interpreter"),
        ("./text", "Exec format error; it is no program for this machine"),
        ("nul\0", "embedded null byte; give a program"),
    ],
)
def test_a_command_that_cannot_be_started(program: str, advice: str, tmp_path: Path) -> None:
    """Entering says which program, where, why, and what to do."""
    (tmp_path / "folder").mkdir()
    for name, text, mode in (("plain", "", 0o644), ("lost", "#!/no/such/interpreter", 0o755), ("text", "x", 0o755)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)

    async def story() -> None:
        async with Emulator(Settings([program], {}, cwd=str(tmp_path))):
            pytest.fail("entered")

    with pytest.raises(CommandNotStartedError, match=f"starting the runtime {re.escape(repr(program))} in .*{advice}"):
        asyncio.run(story())


def test_a_folder_that_is_not_there() -> None:
    """Neither can it be started in a folder that does not exist."""

    async def story() -> None:
        async with Emulator(Settings(["/bin/true"], {}, cwd="/nonexistent/folder")):
            pytest.fail("entered")

    with pytest.raises(CommandNotStartedError, match="/nonexistent/folder"):
        asyncio.run(story())


def test_a_command_that_vanishes(settings: Callable, tmp_path: object) -> None:
    """When the runtime cannot be started again, the invocation says so."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)

    async def story() -> Outcome:
        async with Emulator(Settings([str(program)], {}, cwd=str(tmp_path))) as emulator:
            await asyncio.sleep(0.2)
            program.unlink()
            return await emulator.invoke(b"{}")

    outcome = asyncio.run(story())
    assert outcome.status == 502
    assert json.loads(outcome.payload)["errorType"] == "Runtime.InvalidEntrypoint"


def test_closing_ends_the_runtime_and_what_waits(settings: Callable) -> None:
    """A runtime that ignores SIGTERM is killed; its invocation and those that wait end with 503."""

    async def story() -> tuple[int, list[Outcome]]:
        log = bytearray()
        emulator = Emulator(settings("hangs", timeout_s=60.0), log=log.extend)
        async with emulator:
            calls = [asyncio.ensure_future(emulator.invoke(b"{}")) for _ in range(3)]
            while b"pid" not in log:  # noqa: ASYNC110 - the log is a plain callback
                await asyncio.sleep(0.01)
        return int(re.search(rb"pid (\d+)", log)[1]), await asyncio.gather(*calls)

    pid, outcomes = asyncio.run(story())
    assert not alive(pid)
    assert [(outcome.status, outcome.function_error) for outcome in outcomes] == [(503, "Unhandled")] * 3


def test_nothing_is_accepted_outside(settings: Callable) -> None:
    """Before entering and after leaving, an invocation is refused."""

    async def story() -> None:
        emulator = Emulator(settings("echo"))
        with pytest.raises(ClosedError, match="not running"):
            await emulator.invoke(b"{}")
        async with emulator:
            pass
        with pytest.raises(ClosedError, match="not running"):
            await emulator.invoke(b"{}")

    asyncio.run(story())


def test_texts_that_fit_no_header_are_refused(settings: Callable) -> None:
    """A line end would be a header of the caller's choice."""

    async def story() -> None:
        async with Emulator(settings("echo")) as emulator:
            with pytest.raises(UsageError, match="client_context"):
                await emulator.invoke(b"{}", client_context="{}\r\nX: y")
            with pytest.raises(UsageError, match="trace_id"):
                await emulator.invoke(b"{}", trace_id="a\nb")

    asyncio.run(story())


def test_cancelling_a_call_does_not_stop_the_next(settings: Callable) -> None:
    """A caller that gives up takes only its own answer with it."""

    async def story() -> Outcome:
        async with Emulator(settings("works_on")) as emulator:
            call = asyncio.ensure_future(emulator.invoke(b"0.1"))
            await asyncio.sleep(0.05)
            call.cancel()
            return await emulator.invoke(b"0")

    assert asyncio.run(story()).payload == b'"early"'
