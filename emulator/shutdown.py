"""How long the end of an environment may take: the platform's shutdown phase as a table. It ends nothing itself.

Source: "Shutdown phase" in Lambda's execution environment guide. The phase lasts as long as the extensions need it to:

    no extension          0 ms: the runtime is killed, without SIGTERM
    internal ones only    500 ms, all of them the runtime's
    external ones         2,000 ms, of which the runtime has 300 ms, or 500 ms with internal ones beside them
"""

from __future__ import annotations

from typing import NamedTuple

INTERNAL_S = 0.5
EXTERNAL_S = 2.0
RUNTIME_S = 0.3


class ShutdownPhase(NamedTuple):
    """How long all of it may take, and the runtime's part at its beginning: from SIGTERM to SIGKILL. 0: no SIGTERM."""

    whole_s: float
    runtime_s: float


def shutdown_phase(asked_s: float | None, *, external: bool, internal: bool) -> ShutdownPhase:
    """The phase of an environment with such extensions; `asked_s` is another length for it, shared out likewise."""
    whole_s = EXTERNAL_S if external else INTERNAL_S if internal else 0.0
    runtime_s = whole_s if not external else INTERNAL_S if internal else RUNTIME_S
    if asked_s is None:
        return ShutdownPhase(whole_s, runtime_s)
    return ShutdownPhase(asked_s, asked_s * runtime_s / whole_s if whole_s else asked_s)
