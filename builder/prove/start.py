"""Whether an image starts, for functions without sample events: its runtime must ask for a first event.

The emulator initialises it and tells. No event is ever sent, so nothing of the function runs but its import.
"""

from dataclasses import dataclass, replace

from emulator import Settings, initialise


@dataclass(frozen=True, slots=True)
class Start:
    """How the start went: `problem` is empty when the runtime asked for an event; `log` is what it wrote, its end."""

    problem: str
    log: str


async def start(settings: Settings, *, timeout_s: float) -> Start:
    """Start the runtime and wait for its first call, its end, or the timeout; then end it.

    Raises the emulator's CommandNotStartedError.
    """
    told = await initialise(replace(settings, init_limit_s=timeout_s))
    if told.status == "success":
        problem = ""
    elif told.status == "timeout":
        problem = f"it did not start within {timeout_s:g} s"
    elif told.error:
        problem = f"it does not start: {told.error.decode('utf-8', 'replace')}"
    else:
        problem = f"it ended with {told.how}"
    return Start(problem, told.log.decode("utf-8", "replace"))
