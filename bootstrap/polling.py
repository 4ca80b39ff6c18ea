"""Events where many are served at once: a refusal concerns one of them, so the worker goes on; loaded only there.

What awslambdaric does on managed instances: asking for an event is repeated, five times in all, and an answer that
the platform does not take is logged.
"""

import time

from .errors import PlatformError
from .invocation import invoke, parse_invocation
from .logs import WARNING, write_notice
from .loop import answer

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from .handler import Handler
    from .invocation import Invocation
    from .logs import LogState
    from .records import Record
    from .runtime_api import RuntimeApi
    from .settings import Settings

    class Turn(Protocol):
        """What tells a slot to end: `begin_waiting` raises SystemExit."""

        waiting: bool

        def begin_waiting(self) -> None:
            """Raise SystemExit if the process has to end."""


_ATTEMPTS = 5
_FIRST_DELAY_S = 0.1


class Slot:
    """One event at a time: what its loop needs. `isolate` calls a function apart from other invocations."""

    __slots__ = ("_api", "_handler", "_isolate", "_log_state", "_record", "_set_trace_id", "_settings", "_turn")

    def __init__(
        self,
        handler: "Handler",
        settings: "Settings",
        *,
        api: "RuntimeApi",
        log_state: "LogState",
        record: "Record",
        turn: "Turn",
        set_trace_id: "Callable[[str | None], None]",
        isolate: "Callable[[Callable[[Invocation], None], Invocation], None]",
    ) -> None:
        self._handler = handler
        self._settings = settings
        self._api = api
        self._log_state = log_state
        self._record = record
        self._turn = turn
        self._set_trace_id = set_trace_id
        self._isolate = isolate

    def serve(self) -> None:
        """Serve events for ever.

        Raises PlatformError when none can be had any more, SystemExit when the process has to end.
        """
        while True:
            invocation = self._wait_for_event()
            self._turn.waiting = False
            self._isolate(self._serve_one, invocation)

    def _wait_for_event(self) -> "Invocation":
        delay_s = _FIRST_DELAY_S
        for attempt in range(1, _ATTEMPTS + 1):
            self._turn.begin_waiting()
            try:
                self._api.request_next()
                return parse_invocation(self._api.read_next())
            except PlatformError as error:
                self._turn.begin_waiting()  # an end that was asked for is no failure
                if attempt == _ATTEMPTS:
                    raise
                write_notice(self._log_state, WARNING, f"Attempt {attempt} of {_ATTEMPTS}: {error}")
            time.sleep(delay_s)
            delay_s *= 2
        raise AssertionError  # the last attempt returns or raises

    def _serve_one(self, invocation: "Invocation") -> None:
        self._record.begin(invocation)
        self._log_state.request_id = invocation.request_id
        self._log_state.tenant_id = invocation.tenant_id
        self._set_trace_id(invocation.trace_id)
        try:
            answer(
                self._api, invocation, self._handler, settings=self._settings, log_state=self._log_state, invoke=invoke
            )
        except PlatformError as error:
            write_notice(self._log_state, WARNING, f"{error} The answer may be lost; the worker goes on.")
        finally:
            self._record.end()
