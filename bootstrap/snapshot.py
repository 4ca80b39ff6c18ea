"""SnapStart: the function's hooks before the snapshot and after the restore; loaded for no other function.

Hooks are registered with the package `snapshot-restore-py`. A function that has not imported it has none, so
it is never imported here. Order and failures are awslambdaric's.
"""

import sys

from . import invocation  # noqa: F401  what the first event needs belongs into the snapshot
from .loop import report_failure

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from .logs import LogState
    from .runtime_api import RuntimeApi

    class Function(Protocol):
        """What a hook calls."""

        def __call__(self, *positional: object, **named: object) -> object:
            """Run it."""

    Hook = tuple[Function, Sequence[object], Mapping[str, object]]

BEFORE_SNAPSHOT_EXIT_CODE = 64
AFTER_RESTORE_EXIT_CODE = 65
_REGISTRY = "snapshot_restore_py"


def pass_snapshot(api: "RuntimeApi", log_state: "LogState") -> int:
    """Run the hooks around the snapshot; return 0, or the exit code of what failed and was reported."""
    try:
        before = _hooks("get_before_snapshot")
        while before:  # the last one registered comes first; gone when it runs, as in awslambdaric
            function, positional, named = before.pop()
            function(*positional, **named)
    except BaseException as error:  # noqa: BLE001  the user's hook; one that exits has failed as well
        failure = report_failure(error, log_state)
        api.post_init_error(failure, error_type="Runtime.BeforeSnapshotError")
        return BEFORE_SNAPSHOT_EXIT_CODE
    api.wait_for_restore()
    try:
        for function, positional, named in _hooks("get_after_restore"):
            function(*positional, **named)
    except BaseException as error:  # noqa: BLE001  same
        api.post_restore_error(report_failure(error, log_state))
        return AFTER_RESTORE_EXIT_CODE
    return 0


def _hooks(getter: str) -> "list[Hook]":
    registry = sys.modules.get(_REGISTRY)
    hooks: list[Hook] = getattr(registry, getter)() if registry is not None else []
    return hooks
