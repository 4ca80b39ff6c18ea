"""The extensions of one execution environment: a table of what each call means in each state.

External extensions are processes that the platform starts before the runtime; internal ones are threads of the runtime,
which register while it initialises. Each is in one state:

    STARTED       its process runs and has not registered yet (external ones only)
    REGISTERED    it registered and has not polled yet: init waits for it
    READY         it polls
    RUNNING       it was given an event: an invocation that it is registered for ends when it polls again
    INIT_ERROR    it reported that its init failed, and is about to exit
    EXIT_ERROR    it reported an error, and is about to exit
    EXITED        its process ended

States, the calls allowed in each and the refusals are those of AWS's emulator. Everything here is a function from
values to values: when extensions are started, told of events and ended is `extension_host`'s.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from .extensions_api import NextEvent, Register, ReportError, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .http1_response import Response

LIMIT = 10
"""Extensions of one environment, internal and external; Lambda's quota."""

INVOKE = "INVOKE"
SHUTDOWN = "SHUTDOWN"


class State(enum.Enum):
    """The states, with the names that refusals and `platform.extension` show."""

    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"
    EXITED = "Exited"


class Extension(NamedTuple):
    """One extension. `poll` is the call that waits for its next event."""

    name: str
    identifier: str
    external: bool
    state: State
    events: tuple[str, ...] = ()
    poll: int | None = None
    error_type: str | None = None


class Roster(NamedTuple):
    """The extensions by identifier, in the order they came. `closed` once init is over: nobody registers any more."""

    extensions: Mapping[str, Extension] = {}
    closed: bool = False


class Refused(NamedTuple):
    """A call that is not allowed, and what it is told."""

    response: Response


_NEXT: Mapping[State, State] = {State.REGISTERED: State.READY, State.RUNNING: State.READY}
_INIT_ERROR: Mapping[State, State] = {
    State.REGISTERED: State.INIT_ERROR,
    State.INIT_ERROR: State.INIT_ERROR,
}
_EXIT_ERROR: Mapping[State, State] = {
    State.REGISTERED: State.EXIT_ERROR,
    State.READY: State.EXIT_ERROR,
    State.RUNNING: State.EXIT_ERROR,
    State.EXIT_ERROR: State.EXIT_ERROR,
}


def on_started(roster: Roster, name: str, identifier: str) -> Roster:
    """An external extension's process was started."""
    return _put(roster, Extension(name, identifier, external=True, state=State.STARTED))


def on_register(roster: Roster, call: Register, identifier: str) -> tuple[Roster, str] | Refused:
    """An extension registers: an external one by the name of its file, an internal one by any other.

    `identifier` is for a new one. Returns the identifier that it has.
    """
    known = next((each for each in roster.extensions.values() if each.name == call.name), None)
    external = known is not None and known.external
    refusal = _refuse_events(call.events, external=external)
    if refusal is not None:
        return refusal
    if known is not None and known.external:
        if known.state is not State.STARTED:
            return _refuse_transition(known.state, State.REGISTERED, known.name)
        return _put(roster, known._replace(state=State.REGISTERED, events=call.events)), known.identifier
    refusal = _refuse_internal(roster, known=known is not None)
    if refusal is not None:
        return refusal
    new = Extension(call.name, identifier, external=False, state=State.REGISTERED, events=call.events)
    return _put(roster, new), identifier


def _refuse_internal(roster: Roster, *, known: bool) -> Refused | None:
    if roster.closed:
        return Refused(refuse("Extension.RegistrationClosed", "Extension registration closed already"))
    if len(roster.extensions) >= LIMIT:
        return Refused(refuse("Extension.TooManyExtensions", f"Extension limit ({LIMIT}) reached"))
    if known:
        return Refused(refuse("Extension.InvalidExtensionState", "Extension with this name already registered"))
    return None


def _refuse_events(events: Iterable[str], *, external: bool) -> Refused | None:
    for event in events:
        if event == SHUTDOWN and not external:
            reason = "ShutdownEventNotSupportedForInternalExtension"
        elif event in {INVOKE, SHUTDOWN}:
            continue
        else:
            reason = "ErrorInvalidEventType"
        return Refused(refuse("Extension.InvalidEventType", f"{event}: {reason}"))
    return None


def on_next(roster: Roster, call: NextEvent) -> Roster | Refused:
    """An extension polls. One whose poll was lost may poll again."""
    extension = roster.extensions.get(call.identifier)
    if extension is None:
        return Refused(refuse("Extension.UnknownExtensionIdentifier", f"Unknown extension {call.identifier}"))
    again = extension.state is State.READY and extension.poll is None
    if extension.state not in _NEXT and not again:
        return _refuse_transition(extension.state, State.READY, call.identifier)
    return _put(roster, extension._replace(state=State.READY, poll=call.call))


def on_error(roster: Roster, call: ReportError) -> Roster | Refused:
    """An extension reports an error before it exits."""
    extension = roster.extensions.get(call.identifier)
    if extension is None:
        return Refused(refuse("Extension.UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier"))
    allowed, shown = (_INIT_ERROR, State.INIT_ERROR) if call.in_init else (_EXIT_ERROR, State.EXITED)
    state = allowed.get(extension.state)
    if state is None:
        return _refuse_transition(extension.state, shown, call.identifier)
    return _put(roster, extension._replace(state=state, poll=None, error_type=call.error_type))


def on_call_lost(roster: Roster, call: int) -> Roster:
    """The connection of a call was closed; a poll has to come again."""
    for extension in roster.extensions.values():
        if extension.poll == call:
            return _put(roster, extension._replace(poll=None))
    return roster


def on_exited(roster: Roster, identifier: str) -> Roster:
    """An extension's process ended."""
    extension = roster.extensions[identifier]
    return _put(roster, extension._replace(state=State.EXITED, poll=None))


def on_event(roster: Roster, event: str) -> tuple[Roster, tuple[int, ...]]:
    """An event is given to those registered for it: their polls, and the roster without them."""
    told = [each for each in roster.extensions.values() if event in each.events and each.state is State.READY]
    for extension in told:
        roster = _put(roster, extension._replace(state=State.RUNNING, poll=None))
    return roster, tuple(each.poll for each in told if each.poll is not None)


def all_registered(roster: Roster) -> bool:
    """Whether no external extension is still to register: the runtime may be started."""
    return all(each.state is not State.STARTED for each in roster.extensions.values())


def all_ready(roster: Roster) -> bool:
    """Whether no extension keeps an init or an invocation from ending."""
    return all(each.state is State.READY for each in roster.extensions.values())


def failure_of(extension: Extension) -> str:
    """The type of the failure that an extension's exit is."""
    reported = {State.INIT_ERROR: "Extension.InitError", State.EXIT_ERROR: "Extension.ExitError"}
    return reported.get(extension.state, "Extension.Crash")


def _put(roster: Roster, extension: Extension) -> Roster:
    return roster._replace(extensions={**roster.extensions, extension.identifier: extension})


def _refuse_transition(state: State, wanted: State, who: str) -> Refused:
    return Refused(
        refuse(
            "Extension.InvalidExtensionState",
            f"State transition from {state.value} to {wanted.value} failed for extension {who}. "
            "Error: State transition is not allowed",
        )
    )
