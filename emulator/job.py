"""An invocation with whom to tell what came of it: what the engine gives to a sandbox. It does nothing by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from .values import Answer, Outcome

if TYPE_CHECKING:
    from .http_server import HttpServer
    from .streams import Sink
    from .values import Invocation

Done = Callable[[Outcome], None]
Answered = Callable[[str, Answer], None]


class Job:
    """One invocation and whom it concerns.

    `answered` is told the request id and the answer when the runtime has posted it; `done` the outcome, if there is
    no `answered` or there was no such answer. The pieces of one that is streamed go to `sink`, to which the job is the
    stream's `Flow`.
    """

    __slots__ = ("answered", "call", "done", "invocation", "server", "sink", "start", "streamed", "told")

    def __init__(
        self, invocation: Invocation, done: Done, *, answered: Answered | None = None, sink: Sink | None = None
    ) -> None:
        self.invocation = invocation
        self.done = done
        self.answered = answered
        self.sink = sink
        self.start = b""  # the line of its start
        self.told = False  # whoever asked for it has its answer
        self.server: HttpServer | None = None
        self.call = 0  # whose body is the answer
        self.streamed = False

    def tell(self, answer: Answer) -> None:
        """The runtime has answered."""
        if self.answered is not None:
            self.told = True
            self.answered(self.invocation.request_id, answer)

    def pause(self) -> None:
        """Read no more of the answer for now."""
        if self.server is not None:
            self.server.pause_request(self.call)

    def resume(self) -> None:
        """Read on."""
        if self.server is not None:
            self.server.resume_request(self.call)


def render_unrun(request_id: str, status: int, payload: bytes = b"") -> Outcome:
    """The outcome of an invocation that no environment ever saw."""
    return Outcome(
        payload=payload,
        status=status,
        function_error="Unhandled",
        log=b"",
        duration_ms=0.0,
        init_ms=None,
        max_memory_mb=0,
        request_id=request_id,
    )
