"""What a life cycle has to decide: `lifecycle` and `multiconcurrency` are modules of this shape. Only a type."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    from .environment import Environment, Exited, InitError, Post, Step
    from .values import Invocation

    class Rules(Protocol):
        """Functions from an environment and an event to the next environment and the effects."""

        def on_start(self, environment: Environment, now: float) -> Step:
            """Initialise ahead of any invocation."""

        def on_invoke(self, environment: Environment, invocation: Invocation, now: float) -> Step:
            """An invocation is assigned."""

        def on_next(self, environment: Environment, call: int, now: float) -> Step:
            """The runtime polls."""

        def on_call_lost(self, environment: Environment, call: int, now: float) -> Step:
            """The connection of a call was closed."""

        def may_stream(self, environment: Environment, request_id: str) -> bool:
            """Whether an answer in pieces goes to the caller as it comes."""

        def on_stream(self, environment: Environment, call: int, request_id: str) -> Step:
            """Such an answer begins."""

        def on_post(self, environment: Environment, post: Post, now: float) -> Step:
            """The runtime posted an answer."""

        def on_init_error(self, environment: Environment, error: InitError) -> Step:
            """The runtime reported that its init failed."""

        def on_exited(self, environment: Environment, event: Exited, now: float) -> Step:
            """The process is gone."""

        def on_not_started(self, environment: Environment, message: str, now: float) -> Step:
            """The process could not be started."""

        def on_timer(self, environment: Environment, now: float) -> Step:
            """The time that was asked for is over."""

        def on_out_of_memory(self, environment: Environment, now: float) -> Step:
            """More memory was used than there is."""

        def on_close(self, environment: Environment, now: float) -> Step:
            """Nothing more is wanted."""
