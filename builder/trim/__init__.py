"""Trimming: what stays out of the image, decided by tables with a reason per row."""

from builder.trim.observe import observe_sources
from builder.trim.rules import DEPENDENCIES, FUNCTION, LEVELS, STDLIB, Choice, Observed, split

__all__ = ["DEPENDENCIES", "FUNCTION", "LEVELS", "STDLIB", "Choice", "Observed", "observe_sources", "split"]
