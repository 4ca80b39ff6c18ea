"""The life of an environment with several invocations: every event in every situation, and what holds in any story."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import limits
from emulator import multiconcurrency as life
from emulator.environment import (
    Announce,
    Deliver,
    Environment,
    Exited,
    Finish,
    Held,
    InitError,
    Post,
    SetTimer,
    Spawn,
    State,
    Step,
)
from emulator.errors import InternalError
from emulator.values import Answer, Invocation
from tests.emulator.test_lifecycle import spell

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 100.0
ANSWER = Answer(b"42")
ERROR = Answer(b"{}", error_type="Runtime.E")
FIRST, SECOND, THIRD = (Invocation(f"id-{i}", b"{}", "arn", streams=True) for i in (1, 2, 3))
BASE = Environment(timeout_s=3.0)
DOWN = BASE._replace(in_init_phase=False)
READY = DOWN._replace(state=State.READY)
STARTING = BASE._replace(state=State.STARTING, spawned_s=95.0)
BUSY = (Held(FIRST, 97.5, delivered=True), Held(SECOND, 99.0, delivered=True))
WAITING = (Held(FIRST), Held(SECOND))

SITUATIONS = {
    "down": DOWN,
    "starting": STARTING,
    "starting, awaited": STARTING._replace(held=WAITING),
    "starting again": STARTING._replace(held=WAITING, in_init_phase=False),
    "broken": STARTING._replace(state=State.BROKEN, answer=ERROR),
    "broken again": STARTING._replace(state=State.BROKEN, answer=ERROR, held=WAITING, in_init_phase=False),
    "ready": READY._replace(polls=(7, 8)),
    "busy": READY._replace(held=BUSY),
    "busy, one waits": READY._replace(held=(*BUSY, Held(THIRD, 99.5))),
    "streaming": READY._replace(held=(BUSY[0]._replace(stream=7), BUSY[1])),
    "stopping": DOWN._replace(state=State.STOPPING),
    "stopping, awaited": DOWN._replace(state=State.STOPPING, held=WAITING),
    "closed": DOWN._replace(state=State.CLOSED),
}

NEW = Invocation("id-9", b"{}", "arn")
EVENTS: dict[str, Callable[[Environment], Step]] = {
    "invoke": lambda e: life.on_invoke(e, NEW, NOW),
    "next": lambda e: life.on_next(e, 9, NOW),
    "call lost": lambda e: life.on_call_lost(e, 7, NOW),
    "response": lambda e: life.on_post(e, Post(9, "id-1", ANSWER, 2), NOW),
    "response over the limit": lambda e: life.on_post(e, Post(9, "id-1", ANSWER, limits.PAYLOAD_LIMIT_BYTES + 1), NOW),
    "response in an unknown mode": lambda e: life.on_post(e, Post(9, "id-1", ANSWER, 2, mode_known=False), NOW),
    "end of the stream": lambda e: life.on_post(e, Post(7, "id-1", ANSWER, limits.STREAM_LIMIT_BYTES), NOW),
    "stream over the limit": lambda e: life.on_post(e, Post(7, "id-1", ANSWER, limits.STREAM_LIMIT_BYTES + 1), NOW),
    "stream": lambda e: life.on_stream(e, 7, "id-2"),
    "init error": lambda e: life.on_init_error(e, InitError(9, ERROR)),
    "exited": lambda e: life.on_exited(e, Exited("exit status 3"), NOW),
    "not started": lambda e: life.on_not_started(e, "no such file", NOW),
    "timer": lambda e: life.on_timer(e, NOW + 1.0),
    "out of memory": lambda e: life.on_out_of_memory(e, NOW),
    "close": lambda e: life.on_close(e, NOW),
}

BUG = "bug"
EXIT = "Runtime.ExitError"
ENTRY = "Runtime.InvalidEntrypoint"
LATE = "Sandbox.Timedout"
MEMORY = "Runtime.OutOfMemory"
TRUNCATED = "Runtime.TruncatedResponse"
ELSE = {
    "invoke": BUG,
    "next": "same: 403",
    "call lost": "same",
    **dict.fromkeys(
        (
            "response",
            "response over the limit",
            "response in an unknown mode",
            "end of the stream",
            "stream over the limit",
        ),
        "same: 400",
    ),
    "stream": BUG,
    "init error": "same: 403",
    "exited": BUG,
    "not started": "down: no timer",
    "timer": "same",
    "out of memory": "same: kill",
    "close": "closed: no timer, terminate",
}
FAIL_TWO = f"finish 502 {EXIT}, note, finish 502 {EXIT}"
UNSEEN_TWO = f"announce, note, finish 502 {EXIT}, announce, note, finish 502 {EXIT}"
GIVEN_UP = "closed: no timer, terminate" + ", finish 503 ServiceException" * 2
UNSTARTED = f"down: no timer, announce, note, finish 502 {ENTRY}, announce, note, finish 502 {ENTRY}"
EXPECTED = {
    "down": {"invoke": "starting: spawn, timer 10", "not started": "same: no timer"},
    "starting": {
        "invoke": "same",
        "next": "ready: init report init success, no timer",
        "init error": "broken: 202, timer 1",
        "exited": "down: no timer, init report init error",
        "timer": "stopping: init report init timeout, kill",
    },
    "starting, awaited": {
        "invoke": "same",
        "next": "ready: init report init success, deliver, announce, timer 3",
        "init error": "broken: 202, timer 1",
        "exited": "same: no timer, init report init error, spawn, timer 10",
        "not started": UNSTARTED,
        "timer": "stopping: init report init timeout, kill",
        "close": GIVEN_UP,
    },
    "starting again": {
        "invoke": "same",
        "next": "ready: init report invoke success, deliver, announce, timer 3",
        "init error": "broken: 202, timer 1",
        "exited": f"down: init report invoke error, no timer, {UNSEEN_TWO}",
        "not started": UNSTARTED,
        "timer": "stopping: init report invoke timeout, kill, no timer, "
        f"announce, finish 200 {LATE}, announce, finish 200 {LATE}",
        "close": GIVEN_UP,
    },
    "broken": {"invoke": "same", "exited": "down: no timer, init report init error", "timer": "same: kill"},
    "broken again": {
        "invoke": "same",
        "exited": "down: init report invoke error, no timer, announce, finish 502 Runtime.E, "
        "announce, finish 502 Runtime.E",
        "not started": UNSTARTED,
        "timer": "same: kill",
        "close": GIVEN_UP,
    },
    "ready": {
        "invoke": "same: deliver, announce, timer 3",
        "next": "same: no timer",
        "exited": "down: note",
        "timer": "same: no timer",
    },
    "busy": {
        "invoke": "same: timer 0.5",
        "next": "same: timer 0.5",
        "response": "same: 202, timer 2, finish 200 ok",
        "response over the limit": "same: 413, timer 2, finish 200 Function.ResponseSizeTooLarge",
        "response in an unknown mode": "same: 400, timer 2, finish 200 Runtime.InvalidResponseModeHeader",
        "end of the stream": "same: 413, timer 2, finish 200 Function.ResponseSizeTooLarge",
        "stream over the limit": "same: 413, timer 2, finish 200 Function.ResponseSizeTooLarge",
        "stream": "same",
        "exited": f"down: no timer, note, {FAIL_TWO}",
        "not started": f"down: no timer, note, {FAIL_TWO}".replace(EXIT, ENTRY),
        "timer": f"same: timer 1, finish 200 {LATE}",
        "out of memory": f"stopping: kill, no timer, note, {FAIL_TWO}".replace(EXIT, MEMORY),
        "close": GIVEN_UP,
    },
    "busy, one waits": {
        "invoke": "same: timer 0.5",
        "next": "same: deliver, announce, timer 0.5",
        "response": "same: 202, timer 2, finish 200 ok",
        "response over the limit": "same: 413, timer 2, finish 200 Function.ResponseSizeTooLarge",
        "response in an unknown mode": "same: 400, timer 2, finish 200 Runtime.InvalidResponseModeHeader",
        "end of the stream": "same: 413, timer 2, finish 200 Function.ResponseSizeTooLarge",
        "stream over the limit": "same: 413, timer 2, finish 200 Function.ResponseSizeTooLarge",
        "stream": "same",
        "exited": f"down: no timer, note, {FAIL_TWO}, announce, note, finish 502 {EXIT}",
        "not started": f"down: no timer, note, {FAIL_TWO}, announce, note, finish 502 {EXIT}".replace(EXIT, ENTRY),
        "timer": f"same: timer 1, finish 200 {LATE}",
        "out of memory": f"stopping: kill, no timer, note, {FAIL_TWO}, announce, note, finish 502 {EXIT}".replace(
            EXIT, MEMORY
        ),
        "close": GIVEN_UP + ", finish 503 ServiceException",
    },
    "streaming": {
        "invoke": "same: timer 0.5",
        "next": "same: timer 0.5",
        "call lost": f"same: timer 2, finish 200 {TRUNCATED}",
        **dict.fromkeys(("response", "response over the limit", "response in an unknown mode"), "same: 403"),
        "end of the stream": "same: 202, timer 2, finish 200 ok",
        "stream over the limit": "same: 413, timer 2, finish 200 Function.ResponseSizeTooLarge",
        "stream": "same",
        "exited": f"down: no timer, note, {FAIL_TWO}",
        "not started": f"down: no timer, note, {FAIL_TWO}".replace(EXIT, ENTRY),
        "timer": f"same: timer 1, finish 200 {LATE}",
        "out of memory": f"stopping: kill, no timer, note, {FAIL_TWO}".replace(EXIT, MEMORY),
        "close": GIVEN_UP,
    },
    "stopping": {"invoke": "same", "exited": "down"},
    "stopping, awaited": {
        "invoke": "same",
        "exited": "starting: spawn, timer 10",
        "not started": UNSTARTED,
        "close": GIVEN_UP,
    },
    "closed": {"exited": "same", "close": "same"},
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
    state = "same" if after.state is environment.state else after.state.value
    spelled = ", ".join(spell(effect) for effect in effects)
    assert (f"{state}: {spelled}" if spelled else state) == expected


def test_workers_and_invocations_meet_in_the_order_they_came() -> None:
    """The poll that has waited for longest gets the first invocation."""
    ready = READY._replace(polls=(7, 8))
    first, effects = life.on_invoke(ready, FIRST, NOW)
    second, more = life.on_invoke(first, SECOND, NOW)
    deliveries = [effect for effect in (*effects, *more) if isinstance(effect, Deliver)]
    assert [(d.call, d.invocation) for d in deliveries] == [(7, FIRST), (8, SECOND)]
    assert second.polls == ()


def test_a_timeout_leaves_the_others_and_refuses_what_comes_late() -> None:
    """The other invocation goes on, and the late answer of the first is for nobody."""
    after, effects = life.on_timer(SITUATIONS["busy"], NOW + 1.0)
    assert [one.invocation for one in after.held] == [SECOND]
    (finish,) = (effect for effect in effects if isinstance(effect, Finish))
    assert (finish.result.duration_s, finish.result.report_status) == (3.0, "timeout")
    late = life.on_post(after, Post(9, "id-1", ANSWER, 2), NOW + 1.5)
    assert [spell(effect) for effect in late.effects] == ["400"]


def test_the_init_is_reported_once() -> None:
    """With the first invocation that ends."""
    ready = life.on_next(SITUATIONS["starting, awaited"], 7, NOW).environment
    ready = life.on_next(ready, 8, NOW).environment
    inits = []
    for request_id in ("id-2", "id-1"):
        ready, effects = life.on_post(ready, Post(9, request_id, ANSWER, 2), NOW)
        inits += [effect.result.init_s for effect in effects if isinstance(effect, Finish)]
    assert inits == [5.0, None]


@given(st.lists(st.sampled_from(sorted(EVENTS)), max_size=40))
def test_any_story_keeps_the_promises(events: list[str]) -> None:
    """In any order of events: an invocation finishes once at most, and what is delivered was announced."""
    environment = BASE._replace(state=State.STARTING)
    asked = finished = 0
    alive = True
    announced: list[str] = []
    for number, name in enumerate(events):
        if name == "exited" and not alive:
            continue
        try:
            if name == "invoke":
                step = life.on_invoke(environment, NEW._replace(request_id=f"id-{number}"), NOW)
            elif name == "response" and environment.held:
                step = life.on_post(environment, Post(9, environment.held[0].invocation.request_id, ANSWER, 2), NOW)
            else:
                step = EVENTS[name](environment)
        except InternalError:
            continue
        environment, effects = step
        asked += name == "invoke"
        finished += sum(isinstance(effect, Finish) for effect in effects)
        announced += [effect.invocation.request_id for effect in effects if isinstance(effect, Announce)]
        if name in {"exited", "not started"}:
            alive = False
        alive = alive or any(isinstance(effect, Spawn) for effect in effects)
        assert asked - finished == len(environment.held)
        assert len(announced) == len(set(announced))
        assert {one.invocation.request_id for one in environment.held if one.delivered} <= set(announced)
        if environment.state is State.READY and any(one.clock_s is not None for one in environment.held):
            assert any(isinstance(effect, SetTimer) for effect in effects) or name not in {"invoke", "next"}
