"""The life cycle: every event in every situation is decided, by one table that is read like the platform's manual."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import answers, lifecycle, limits
from emulator.environment import (
    Announce,
    Deliver,
    Effect,
    Environment,
    Exited,
    Finish,
    InitError,
    Kill,
    Note,
    Post,
    Reply,
    ReportInit,
    Respond,
    SetTimer,
    Spawn,
    State,
    Step,
    Terminate,
)
from emulator.errors import InternalError
from emulator.values import Answer, Invocation

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 100.0
INVOCATION = Invocation("id-1", b"{}", "arn", streams=True)
ANSWER = Answer(b"42")
ERROR = Answer(b'{"errorType":"E"}', error_type="Runtime.E")
BASE = Environment(timeout_s=3.0)

IDLE = BASE._replace(in_init_phase=False)
BUSY = IDLE._replace(invocation=INVOCATION, clock_s=99.0, announced=True)

SITUATIONS = {
    "down": IDLE,
    "starting": BASE._replace(state=State.STARTING, spawned_s=95.0),
    "starting, awaited": BASE._replace(state=State.STARTING, spawned_s=95.0, invocation=INVOCATION),
    "starting within": BUSY._replace(state=State.STARTING, spawned_s=99.0, announced=False),
    "broken": BASE._replace(state=State.BROKEN, spawned_s=95.0, answer=ERROR),
    "broken, awaited": BASE._replace(state=State.BROKEN, spawned_s=95.0, answer=ERROR, invocation=INVOCATION),
    "broken within": BUSY._replace(state=State.BROKEN, spawned_s=99.0, answer=ERROR, announced=False),
    "ready": IDLE._replace(state=State.READY, poll=7),
    "absent": IDLE._replace(state=State.ABSENT),
    "running": BUSY._replace(state=State.RUNNING),
    "streaming": BUSY._replace(state=State.STREAMING, stream=7),
    "responded": BUSY._replace(state=State.RESPONDED, answer=ANSWER),
    "jammed": BUSY._replace(state=State.JAMMED, answer=answers.INVALID_RESPONSE_MODE),
    "stopping": IDLE._replace(state=State.STOPPING),
    "stopping, awaited": IDLE._replace(state=State.STOPPING, invocation=INVOCATION),
    "closed": IDLE._replace(state=State.CLOSED),
}

EVENTS: dict[str, Callable[[Environment], Step]] = {
    "start": lambda e: lifecycle.on_start(e, NOW),
    "invoke": lambda e: lifecycle.on_invoke(e, INVOCATION, NOW),
    "next": lambda e: lifecycle.on_next(e, 8, NOW),
    "call lost": lambda e: lifecycle.on_call_lost(e, 7, NOW),
    "response": lambda e: lifecycle.on_post(e, Post(9, "id-1", ANSWER, 2), NOW),
    "error": lambda e: lifecycle.on_post(e, Post(9, "id-1", ERROR, 2), NOW),
    "response to another": lambda e: lifecycle.on_post(e, Post(9, "id-0", ANSWER, 2), NOW),
    "response over the limit": lambda e: lifecycle.on_post(
        e, Post(9, "id-1", Answer(b""), limits.PAYLOAD_LIMIT_BYTES + 1), NOW
    ),
    "response in an unknown mode": lambda e: lifecycle.on_post(e, Post(9, "id-1", ANSWER, 2, mode_known=False), NOW),
    "stream": lambda e: lifecycle.on_stream(e, 7, "id-1"),
    "end of the stream": lambda e: lifecycle.on_post(e, Post(7, "id-1", ANSWER, limits.STREAM_LIMIT_BYTES), NOW),
    "stream over the limit": lambda e: lifecycle.on_post(
        e, Post(7, "id-1", ANSWER, limits.STREAM_LIMIT_BYTES + 1), NOW
    ),
    "init error": lambda e: lifecycle.on_init_error(e, InitError(9, ERROR)),
    "exited": lambda e: lifecycle.on_exited(e, Exited("exit status 3"), NOW),
    "out of memory": lambda e: lifecycle.on_out_of_memory(e, NOW),
    "not started": lambda e: lifecycle.on_not_started(e, "no such file", NOW),
    "timer": lambda e: lifecycle.on_timer(e, NOW),
    "close": lambda e: lifecycle.on_close(e, NOW),
}


def spell(effect: Effect) -> str:
    """An effect in a word, with what distinguishes it."""
    if isinstance(effect, Reply):
        return f"{effect.reply.status}"
    if isinstance(effect, Finish):
        return f"finish {effect.result.status} {effect.result.answer.error_type or 'ok'}"
    if isinstance(effect, SetTimer):
        return "no timer" if effect.delay_s is None else f"timer {effect.delay_s:g}"
    if isinstance(effect, ReportInit):
        return f"init report {effect.phase} {effect.status}"
    return {
        Spawn: "spawn",
        Kill: "kill",
        Terminate: "terminate",
        Deliver: "deliver",
        Respond: "respond",
        Announce: "announce",
        Note: "note",
    }[type(effect)]


BUG = "bug"
SAME = "same"
EXIT = "Runtime.ExitError"
MODE = "Runtime.InvalidResponseModeHeader"
MEMORY = "Runtime.OutOfMemory"
LATE = "Sandbox.Timedout"
BEGIN = "running: deliver, announce, timer 3"
GIVEN_UP = "closed: no timer, terminate, finish 503 ServiceException"
ENDED = "closed: no timer, terminate"
RETRIED = "no timer, init report init error, spawn, timer 3"

# Situation → event → "state: effects". What a situation does not name is in ELSE.
ELSE = {
    "start": BUG,
    "invoke": BUG,
    "next": "same: 403",
    "call lost": SAME,
    "response": "same: 403",
    "error": "same: 403",
    "response to another": "same: 400",
    "response over the limit": "same: 403",
    "response in an unknown mode": "same: 403",
    "stream": BUG,
    "end of the stream": "same: 403",
    "stream over the limit": "same: 403",
    "init error": "same: 403",
    "exited": BUG,
    "out of memory": "same: kill",
    "not started": BUG,
    "timer": SAME,
    "close": GIVEN_UP,
}
NOT_ASKED = dict.fromkeys(
    (
        "response",
        "error",
        "response over the limit",
        "response in an unknown mode",
        "end of the stream",
        "stream over the limit",
    ),
    "same: 400",
)

EXPECTED = {
    "down": {
        **NOT_ASKED,
        "start": "starting: spawn, timer 10",
        "invoke": "starting: spawn, timer 3",
        "close": ENDED,
    },
    "starting": {
        **NOT_ASKED,
        "invoke": SAME,
        "next": "ready: init report init success, no timer",
        "init error": "broken: 202, timer 1",
        "exited": "down: no timer, init report init error",
        "not started": "down: no timer",
        "timer": "stopping: init report init timeout, kill",
        "close": ENDED,
    },
    "starting, awaited": {
        "next": "running: init report init success, deliver, announce, timer 3",
        "init error": "broken: 202, timer 1",
        "exited": f"same: {RETRIED}",
        "not started": "down: no timer, announce, note, finish 502 Runtime.InvalidEntrypoint",
        "timer": "stopping: init report init timeout, kill",
    },
    "starting within": {
        "next": "running: init report invoke success, deliver, announce",
        "init error": "broken: 202, timer 1",
        "exited": f"down: no timer, init report invoke error, announce, note, finish 502 {EXIT}",
        "not started": "down: no timer, announce, note, finish 502 Runtime.InvalidEntrypoint",
        "timer": f"stopping: init report invoke timeout, announce, kill, finish 200 {LATE}",
    },
    "broken": {
        **NOT_ASKED,
        "invoke": SAME,
        "exited": "down: no timer, init report init error",
        "timer": "same: kill",
        "close": ENDED,
    },
    "broken, awaited": {"exited": f"starting: {RETRIED}", "timer": "same: kill"},
    "broken within": {
        "exited": "down: no timer, init report invoke error, announce, finish 502 Runtime.E",
        "timer": "same: kill",
    },
    "ready": {
        **NOT_ASKED,
        "invoke": BEGIN,
        "next": "ready: 403",
        "call lost": "absent",
        "exited": "down: note",
        "close": ENDED,
    },
    "absent": {
        **NOT_ASKED,
        "invoke": "running: announce, timer 3",
        "next": "ready",
        "exited": "down: note",
        "close": ENDED,
    },
    "running": {
        "next": "same: deliver",
        "response": "responded: respond, 202",
        "error": "responded: respond, 202",
        "response over the limit": "responded: 413",
        "stream": "streaming",
        "end of the stream": "responded: 413",
        "stream over the limit": "responded: 413",
        "response in an unknown mode": "jammed: 400",
        "exited": f"down: no timer, note, finish 502 {EXIT}",
        "out of memory": f"stopping: no timer, kill, note, finish 502 {MEMORY}",
        "timer": f"stopping: kill, finish 200 {LATE}",
    },
    "streaming": {
        "next": "ready: no timer, finish 200 Runtime.TruncatedResponse",
        "call lost": "responded",
        "end of the stream": "responded: respond, 202",
        "stream over the limit": "responded: 413",
        "exited": f"down: no timer, note, finish 502 {EXIT}",
        "out of memory": f"stopping: no timer, kill, note, finish 502 {MEMORY}",
        "timer": f"stopping: kill, finish 200 {LATE}",
    },
    "responded": {
        "next": "ready: no timer, finish 200 ok",
        "close": "closed: no timer, terminate, finish 200 ok",
        "exited": "down: no timer, note, finish 502 ok",
        "timer": f"stopping: kill, finish 200 {LATE}",
    },
    "jammed": {
        "exited": f"down: no timer, note, finish 502 {MODE}",
        "timer": f"stopping: kill, finish 200 {LATE}",
    },
    "stopping": {**NOT_ASKED, "invoke": SAME, "exited": "down", "close": ENDED},
    "stopping, awaited": {"exited": "starting: spawn, timer 3"},
    "closed": {**NOT_ASKED, "exited": SAME, "close": SAME},
}

CELLS = [(situation, event) for situation in SITUATIONS for event in EVENTS]


@pytest.mark.parametrize(("situation", "event"), CELLS, ids=[f"{event} when {situation}" for situation, event in CELLS])
def test_every_event_is_decided_in_every_situation(situation: str, event: str) -> None:
    """The next state and the effects, in order, are those of the table."""
    environment = SITUATIONS[situation]
    expected = EXPECTED[situation].get(event, ELSE[event])
    if expected == BUG:
        with pytest.raises(InternalError):
            EVENTS[event](environment)
        return
    after, effects = EVENTS[event](environment)
    state = SAME if after.state is environment.state and after.poll == environment.poll else after.state.value
    spelled = ", ".join(spell(effect) for effect in effects)
    assert (f"{state}: {spelled}" if spelled else state) == expected


def test_the_table_knows_every_state() -> None:
    """No state is missing among the situations, and none of the module's own tables lacks a row."""
    assert {environment.state for environment in SITUATIONS.values()} == set(State)
    for table in (lifecycle._INVOKE, lifecycle._NEXT, lifecycle._POST, lifecycle._EXITED, lifecycle._TIMER):
        assert set(table) == set(State)


def test_an_invocation_that_waited_for_the_init_has_its_whole_time() -> None:
    """Its clock starts when the runtime first polls, and the init's time is reported beside it."""
    step = lifecycle.on_next(SITUATIONS["starting, awaited"], 8, NOW)
    assert step.effects[1:] == (Deliver(8, INVOCATION, NOW + 3.0), Announce(INVOCATION), SetTimer(3.0))
    assert step.environment.init_s == 5.0
    assert step.environment.clock_s == NOW


def test_a_restart_counts_on_the_invocations_time() -> None:
    """After a restart the deadline is still counted from the invocation's beginning, and no init is reported."""
    step = lifecycle.on_next(SITUATIONS["starting within"], 8, NOW)
    assert step.effects[1:] == (Deliver(8, INVOCATION, 102.0), Announce(INVOCATION))
    assert step.environment.init_s is None


def test_a_timeout_lasts_exactly_as_long_as_allowed() -> None:
    """However late the timer fires, the duration is the timeout."""
    step = lifecycle.on_timer(SITUATIONS["running"], 105.0)
    (finish,) = (effect for effect in step.effects if isinstance(effect, Finish))
    assert finish.result.duration_s == 3.0
    assert finish.result.answer.body == b"Task timed out after 3.00 seconds"
    assert finish.result.function_error == "Unhandled"


@pytest.mark.parametrize("situation", ["running", "streaming", "responded"])
def test_a_runtime_killed_for_its_memory(situation: str) -> None:
    """The platform's own error, whatever the runtime had answered, in the words for a killed process."""
    killed = Exited("signal: killed", out_of_memory=True)
    step = lifecycle.on_exited(SITUATIONS[situation], killed, NOW)
    (finish,) = (effect for effect in step.effects if isinstance(effect, Finish))
    assert (finish.result.status, finish.result.answer.error_type) == (502, MEMORY)
    assert b"RequestId: id-1 Error: Runtime exited with error: signal: killed" in finish.result.answer.body


def test_an_error_is_an_error_of_the_function() -> None:
    """What is posted to /error comes back with status 200 and marked."""
    responded = lifecycle.on_post(SITUATIONS["running"], Post(9, "id-1", ERROR, 2), NOW).environment
    step = lifecycle.on_next(responded, 8, NOW)
    (finish,) = (effect for effect in step.effects if isinstance(effect, Finish))
    assert (finish.result.status, finish.result.function_error, finish.result.answer) == (200, "Unhandled", ERROR)


def test_a_replaced_poll_is_refused_and_the_new_one_served() -> None:
    """The newest poll gets the event."""
    step = lifecycle.on_next(SITUATIONS["ready"], 8, NOW)
    assert [effect.call for effect in step.effects if isinstance(effect, Reply)] == [7]
    assert step.environment.poll == 8


def test_a_lost_poll_is_only_the_current_one() -> None:
    """The end of an old connection changes nothing."""
    assert lifecycle.on_call_lost(SITUATIONS["ready"], 6, NOW).environment == SITUATIONS["ready"]


@given(st.lists(st.sampled_from(sorted(EVENTS)), max_size=40))
def test_any_story_keeps_the_promises(events: list[str]) -> None:
    """In any order of events: an invocation finishes once at most, and only a started process is awaited."""
    environment = BASE
    asked = finished = 0
    alive = False
    for name in events:
        if name == "exited" and not alive:
            continue
        if name == "invoke" and environment.invocation is not None:
            continue
        try:
            environment, effects = EVENTS[name](environment)
        except InternalError:
            continue
        asked += name == "invoke"
        finished += sum(isinstance(effect, Finish) for effect in effects)
        if name in {"exited", "not started"}:
            alive = False
        alive = alive or any(isinstance(effect, Spawn) for effect in effects)
        assert asked - finished == (environment.invocation is not None)
        if environment.state is State.DOWN:
            assert not alive
        if environment.state in {State.STARTING, State.BROKEN, State.READY, State.ABSENT, State.RUNNING}:
            assert alive
