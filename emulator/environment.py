"""The words of the life cycle: an environment's states, the events that meet it, and the effects they lead to.

Values without behaviour: what an event means in a state is said by `lifecycle`, and `effects` carries the effects out.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple, Union

from . import limits

if TYPE_CHECKING:
    from . import answers
    from .values import Answer, Invocation, Result


class State(enum.Enum):
    """The states, which the table at the head of `lifecycle` explains."""

    DOWN = "down"
    STARTING = "starting"
    BROKEN = "broken"
    READY = "ready"
    ABSENT = "absent"
    RUNNING = "running"
    STREAMING = "streaming"
    RESPONDED = "responded"
    JAMMED = "jammed"
    STOPPING = "stopping"
    CLOSED = "closed"


class Held(NamedTuple):
    """An invocation in an environment that holds several. It is with a worker once it was `delivered`."""

    invocation: Invocation
    clock_s: float | None = None
    delivered: bool = False
    stream: int | None = None


class Environment(NamedTuple):
    """An environment between two events.

    `clock_s` is when the invocation's time began, None while it waits for the init ahead of it. `announced` tells
    whether its START line was written. `poll` is the call that waits for an event, `stream` the one whose body is the
    answer and goes to the caller as it comes. `held` and `polls` are for managed instances (`multiconcurrency`), which
    have several invocations and polls.
    """

    timeout_s: float
    init_limit_s: float = limits.INIT_LIMIT_S
    state: State = State.DOWN
    in_init_phase: bool = True
    invocation: Invocation | None = None
    announced: bool = False
    clock_s: float | None = None
    spawned_s: float = 0.0
    poll: int | None = None
    stream: int | None = None
    answer: Answer | None = None
    init_s: float | None = None
    held: tuple[Held, ...] = ()
    polls: tuple[int, ...] = ()


# Events that carry something. A `call` is the shell's number for one HTTP exchange that awaits Reply or Deliver.


class Post(NamedTuple):
    """The runtime posted to `/response` or `/error`.

    `size` is what it sent; `answer.body` is empty if that is over the limit.
    """

    call: int
    request_id: str
    answer: Answer
    size: int
    mode_known: bool = True


class InitError(NamedTuple):
    """The runtime posted to `/init/error`."""

    call: int
    answer: Answer


class Failure(NamedTuple):
    """An extension failed, and the whole environment with it."""

    error_type: str
    message: str


class Exited(NamedTuple):
    """The process ended; `how` is e.g. "exit status 3" or "signal: killed", None for exit status 0.

    `failure` is what ended it, if that was an extension's.
    """

    how: str | None
    out_of_memory: bool = False
    failure: Failure | None = None


# Effects


class Spawn(NamedTuple):
    """Start the runtime's process."""


class Kill(NamedTuple):
    """Kill the runtime's whole process group."""


class Terminate(NamedTuple):
    """End the process group in good order: SIGTERM, then SIGKILL."""


class SetTimer(NamedTuple):
    """Give `on_timer` a call in this many seconds, replacing the timer that was set; never, if None."""

    delay_s: float | None


class Reply(NamedTuple):
    """Answer a runtime's call."""

    call: int
    reply: answers.Reply


class Deliver(NamedTuple):
    """Answer a runtime's poll with the event."""

    call: int
    invocation: Invocation
    deadline_s: float


class Respond(NamedTuple):
    """The runtime has answered: a caller that wants no more than that need not wait for the end of the invocation."""

    invocation: Invocation
    answer: Answer


class Announce(NamedTuple):
    """Write the START line."""

    invocation: Invocation


class ReportInit(NamedTuple):
    """Tell how an init ended: "success", "error" or "timeout"."""

    duration_s: float
    phase: str
    status: str
    error_type: str | None


class Note(NamedTuple):
    """Write a line into the log."""

    text: str


class Finish(NamedTuple):
    """The invocation is over: write END and REPORT and hand the result to its caller."""

    result: Result


Effect = Union[Spawn, Kill, Terminate, SetTimer, Reply, Deliver, Respond, Announce, ReportInit, Note, Finish]


class Step(NamedTuple):
    """What an event leads to."""

    environment: Environment
    effects: tuple[Effect, ...] = ()
