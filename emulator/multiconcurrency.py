"""The life of an environment that holds several invocations at a time, as on Lambda's managed instances.

The same events and effects as in `lifecycle`, for a runtime that has several polls open (`AWS_LAMBDA_MAX_CONCURRENCY`,
one for each of its workers). What differs is in the platform's guide to managed instances:

- The init is over with the first poll of any worker, and may take longer.
- An invocation goes to the worker that has polled for longest, and ends with its answer: a later poll says nothing
  about which worker is done.
- A timeout fails its invocation and nothing else: the worker goes on, and what it posts later is refused.
- The end of the process fails all invocations; the end of one worker is not seen.

    DOWN          no process; the next invocation starts one
    STARTING      the process runs and no worker has polled yet
    BROKEN        a worker reported that its init failed
    READY         at least one worker has polled; invocations wait, or are with workers
    STOPPING      it was killed and its exit has not been noticed yet
    CLOSED        the end

Functions from values to values, as in `lifecycle`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import answers, limits
from .environment import (
    Announce,
    Deliver,
    Environment,
    Exited,
    Finish,
    Held,
    Kill,
    Note,
    Post,
    Reply,
    ReportInit,
    SetTimer,
    Spawn,
    State,
    Step,
    Terminate,
)
from .errors import InternalError
from .lifecycle import failed_early, on_init_error, on_start, phase_of
from .values import Answer, Invocation, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from .environment import Effect

__all__ = [
    "may_stream",
    "on_call_lost",
    "on_close",
    "on_exited",
    "on_init_error",
    "on_invoke",
    "on_next",
    "on_not_started",
    "on_out_of_memory",
    "on_post",
    "on_start",
    "on_stream",
    "on_timer",
]

_NO_TIMER = SetTimer(None)
_OK = 200  # HTTP's


def on_invoke(environment: Environment, invocation: Invocation, now: float) -> Step:
    """An invocation is assigned; the caller sees to it that there are not too many."""
    held = Held(invocation, now if environment.state is State.READY else None)
    with_it = environment._replace(held=(*environment.held, held))
    if environment.state is State.READY:
        return _serve(with_it, now)
    if environment.state is State.DOWN:
        return _restart(with_it, now)
    if environment.state in {State.STARTING, State.BROKEN, State.STOPPING}:
        return Step(with_it)
    raise InternalError(f"assigning an invocation to an environment that is {environment.state.value}")


def on_next(environment: Environment, call: int, now: float) -> Step:
    """A worker asks for an event."""
    if environment.state is State.STARTING:
        report = ReportInit(now - environment.spawned_s, phase_of(environment), "success", None)
        init_s = report.duration_s if environment.in_init_phase else None
        held = tuple(one._replace(clock_s=now) for one in environment.held)
        ready, effects = _serve(environment._replace(state=State.READY, polls=(call,), init_s=init_s, held=held), now)
        return Step(ready, (report, *effects))
    if environment.state is State.READY:
        return _serve(environment._replace(polls=(*environment.polls, call)), now)
    return Step(environment, (Reply(call, answers.invalid_transition(environment.state.value, "ready")),))


def on_call_lost(environment: Environment, call: int, now: float) -> Step:
    """The connection of a call was closed: a poll that waited, or an answer cut off in the middle."""
    cut = next((one for one in environment.held if one.stream == call), None)
    if cut is not None:
        return _finish(environment, cut, answers.TRUNCATED_RESPONSE, now)
    return Step(environment._replace(polls=tuple(poll for poll in environment.polls if poll != call)))


def may_stream(environment: Environment, request_id: str) -> bool:
    """Whether an answer to `request_id` that comes in pieces goes to the caller as it comes: else it is collected."""
    one = _find(environment, request_id)
    return one is not None and one.stream is None and one.invocation.streams


def on_stream(environment: Environment, call: int, request_id: str) -> Step:
    """An answer begins that `may_stream`; its end is a post with the same call."""
    one = _find(environment, request_id)
    if one is None:
        raise InternalError(f"a stream for {request_id}, which is not here")
    return Step(_replace_held(environment, one, one._replace(stream=call)))


def on_post(environment: Environment, post: Post, now: float) -> Step:
    """A worker posted a response or an error, and its invocation is over."""
    one = _find(environment, post.request_id)
    if one is None:
        return Step(environment, (Reply(post.call, answers.INVALID_REQUEST_ID),))
    if one.stream is not None and one.stream != post.call:
        refusal = answers.invalid_transition("streaming", "response")
        return Step(environment, (Reply(post.call, refusal),))
    reply, answer = answers.ACCEPTED, post.answer
    if not post.mode_known:
        reply, answer = answers.INVALID_FUNCTION_RESPONSE_MODE, answers.INVALID_RESPONSE_MODE
    elif one.stream is None and post.size > limits.PAYLOAD_LIMIT_BYTES:
        reply, answer = answers.ENTITY_TOO_LARGE, answers.RESPONSE_TOO_LARGE
    elif one.stream is not None and post.size > limits.STREAM_LIMIT_BYTES:
        reply, answer = answers.STREAM_ENTITY_TOO_LARGE, answers.STREAM_TOO_LARGE
    after, effects = _finish(environment, one, answer, now)
    return Step(after, (Reply(post.call, reply), *effects))


def on_exited(environment: Environment, event: Exited, now: float) -> Step:
    """The process is gone, and all workers with it."""
    gone = environment._replace(polls=())
    if environment.state is State.CLOSED:
        return Step(gone)
    if environment.state is State.READY:
        return _exited_ready(gone, event, now)
    if environment.state in {State.STARTING, State.BROKEN}:
        return _exited_init(gone, event, now)
    if environment.state is State.STOPPING:
        return _retry_or_rest(gone, (), now)
    raise InternalError(f"an exit ({event.how}) of a process that an environment in {environment.state.value} has not")


def _exited_ready(environment: Environment, event: Exited, now: float) -> Step:
    failure = event.failure
    message = answers.exit_message(event.how) if failure is None else failure.message
    if not environment.held:
        return Step(environment._replace(state=State.DOWN), (Note(f"Error: {message} between two invocations"),))

    def answer(request_id: str) -> Answer:
        if failure is not None:
            return answers.extension_error(request_id, failure)
        return answers.out_of_memory(request_id) if event.out_of_memory else answers.exit_error(request_id, message)

    return _fail_all(environment, answer, now, message=message)


def _exited_init(environment: Environment, event: Exited, now: float) -> Step:
    answer = environment.answer or answers.init_exit(out_of_memory=event.out_of_memory, failure=event.failure)
    report = ReportInit(now - environment.spawned_s, phase_of(environment), "error", answer.error_type)
    rested = environment._replace(answer=None)
    if environment.in_init_phase or not environment.held:
        return _retry_or_rest(rested, (_NO_TIMER, report, *failed_early(event)), now)
    message = None if environment.answer else answers.exit_message(event.how)
    failed, effects = _fail_all(rested, lambda _: answer, now, message=message)
    return Step(failed, (report, *effects))


def on_not_started(environment: Environment, message: str, now: float) -> Step:
    """The process that `Spawn` asked for could not be started; `message` says why."""
    if not environment.held:
        return Step(environment._replace(state=State.DOWN), (_NO_TIMER,))  # whoever asked is told by `not_started`
    return _fail_all(environment, lambda i: answers.invalid_entrypoint(i, message), now, message=message)


def on_timer(environment: Environment, now: float) -> Step:
    """The time that the last `SetTimer` asked for is over."""
    if environment.state is State.STARTING:
        report = ReportInit(now - environment.spawned_s, phase_of(environment), "timeout", None)
        if environment.in_init_phase or not environment.held:
            return Step(environment._replace(state=State.STOPPING), (report, Kill()))
        late = tuple(one._replace(clock_s=environment.spawned_s) for one in environment.held)
        stopping, effects = _time_out(environment._replace(held=late), late, now)
        return Step(stopping._replace(state=State.STOPPING), (report, Kill(), *effects))
    if environment.state is State.BROKEN:
        return Step(environment, (Kill(),))
    if environment.state is State.READY:
        ended = tuple(one for one in environment.held if _deadline(environment, one) <= now)
        return _time_out(environment, ended, now)
    return Step(environment)


def on_out_of_memory(environment: Environment, now: float) -> Step:
    """It used more memory than it has, and nobody but us minds."""
    if environment.state is not State.READY or not environment.held:
        return Step(environment, (Kill(),))
    failed, effects = _fail_all(environment, answers.out_of_memory, now, message=answers.KILLED)
    return Step(failed._replace(state=State.STOPPING), (Kill(), *effects))


def on_close(environment: Environment, now: float) -> Step:
    """Nothing more is wanted: invocations under way are given up."""
    if environment.state is State.CLOSED:
        return Step(environment)
    finished = [Finish(_result(environment, one, answers.CLOSING, now, status=503)) for one in environment.held]
    closed = environment._replace(state=State.CLOSED, held=(), polls=(), answer=None)
    return Step(closed, (_NO_TIMER, Terminate(), *finished))


# steps that events share


def _serve(environment: Environment, now: float) -> Step:
    """Give waiting invocations to waiting workers, both in the order they came."""
    effects: list[Effect] = []
    polls, held = list(environment.polls), []
    for one in environment.held:
        if one.delivered or not polls:
            held.append(one)
            continue
        clock_s = now if one.clock_s is None else one.clock_s
        effects += [Deliver(polls.pop(0), one.invocation, clock_s + environment.timeout_s), Announce(one.invocation)]
        held.append(one._replace(clock_s=clock_s, delivered=True))
    after = environment._replace(polls=tuple(polls), held=tuple(held))
    return Step(after, (*effects, _timer(after, now)))


def _restart(environment: Environment, now: float) -> Step:
    started = environment._replace(state=State.STARTING, in_init_phase=False, spawned_s=now, init_s=None)
    return Step(started, (Spawn(), SetTimer(environment.init_limit_s)))


def _retry_or_rest(environment: Environment, effects: tuple[Effect, ...], now: float) -> Step:
    if not environment.held:
        return Step(environment._replace(state=State.DOWN, in_init_phase=False), effects)
    restarted, more = _restart(environment, now)
    return Step(restarted, (*effects, *more))


def _finish(environment: Environment, one: Held, answer: Answer, now: float) -> Step:
    after = _replace_held(environment, one, None)
    result = _result(environment, one, answer, now)
    return Step(after._replace(init_s=None), (_timer(after, now), Finish(result)))


def _fail_all(environment: Environment, answer: Callable[[str], Answer], now: float, *, message: str | None) -> Step:
    """The process is gone: so is every invocation."""
    effects: list[Effect] = [_NO_TIMER]
    for one in environment.held:
        request_id = one.invocation.request_id
        if not one.delivered:
            effects.append(Announce(one.invocation))
        told = answer(request_id)
        if message is not None:
            effects.append(Note(f"RequestId: {request_id} Error: {message}\n{told.error_type or answers.EXIT_ERROR}"))
        effects.append(Finish(_result(environment, one, told, now, status=502)))
    down = environment._replace(state=State.DOWN, in_init_phase=False, held=(), polls=(), answer=None, init_s=None)
    return Step(down, tuple(effects))


def _time_out(environment: Environment, ended: tuple[Held, ...], now: float) -> Step:
    effects: list[Effect] = []
    after = environment
    for one in ended:
        if not one.delivered:
            effects.append(Announce(one.invocation))
        answer = answers.timed_out(environment.timeout_s)
        at_s = min(now, _deadline(environment, one))
        effects.append(Finish(_result(environment, one, answer, at_s, report_status="timeout")))
        after = _replace_held(after, one, None)
    return Step(after, (_timer(after, now), *effects))


def _timer(environment: Environment, now: float) -> SetTimer:
    deadlines = [_deadline(environment, one) for one in environment.held if one.clock_s is not None]
    return SetTimer(max(0.0, min(deadlines) - now)) if deadlines else _NO_TIMER


def _deadline(environment: Environment, one: Held) -> float:
    return float("inf") if one.clock_s is None else one.clock_s + environment.timeout_s


def _find(environment: Environment, request_id: str) -> Held | None:
    for one in environment.held:
        if one.delivered and one.invocation.request_id == request_id:
            return one
    return None


def _replace_held(environment: Environment, old: Held, new: Held | None) -> Environment:
    held = (new if one is old else one for one in environment.held)
    return environment._replace(held=tuple(one for one in held if one is not None))


def _result(
    environment: Environment,
    one: Held,
    answer: Answer,
    now: float,
    *,
    status: int = _OK,
    report_status: str | None = None,
) -> Result:
    failed = status != _OK or answer.error_type is not None
    return Result(
        invocation=one.invocation,
        status=status,
        answer=answer,
        function_error="Unhandled" if failed else None,
        report_status=report_status or ("error" if status != _OK else None),
        duration_s=0.0 if one.clock_s is None else max(0.0, now - one.clock_s),
        init_s=environment.init_s,
    )
