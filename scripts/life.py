"""The diagram of an environment's life, found by trying every event in every situation that can be reached.

What it draws is what `emulator.lifecycle` decides, and nothing that was written down beside it.
"""

from collections.abc import Callable
from itertools import groupby

from emulator import lifecycle
from emulator.environment import Environment, Exited, InitError, Post, State, Step
from emulator.errors import InternalError
from emulator.values import Answer, Invocation

TIMEOUT_S = 3.0
INVOCATION = Invocation("id", b"{}", "arn", streams=True)
ANSWER = Answer(b"{}")
CALL, OTHER_CALL, THIRD_CALL = 1, 2, 3
NOW = 100.0

EVENTS: dict[str, Callable[[Environment], Step]] = {
    "start": lambda e: lifecycle.on_start(e, NOW),
    "invoke": lambda e: lifecycle.on_invoke(e, INVOCATION, NOW),
    "next": lambda e: lifecycle.on_next(e, CALL, NOW),
    "response, error": lambda e: lifecycle.on_post(e, Post(OTHER_CALL, "id", ANSWER, 2), NOW),
    "unknown mode": lambda e: lifecycle.on_post(e, Post(THIRD_CALL, "id", ANSWER, 2, mode_known=False), NOW),
    "stream begins": lambda e: lifecycle.on_stream(e, OTHER_CALL, "id"),
    "connection lost": lambda e: lifecycle.on_call_lost(e, CALL if e.stream is None else e.stream, NOW),
    "init error": lambda e: lifecycle.on_init_error(e, InitError(CALL, ANSWER)),
    "exit": lambda e: lifecycle.on_exited(e, Exited("exit status 1"), NOW),
    "not started": lambda e: lifecycle.on_not_started(e, "why", NOW),
    "time over": lambda e: lifecycle.on_timer(e, NOW),
    "out of memory": lambda e: lifecycle.on_out_of_memory(e, NOW),
    "close": lambda e: lifecycle.on_close(e, NOW),
}


def transitions() -> set[tuple[State, State, str]]:
    """Every change of state, with its event."""
    found: set[tuple[State, State, str]] = set()
    first = Environment(TIMEOUT_S)
    seen, pending = {first}, [first]
    while pending:
        environment = pending.pop()
        for name, event in EVENTS.items():
            try:
                after = event(environment).environment
            except InternalError:  # cannot happen: the shell never asks for it
                continue
            if after.state is not environment.state:
                found.add((environment.state, after.state, name))
            if after not in seen:
                seen.add(after)
                pending.append(after)
    return found


def diagram() -> str:
    """The states and what leads from one to the other, as a mermaid diagram."""
    order = {state: number for number, state in enumerate(State)}
    names = {name: number for number, name in enumerate(EVENTS)}
    # Closing leads from everywhere to the end; drawn once.
    rows = sorted(
        (row for row in transitions() if row[2] != "close"),
        key=lambda row: (order[row[0]], order[row[1]], names[row[2]]),
    )
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> down"]
    for (source, target), group in groupby(rows, key=lambda row: row[:2]):
        lines.append(f"    {source.value} --> {target.value}: {'; '.join(name for *_, name in group)}")
    return "\n".join([*lines, "    down --> closed: close (from every state)", "    closed --> [*]", "```"])
