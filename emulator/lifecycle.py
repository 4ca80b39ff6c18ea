"""The life of one execution environment: a table of what each event means in each state.

An environment is one runtime process at a time and at most one invocation. Events come from three sides: the emulator
(`start`, `invoke`, `close`), the runtime's calls to its API (`next`, `response`, `error`, `init_error`, the begin of a
streamed answer, and a call whose connection was lost), and the system (`exited`, `not_started`, `timer`). Each event is
a function `on_…(environment, event, now) → Step`: the next environment and the effects that the shell has to carry out
in that order. Behind each stands a table with a row for every state.

    DOWN          no process; the next invocation starts one
    STARTING      the process runs and has not polled yet
    BROKEN        it reported that its init failed, and is about to exit
    READY         it polls, nothing is asked of it
    ABSENT        initialised and idle, but its poll was lost: it has to poll again
    RUNNING       an event is (or, after a lost poll, will be) with it
    STREAMING     its answer goes to the caller as it comes
    RESPONDED     it posted an answer; the invocation ends with its next poll: the platform counts background work too
    JAMMED        it posted an answer with an unknown response mode, and is only refused from here on, as by AWS's
                  emulator
    STOPPING      it was killed and its exit has not been noticed yet
    CLOSED        the end

Two clocks. An environment is first started ahead of any invocation (phase `init`): that has a limit of its own, is
reported as Init Duration, and an invocation that arrives meanwhile waits without its clock running. If that init
fails, or when the environment died later, the runtime is started again within the invocation (phase `invoke`): then
the function's timeout covers both, and no Init Duration is reported. There is one timer, set and cleared by effects;
`now` is monotonic seconds.

Everything here is a function from values to values. It starts no process, reads no clock and knows no HTTP. The
module is long because it is one table, and is read as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from . import answers, limits
from .environment import (
    Announce,
    Deliver,
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
from .errors import InternalError
from .values import Invocation, Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .environment import Effect
    from .values import Answer


_NO_TIMER = SetTimer(None)
_OK = 200  # HTTP's; the status of an invocation that was run, whatever the function made of it


def on_start(environment: Environment, now: float) -> Step:
    """Initialise ahead of any invocation. Raises `InternalError` unless nothing was started before."""
    if environment.state is not State.DOWN:
        raise InternalError(f"starting an environment that is {environment.state.value}")
    started = environment._replace(state=State.STARTING, in_init_phase=True, spawned_s=now)
    return Step(started, (Spawn(), SetTimer(environment.init_limit_s)))


# invoke -----------------------------------------------------------------------------------------------------


def on_invoke(environment: Environment, invocation: Invocation, now: float) -> Step:
    """An invocation is assigned. Raises `InternalError` if there is one already: the caller queues them."""
    if environment.invocation is not None:
        raise InternalError(f"assigning {invocation.request_id} while {environment.invocation.request_id} is not over")
    return _INVOKE[environment.state](environment, invocation, now)


def _invoke_down(environment: Environment, invocation: Invocation, now: float) -> Step:
    return _start_within_invocation(environment._replace(invocation=invocation, clock_s=now), now)


def _invoke_wait(environment: Environment, invocation: Invocation, now: float) -> Step:
    del now  # its clock begins when the init or the exit before it is over
    return Step(environment._replace(invocation=invocation))


def _invoke_ready(environment: Environment, invocation: Invocation, now: float) -> Step:
    if environment.poll is None:
        raise InternalError("a ready environment without a poll")
    deliver = Deliver(environment.poll, invocation, now + environment.timeout_s)
    return Step(_run(environment, invocation, now), (deliver, Announce(invocation), SetTimer(environment.timeout_s)))


def _invoke_absent(environment: Environment, invocation: Invocation, now: float) -> Step:
    return Step(_run(environment, invocation, now), (Announce(invocation), SetTimer(environment.timeout_s)))


def _invoke_impossible(environment: Environment, invocation: Invocation, now: float) -> Step:
    del invocation, now
    raise InternalError(f"assigning an invocation to an environment that is {environment.state.value}")


def _run(environment: Environment, invocation: Invocation, now: float) -> Environment:
    """The invocation's clock starts on an initialised runtime."""
    return environment._replace(state=State.RUNNING, invocation=invocation, clock_s=now, announced=True, poll=None)


def _start_within_invocation(environment: Environment, now: float) -> Step:
    """Start the runtime on the invocation's time; its clock runs from now if it did not before."""
    clock_s = now if environment.clock_s is None else environment.clock_s
    left_s = max(0.0, environment.timeout_s - (now - clock_s))
    started = environment._replace(
        state=State.STARTING, in_init_phase=False, clock_s=clock_s, spawned_s=now, init_s=None
    )
    return Step(started, (Spawn(), SetTimer(left_s)))


_INVOKE: Mapping[State, Callable[[Environment, Invocation, float], Step]] = {
    State.DOWN: _invoke_down,
    State.STARTING: _invoke_wait,
    State.BROKEN: _invoke_wait,
    State.READY: _invoke_ready,
    State.ABSENT: _invoke_absent,
    State.RUNNING: _invoke_impossible,
    State.STREAMING: _invoke_impossible,
    State.RESPONDED: _invoke_impossible,
    State.JAMMED: _invoke_impossible,
    State.STOPPING: _invoke_wait,
    State.CLOSED: _invoke_impossible,
}


# the runtime polls ------------------------------------------------------------------------------------------


def on_next(environment: Environment, call: int, now: float) -> Step:
    """The runtime asks for the next event."""
    return _NEXT[environment.state](environment, call, now)


def _next_refused(environment: Environment, call: int, now: float) -> Step:
    del now
    return Step(environment, (Reply(call, answers.invalid_transition(environment.state.value, "ready")),))


def _next_starting(environment: Environment, call: int, now: float) -> Step:
    """Its first poll ends the init."""
    report = ReportInit(now - environment.spawned_s, phase_of(environment), "success", None)
    init_s = report.duration_s if environment.in_init_phase else None
    ready = environment._replace(state=State.READY, poll=call, init_s=init_s)
    if environment.invocation is None:
        return Step(ready, (report, _NO_TIMER))
    if environment.clock_s is None:
        running, effects = _invoke_ready(ready, environment.invocation, now)
        return Step(running, (report, *effects))
    running = ready._replace(state=State.RUNNING, poll=None, announced=True)
    deliver = Deliver(call, environment.invocation, environment.clock_s + environment.timeout_s)
    return Step(running, (report, deliver, Announce(environment.invocation)))


def phase_of(environment: Environment) -> str:
    """The platform's word for when a runtime is started: ahead of an invocation or within one."""
    return "init" if environment.in_init_phase else "invoke"


def _next_ready(environment: Environment, call: int, now: float) -> Step:
    """A second poll replaces the first: its client may have given up and come again before we saw it go."""
    del now
    if environment.poll is None:
        return Step(environment._replace(state=State.READY, poll=call))
    old = Reply(environment.poll, answers.invalid_transition(environment.state.value, "ready"))
    return Step(environment._replace(poll=call), (old,))


def _next_running(environment: Environment, call: int, now: float) -> Step:
    """A poll during an invocation gets the same event again, as from AWS's emulator.

    The first delivery may have been lost.
    """
    del now
    if environment.invocation is None or environment.clock_s is None:
        raise InternalError("a running environment without an invocation")
    return Step(environment, (Deliver(call, environment.invocation, environment.clock_s + environment.timeout_s),))


def _next_streaming(environment: Environment, call: int, now: float) -> Step:
    """It has given its answer up: the end of that connection is still to be seen."""
    return _next_responded(environment._replace(answer=answers.TRUNCATED_RESPONSE), call, now)


def _next_responded(environment: Environment, call: int, now: float) -> Step:
    """The poll after an answer ends the invocation."""
    if environment.answer is None:
        raise InternalError("responded without an answer")
    result = _result(environment, now, _OK, environment.answer)
    return Step(_idle(environment, state=State.READY, poll=call), (_NO_TIMER, Finish(result)))


_NEXT: Mapping[State, Callable[[Environment, int, float], Step]] = {
    State.DOWN: _next_refused,
    State.STARTING: _next_starting,
    State.BROKEN: _next_refused,
    State.READY: _next_ready,
    State.ABSENT: _next_ready,
    State.RUNNING: _next_running,
    State.STREAMING: _next_streaming,
    State.RESPONDED: _next_responded,
    State.JAMMED: _next_refused,
    State.STOPPING: _next_refused,
    State.CLOSED: _next_refused,
}


def on_call_lost(environment: Environment, call: int, now: float) -> Step:
    """The connection of a call was closed.

    News is a poll that waits (an event already delivered may be polled for again), and an answer cut off in the
    middle.
    """
    del now
    if environment.state is State.READY and environment.poll == call:
        return Step(environment._replace(state=State.ABSENT, poll=None))
    if environment.state is State.STREAMING and environment.stream == call:
        return Step(environment._replace(state=State.RESPONDED, stream=None, answer=answers.TRUNCATED_RESPONSE))
    return Step(environment)


# the runtime answers ----------------------------------------------------------------------------------------


def on_post(environment: Environment, post: Post, now: float) -> Step:
    """The runtime posted a response or an error.

    The id is checked before the state, and a wrong one changes nothing. An answer over the limit is told 413 and
    becomes the platform's own error about it.
    """
    del now  # the invocation ends with the next poll
    if environment.invocation is None or environment.invocation.request_id != post.request_id:
        return Step(environment, (Reply(post.call, answers.INVALID_REQUEST_ID),))
    return _POST[environment.state](environment, post)


def may_stream(environment: Environment, request_id: str) -> bool:
    """Whether an answer to `request_id` that comes in pieces goes to the caller as it comes: else it is collected."""
    invocation = environment.invocation
    return (
        environment.state is State.RUNNING
        and invocation is not None
        and invocation.request_id == request_id
        and invocation.streams
    )


def on_stream(environment: Environment, call: int, request_id: str) -> Step:
    """An answer begins that `may_stream`; its end is a post with the same call."""
    if not may_stream(environment, request_id):
        raise InternalError(f"a stream for {request_id} from an environment that is {environment.state.value}")
    return Step(environment._replace(state=State.STREAMING, stream=call))


def _post_streaming(environment: Environment, post: Post) -> Step:
    if post.call != environment.stream:
        return _post_refused(environment, post)
    ended = environment._replace(stream=None)
    if post.size > limits.STREAM_LIMIT_BYTES:
        return _too_large(ended, post, answers.STREAM_TOO_LARGE, answers.STREAM_ENTITY_TOO_LARGE)
    return _accepted(ended._replace(state=State.RESPONDED, answer=post.answer), post)


def _post_running(environment: Environment, post: Post) -> Step:
    if not post.mode_known:
        jammed = environment._replace(state=State.JAMMED, answer=answers.INVALID_RESPONSE_MODE)
        return Step(jammed, (Reply(post.call, answers.INVALID_FUNCTION_RESPONSE_MODE),))
    if post.size > limits.PAYLOAD_LIMIT_BYTES:
        return _too_large(environment, post, answers.RESPONSE_TOO_LARGE, answers.ENTITY_TOO_LARGE)
    return _accepted(environment._replace(state=State.RESPONDED, answer=post.answer), post)


def _too_large(environment: Environment, post: Post, answer: Answer, reply: answers.Reply) -> Step:
    return Step(environment._replace(state=State.RESPONDED, answer=answer), (Reply(post.call, reply),))


def _accepted(environment: Environment, post: Post) -> Step:
    """The caller comes first: it has waited for longer."""
    if environment.invocation is None:
        raise InternalError("an answer without an invocation")
    return Step(environment, (Respond(environment.invocation, post.answer), Reply(post.call, answers.ACCEPTED)))


def _post_refused(environment: Environment, post: Post) -> Step:
    wanted = "response" if post.answer.error_type is None else "error"
    return Step(environment, (Reply(post.call, answers.invalid_transition(environment.state.value, wanted)),))


_POST: Mapping[State, Callable[[Environment, Post], Step]] = {
    **dict.fromkeys(State, _post_refused),
    State.RUNNING: _post_running,
    State.STREAMING: _post_streaming,
}


def on_init_error(environment: Environment, error: InitError) -> Step:
    """The runtime reported that its init failed: accepted once, before its first poll."""
    if environment.state is not State.STARTING:
        return Step(
            environment,
            (Reply(error.call, answers.invalid_transition(environment.state.value, "initError")),),
        )
    broken = environment._replace(state=State.BROKEN, answer=error.answer)
    return Step(broken, (Reply(error.call, answers.ACCEPTED), SetTimer(limits.ERROR_EXIT_GRACE_S)))


# the process ends -------------------------------------------------------------------------------------------


def on_exited(environment: Environment, event: Exited, now: float) -> Step:
    """The runtime's process is gone, by itself or killed."""
    return _EXITED[environment.state](environment._replace(poll=None), event, now)


def _exited_init(environment: Environment, event: Exited, now: float) -> Step:
    """Init failed: ahead of an invocation it is tried again with the next one, within an invocation it is its result.

    An exit without a report leaves the body empty, as AWS's emulator does; the log says why.
    """
    answer = environment.answer or answers.init_exit(out_of_memory=event.out_of_memory, failure=event.failure)
    report = ReportInit(now - environment.spawned_s, phase_of(environment), "error", answer.error_type)
    down = environment._replace(state=State.DOWN, answer=None)
    if environment.in_init_phase:
        return _retry_or_rest(down, (_NO_TIMER, report, *failed_early(event)), now)
    if environment.answer is None:
        message = answers.exit_message(event.how) if event.failure is None else event.failure.message
        return _failed(down, now, answer, (report,), message)
    return _failed(down, now, answer, (report,), None)


def failed_early(event: Exited) -> tuple[Note, ...]:
    """Why an extension ended an init that nobody waits for: no invocation will tell."""
    return () if event.failure is None else (Note(f"Error: {event.failure.message}"),)


def _exited_idle(environment: Environment, event: Exited, now: float) -> Step:
    del now
    message = answers.exit_message(event.how) if event.failure is None else event.failure.message
    return Step(_idle(environment), (Note(f"Error: {message} between two invocations"),))


def _exited_running(environment: Environment, event: Exited, now: float) -> Step:
    message = answers.exit_message(event.how)
    request_id = environment.invocation.request_id if environment.invocation else ""
    answer = environment.answer
    if event.failure is not None:
        message = event.failure.message
    if event.out_of_memory:
        answer = answers.out_of_memory(request_id)
    elif answer is None or answer is answers.TRUNCATED_RESPONSE:  # cut off because it ended
        answer = answers.exit_error(request_id, message)
        if event.failure is not None:
            answer = answers.extension_error(request_id, event.failure)
    return _failed(environment, now, answer, (), message)


def _exited_stopping(environment: Environment, event: Exited, now: float) -> Step:
    del event  # we killed it
    return _retry_or_rest(environment, (), now)


def _exited_closed(environment: Environment, event: Exited, now: float) -> Step:
    del event, now
    return Step(environment)


def _exited_impossible(environment: Environment, event: Exited, now: float) -> Step:
    del now
    raise InternalError(
        f"an exit ({event.how}) of a process that an environment which is {environment.state.value} has not"
    )


def _retry_or_rest(environment: Environment, effects: tuple[Effect, ...], now: float) -> Step:
    if environment.invocation is None:
        return Step(environment._replace(state=State.DOWN), effects)
    restarted, more = _start_within_invocation(environment, now)
    return Step(restarted, (*effects, *more))


_EXITED: Mapping[State, Callable[[Environment, Exited, float], Step]] = {
    State.DOWN: _exited_impossible,
    State.STARTING: _exited_init,
    State.BROKEN: _exited_init,
    State.READY: _exited_idle,
    State.ABSENT: _exited_idle,
    State.RUNNING: _exited_running,
    State.STREAMING: _exited_running,
    State.RESPONDED: _exited_running,
    State.JAMMED: _exited_running,
    State.STOPPING: _exited_stopping,
    State.CLOSED: _exited_closed,
}


def on_not_started(environment: Environment, message: str, now: float) -> Step:
    """The process that `Spawn` asked for could not be started; `message` says why.

    Whoever asked for the environment is told by its `not_started`, an invocation by its answer and a line.
    """
    if environment.state is not State.STARTING:
        raise InternalError(f"a failed start in an environment that is {environment.state.value}")
    down = environment._replace(state=State.DOWN)
    if environment.invocation is None:
        return Step(down, (_NO_TIMER,))
    return _failed(down, now, answers.invalid_entrypoint(environment.invocation.request_id, message), (), message)


# time runs out ----------------------------------------------------------------------------------------------


def on_timer(environment: Environment, now: float) -> Step:
    """The time that the last `SetTimer` asked for is over."""
    return _TIMER[environment.state](environment, now)


def _timer_starting(environment: Environment, now: float) -> Step:
    report = ReportInit(now - environment.spawned_s, phase_of(environment), "timeout", None)
    if environment.in_init_phase:
        return Step(environment._replace(state=State.STOPPING), (report, Kill()))
    return _timed_out(environment, now, (report,))


def _timer_broken(environment: Environment, now: float) -> Step:
    del now
    return Step(environment, (Kill(),))


def _timer_running(environment: Environment, now: float) -> Step:
    return _timed_out(environment, now, ())


def _timer_late(environment: Environment, now: float) -> Step:
    """It was cleared at the moment it fired."""
    del now
    return Step(environment)


_TIMER: Mapping[State, Callable[[Environment, float], Step]] = {
    State.DOWN: _timer_late,
    State.STARTING: _timer_starting,
    State.BROKEN: _timer_broken,
    State.READY: _timer_late,
    State.ABSENT: _timer_late,
    State.RUNNING: _timer_running,
    State.STREAMING: _timer_running,
    State.RESPONDED: _timer_running,
    State.JAMMED: _timer_running,
    State.STOPPING: _timer_late,
    State.CLOSED: _timer_late,
}


def on_out_of_memory(environment: Environment, now: float) -> Step:
    """It used more memory than it has, and nobody but us minds: where the kernel does, the process just ends."""
    invocation = environment.invocation
    if invocation is None or environment.state not in {State.RUNNING, State.STREAMING}:
        return Step(environment, (Kill(),))
    answer = answers.out_of_memory(invocation.request_id)
    finish = Finish(_result(environment, now, 502, answer, report_status="error"))
    note = Note(f"RequestId: {invocation.request_id} Error: {answers.KILLED}\n{answer.error_type}")
    return Step(_idle(environment, state=State.STOPPING), (_NO_TIMER, Kill(), note, finish))


def on_close(environment: Environment, now: float) -> Step:
    """Nothing more is wanted: an invocation under way is given up, unless only the poll after its answer is missing."""
    if environment.state is State.CLOSED:
        return Step(environment)
    effects: tuple[Effect, ...] = (_NO_TIMER, Terminate())
    if environment.state is State.RESPONDED and environment.answer is not None:
        effects = (*effects, Finish(_result(environment, now, _OK, environment.answer)))
    elif environment.invocation is not None:
        effects = (*effects, Finish(_result(environment, now, 503, answers.CLOSING, report_status="error")))
    return Step(_idle(environment, state=State.CLOSED), effects)


# results ----------------------------------------------------------------------------------------------------


def _idle(environment: Environment, *, state: State = State.DOWN, poll: int | None = None) -> Environment:
    """The environment without its invocation."""
    return environment._replace(
        state=state,
        in_init_phase=False,
        invocation=None,
        announced=False,
        clock_s=None,
        poll=poll,
        stream=None,
        answer=None,
        init_s=None,
    )


def _failed(
    environment: Environment, now: float, answer: Answer, before: tuple[Effect, ...], message: str | None
) -> Step:
    """The runtime died, and its invocation with it."""
    if environment.invocation is None:
        raise InternalError("failing without an invocation")
    effects: list[Effect] = [_NO_TIMER, *before]
    if not environment.announced:
        effects.append(Announce(environment.invocation))
    if message is not None:
        error_type = answer.error_type or answers.EXIT_ERROR
        effects.append(Note(f"RequestId: {environment.invocation.request_id} Error: {message}\n{error_type}"))
    effects.append(Finish(_result(environment, now, 502, answer, report_status="error")))
    return Step(_idle(environment), tuple(effects))


def _timed_out(environment: Environment, now: float, before: tuple[Effect, ...]) -> Step:
    if environment.invocation is None or environment.clock_s is None:
        raise InternalError("timing out without an invocation")
    announce = () if environment.announced else (Announce(environment.invocation),)
    # The platform reports the timeout as the duration, not how late the timer fired.
    at_s = min(now, environment.clock_s + environment.timeout_s)
    answer = answers.timed_out(environment.timeout_s)
    finish = Finish(_result(environment, at_s, _OK, answer, report_status="timeout"))
    return Step(_idle(environment, state=State.STOPPING), (*before, *announce, Kill(), finish))


def _result(
    environment: Environment, now: float, status: int, answer: Answer, *, report_status: str | None = None
) -> Result:
    if environment.invocation is None:
        raise InternalError("a result without an invocation")
    duration_s = 0.0 if environment.clock_s is None else max(0.0, now - environment.clock_s)
    failed = status != _OK or answer.error_type is not None
    return Result(
        invocation=environment.invocation,
        status=status,
        answer=answer,
        function_error="Unhandled" if failed else None,
        report_status=report_status,
        duration_s=duration_s,
        init_s=environment.init_s,
    )
