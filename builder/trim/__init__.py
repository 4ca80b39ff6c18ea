"""Trimming: what stays out of the image, decided by tables with a reason per row.

The names below are loaded when they are first used: the processes that read files use none.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.trim.observe import observe_sources
    from builder.trim.rules import DEPENDENCIES, FUNCTION, LEVELS, STDLIB, Choice, Observed, split

__all__ = ["DEPENDENCIES", "FUNCTION", "LEVELS", "STDLIB", "Choice", "Observed", "observe_sources", "split"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = "observe" if name == "observe_sources" else "rules"
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
