"""How an answer travels to its caller in pieces: the two small protocols between the engine and whoever serves callers.

The engine calls a `Sink`: `begin` once, when the runtime's streamed answer begins, then `piece` for what comes. The
end is told like any other, by the `done` of `Emulator.submit`, with an outcome that is `streamed`: its payload is empty
or an error, and its `function_error` says whether the stream was whole. An answer that is not streamed never calls the
sink; it is in the outcome.

Back-pressure: a sink whose caller falls behind calls `flow.pause()`, and the runtime's connection is no longer read,
so that the runtime waits in its own write; `flow.resume()` reads on. At most one read's worth of bytes comes after a
pause. Nothing is buffered between the two.

Only types: it moves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class Flow(Protocol):
        """The runtime's side of a stream, for whoever takes the pieces."""

        def pause(self) -> None:
            """Send no more pieces for now."""

        def resume(self) -> None:
            """Send on."""

    class Sink(Protocol):
        """Where the pieces of an answer go."""

        def begin(self, content_type: str, flow: Flow) -> None:
            """The runtime has begun its answer."""

        def piece(self, data: bytes) -> None:
            """The next bytes of it."""
